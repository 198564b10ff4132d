/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "milter/monitor.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/net/http_sections.h"
#include "common/net/listener.h"
#include "common/net/loop.h"
#include "common/net/status.h"
#include "common/wire/metric.h"

#define NUMBER_MAX 24

struct monitor {
    struct monitor_source source;
    int64_t started_ms;
    struct http_counts counts;
    struct loop *loop;
    pthread_t thread;
    bool is_running;
    struct http_sections *sections;
};

/* --- what is answered: all in the monitor's thread --------------------------- */

static uint64_t uptime_sec(const struct monitor *monitor)
{
    return (uint64_t)((clock_mono_ms(monitor->source.clock) - monitor->started_ms) / 1000);
}

#define NAME(name) "postern_milter_" name

static const struct metric version_metric = {
    NAME("build_info"), METRIC_GAUGE, "Always 1; the version that runs.", {"version"}};
static const struct metric uptime_metric = {
    NAME("uptime_seconds"), METRIC_GAUGE, "Seconds since the start.", {NULL}};
static const struct metric enforce_metric = {
    NAME("enforce"), METRIC_GAUGE, "1 when it refuses, 0 when it only logs.", {NULL}};
static const struct metric http_metric = {
    NAME("http_requests_total"), METRIC_COUNTER, "HTTP requests answered.", {"code"}};

static const struct metric reports_metric = {
    NAME("reports_total"), METRIC_COUNTER, "Events told to policyd, by its answer.", {"answer"}};
static const struct metric dropped_metric = {
    NAME("reports_dropped_total"), METRIC_COUNTER, "Events dropped: too many waited.", {NULL}};
static const struct metric waiting_metric = {
    NAME("reports_waiting"), METRIC_GAUGE, "Events that wait to be told to policyd.", {NULL}};

static bool enforces(const struct monitor *monitor)
{
    return monitor->source.enforces(monitor->source.ctx);
}

static struct report_counts report_counts(const struct monitor *monitor)
{
    if (monitor->source.reporter == NULL)
        return (struct report_counts){.accepted = 0};
    return reporter_counts(monitor->source.reporter);
}

static void put_report_metrics(const struct monitor *monitor, struct buf *out)
{
    struct report_counts counts = report_counts(monitor);

    metric_put_head(out, &reports_metric);
    metric_put(out, &reports_metric, (const char *[]){"accepted", NULL}, counts.accepted);
    metric_put(out, &reports_metric, (const char *[]){"refused", NULL}, counts.refused);
    metric_put_head(out, &dropped_metric);
    metric_put(out, &dropped_metric, NULL, counts.dropped);
    metric_put_head(out, &waiting_metric);
    metric_put(out, &waiting_metric, NULL, counts.waiting);
}

static void put_metrics(const struct monitor *monitor, struct buf *out)
{
    metric_put_head(out, &version_metric);
    metric_put(out, &version_metric, (const char *[]){PACKAGE_VERSION, NULL}, 1);
    metric_put_head(out, &uptime_metric);
    metric_put(out, &uptime_metric, NULL, uptime_sec(monitor));
    metric_put_head(out, &enforce_metric);
    metric_put(out, &enforce_metric, NULL, enforces(monitor));
    tally_put_metrics(monitor->source.tally, out);
    put_report_metrics(monitor, out);
    metric_put_head(out, &http_metric);
    for (size_t i = 0; i < monitor->counts.count; i++) {
        char code[NUMBER_MAX];
        snprintf(code, sizeof code, "%u", monitor->counts.items[i].status);
        metric_put(out, &http_metric, (const char *[]){code, NULL}, monitor->counts.items[i].count);
    }
}

static void answer_metrics(struct http_request *request, void *ctx)
{
    struct buf out = {0};

    put_metrics(ctx, &out);
    http_respond(request, 200, METRIC_CONTENT_TYPE, out.data, out.len);
    buf_fini(&out);
}

static void put_status(const struct monitor *monitor, struct buf *out)
{
    struct report_counts counts = report_counts(monitor);

    attr_put(out, "program", "postern-milter");
    attr_put(out, "version", PACKAGE_VERSION);
    attr_put_uint(out, "uptime", uptime_sec(monitor));
    attr_put(out, "enforce", enforces(monitor) ? "yes" : "no");
    tally_put_status(monitor->source.tally, out);
    attr_put_uint(out, "reports_accepted", counts.accepted);
    attr_put_uint(out, "reports_refused", counts.refused);
    attr_put_uint(out, "reports_dropped", counts.dropped);
    attr_put_uint(out, "reports_waiting", counts.waiting);
    attr_end(out);
}

static void answer_status(struct http_request *request, void *ctx)
{
    struct buf out = {0};

    put_status(ctx, &out);
    status_respond(request, &out);
    buf_fini(&out);
}

/* --- listeners and their thread ----------------------------------------------- */

static void warn_unused_sockets(const struct http_sections *sections)
{
    size_t count = http_sections_count(sections);
    int *fds = x_calloc(count + 1, sizeof *fds);

    for (size_t i = 0; i < count; i++)
        fds[i] = http_sections_fd(sections, i);
    listener_warn_unused(fds, count);
    free(fds);
}

struct monitor *monitor_bind(const struct config *config, struct error *error_r)
{
    struct http_sections *sections = http_sections_bind(config, CONFIG_MILTER, error_r);

    if (sections == NULL)
        return NULL;
    warn_unused_sockets(sections);
    struct monitor *monitor = x_calloc(1, sizeof *monitor);
    monitor->sections = sections;
    return monitor;
}

static void *run(void *ctx)
{
    loop_run(ctx);
    return NULL;
}

static int start_thread(struct monitor *monitor, struct error *error_r)
{
    sigset_t all, before;

    /* Signals are for the program's own thread. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    errno = pthread_create(&monitor->thread, NULL, run, monitor->loop);
    int failed = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = failed;
    if (failed)
        return error_set_errno(error_r, "cannot start the monitor's thread");
    monitor->is_running = true;
    return 0;
}

int monitor_start(struct monitor *monitor, const struct monitor_source *source,
                  struct error *error_r)
{
    static const struct http_section_route routes[] = {
        {CONFIG_SERVE_METRICS, {"GET", "/metrics", answer_metrics, false}},
        {CONFIG_SERVE_STATUS, {"GET", "/status", answer_status, false}},
    };

    monitor->source = *source;
    monitor->started_ms = clock_mono_ms(source->clock);
    if (http_sections_count(monitor->sections) == 0)
        return 0;
    monitor->loop = loop_new();
    if (http_sections_start(monitor->sections, monitor->loop, routes,
                            sizeof routes / sizeof routes[0], monitor, &monitor->counts,
                            error_r) != 0)
        return -1;
    return start_thread(monitor, error_r);
}

void monitor_free(struct monitor **monitor)
{
    struct monitor *old = *monitor;

    if (old == NULL)
        return;
    *monitor = NULL;
    if (old->is_running) {
        loop_stop(old->loop);
        pthread_join(old->thread, NULL);
    }
    http_sections_free(&old->sections);
    if (old->loop != NULL)
        loop_free(&old->loop);
    free(old);
}
