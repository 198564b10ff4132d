/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "milter/monitor.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/net/http.h"
#include "common/net/listener.h"
#include "common/net/loop.h"
#include "common/net/status.h"
#include "common/wire/metric.h"

#define ROUTES_MAX 2
#define MIB        ((size_t)1024 * 1024)
#define NUMBER_MAX 24

struct port {
    const struct config_http *config;
    int fd; /* until it is served */
    struct http_server *server;
    struct http_route routes[ROUTES_MAX];
    size_t route_count;
};

struct monitor {
    struct monitor_source source;
    int64_t started_ms;
    struct http_counts counts;
    struct loop *loop;
    pthread_t thread;
    bool is_running;
    struct port *ports;
    size_t port_count;
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

static int bind_port(struct monitor *monitor, const struct config_http *http, struct error *error_r)
{
    int fd = listener_bind(http->listen, http->group, error_r);

    if (fd < 0)
        return -1;
    monitor->ports =
        x_reallocarray(monitor->ports, monitor->port_count + 1, sizeof monitor->ports[0]);
    monitor->ports[monitor->port_count++] = (struct port){.config = http, .fd = fd};
    return 0;
}

static void warn_unused_sockets(const struct monitor *monitor)
{
    int *fds = x_calloc(monitor->port_count + 1, sizeof *fds);

    for (size_t i = 0; i < monitor->port_count; i++)
        fds[i] = monitor->ports[i].fd;
    listener_warn_unused(fds, monitor->port_count);
    free(fds);
}

struct monitor *monitor_bind(const struct config *config, struct error *error_r)
{
    struct monitor *monitor = x_calloc(1, sizeof *monitor);

    for (size_t i = 0; i < config->http_count; i++) {
        const struct config_http *http = &config->https[i];
        if (http->program != CONFIG_MILTER || http->listen == NULL)
            continue;
        if (bind_port(monitor, http, error_r) != 0) {
            monitor_free(&monitor);
            return NULL;
        }
    }
    warn_unused_sockets(monitor);
    return monitor;
}

static void choose_routes(struct port *port)
{
    static const struct http_route metrics = {"GET", "/metrics", answer_metrics, false};
    static const struct http_route status = {"GET", "/status", answer_status, false};

    if ((port->config->serve & CONFIG_SERVE_METRICS) != 0)
        port->routes[port->route_count++] = metrics;
    if ((port->config->serve & CONFIG_SERVE_STATUS) != 0)
        port->routes[port->route_count++] = status;
}

static int start_port(struct monitor *monitor, struct port *port, struct error *error_r)
{
    choose_routes(port);
    struct http_options options = {
        .fd = port->fd,
        .name = port->config->name,
        .token = port->config->token,
        .from = &port->config->from,
        .body_max = port->config->max_request,
        .memory_max = (size_t)port->config->max_memory * MIB,
        .max_connections = port->config->max_connections,
        .idle_sec = port->config->idle_timeout_sec,
        .request_sec = port->config->request_timeout_sec,
        .routes = port->routes,
        .route_count = port->route_count,
        .ctx = monitor,
        .counts = &monitor->counts,
    };
    port->fd = -1;
    port->server = http_server_new(monitor->loop, &options, error_r);
    if (port->server == NULL)
        return -1;
    log_info(NULL, "listening", LOG_STR("address", port->config->listen),
             LOG_STR("name", port->config->name));
    return 0;
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
    monitor->source = *source;
    monitor->started_ms = clock_mono_ms(source->clock);
    if (monitor->port_count == 0)
        return 0;
    monitor->loop = loop_new();
    for (size_t i = 0; i < monitor->port_count; i++)
        if (start_port(monitor, &monitor->ports[i], error_r) != 0)
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
    for (size_t i = 0; i < old->port_count; i++) {
        http_server_free(&old->ports[i].server);
        if (old->ports[i].fd >= 0)
            close(old->ports[i].fd);
    }
    if (old->loop != NULL)
        loop_free(&old->loop);
    free(old->ports);
    free(old);
}
