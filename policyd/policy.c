/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/policy.h"

#include <stdlib.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "policyd/limit.h"

#define PORT_MAX 65535

/* What is told, and why. */
struct reply {
    struct judgement judgement;
    struct limit limit; /* of what this login submits, or of what comes from this client */
};

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

/* After 421 and 521 Postfix ends the session. */
static void put_ban(const struct engine *engine, const struct judgement *judgement, const char *who,
                    struct buf *action)
{
    bool is_final = engine_config(engine)->policyd.ban_reply == 521;
    char left[STR_DURATION_MAX];

    buf_printf(action,
               is_final ? "521 5.7.1 %s is banned here for %s"
                        : "421 4.7.0 %s is banned here; try again in %s",
               who, str_format_duration(judgement->seconds, left));
}

/*
 * 4.7.1 is RFC 3463's "delivery not authorized" by a rule of this host's, as a transient failure:
 * the login may send, but not so much. What Postfix's own access rules say, too.
 */
static void put_deferral(const struct attr_list *request, const struct reply *reply,
                         struct buf *action)
{
    const struct limit *limit = &reply->limit;
    char addr[ADDR_TEXT_MAX];

    if (jail_is_by_login(limit->jail)) {
        buf_puts(action, "450 4.7.1 ");
        limit_put_text(limit->jail, attr_get_or_empty(request, "sasl_username"), limit->seconds,
                       action);
    } else {
        buf_printf(action, "450 4.7.0 too much came from %s; try again later",
                   addr_format(&reply->judgement.origin.addr, addr));
    }
}

static void put_refusal(const struct engine *engine, const struct attr_list *request,
                        const struct reply *reply, struct buf *action)
{
    const struct judgement *judgement = &reply->judgement;
    char addr[ADDR_TEXT_MAX];

    addr_format(&judgement->origin.addr, addr);
    if (judgement->verdict == VERDICT_BANNED) {
        const char *login = ban_login(judgement->ban);
        put_ban(engine, judgement, login ? limit_login(login) : addr, action);
    } else if (judgement->verdict == VERDICT_REFUSED) {
        buf_printf(action, "554 5.7.1 %s cannot be a client of this gateway", addr);
    } else {
        put_deferral(request, reply, action);
    }
}

static bool goes_on(const struct reply *reply)
{
    return reply->judgement.verdict == VERDICT_GO_ON && !reply->limit.jail;
}

static void put_action(const struct engine *engine, const struct attr_list *request,
                       const struct reply *reply, struct buf *out)
{
    struct buf action = {0};

    if (goes_on(reply)) {
        attr_put(out, "action", "DUNNO");
    } else {
        put_refusal(engine, request, reply, &action);
        attr_put(out, "action", buf_str(&action));
    }
    attr_end(out);
    buf_fini(&action);
}

static void count(struct stats *stats, const struct reply *reply)
{
    static const enum stat stat_of[] = {
        [VERDICT_GO_ON] = STAT_POLICY_DEFERRED,
        [VERDICT_BANNED] = STAT_POLICY_BANNED,
        [VERDICT_REFUSED] = STAT_POLICY_REFUSED,
    };

    stats->count[goes_on(reply) ? STAT_POLICY_GO_ON : stat_of[reply->judgement.verdict]]++;
    origins_count(&stats->policy_origins, &reply->judgement.origin);
}

static void log_judgement(const struct engine *engine, const struct attr_list *request,
                          const struct judgement *judgement)
{
    const char *const words[] = {
        [VERDICT_GO_ON] = "go on",
        [VERDICT_BANNED] = engine_config(engine)->policyd.ban_reply == 521 ? "521" : "421",
        [VERDICT_REFUSED] = "554",
    };
    enum log_level level = judgement->unforced == VERDICT_GO_ON ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO;
    bool is_forced = judgement->unforced == judgement->verdict;
    const char *told = attr_get_or_empty(request, "client_address");
    char ban[PREFIX_TEXT_MAX], client[ADDR_TEXT_MAX];

    if (!log_wants(level))
        return;
    log_write(level, attr_get(request, "instance"), is_forced ? "policy" : "would reject",
              LOG_FIELDS(LOG_STR("action", words[judgement->unforced]),
                         LOG_STR("client", origins_client(&judgement->origin, told, client)),
                         LOG_ORIGIN(&judgement->origin),
                         LOG_STR("ban", judgement->ban ? ban_who(judgement->ban, ban) : "-"),
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
static size_t look_for_honeypot(const struct engine *engine, const struct attr_list *request,
                                struct event *event_r)
{
    *event_r = (struct event){
        .kind = CONFIG_EVENT_HONEYPOT,
        .login = "",
        .fingerprint = "",
        .weight = 1,
        .is_of_mail = true,
        .protocol = "smtp",
        .recipient = attr_get_or_empty(request, "recipient"),
        .session = attr_get(request, "instance"),
    };
    return engine_config(engine)->policyd.honeypots.count &&
           str_eq(attr_get_or_empty(request, "protocol_state"), "RCPT") &&
           *attr_get_or_empty(request, "sender") && !*attr_get_or_empty(request, "sasl_username") &&
           engine_is_honeypot(engine, event_r->recipient);
}

/* What the request tells of the message; false where it is no recipient and no end of one. */
static bool take_handin(const struct attr_list *request, struct handin *handin_r)
{
    const char *state = attr_get_or_empty(request, "protocol_state");
    uint64_t count;

    *handin_r = (struct handin){
        .kind = CONFIG_EVENT_RECIPIENT,
        .instance = attr_get_or_empty(request, "instance"),
        .login = attr_get_or_empty(request, "sasl_username"),
        .recipient = attr_get_or_empty(request, "recipient"),
    };
    if (str_eq(state, "RCPT"))
        return true;
    if (!str_eq(state, "DATA") && !str_eq(state, "END-OF-MESSAGE"))
        return false;
    if (str_parse_u64(attr_get_or_empty(request, "recipient_count"), 0, UINT64_MAX, &count))
        count = 0;
    handin_r->kind = CONFIG_EVENT_MESSAGE;
    handin_r->recipient = "";
    handin_r->recipient_count = (unsigned)(count < JAIL_HIT_MAX ? count : JAIL_HIT_MAX);
    return true;
}

static void log_deferral(const struct engine *engine, const struct attr_list *request,
                         const struct reply *reply)
{
    const struct origin *origin = &reply->judgement.origin;
    const char *told = attr_get_or_empty(request, "client_address");
    char client[ADDR_TEXT_MAX];
    struct buf action = {0};

    put_deferral(request, reply, &action);
    log_info(attr_get(request, "instance"),
             engine_config(engine)->enforce ? "defer" : "would defer",
             LOG_STR("client", origins_client(origin, told, client)), LOG_ORIGIN(origin),
             LOG_STR("jail", reply->limit.jail->name),
             LOG_STR("login", attr_get_or_empty(request, "sasl_username")),
             LOG_STR("answer", buf_str(&action)));
    buf_fini(&action);
}

/* Who has logged in is not deferred for what others sent from there, but for what he did. */
static void defer(struct engine *engine, const struct attr_list *request, struct reply *reply)
{
    if (reply->judgement.unforced != VERDICT_GO_ON)
        reply->limit.jail = NULL;
    else if (!*attr_get_or_empty(request, "sasl_username"))
        reply->limit.jail = engine_defers(engine, &reply->judgement.origin);
    if (reply->limit.jail)
        log_deferral(engine, request, reply);
    if (!engine_config(engine)->enforce)
        reply->limit.jail = NULL;
}

/* All that it tells. True: the answer is for later. */
static bool take_events(struct engine *engine, const struct attr_list *request,
                        const struct origin_peer *peer, engine_done_fn done, void *ctx,
                        struct limit *limit_r)
{
    struct event events[1 + HANDIN_EVENTS_MAX];
    struct handin handin;
    size_t count = look_for_honeypot(engine, request, events);

    if (take_handin(request, &handin))
        count += engine_hand_in(engine, peer, &handin, events + count, limit_r);
    return engine_take(engine, peer, events, count, done, ctx);
}

static struct judgement judge(struct engine *engine, const struct origin_peer *peer,
                              const struct attr_list *request)
{
    return engine_judge(engine, peer, attr_get_or_empty(request, "sasl_username"),
                        CONFIG_ACTS_SMTP);
}

static void answer(struct engine *engine, const struct attr_list *request, struct reply *reply,
                   struct buf *out)
{
    log_judgement(engine, request, &reply->judgement);
    defer(engine, request, reply);
    count(engine_stats(engine), reply);
    put_action(engine, request, reply, out);
}

enum policy_answer policy_answer(struct engine *engine, const struct attr_list *request,
                                 engine_done_fn done, void *ctx, struct origin *origin_r,
                                 struct buf *out)
{
    struct origin_peer peer = peer_of(request);
    struct reply reply = {0};
    bool is_later = false;

    if (!str_eq(attr_get_or_empty(request, "request"), "smtpd_access_policy"))
        return POLICY_NO_REQUEST;
    if (is_connection(request)) {
        is_later = engine_admit(engine, &peer, done, ctx, &reply.judgement);
    } else {
        is_later = take_events(engine, request, &peer, done, ctx, &reply.limit);
        reply.judgement = judge(engine, &peer, request);
    }
    *origin_r = reply.judgement.origin;
    if (is_later)
        return POLICY_LATER;
    answer(engine, request, &reply, out);
    return POLICY_NOW;
}

void policy_conclude(struct engine *engine, const struct attr_list *request,
                     const struct origin *origin, struct buf *out)
{
    struct reply reply = {
        .judgement = engine_judge_origin(
            engine, origin, attr_get_or_empty(request, "sasl_username"), CONFIG_ACTS_SMTP),
    };

    answer(engine, request, &reply, out);
}

/* --- over a connection ------------------------------------------------------------------- */

/* A request whose answer waits. */
struct waiting {
    struct buf request;
    struct origin origin;
    char *gateway; /* its name: another configuration may be in force by then */
};

static void waiting_free(struct waiting *waiting)
{
    buf_fini(&waiting->request);
    free(waiting->gateway);
    free(waiting);
}

/* What the store said makes no difference: the ban holds. The peer may be gone. */
static void on_counted(enum engine_status status, const char *reason, void *ctx)
{
    static struct attr_list request;
    struct service_conn *conn = ctx;
    struct engine *engine = service_conn_ctx(conn);
    struct waiting *waiting = *service_conn_state(conn);
    struct buf *out = service_conn_output(conn);
    size_t consumed;

    (void)status;
    (void)reason;
    waiting->origin.gateway = config_gateway(engine_config(engine), waiting->gateway);
    if (out &&
        attr_parse(waiting->request.data, waiting->request.len, &request, &consumed) == ATTR_OK)
        policy_conclude(engine, &request, &waiting->origin, out);
    waiting_free(waiting);
    *service_conn_state(conn) = NULL;
    service_conn_finish(conn);
}

/* The answer needs it again. */
static enum service_step keep_for_later(struct service_conn *conn, struct buf *in, size_t len,
                                        const struct origin *origin)
{
    struct waiting *waiting = x_calloc(1, sizeof(*waiting));

    buf_put(&waiting->request, in->data, len);
    buf_consume(in, len);
    waiting->origin = *origin;
    if (origin->gateway)
        waiting->gateway = x_strdup(origin->gateway->name);
    *service_conn_state(conn) = waiting;
    service_conn_wait(conn);
    return SERVICE_WAIT;
}

static enum service_step policy_step(struct service_conn *conn, struct buf *in,
                                     const char **reason_r)
{
    static struct attr_list request;
    struct origin origin;
    size_t consumed;
    enum attr_status status = attr_parse(in->data, in->len, &request, &consumed);

    if (status == ATTR_MORE)
        return SERVICE_MORE;
    *reason_r = attr_strstatus(status);
    if (status != ATTR_OK)
        return SERVICE_CLOSE;
    switch (policy_answer(service_conn_ctx(conn), &request, on_counted, conn, &origin,
                          service_conn_output(conn))) {
    case POLICY_LATER:
        return keep_for_later(conn, in, consumed, &origin);
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
