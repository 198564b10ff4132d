/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/process.h"
#include "common/base/random.h"
#include "common/config/program.h"
#include "common/net/loop.h"
#include "policyd/engine.h"
#include "policyd/replay_events.h"
#include "policyd/server.h"
#include "common/net/service.h"
#include "policyd/setup.h"
#include "policyd/store_file.h"
#include "policyd/store_redis.h"

#define NAME          "postern-policyd"
#define TICK_MS       1000
#define REFRESH_TICKS 60 /* between two looks at the addresses of this host */
#define DRAIN_MS      10 /* between two looks whether all is answered */
#define DRAIN_LOOK    2  /* in a row, so that the last answer is on its way too */
#define DRAIN_LOOKS   (SERVICE_STOP_MS / DRAIN_MS) /* at most, for peers that do not end */

struct daemon {
    char *path;            /* of the file, whatever the directory */
    struct setup *started; /* with what the listeners were made */
    struct setup *setup;   /* what is in force: the same until a reload */
    struct server *server;
    struct loop *loop;
    struct store *store;
    struct engine *engine;
    struct loop_timer *tick, *drain;
    struct loop_signal *term, *interrupt, *hangup;
    unsigned ticks;
    unsigned looks, quiet_looks; /* while draining */
};

static void on_tick(void *ctx)
{
    struct daemon *daemon = ctx;

    process_notify_alive();
    engine_tick(daemon->engine);
    if (++daemon->ticks % REFRESH_TICKS == 0)
        setup_refresh(daemon->setup);
    loop_timer_start(daemon->tick, TICK_MS);
}

/*
 * What was accepted before the signal gets its answer: it may have changed the store. Then
 * the peers are gone, and nothing can be asked any more but what waits for the store already.
 */
static void on_drain(void *ctx)
{
    struct daemon *daemon = ctx;
    bool busy = engine_pending(daemon->engine) ||
                (++daemon->looks < DRAIN_LOOKS && server_is_busy(daemon->server));

    daemon->quiet_looks = busy ? 0 : daemon->quiet_looks + 1;
    if (daemon->quiet_looks == DRAIN_LOOK)
        server_last_call(daemon->server);
    if (daemon->quiet_looks >= DRAIN_LOOK)
        loop_stop(daemon->loop);
    else
        loop_timer_start(daemon->drain, DRAIN_MS);
}

static void on_stop_signal(void *ctx)
{
    struct daemon *daemon = ctx;

    log_info(NULL, "stopping", LOG_UINT("pending", engine_pending(daemon->engine)));
    process_notify_stopping();
    server_stop(daemon->server);
    engine_finish(daemon->engine);
    loop_timer_start(daemon->drain, 0);
}

static void on_hangup(void *ctx)
{
    struct daemon *daemon = ctx;
    struct setup *setup = setup_reload(daemon->path);

    engine_stats(daemon->engine)->count[setup ? STAT_RELOAD_OK : STAT_RELOAD_ERROR]++;
    if (!setup)
        return;
    engine_reconfigure(daemon->engine, setup->config, &setup->rules);
    server_reconfigured(daemon->server);
    if (daemon->setup != daemon->started)
        setup_free(&daemon->setup);
    daemon->setup = setup;
    log_info(NULL, "reloaded", LOG_STR("enforce", setup->config->enforce ? "yes" : "no"));
    if (!server_fits(daemon->server, setup->config))
        log_warning(NULL, "restart-needed", LOG_STR("reason", "listeners or tokens changed"));
}

static int leave_root(struct daemon *daemon, bool foreground, struct error *error_r)
{
    const struct config *config = daemon->started->config;

    if ((config->store.kind == CONFIG_STORE_FILE &&
         store_file_make_directory(config->store.path, config->user, error_r)) ||
        process_drop_root(config->user, PROCESS_KEEP_NOTHING, error_r))
        return -1;
    process_guard_secrets();
    return foreground ? 0 : process_detach(error_r);
}

static int open_state(struct daemon *daemon, struct error *error_r)
{
    const struct config *config = daemon->started->config;

    signal(SIGPIPE, SIG_IGN); /* of a log that nobody reads any more, of a store that went */
    daemon->loop = loop_new();
    daemon->drain = loop_timer_new(daemon->loop, on_drain, daemon);
    daemon->store = config->store.kind == CONFIG_STORE_FILE
                        ? store_file_open(config->store.path, daemon->loop, error_r)
                        : store_redis_open(daemon->loop, &clock_system, config);
    if (!daemon->store)
        return -1;
    daemon->engine = engine_new(&(struct engine_options){
        .random = random_u32,
        .config = daemon->setup->config,
        .rules = &daemon->setup->rules,
        .clock = &clock_system,
        .store = daemon->store,
    });
    return engine_restore(daemon->engine, error_r);
}

static int serve(struct daemon *daemon, struct error *error_r)
{
    if (server_start(daemon->server, daemon->loop, daemon->engine, error_r))
        return -1;
    daemon->tick = loop_timer_new(daemon->loop, on_tick, daemon);
    daemon->term = loop_signal_new(daemon->loop, SIGTERM, on_stop_signal, daemon);
    daemon->interrupt = loop_signal_new(daemon->loop, SIGINT, on_stop_signal, daemon);
    daemon->hangup = loop_signal_new(daemon->loop, SIGHUP, on_hangup, daemon);
    loop_timer_start(daemon->tick, TICK_MS);
    log_info(NULL, "started", LOG_STR("version", PACKAGE_VERSION),
             LOG_STR("enforce", daemon->setup->config->enforce ? "yes" : "no"));
    process_notify_ready();
    loop_run(daemon->loop);
    log_info(NULL, "stopped");
    return 0;
}

static int run(struct daemon *daemon, bool foreground, struct error *error_r)
{
    daemon->server = server_bind(daemon->started->config, error_r);
    if (!daemon->server || leave_root(daemon, foreground, error_r) || open_state(daemon, error_r))
        return -1;
    return serve(daemon, error_r);
}

/* A start that failed late may have asked the store to forget bans that are over. */
static void finish_writes(struct daemon *daemon)
{
    if (!daemon->engine || !engine_pending(daemon->engine))
        return;
    daemon->quiet_looks = 0;
    loop_timer_start(daemon->drain, 0);
    loop_run(daemon->loop);
}

static void close_all(struct daemon *daemon)
{
    if (daemon->hangup) {
        loop_signal_free(&daemon->hangup);
        loop_signal_free(&daemon->interrupt);
        loop_signal_free(&daemon->term);
        loop_timer_free(&daemon->tick);
    }
    server_free(&daemon->server);
    if (daemon->store)
        daemon->store->free(daemon->store);
    engine_free(&daemon->engine);
    if (daemon->loop) {
        loop_timer_free(&daemon->drain);
        loop_free(&daemon->loop);
    }
    if (daemon->setup != daemon->started)
        setup_free(&daemon->setup);
    setup_free(&daemon->started);
    free(daemon->path);
}

int main(int argc, char **argv)
{
    struct program_options options;
    struct config *config = program_start(
        argc, argv,
        &(struct program){.name = NAME,
                          .summary = "bans clients and chooses relays",
                          .option = "replay",
                          .option_help = "take events from standard input, print what jails do"},
        &options);
    struct daemon daemon = {.path = realpath(options.config_path, NULL),
                            .started = setup_new(config)};
    struct error error = {0};

    daemon.setup = daemon.started;
    if (!daemon.path)
        daemon.path = x_strdup(options.config_path);
    int rc = options.has_option ? replay_events(config, &daemon.setup->rules, stdin, stdout, &error)
                                : run(&daemon, options.foreground, &error);
    if (rc && !options.foreground)
        fprintf(stderr, NAME ": %s\n", error.text); /* the log is elsewhere */
    if (rc && !options.has_option)
        log_error(NULL, "start-failed", LOG_ERR(&error));
    finish_writes(&daemon);
    close_all(&daemon);
    return rc ? EXIT_FAILURE : EXIT_SUCCESS;
}
