/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "ingress/monitor.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/net/status.h"
#include "common/wire/metric.h"

#define NUMBER_MAX 24

struct monitor {
    struct monitor_source source;
    int64_t started_ms;
    struct http_counts counts;
    struct http_sections *sections;
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

static void put_draining(const struct drain_counts *draining, struct buf *out)
{
    static const struct metric processes = {
        NAME("draining_processes"),
        METRIC_GAUGE,
        "Processes before this one that still have connections, or wait for one that has.",
        {NULL}};
    static const struct metric connections = {
        NAME("draining_connections"), METRIC_GAUGE, "Connections that these have open.", {NULL}};

    put_one(out, &processes, draining->processes);
    put_one(out, &connections, draining->connections);
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
    put_draining(monitor->source.draining, &out);
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
    attr_put_uint(out, "draining_processes", monitor->source.draining->processes);
    attr_put_uint(out, "draining_connections", monitor->source.draining->connections);
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

struct monitor *monitor_new(struct http_sections *sections, const struct monitor_source *source)
{
    struct monitor *monitor = x_calloc(1, sizeof(*monitor));

    monitor->sections = sections;
    monitor->source = *source;
    monitor->started_ms = clock_mono_ms(source->clock);
    return monitor;
}

int monitor_start(struct monitor *monitor, struct error *error_r)
{
    static const struct http_section_route routes[] = {
        {CONFIG_SERVE_METRICS, {"GET", "/metrics", answer_metrics, false}},
        {CONFIG_SERVE_STATUS, {"GET", "/status", answer_status, false}},
    };

    return http_sections_start(monitor->sections, monitor->source.loop, routes,
                               sizeof(routes) / sizeof(*routes), monitor, &monitor->counts,
                               error_r);
}

void monitor_free(struct monitor **monitor)
{
    if (!*monitor)
        return;
    http_sections_free(&(*monitor)->sections);
    free(*monitor);
    *monitor = NULL;
}
