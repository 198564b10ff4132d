/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "ingress/monitor.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/net/http.h"
#include "common/net/status.h"
#include "common/wire/metric.h"

#define MIB        ((size_t)1024 * 1024)
#define ROUTES_MAX 2
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
    struct port *ports;
    size_t port_count;
};

/* --- what is answered -------------------------------------------------------------------- */

static uint64_t uptime_sec(const struct monitor *monitor)
{
    return (uint64_t)((clock_mono_ms(monitor->source.clock) - monitor->started_ms) / 1000);
}

static bool is_in_step(const struct monitor *monitor)
{
    return monitor->source.watch && watch_is_in_step(monitor->source.watch);
}

#define NAME(name) "postern_ingress_" name

static void put_one(struct buf *out, const struct metric *metric, uint64_t number)
{
    metric_put_head(out, metric);
    metric_put(out, metric, NULL, number);
}

static void put_version(struct buf *out)
{
    static const struct metric metric = {
        NAME("build_info"), METRIC_GAUGE, "Always 1; the version that runs.", {"version"}};

    metric_put_head(out, &metric);
    metric_put(out, &metric, (const char *[]){PACKAGE_VERSION, NULL}, 1);
}

static void put_connections(const struct monitor *monitor, struct buf *out)
{
    static const struct metric open_now = {
        NAME("connections"), METRIC_GAUGE, "Connections open now.", {"ingress"}};
    static const struct metric all = {NAME("connections_total"),
                                      METRIC_COUNTER,
                                      "Connections, by what became of them.",
                                      {"ingress", "result"}};

    metric_put_head(out, &open_now);
    for (size_t i = 0; i < monitor->source.port_count; i++)
        metric_put(out, &open_now, (const char *[]){monitor->source.ports[i].config->name, NULL},
                   monitor->source.ports[i].count);
    metric_put_head(out, &all);
    for (size_t i = 0; i < monitor->source.port_count; i++) {
        const struct conn_port *port = &monitor->source.ports[i];
        for (enum port_stat stat = 0; stat < PORT_STAT_COUNT; stat++)
            metric_put(out, &all, (const char *[]){port->config->name, port_stat_name(stat)},
                       port->stats.count[stat]);
    }
}

static void put_bans(const struct monitor *monitor, struct buf *out)
{
    static const struct metric bans = {
        NAME("bans"), METRIC_GAUGE, "Bans of policyd that are known here.", {NULL}};
    static const struct metric in_step = {
        NAME("bans_followed"), METRIC_GAUGE, "1 while policyd tells of its bans.", {NULL}};

    put_one(out, &bans, monitor->source.bans->count);
    put_one(out, &in_step, is_in_step(monitor));
}

static void put_http(const struct monitor *monitor, struct buf *out)
{
    static const struct metric metric = {
        NAME("http_requests_total"), METRIC_COUNTER, "HTTP requests answered.", {"code"}};

    metric_put_head(out, &metric);
    for (size_t i = 0; i < monitor->counts.count; i++) {
        char code[NUMBER_MAX];
        snprintf(code, sizeof(code), "%u", monitor->counts.items[i].status);
        metric_put(out, &metric, (const char *[]){code, NULL}, monitor->counts.items[i].count);
    }
}

static void answer_metrics(struct http_request *request, void *ctx)
{
    static const struct metric uptime = {
        NAME("uptime_seconds"), METRIC_GAUGE, "Seconds since the start.", {NULL}};
    static const struct metric enforce = {
        NAME("enforce"), METRIC_GAUGE, "1 when it acts on bans, 0 when it does not.", {NULL}};
    const struct monitor *monitor = ctx;
    struct buf out = {0};

    put_version(&out);
    put_one(&out, &uptime, uptime_sec(monitor));
    put_one(&out, &enforce, monitor->source.enforce);
    put_connections(monitor, &out);
    put_bans(monitor, &out);
    put_http(monitor, &out);
    http_respond(request, 200, METRIC_CONTENT_TYPE, out.data, out.len);
    buf_fini(&out);
}

static uint64_t refused(const struct conn_port *port)
{
    uint64_t count = 0;

    for (enum port_stat stat = PORT_STRANGER; stat <= PORT_TOO_MANY; stat++)
        count += port->stats.count[stat];
    return count;
}

static void put_status(const struct monitor *monitor, struct buf *out)
{
    attr_put(out, "program", "postern-ingress");
    attr_put(out, "version", PACKAGE_VERSION);
    attr_put_uint(out, "uptime", uptime_sec(monitor));
    attr_put(out, "enforce", monitor->source.enforce ? "yes" : "no");
    attr_put(out, "bans_followed", is_in_step(monitor) ? "yes" : "no");
    attr_put_uint(out, "bans", monitor->source.bans->count);
    for (size_t i = 0; i < monitor->source.port_count; i++) {
        const struct conn_port *port = &monitor->source.ports[i];
        status_put_listener(out, &(struct status_listener){
                                     .serves = port->config->name,
                                     .address = port->config->listen,
                                     .open = port->count,
                                     .closed = refused(port),
                                 });
    }
    attr_end(out);
}

static void answer_status(struct http_request *request, void *ctx)
{
    struct buf out = {0};

    put_status(ctx, &out);
    status_respond(request, &out);
    buf_fini(&out);
}

/* --- listeners --------------------------------------------------------------------------- */

static int bind_port(struct monitor *monitor, const struct config_http *http, struct error *error_r)
{
    int fd = listener_bind(http->listen, http->group, error_r);

    if (fd < 0)
        return -1;
    monitor->ports =
        x_reallocarray(monitor->ports, monitor->port_count + 1, sizeof(*monitor->ports));
    monitor->ports[monitor->port_count++] = (struct port){.config = http, .fd = fd};
    return 0;
}

struct monitor *monitor_bind(const struct config *config, struct error *error_r)
{
    struct monitor *monitor = x_calloc(1, sizeof(*monitor));

    for (size_t i = 0; i < config->http_count; i++) {
        const struct config_http *http = &config->https[i];
        if (http->program != CONFIG_INGRESS || !http->listen)
            continue;
        if (bind_port(monitor, http, error_r)) {
            monitor_free(&monitor);
            return NULL;
        }
    }
    return monitor;
}

static void choose_routes(struct port *port)
{
    static const struct http_route metrics = {"GET", "/metrics", answer_metrics, false};
    static const struct http_route status = {"GET", "/status", answer_status, false};

    if (port->config->serve & CONFIG_SERVE_METRICS)
        port->routes[port->route_count++] = metrics;
    if (port->config->serve & CONFIG_SERVE_STATUS)
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
    port->server = http_server_new(monitor->source.loop, &options, error_r);
    if (!port->server)
        return -1;
    log_info(NULL, "listening", LOG_STR("address", port->config->listen),
             LOG_STR("name", port->config->name));
    return 0;
}

int monitor_start(struct monitor *monitor, const struct monitor_source *source,
                  struct error *error_r)
{
    monitor->source = *source;
    monitor->started_ms = clock_mono_ms(source->clock);
    for (size_t i = 0; i < monitor->port_count; i++) {
        if (start_port(monitor, &monitor->ports[i], error_r))
            return -1;
    }
    return 0;
}

void monitor_free(struct monitor **monitor)
{
    struct monitor *old = *monitor;

    if (!old)
        return;
    *monitor = NULL;
    for (size_t i = 0; i < old->port_count; i++) {
        http_server_free(&old->ports[i].server);
        if (old->ports[i].fd >= 0)
            close(old->ports[i].fd);
    }
    free(old->ports);
    free(old);
}
