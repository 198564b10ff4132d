/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/metrics.h"

#include <stdio.h>

#include "common/base/str.h"
#include "common/wire/metric.h"

/* Bytes of a number as text. */
#define NUMBER_MAX 24

/* Writes the samples of one metric. */
typedef void (*put_fn)(const struct metric *metric, const struct status_source *source,
                       struct buf *out);

static void put_version(const struct metric *metric, const struct status_source *source,
                        struct buf *out)
{
    (void)source;
    metric_put(out, metric, (const char *[]){PACKAGE_VERSION, NULL}, 1);
}

static void put_uptime(const struct metric *metric, const struct status_source *source,
                       struct buf *out)
{
    metric_put(out, metric, NULL, (uint64_t)engine_uptime_sec(source->engine));
}

static void put_enforce(const struct metric *metric, const struct status_source *source,
                        struct buf *out)
{
    metric_put(out, metric, NULL, engine_config(source->engine)->enforce);
}

static void put_connections(const struct metric *metric, const struct status_source *source,
                            struct buf *out)
{
    struct status_listener listener;

    for (size_t i = 0; source->listener(source->ctx, i, &listener); i++)
        metric_put(out, metric, (const char *[]){listener.serves, listener.address}, listener.open);
}

static void put_closed(const struct metric *metric, const struct status_source *source,
                       struct buf *out)
{
    struct status_listener listener;

    for (size_t i = 0; source->listener(source->ctx, i, &listener); i++)
        metric_put(out, metric, (const char *[]){listener.serves, listener.address},
                   listener.closed);
}

static void put_http(const struct metric *metric, const struct status_source *source,
                     struct buf *out)
{
    for (size_t i = 0; i < source->http.count; i++) {
        char code[NUMBER_MAX];
        snprintf(code, sizeof(code), "%u", source->http.items[i].status);
        metric_put(out, metric, (const char *[]){code, NULL}, source->http.items[i].count);
    }
}

static void put_bans(const struct metric *metric, const struct status_source *source,
                     struct buf *out)
{
    metric_put(out, metric, NULL, engine_bans(source->engine)->count);
}

static void put_login_bans(const struct metric *metric, const struct status_source *source,
                           struct buf *out)
{
    metric_put(out, metric, NULL, engine_logins(source->engine)->count);
}

static void put_streams(const struct metric *metric, const struct status_source *source,
                        struct buf *out)
{
    metric_put(out, metric, NULL, source->exports.feed_count);
}

static void put_elements(const struct metric *metric, const struct status_source *source,
                         struct buf *out)
{
    metric_put(out, metric, NULL, source->exports.element_count);
}

static void put_keys(const struct metric *metric, const struct status_source *source,
                     struct buf *out)
{
    metric_put(out, metric, NULL, engine_key_count(source->engine));
}

static void put_store_up(const struct metric *metric, const struct status_source *source,
                         struct buf *out)
{
    metric_put(out, metric, NULL, engine_store_health(source->engine).error == NULL);
}

static void put_pending(const struct metric *metric, const struct status_source *source,
                        struct buf *out)
{
    metric_put(out, metric, NULL, engine_store_health(source->engine).pending);
}

static void put_queued(const struct metric *metric, const struct status_source *source,
                       struct buf *out)
{
    metric_put(out, metric, NULL, engine_store_health(source->engine).queued);
}

static void put_dropped(const struct metric *metric, const struct status_source *source,
                        struct buf *out)
{
    metric_put(out, metric, NULL, engine_store_health(source->engine).dropped);
}

static void put_commit(const struct metric *metric, const struct status_source *source,
                       struct buf *out)
{
    metric_put_histogram(out, metric, &engine_stats(source->engine)->commit);
}

/* All counters of struct stats that are samples of this metric. */
static void put_stats(const struct metric *metric, const struct status_source *source,
                      struct buf *out)
{
    for (enum stat stat = 0; stat < STAT_COUNT; stat++) {
        if (str_eq(stat_metric(stat), metric->name))
            metric_put(out, metric, (const char *[]){stat_label(stat), NULL},
                       engine_stats(source->engine)->count[stat]);
    }
}

static void put_policy_kinds(const struct metric *metric, const struct status_source *source,
                             struct buf *out)
{
    origins_put_kinds(&engine_stats(source->engine)->policy_origins, metric, out);
}

static void put_policy_sources(const struct metric *metric, const struct status_source *source,
                               struct buf *out)
{
    origins_put_sources(&engine_stats(source->engine)->policy_origins, metric, out);
}

static void put_auth_kinds(const struct metric *metric, const struct status_source *source,
                           struct buf *out)
{
    origins_put_kinds(&engine_stats(source->engine)->auth_origins, metric, out);
}

static void put_auth_sources(const struct metric *metric, const struct status_source *source,
                             struct buf *out)
{
    origins_put_sources(&engine_stats(source->engine)->auth_origins, metric, out);
}

static void put_policy_gateways(const struct metric *metric, const struct status_source *source,
                                struct buf *out)
{
    by_gateway_put(&engine_stats(source->engine)->policy_origins.gateways, metric, out);
}

static void put_auth_gateways(const struct metric *metric, const struct status_source *source,
                              struct buf *out)
{
    by_gateway_put(&engine_stats(source->engine)->auth_origins.gateways, metric, out);
}

#define NAME(name) "postern_policyd_" name

static const struct {
    struct metric metric;
    put_fn put;
} metrics[] = {
    {{NAME("build_info"), METRIC_GAUGE, "Always 1; the version that runs.", {"version"}},
     put_version},
    {{NAME("uptime_seconds"), METRIC_GAUGE, "Seconds since the start.", {NULL}}, put_uptime},
    {{NAME("enforce"), METRIC_GAUGE, "1 when it acts on bans, 0 when it only logs.", {NULL}},
     put_enforce},
    {{NAME("connections"), METRIC_GAUGE, "Connections open now.", {"serves", "listener"}},
     put_connections},
    {{NAME("connections_closed_total"),
      METRIC_COUNTER,
      "Connections closed because no request came over them.",
      {"serves", "listener"}},
     put_closed},
    {{NAME("policy_requests_total"), METRIC_COUNTER, "Requests of Postfix.", {"verdict"}},
     put_stats},
    {{NAME("policy_origins_total"),
      METRIC_COUNTER,
      "Requests of Postfix, by what is known of the client.",
      {"origin"}},
     put_policy_kinds},
    {{NAME("policy_sources_total"),
      METRIC_COUNTER,
      "Requests of Postfix, by who told the client.",
      {"source"}},
     put_policy_sources},
    {{NAME("policy_gateways_total"),
      METRIC_COUNTER,
      "Requests of Postfix, by the gateway that the client came through.",
      {"gateway"}},
     put_policy_gateways},
    {{NAME("auth_requests_total"), METRIC_COUNTER, "Questions of Dovecot.", {"verdict"}},
     put_stats},
    {{NAME("auth_origins_total"),
      METRIC_COUNTER,
      "Questions of Dovecot, by what is known of the client.",
      {"origin"}},
     put_auth_kinds},
    {{NAME("auth_sources_total"),
      METRIC_COUNTER,
      "Questions of Dovecot, by who told the client.",
      {"source"}},
     put_auth_sources},
    {{NAME("auth_gateways_total"),
      METRIC_COUNTER,
      "Questions of Dovecot, by the gateway that the client came through.",
      {"gateway"}},
     put_auth_gateways},
    {{NAME("auth_reports_total"), METRIC_COUNTER, "Reports of Dovecot.", {NULL}}, put_stats},
    {{NAME("auth_unusable_total"),
      METRIC_COUNTER,
      "Requests of Dovecot that made no sense.",
      {NULL}},
     put_stats},
    {{NAME("socketmap_requests_total"), METRIC_COUNTER, "Look-ups of Postfix.", {"answer"}},
     put_stats},
    {{NAME("control_requests_total"), METRIC_COUNTER, "Requests of posternctl.", {"answer"}},
     put_stats},
    {{NAME("events_total"), METRIC_COUNTER, "Events that count.", {"event"}}, put_stats},
    {{NAME("events_uncounted_total"), METRIC_COUNTER, "Events that count against nobody.", {NULL}},
     put_stats},
    {{NAME("bans"), METRIC_GAUGE, "Bans that hold now.", {NULL}}, put_bans},
    {{NAME("login_bans"), METRIC_GAUGE, "Logins that are banned now.", {NULL}}, put_login_bans},
    {{NAME("bans_set_total"), METRIC_COUNTER, "Bans set, by a jail or by hand.", {NULL}},
     put_stats},
    {{NAME("bans_lifted_total"), METRIC_COUNTER, "Bans lifted by hand.", {NULL}}, put_stats},
    {{NAME("bans_expired_total"), METRIC_COUNTER, "Bans that ended in time.", {NULL}}, put_stats},
    {{NAME("bans_refused_total"),
      METRIC_COUNTER,
      "Bans asked for by hand on what must not be banned.",
      {NULL}},
     put_stats},
    {{NAME("ban_streams"), METRIC_GAUGE, "Firewalls that follow the bans now.", {NULL}},
     put_streams},
    {{NAME("ban_stream_elements_total"),
      METRIC_COUNTER,
      "Bans written to streams for firewalls.",
      {NULL}},
     put_elements},
    {{NAME("keys"), METRIC_GAUGE, "Keys that jails count now.", {NULL}}, put_keys},
    {{NAME("store_up"), METRIC_GAUGE, "1 while the store takes what it is told, else 0.", {NULL}},
     put_store_up},
    {{NAME("store_pending"), METRIC_GAUGE, "What the store has not answered.", {NULL}},
     put_pending},
    {{NAME("store_queued"),
      METRIC_GAUGE,
      "Events that a shared store has not counted yet.",
      {NULL}},
     put_queued},
    {{NAME("store_dropped_total"),
      METRIC_COUNTER,
      "Events that a shared store will never count.",
      {NULL}},
     put_dropped},
    {{NAME("store_errors_total"), METRIC_COUNTER, "Writes that the store refused.", {NULL}},
     put_stats},
    {{NAME("store_commit_seconds"),
      METRIC_HISTOGRAM,
      "From asking for a ban to having it in the store.",
      {NULL}},
     put_commit},
    {{NAME("reloads_total"), METRIC_COUNTER, "Readings of the file anew.", {"result"}}, put_stats},
    {{NAME("http_requests_total"), METRIC_COUNTER, "HTTP requests answered.", {"code"}}, put_http},
};

void metrics_put(const struct status_source *source, struct buf *out)
{
    for (size_t i = 0; i < sizeof(metrics) / sizeof(*metrics); i++) {
        metric_put_head(out, &metrics[i].metric);
        metrics[i].put(&metrics[i].metric, source, out);
    }
}

void metrics_handle(struct http_request *request, void *ctx)
{
    struct buf out = {0};

    metrics_put(ctx, &out);
    http_respond(request, 200, METRIC_CONTENT_TYPE, out.data, out.len);
    buf_fini(&out);
}
