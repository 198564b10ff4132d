/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/net/reporter.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/net/loop.h"
#include "common/net/report_link.h"

#define LOOK_MS 10 /* between two looks whether all is sent, when it ends */

struct reporter {
    struct report_queue queue;
    struct loop *loop;
    struct report_link *link;
    struct loop_timer *look;
    int64_t end_ms; /* monotonic */
    pthread_t thread;
};

static void *run(void *ctx)
{
    struct reporter *reporter = ctx;

    loop_run(reporter->loop);
    return NULL;
}

static void on_wake(void *ctx)
{
    report_link_wake(((struct reporter *)ctx)->link);
}

static void on_look(void *ctx)
{
    struct reporter *reporter = ctx;

    if (report_link_is_idle(reporter->link) || clock_mono_ms(&clock_system) >= reporter->end_ms)
        loop_stop(reporter->loop);
    else
        loop_timer_start(reporter->look, LOOK_MS);
}

static void on_end(void *ctx)
{
    struct reporter *reporter = ctx;

    reporter->end_ms = clock_mono_ms(&clock_system) + REPORTER_GRACE_MS;
    on_look(reporter);
}

static void close_all(struct reporter *reporter)
{
    size_t waiting = report_queue_counts(&reporter->queue).waiting;

    waiting += report_link_free(&reporter->link);
    if (waiting)
        log_warning(NULL, "reports-lost", LOG_UINT("waiting", waiting),
                    LOG_STR("reason", "this program ends"));
    loop_timer_free(&reporter->look);
    loop_free(&reporter->loop);
    report_queue_fini(&reporter->queue);
    free(reporter);
}

struct reporter *reporter_new(const char *address, struct error *error_r)
{
    struct reporter *reporter = x_calloc(1, sizeof(*reporter));

    report_queue_init(&reporter->queue, REPORT_QUEUE_MAX);
    reporter->loop = loop_new();
    reporter->look = loop_timer_new(reporter->loop, on_look, reporter);
    reporter->link = report_link_new(reporter->loop, &(struct report_link_options){
                                                         .address = address,
                                                         .queue = &reporter->queue,
                                                         .retry_min_ms = REPORT_RETRY_MIN_MS,
                                                         .retry_max_ms = REPORT_RETRY_MAX_MS,
                                                         .summary_ms = REPORT_SUMMARY_MS,
                                                     });
    int rc = pthread_create(&reporter->thread, NULL, run, reporter);
    if (rc == 0)
        return reporter;
    error_set(error_r, ERROR_SYSTEM, "cannot start a thread: %s", strerror(rc));
    close_all(reporter);
    return NULL;
}

void reporter_free(struct reporter **reporter)
{
    struct reporter *old = *reporter;

    if (!old)
        return;
    *reporter = NULL;
    loop_post(old->loop, on_end, old);
    pthread_join(old->thread, NULL);
    close_all(old);
}

void reporter_put(struct reporter *reporter, const struct report *report)
{
    if (report_queue_put(&reporter->queue, report_encode(report)))
        loop_post(reporter->loop, on_wake, reporter);
}

struct report_counts reporter_counts(struct reporter *reporter)
{
    return report_queue_counts(&reporter->queue);
}
