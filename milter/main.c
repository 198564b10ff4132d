/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <stdlib.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/process.h"
#include "common/config/program.h"
#include "common/net/resolver.h"
#include "milter/callbacks.h"
#include "milter/server.h"
#include "milter/socket.h"

#define PROGRAM "postern-milter"
#define SUMMARY "find the origin of each SMTP session and judge its mail"

/* What needs root, or a place in the file system, comes before both are given up. */
static int open_and_detach(struct milter *milter, const struct config *config, bool foreground,
                           struct error *error_r)
{
    if (callbacks_register(milter) != 0)
        return error_set(error_r, ERROR_SYSTEM, "libmilter refuses this program");
    if (socket_open(config->milter.listen, config->milter.group, error_r) != 0)
        return -1;
    milter->monitor = monitor_bind(config, error_r);
    if (milter->monitor == NULL)
        return -1;
    if (process_drop_root(config->user, PROCESS_KEEP_NOTHING, error_r) != 0)
        return -1;
    process_guard_secrets();
    return foreground ? 0 : process_detach(error_r);
}

static void tell_policyd(const struct report *report, void *ctx)
{
    reporter_put(ctx, report);
}

/* Threads start here, after the last fork. */
static int start_engines(struct milter *milter, const struct config *config,
                         struct resolver **resolver_r, struct error *error_r)
{
    *resolver_r = resolver_new(&config->resolver, config->dnssec, error_r);
    if (*resolver_r == NULL)
        return -1;
    milter->tools.dns = tally_dns(&milter->tally, resolver_dns(*resolver_r));
    milter->tools.tally = &milter->tally;
    milter->tools.dkim = dkim_library_new(error_r);
    if (milter->tools.dkim == NULL)
        return -1;
    if (config->milter.report == NULL)
        return 0;
    milter->reporter = reporter_new(config->milter.report, error_r);
    milter->tools.report = tell_policyd;
    milter->tools.report_ctx = milter->reporter;
    return milter->reporter == NULL ? -1 : 0;
}

static bool enforces(void *ctx)
{
    struct milter *milter = ctx;
    struct setup *setup = setups_take(&milter->setups);
    bool enforce = setup->config->milter.enforce;

    setup_release(&setup);
    return enforce;
}

static int start_monitor(struct milter *milter, struct error *error_r)
{
    const struct monitor_source source = {
        .tally = &milter->tally,
        .reporter = milter->reporter,
        .clock = &clock_system,
        .enforces = enforces,
        .ctx = milter,
    };

    return monitor_start(milter->monitor, &source, error_r);
}

/* Takes config over. path: where it is from, whatever the directory later is. */
static void init(struct milter *milter, struct config *config, const char *path)
{
    *milter = (struct milter){.tools = {.clock = &clock_system}};
    milter->path = realpath(path, NULL);
    if (milter->path == NULL)
        milter->path = x_strdup(path);
    setups_init(&milter->setups, config);
    roster_init(&milter->roster);
    limit_init(&milter->sessions, config->milter.max_sessions);
    gate_init(&milter->gate);
}

/* All but the gate, to which libmilter's threads come until the very end. */
static void fini(struct milter *milter, struct resolver **resolver)
{
    monitor_free(&milter->monitor);
    reporter_free(&milter->reporter);
    roster_fini(&milter->roster);
    setups_fini(&milter->setups);
    tally_fini(&milter->tally);
    dkim_library_free(&milter->tools.dkim);
    resolver_free(resolver);
    limit_fini(&milter->sessions);
    free(milter->path);
}

static int run(struct milter *milter, const struct config *config, bool foreground, bool *drained_r,
               struct error *error_r)
{
    struct resolver *resolver = NULL;
    int rc = open_and_detach(milter, config, foreground, error_r);

    *drained_r = true;
    server_block_signals();
    server_reserve_descriptors(config);
    if (rc == 0)
        rc = start_engines(milter, config, &resolver, error_r);
    if (rc == 0)
        rc = start_monitor(milter, error_r);
    if (rc == 0) {
        setups_equip(&milter->setups, &milter->tools);
        log_info(NULL, "started", LOG_STR("version", PACKAGE_VERSION),
                 LOG_STR("listen", config->milter.listen),
                 LOG_STR("enforce", config->milter.enforce ? "yes" : "no"));
        rc = server_run(milter, drained_r, error_r);
        socket_remove(config->milter.listen);
        log_info(NULL, "stopped", LOG_STR("drained", *drained_r ? "yes" : "no"));
    }
    if (*drained_r)
        fini(milter, &resolver);
    return rc;
}

int main(int argc, char **argv)
{
    static const struct program program = {
        .name = PROGRAM, .summary = SUMMARY, .check = sign_keys_check};
    struct program_options options;
    struct config *config = program_start(argc, argv, &program, &options);
    static struct milter milter;
    struct error error = {.code = ERROR_NONE};
    bool drained;
    int rc;

    if (config->milter.listen == NULL) {
        log_info(NULL, "off", LOG_STR("reason", "milter.listen is empty"));
        config_free(&config);
        return EXIT_SUCCESS;
    }
    init(&milter, config, options.config_path);
    rc = run(&milter, config, options.foreground, &drained, &error);
    if (rc != 0)
        log_error(NULL, "failed", LOG_ERR(&error));
    if (!drained)
        _exit(rc == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
    return rc == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
