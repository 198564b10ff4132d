/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/socketmap.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/str.h"
#include "common/wire/netstring.h"
#include "policyd/route.h"

#define FRAME_MAX (SOCKETMAP_REQUEST_MAX + 7) /* with the length, ':' and ',' */

struct query {
    const struct config *config;
    bool with_credentials;
    const char *map;
    const char *key;
    struct buf answer;
    enum stat stat;
    struct log_limit *refusals;
    const char *peer;
};

static void found(struct query *query)
{
    query->stat = STAT_SOCKETMAP_OK;
    buf_puts(&query->answer, "OK ");
}

static void not_found(struct query *query)
{
    query->stat = STAT_SOCKETMAP_NOTFOUND;
    buf_puts(&query->answer, "NOTFOUND ");
}

static void refuse(struct query *query, const char *reason)
{
    query->stat = STAT_SOCKETMAP_PERM;
    buf_printf(&query->answer, "PERM %s", reason);
    if (!log_limit_allows(query->refusals, "socketmap", clock_mono_ms(&clock_system)))
        return;
    log_warning(NULL, "socketmap-refused", LOG_STR("peer", query->peer), LOG_STR("map", query->map),
                LOG_STR("key", query->key), LOG_STR("reason", reason));
}

static void answer_transport(struct query *query)
{
    const struct config_route *route = route_find(query->config, query->key);

    if (!route || !route->relay_count) {
        not_found(query);
        return;
    }
    found(query);
    route_put_nexthop(route, &query->answer);
}

static void answer_credentials(struct query *query)
{
    const char *dot = strchr(query->map, '.');
    bool ambiguous;

    if (!query->with_credentials) {
        refuse(query, "passwords are told over a Unix socket only");
        return;
    }
    const struct config_relay *relay =
        route_credentials(query->config, dot ? dot + 1 : NULL, query->key, &ambiguous);
    if (ambiguous)
        log_debug(NULL, "credentials-ambiguous", LOG_STR("key", query->key));
    if (!relay) {
        not_found(query);
        return;
    }
    found(query);
    buf_printf(&query->answer, "%s:%s", relay->login, relay->password);
}

static void answer_tls(struct query *query)
{
    for (size_t i = 0; i < query->config->relay_count; i++) {
        if (!route_key_names_host(query->key, &query->config->relays[i]))
            continue;
        found(query);
        buf_puts(&query->answer, "secure");
        return;
    }
    not_found(query);
}

static bool is_credentials(const char *map)
{
    return str_eq(map, "credentials") || str_has_prefix(map, "credentials.");
}

static void answer(struct query *query)
{
    if (str_eq(query->map, "transport"))
        answer_transport(query);
    else if (is_credentials(query->map))
        answer_credentials(query);
    else if (str_eq(query->map, "tls"))
        answer_tls(query);
    else
        refuse(query, "no such map: there are transport, credentials and tls");
}

/* Log lines show the key, never the answer of credentials. */
static void log_answer(const struct query *query)
{
    log_debug(NULL, "socketmap", LOG_STR("map", query->map), LOG_STR("key", query->key),
              LOG_STR("answer", query->stat != STAT_SOCKETMAP_OK ? "not found"
                                : is_credentials(query->map)     ? "(a login)"
                                                                 : buf_str(&query->answer)));
}

static void wipe(struct buf *buf)
{
    if (buf->cap)
        explicit_bzero(buf->data, buf->cap);
    buf_fini(buf);
}

bool socketmap_answer(const struct config *config, bool with_credentials, const char *peer,
                      const uint8_t *request, size_t len, struct stats *stats, struct buf *out)
{
    char *text = str_take(request, len, SOCKETMAP_REQUEST_MAX);
    char *space = text ? strchr(text, ' ') : NULL;

    if (space) {
        *space = '\0';
        struct query query = {
            .config = config,
            .with_credentials = with_credentials,
            .map = text,
            .key = space + 1,
            .refusals = &stats->socketmap_refusals,
            .peer = peer,
        };
        answer(&query);
        stats->count[query.stat]++;
        if (query.stat != STAT_SOCKETMAP_PERM)
            log_answer(&query);
        netstring_put(out, query.answer.data, query.answer.len);
        wipe(&query.answer);
    }
    free(text);
    return space != NULL;
}

static enum service_step socketmap_step(struct service_conn *conn, struct buf *in,
                                        const char **reason_r)
{
    struct engine *engine = service_conn_ctx(conn);
    const uint8_t *payload;
    char peer[ADDR_TEXT_MAX];
    size_t payload_len, consumed;
    enum netstring_status status = netstring_parse(in->data, in->len, SOCKETMAP_REQUEST_MAX,
                                                   &payload, &payload_len, &consumed);

    if (status == NETSTRING_MORE)
        return SERVICE_MORE;
    *reason_r = netstring_strstatus(status);
    if (status == NETSTRING_OK) {
        bool answered = socketmap_answer(engine_config(engine), service_conn_is_unix(conn),
                                         service_conn_peer(conn, peer), payload, payload_len,
                                         engine_stats(engine), service_conn_output(conn));
        buf_consume(in, consumed);
        *reason_r = "not a map's name, a space and a key";
        if (answered)
            return SERVICE_NEXT;
    }
    return SERVICE_CLOSE;
}

const struct service_protocol socketmap_protocol = {
    .name = "socketmap",
    .input_max = FRAME_MAX,
    .output_max = SOCKETMAP_OUTPUT_MAX,
    .step = socketmap_step,
};
