/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/log.h"
#include "common/base/process.h"
#include "common/config/program.h"
#include "common/net/listener.h"
#include "common/net/loop.h"
#include "common/net/origin.h"
#include "ingress/generation.h"
#include "ingress/server.h"
#include "ingress/successor.h"
#include "ingress/transparent.h"

#define NAME       "postern-ingress"
#define REFRESH_MS 60000 /* between two looks at the addresses of this host */

struct daemon {
    struct config *config;
    struct origin_rules rules;
    struct server *server;
    struct loop *loop;
    struct loop_timer *refresh;
    struct loop_signal *term, *interrupt;
    struct generation *generation;
    char **next; /* the command of the next process */
};

static void on_refresh(void *ctx)
{
    struct daemon *daemon = ctx;

    origin_rules_fini(&daemon->rules);
    origin_rules_init(&daemon->rules, daemon->config);
    loop_timer_start(daemon->refresh, REFRESH_MS);
}

static void on_stop_signal(void *ctx)
{
    struct daemon *daemon = ctx;

    log_info(NULL, "stopping");
    generation_stops(daemon->generation);
    loop_stop(daemon->loop);
}

static void on_drained(void *ctx)
{
    struct daemon *daemon = ctx;

    loop_stop(daemon->loop);
}

static void on_service(void *ctx)
{
    const struct daemon *daemon = ctx;

    log_info(NULL, "started", LOG_STR("version", PACKAGE_VERSION),
             LOG_STR("enforce", daemon->config->enforce ? "yes" : "no"));
}

static int leave_root(const struct daemon *daemon, bool foreground, struct error *error_r)
{
    bool is_transparent = config_forwards_as(daemon->config, FORWARD_AS_TRANSPARENT);

    if (process_drop_root(daemon->config->user,
                          is_transparent ? PROCESS_KEEP_NET_ADMIN : PROCESS_KEEP_NOTHING, error_r))
        return -1;
    process_guard_secrets();
    if (process_has_predecessor())
        return is_transparent ? transparent_check_right(error_r) : 0;
    return foreground ? 0 : process_detach(error_r);
}

static int serve(struct daemon *daemon, struct error *error_r)
{
    daemon->loop = loop_new();
    listener_leave_files(process_has_predecessor());
    signal(SIGPIPE, SIG_IGN); /* of splice(2) into what is closed, and of a log unread */
    if (server_start(daemon->server, daemon->loop, &daemon->rules, error_r))
        return -1;
    daemon->refresh = loop_timer_new(daemon->loop, on_refresh, daemon);
    daemon->term = loop_signal_new(daemon->loop, SIGTERM, on_stop_signal, daemon);
    daemon->interrupt = loop_signal_new(daemon->loop, SIGINT, on_stop_signal, daemon);
    loop_timer_start(daemon->refresh, REFRESH_MS);
    daemon->generation = generation_new(&(struct generation_options){
        .loop = daemon->loop,
        .server = daemon->server,
        .next = daemon->next,
        .drain_timeout_sec = daemon->config->drain_timeout_sec,
        .on_service = on_service,
        .on_drained = on_drained,
        .ctx = daemon,
    });
    loop_run(daemon->loop);
    log_info(NULL, "stopped");
    return 0;
}

static int run(struct daemon *daemon, bool foreground, struct error *error_r)
{
    origin_rules_init(&daemon->rules, daemon->config);
    daemon->server = server_bind(daemon->config, error_r);
    if (!daemon->server || leave_root(daemon, foreground, error_r))
        return -1;
    return serve(daemon, error_r);
}

static void close_all(struct daemon *daemon)
{
    generation_free(&daemon->generation);
    loop_signal_free(&daemon->interrupt);
    loop_signal_free(&daemon->term);
    signal(SIGTERM, SIG_IGN); /* it ends already, and ends well */
    loop_timer_free(&daemon->refresh);
    server_free(&daemon->server);
    loop_free(&daemon->loop);
    origin_rules_fini(&daemon->rules);
    config_free(&daemon->config);
    successor_command_free(&daemon->next);
}

static int print_rules(struct daemon *daemon)
{
    origin_rules_init(&daemon->rules, daemon->config);
    transparent_put_rules(daemon->config, &daemon->rules, stdout);
    close_all(daemon);
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    static const struct program program = {
        .name = NAME,
        .summary = "lets the gateways in, and nobody else",
        .option = "rules",
        .option_help = "print the commands that forward_as = \"transparent\" needs, and exit",
    };
    struct program_options options;
    struct daemon daemon = {.config = program_start(argc, argv, &program, &options)};
    struct error error = {0};

    if (options.has_option)
        return print_rules(&daemon);
    daemon.next = successor_command(argv[0], &options);
    int rc = run(&daemon, options.foreground, &error);

    if (rc && !options.foreground)
        fprintf(stderr, NAME ": %s\n", error.text); /* the log is elsewhere */
    if (rc)
        log_error(NULL, "start-failed", LOG_ERR(&error));
    close_all(&daemon);
    return rc ? EXIT_FAILURE : EXIT_SUCCESS;
}
