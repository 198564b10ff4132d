/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/policy.h"

#include <stdlib.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/str.h"

#define PORT_MAX 65535

/* "unknown", or nothing, stays an empty address: then nobody is judged. */
static struct addr addr_of(const struct attr_list *request, const char *name)
{
    struct addr addr;

    if (addr_parse(attr_get_or_empty(request, name), &addr))
        return (struct addr){.family = ADDR_NONE};
    return addr;
}

static struct origin_peer peer_of(const struct attr_list *request)
{
    uint64_t port;
    struct origin_peer peer = {
        .addr = addr_of(request, "client_address"),
        .destination = addr_of(request, "server_address"),
    };

    if (str_parse_u64(attr_get_or_empty(request, "client_port"), 0, PORT_MAX, &port) == 0)
        peer.port = (uint16_t)port;
    return peer;
}

static void put_action(const struct judgement *judgement, const struct config_jail *deferring,
                       struct buf *out)
{
    char addr[ADDR_TEXT_MAX], left[STR_DURATION_MAX];
    struct buf action = {0};

    if (judgement->verdict == VERDICT_GO_ON && !deferring) {
        attr_put(out, "action", "DUNNO");
        attr_end(out);
        return;
    }
    addr_format(&judgement->origin.addr, addr);
    if (judgement->verdict == VERDICT_GO_ON)
        buf_printf(&action, "450 4.7.0 too much came from %s; try again later", addr);
    else if (judgement->verdict == VERDICT_BANNED)
        buf_printf(&action, "421 4.7.0 %s is banned here; try again in %s", addr,
                   str_format_duration(judgement->seconds, left));
    else
        buf_printf(&action, "554 5.7.1 %s cannot be a client of this gateway", addr);
    attr_put(out, "action", buf_str(&action));
    attr_end(out);
    buf_fini(&action);
}

static void count(struct stats *stats, const struct judgement *judgement)
{
    static const enum stat stat_of[] = {
        [VERDICT_GO_ON] = STAT_POLICY_GO_ON,
        [VERDICT_BANNED] = STAT_POLICY_BANNED,
        [VERDICT_REFUSED] = STAT_POLICY_REFUSED,
    };

    stats->count[stat_of[judgement->verdict]]++;
    origins_count(&stats->policy_origins, &judgement->origin);
}

static void log_decision(const struct attr_list *request, const struct judgement *judgement)
{
    static const char *const words[] = {
        [VERDICT_GO_ON] = "go on",
        [VERDICT_BANNED] = "421",
        [VERDICT_REFUSED] = "554",
    };
    enum log_level level = judgement->unforced == VERDICT_GO_ON ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO;
    bool is_forced = judgement->unforced == judgement->verdict;
    const char *told = attr_get_or_empty(request, "client_address");
    char ban[PREFIX_TEXT_MAX] = "-", client[ADDR_TEXT_MAX];

    if (!log_wants(level))
        return;
    if (judgement->ban)
        prefix_format(&judgement->ban->node.prefix, ban);
    log_write(level, attr_get(request, "instance"), is_forced ? "policy" : "would reject",
              LOG_FIELDS(LOG_STR("action", words[judgement->unforced]),
                         LOG_STR("client", origins_client(&judgement->origin, told, client)),
                         LOG_ORIGIN(&judgement->origin), LOG_STR("ban", ban),
                         LOG_STR("jail", judgement->ban ? judgement->ban->jail : "-"),
                         LOG_UINT("seconds", judgement->seconds),
                         LOG_STR("login", attr_get_or_empty(request, "sasl_username")),
                         LOG_STR("state", attr_get_or_empty(request, "protocol_state"))));
}

/*
 * With smtpd_delay_reject = no the client restrictions ask once, before anything is said; and
 * again after XCLIENT, which began the session anew with the client that it named.
 */
static bool is_connection(const struct attr_list *request)
{
    const char *state = attr_get_or_empty(request, "protocol_state");

    return str_eq(state, "CONNECT") || str_eq(state, "XCLIENT");
}

/* Bounces are not the client's idea, and who has logged in is known. */
static void look_for_honeypot(struct engine *engine, const struct attr_list *request,
                              const struct origin_peer *peer)
{
    struct event event = {
        .kind = CONFIG_EVENT_HONEYPOT,
        .login = "",
        .fingerprint = "",
        .weight = 1,
        .is_of_mail = true,
        .protocol = "smtp",
        .recipient = attr_get_or_empty(request, "recipient"),
        .session = attr_get(request, "instance"),
    };

    if (engine_config(engine)->policyd.honeypots.count &&
        str_eq(attr_get_or_empty(request, "protocol_state"), "RCPT") &&
        *attr_get_or_empty(request, "sender") && !*attr_get_or_empty(request, "sasl_username") &&
        engine_is_honeypot(engine, event.recipient))
        engine_report(engine, peer, &event, engine_nobody_waits, NULL);
}

/* Who has logged in is not deferred for what others sent from there. */
static const struct config_jail *deferring(struct engine *engine, const struct attr_list *request,
                                           const struct judgement *judgement)
{
    const struct config_jail *jail = NULL;
    bool enforce = engine_config(engine)->enforce;

    if (judgement->unforced == VERDICT_GO_ON)
        jail = engine_defers(engine, &judgement->origin);
    if (jail && *attr_get_or_empty(request, "sasl_username"))
        jail = NULL;
    if (jail) {
        char client[ADDR_TEXT_MAX];
        log_info(attr_get(request, "instance"), enforce ? "defer" : "would defer",
                 LOG_STR("client", addr_format(&judgement->origin.addr, client)),
                 LOG_ORIGIN(&judgement->origin), LOG_STR("jail", jail->name));
    }
    return enforce ? jail : NULL;
}

static void answer(struct engine *engine, const struct attr_list *request,
                   const struct judgement *judgement, struct buf *out)
{
    count(engine_stats(engine), judgement);
    log_decision(request, judgement);
    put_action(judgement, deferring(engine, request, judgement), out);
}

enum policy_answer policy_answer(struct engine *engine, const struct attr_list *request,
                                 engine_done_fn done, void *ctx, struct buf *out)
{
    struct origin_peer peer = peer_of(request);
    struct judgement judgement;

    if (!str_eq(attr_get_or_empty(request, "request"), "smtpd_access_policy"))
        return POLICY_NO_REQUEST;
    if (is_connection(request)) {
        if (engine_admit(engine, &peer, done, ctx, &judgement))
            return POLICY_LATER;
    } else {
        look_for_honeypot(engine, request, &peer);
        judgement = engine_judge(engine, &peer, CONFIG_ACTS_SMTP);
    }
    answer(engine, request, &judgement, out);
    return POLICY_NOW;
}

void policy_conclude(struct engine *engine, const struct attr_list *request, struct buf *out)
{
    struct origin_peer peer = peer_of(request);
    struct judgement judgement = engine_judge(engine, &peer, CONFIG_ACTS_SMTP);

    answer(engine, request, &judgement, out);
}

/* --- over a connection ------------------------------------------------------------------- */

/* What the store said makes no difference: the ban holds. The peer may be gone. */
static void on_counted(enum engine_status status, const char *reason, void *ctx)
{
    static struct attr_list request;
    struct service_conn *conn = ctx;
    struct buf *kept = *service_conn_state(conn), *out = service_conn_output(conn);
    size_t consumed;

    (void)status;
    (void)reason;
    if (out && attr_parse(kept->data, kept->len, &request, &consumed) == ATTR_OK)
        policy_conclude(service_conn_ctx(conn), &request, out);
    buf_fini(kept);
    free(kept);
    *service_conn_state(conn) = NULL;
    service_conn_finish(conn);
}

/* The answer needs it again. */
static enum service_step keep_for_later(struct service_conn *conn, struct buf *in, size_t len)
{
    struct buf *kept = x_calloc(1, sizeof(*kept));

    buf_put(kept, in->data, len);
    buf_consume(in, len);
    *service_conn_state(conn) = kept;
    service_conn_wait(conn);
    return SERVICE_WAIT;
}

static enum service_step policy_step(struct service_conn *conn, struct buf *in,
                                     const char **reason_r)
{
    static struct attr_list request;
    size_t consumed;
    enum attr_status status = attr_parse(in->data, in->len, &request, &consumed);

    if (status == ATTR_MORE)
        return SERVICE_MORE;
    *reason_r = attr_strstatus(status);
    if (status != ATTR_OK)
        return SERVICE_CLOSE;
    switch (policy_answer(service_conn_ctx(conn), &request, on_counted, conn,
                          service_conn_output(conn))) {
    case POLICY_LATER:
        return keep_for_later(conn, in, consumed);
    case POLICY_NOW:
        buf_consume(in, consumed);
        return SERVICE_NEXT;
    case POLICY_NO_REQUEST:
        break;
    }
    *reason_r = "not a request=smtpd_access_policy";
    return SERVICE_CLOSE;
}

const struct service_protocol policy_protocol = {
    .name = "policy",
    .input_max = ATTR_LIST_MAX,
    .output_max = POLICY_OUTPUT_MAX,
    .step = policy_step,
};
