/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "milter/server.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include <libmilter/mfapi.h>

#include "common/base/log.h"
#include "common/base/process.h"
#include "common/net/resolver.h"

#define DRAIN_EXTRA_MS  1000
#define LAST_REPLY_MS   200
#define DESCRIPTORS_OWN 256 /* for all that is no session and not DNS */

static atomic_bool libmilter_failed;

/*
 * pthread_create() blocks all signals while it runs. A SIGHUP would then not be ignored but
 * wait, and libmilter's signal thread would take it for the end: it begins afterwards.
 */
static pthread_mutex_t starting = PTHREAD_MUTEX_INITIALIZER;

static void fill_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGUSR1);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
}

void server_block_signals(void)
{
    sigset_t set;

    fill_signals(&set);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    /* libmilter would end on it; this program has no use for it. */
    signal(SIGHUP, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
}

void server_reserve_descriptors(const struct config *config)
{
    uint64_t wanted =
        (uint64_t)config->milter.max_sessions * 2 + DESCRIPTORS_OWN + RESOLVER_SOCKETS_MAX;

    for (size_t i = 0; i < config->http_count; i++)
        if (config->https[i].program == CONFIG_MILTER)
            wanted += config->https[i].max_connections;
    process_raise_descriptors(wanted, "sessions may be refused before max_sessions, and DNS be "
                                      "held up by servers that do not answer");
}

/*
 * libmilter's own signal thread also waits for SIGTERM. The kernel prefers the main
 * thread for a signal to the process, once that one waits in server_run(); should the
 * other get it, smfi_main() returns without a failure and this thread passes it on.
 */
static void *run_libmilter(void *arg)
{
    const pthread_t *main_thread = arg;

    pthread_mutex_lock(&starting);
    pthread_mutex_unlock(&starting);
    if (smfi_main() != MI_SUCCESS)
        atomic_store(&libmilter_failed, true);
    /* It waits for this signal: NOLINTNEXTLINE(bugprone-bad-signal-to-kill-thread,cert-pos44-c) */
    pthread_kill(*main_thread, SIGTERM);
    return NULL;
}

static int start_libmilter(const pthread_t *main_thread, struct error *error_r)
{
    pthread_t thread;

    pthread_mutex_lock(&starting);
    int rc = pthread_create(&thread, NULL, run_libmilter, (void *)main_thread);
    pthread_mutex_unlock(&starting);
    if (rc != 0)
        return error_set(error_r, ERROR_SYSTEM, "cannot start a thread: %s", strerror(rc));
    pthread_detach(thread);
    return 0;
}

/*
 * libmilter writes the answer of a callback after the callback returned: the last one
 * out of the gate may still have it in hand.
 */
static void let_last_reply_out(void)
{
    const struct timespec while_it_is_written = {.tv_nsec = LAST_REPLY_MS * 1000000L};

    (void)nanosleep(&while_it_is_written, NULL);
}

/* Sessions that are open go on as they began; no event of theirs is touched. */
static void reload(struct milter *milter)
{
    bool failed = setups_reload(&milter->setups, milter->path) != 0;

    tally_add(&milter->tally, TALLY_RELOAD, failed, 1);
    if (failed)
        return;
    const struct config *config = milter->setups.current->config;
    server_reserve_descriptors(config);
    limit_set_max(&milter->sessions, config->milter.max_sessions);
}

/* The longest that a message of any configuration so far may take for DNS, in milliseconds. */
static unsigned wait_for_end(struct milter *milter)
{
    unsigned longest_ms = 0;
    int number = SIGUSR1;
    sigset_t set;

    fill_signals(&set);
    for (;;) {
        unsigned timeout_ms = milter->setups.current->config->dns_timeout_ms;
        if (timeout_ms > longest_ms)
            longest_ms = timeout_ms;
        sigwait(&set, &number);
        if (number != SIGUSR1)
            return longest_ms;
        reload(milter);
    }
}

int server_run(struct milter *milter, bool *drained_r, struct error *error_r)
{
    static pthread_t main_thread;
    *drained_r = true;
    main_thread = pthread_self();
    (void)smfi_settimeout((int)milter->setups.current->config->milter.idle_timeout_sec);
    if (start_libmilter(&main_thread, error_r) != 0)
        return -1;
    process_notify_ready();
    unsigned drain_ms = wait_for_end(milter) + DRAIN_EXTRA_MS;
    process_notify_stopping();
    *drained_r = gate_close(&milter->gate, drain_ms);
    let_last_reply_out();
    if (!atomic_load(&libmilter_failed))
        return 0;
    return error_set(error_r, ERROR_SYSTEM, "libmilter ended by itself");
}
