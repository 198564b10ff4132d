/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/control.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "policyd/route.h"
#include "policyd/show.h"
#include "policyd/watch.h"

/* --- what the answers say --------------------------------------------------------- */

static void put_ok(struct buf *out)
{
    attr_put(out, "status", "ok");
}

static void put_error(struct buf *out, const char *reason)
{
    attr_put(out, "status", "error");
    attr_put(out, "reason", reason);
    attr_end(out);
}

static void put_yes_no(struct buf *out, const char *name, bool yes)
{
    attr_put(out, name, yes ? "yes" : "no");
}

static void put_relay(const struct config_route *route, size_t index, struct buf *out)
{
    const struct config_relay *relay = route->relays[index];

    attr_put(out, "relay", relay->name);
    attr_put(out, "host", relay->host);
    attr_put_uint(out, "port", relay->port);
    attr_put(out, "transport", relay->transport);
    if (relay->login)
        attr_put(out, "login", relay->login);
    put_yes_no(out, "used", route_uses(route, index));
    attr_end(out);
}

void control_put_route(const struct config *config, const struct attr_list *request,
                       struct buf *out)
{
    const char *sender = attr_get(request, "sender");

    if (!sender) {
        put_error(out, "sender is missing");
        return;
    }
    const struct config_route *route = route_find(config, sender);
    struct buf nexthop = {0};
    for (size_t i = 0; route && i < route->relay_count; i++)
        put_relay(route, i, out);
    put_ok(out);
    if (route) {
        route_put_nexthop(route, &nexthop);
        attr_put(out, "route", route->from);
        attr_put(out, "nexthop", buf_str(&nexthop));
    }
    attr_end(out);
    buf_fini(&nexthop);
}

void control_put_ban(const struct ban *ban, int64_t now_mono_ms, struct buf *out)
{
    show_ban(ban, now_mono_ms, out);
    attr_end(out);
}

const char *control_take_prefix(const struct attr_list *request, struct prefix *prefix_r)
{
    const char *text = attr_get(request, "prefix");

    if (!text)
        return "prefix is missing";
    if (prefix_parse(text, prefix_r))
        return "prefix is not an address or a network (203.0.113.7, 203.0.113.0/24, 2001:db8::/64)";
    return NULL;
}

const char *control_take_seconds(const struct attr_list *request, uint64_t *seconds_r)
{
    const char *text = attr_get(request, "seconds");

    if (!text)
        return "seconds is missing";
    if (str_parse_u64(text, 1, (uint64_t)BANS_SECONDS_MAX, seconds_r))
        return "seconds is not a number from 1 to 315360000";
    return NULL;
}

static const char *take_numbers(const struct attr_list *request, struct event *event)
{
    const char *weight = attr_get(request, "weight"), *at = attr_get(request, "at");
    uint64_t number = 1, at_sec;

    if (weight && str_parse_u64(weight, 0, EVENT_WEIGHT_MAX, &number))
        return "weight is not a number from 0 to 100";
    event->weight = (unsigned)number;
    if (at && str_parse_u64(at, 1, CONTROL_AT_MAX, &at_sec))
        return "at is not a time in seconds since 1970";
    event->at_wall_ms = at ? (int64_t)at_sec * 1000 : 0;
    return NULL;
}

const char *control_take_event(const struct attr_list *request, struct origin_peer *peer_r,
                               struct event *event_r)
{
    *peer_r = (struct origin_peer){0};
    *event_r = (struct event){
        .kind = event_kind(attr_get_or_empty(request, "event")),
        .login = attr_get_or_empty(request, "login"),
        .fingerprint = attr_get_or_empty(request, "fingerprint"),
        .is_of_mail = true,
        .recipient = attr_get(request, "recipient"),
        .session = attr_get(request, "session"),
    };
    if (!event_r->kind)
        return "event is none of auth_fail, rcpt_unknown, relay_denied, rcpt_rejected, spf_fail, "
               "dkim_fail, dmarc_fail, connect, honeypot, message, recipient";
    if (addr_parse(attr_get_or_empty(request, "client_address"), &peer_r->addr))
        return "client_address is not an address";
    return take_numbers(request, event_r);
}

/* --- requests that are answered at once -------------------------------------------- */

static struct engine *engine_of(struct service_conn *conn)
{
    return ((struct status_source *)service_conn_ctx(conn))->engine;
}

static void count_answer(struct service_conn *conn, bool ok)
{
    engine_stats(engine_of(conn))->count[ok ? STAT_CONTROL_OK : STAT_CONTROL_ERROR]++;
}

static enum service_step answer_error(struct service_conn *conn, const char *reason)
{
    count_answer(conn, false);
    put_error(service_conn_output(conn), reason);
    return SERVICE_NEXT;
}

static enum service_step do_status(struct service_conn *conn, const struct attr_list *request)
{
    (void)request;
    count_answer(conn, true);
    status_put(service_conn_ctx(conn), service_conn_output(conn));
    return SERVICE_NEXT;
}

static enum service_step do_route(struct service_conn *conn, const struct attr_list *request)
{
    count_answer(conn, attr_get(request, "sender") != NULL);
    control_put_route(engine_config(engine_of(conn)), request, service_conn_output(conn));
    return SERVICE_NEXT;
}

/* --- requests that wait for the store ------------------------------------------------ */

static void put_done(struct engine *engine, enum engine_status status, const char *reason,
                     struct buf *out)
{
    put_ok(out);
    put_yes_no(out, "stored", status == ENGINE_OK);
    if (status == ENGINE_UNSTORED)
        attr_put(out, "warning", reason);
    put_yes_no(out, "enforce", engine_config(engine)->enforce);
    attr_end(out);
}

static void put_refusal(enum engine_status status, const char *reason, struct buf *out)
{
    struct buf text = {0};

    if (status == ENGINE_PROTECTED)
        buf_printf(&text, "this is never banned: %s", reason);
    else if (status == ENGINE_NOT_BANNED && *reason)
        buf_printf(&text, "not banned itself, but covered by the ban on %s", reason);
    else if (status == ENGINE_NOT_BANNED)
        buf_puts(&text, "not banned");
    else
        buf_puts(&text, reason);
    put_error(out, buf_str(&text));
    buf_fini(&text);
}

static void on_done(enum engine_status status, const char *reason, void *ctx)
{
    struct service_conn *conn = ctx;
    struct buf *out = service_conn_output(conn);
    bool ok = status == ENGINE_OK || status == ENGINE_UNSTORED;

    count_answer(conn, ok);
    if (out && ok)
        put_done(engine_of(conn), status, reason, out);
    else if (out)
        put_refusal(status, reason, out);
    service_conn_finish(conn);
}

/* Whom it is about: a login, or, NULL, a prefix. */
static const char *take_who(const struct attr_list *request, const char **login_r,
                            struct prefix *prefix_r)
{
    *login_r = attr_get(request, "login");
    if (!*login_r)
        return control_take_prefix(request, prefix_r);
    if (!**login_r || strlen(*login_r) >= BANS_LOGIN_MAX)
        return "login is empty, or longer than 127 bytes";
    return NULL;
}

static enum service_step do_ban(struct service_conn *conn, const struct attr_list *request)
{
    struct prefix prefix;
    uint64_t seconds;
    const char *login, *wrong = take_who(request, &login, &prefix);

    if (!wrong)
        wrong = control_take_seconds(request, &seconds);
    if (wrong)
        return answer_error(conn, wrong);
    service_conn_wait(conn);
    if (login)
        engine_ban_login(engine_of(conn), login, seconds, on_done, conn);
    else
        engine_ban(engine_of(conn), &prefix, seconds, on_done, conn);
    return SERVICE_WAIT;
}

static enum service_step do_unban(struct service_conn *conn, const struct attr_list *request)
{
    struct prefix prefix;
    const char *login, *wrong = take_who(request, &login, &prefix);

    if (wrong)
        return answer_error(conn, wrong);
    service_conn_wait(conn);
    if (login)
        engine_unban_login(engine_of(conn), login, on_done, conn);
    else
        engine_unban(engine_of(conn), &prefix, on_done, conn);
    return SERVICE_WAIT;
}

static enum service_step do_report(struct service_conn *conn, const struct attr_list *request)
{
    struct origin_peer peer;
    struct event event;
    const char *wrong = control_take_event(request, &peer, &event);

    if (wrong)
        return answer_error(conn, wrong);
    service_conn_wait(conn);
    engine_report(engine_of(conn), &peer, &event, on_done, conn);
    return SERVICE_WAIT;
}

/* --- lists: as fast as the peer reads -------------------------------------------------- */

struct listing {
    /* One record; false: there is no more. */
    bool (*next)(struct engine *engine, struct listing *listing, struct buf *out);
    struct bans_cursor bans;
    struct bans_cursor logins; /* behind those */
    struct show_cursor keys;
    char *login; /* what keys borrows */
    bool is_why;
    const char *hosts; /* whose counts these are, where several share a store */
    size_t jail;
    uint64_t count;
    struct watch *watch; /* instead of a list that ends */
};

static struct listing *start_listing(struct service_conn *conn,
                                     bool (*next)(struct engine *engine, struct listing *listing,
                                                  struct buf *out))
{
    struct listing *listing = x_calloc(1, sizeof(*listing));

    listing->next = next;
    bans_cursor_open(engine_bans(engine_of(conn)), &listing->bans);
    bans_cursor_open(engine_logins(engine_of(conn)), &listing->logins);
    *service_conn_state(conn) = listing;
    return listing;
}

static void end_listing(struct service_conn *conn)
{
    struct listing *listing = *service_conn_state(conn);

    watch_free(&listing->watch);
    bans_cursor_close(engine_bans(engine_of(conn)), &listing->bans);
    bans_cursor_close(engine_logins(engine_of(conn)), &listing->logins);
    free(listing->login);
    free(listing);
    *service_conn_state(conn) = NULL;
}

static const struct ban *step(struct bans_cursor *cursor, int64_t now_ms)
{
    const struct ban *ban;

    while ((ban = bans_cursor_step(cursor)) && ban->until_mono_ms <= now_ms)
        ;
    return ban;
}

static bool next_ban(struct engine *engine, struct listing *listing, struct buf *out)
{
    int64_t now_ms = engine_now_mono_ms(engine);
    const struct ban *ban = step(&listing->bans, now_ms);

    if (!ban)
        ban = step(&listing->logins, now_ms);
    if (ban)
        control_put_ban(ban, now_ms, out);
    return ban != NULL;
}

static bool next_jail(struct engine *engine, struct listing *listing, struct buf *out)
{
    return show_jail(engine, listing->jail++, out);
}

static bool next_counter(struct engine *engine, struct listing *listing, struct buf *out)
{
    return show_counter(engine, &listing->keys, out);
}

static enum service_step do_bans(struct service_conn *conn, const struct attr_list *request)
{
    (void)request;
    start_listing(conn, next_ban);
    return SERVICE_STREAM;
}

static enum service_step do_jails(struct service_conn *conn, const struct attr_list *request)
{
    (void)request;
    start_listing(conn, next_jail);
    return SERVICE_STREAM;
}

static void on_looked(enum engine_status status, const char *reason, void *ctx)
{
    struct service_conn *conn = ctx;
    struct listing *listing = *service_conn_state(conn);

    (void)reason;
    if (listing)
        listing->hosts = status == ENGINE_OK ? "all" : "this";
    service_conn_stream(conn);
}

/* What other hosts have counted is known here first. */
static enum service_step stream_counters(struct service_conn *conn, const struct listing *listing)
{
    if (!engine_is_shared(engine_of(conn)))
        return SERVICE_STREAM;
    service_conn_wait(conn);
    engine_look(engine_of(conn), listing->keys.login, &listing->keys.within, on_looked, conn);
    return SERVICE_WAIT;
}

static enum service_step do_counters(struct service_conn *conn, const struct attr_list *request)
{
    const char *key = attr_get_or_empty(request, "key");
    struct prefix within;

    if (!*key)
        return answer_error(conn, "key is missing: an address, a network or a login");
    bool is_login = prefix_parse(key, &within) != 0;
    struct listing *listing = start_listing(conn, next_counter);
    if (is_login)
        listing->keys.login = listing->login = x_strdup(key);
    else
        listing->keys.within = within;
    return stream_counters(conn, listing);
}

static enum service_step do_why(struct service_conn *conn, const struct attr_list *request)
{
    struct prefix prefix;
    const char *login, *wrong = take_who(request, &login, &prefix);
    struct buf *out = service_conn_output(conn);

    if (wrong)
        return answer_error(conn, wrong);
    struct listing *listing = start_listing(conn, next_counter);
    listing->is_why = true;
    if (login) {
        listing->keys.login = listing->login = x_strdup(login);
        show_why_login_events(engine_of(conn), login, out);
    } else {
        listing->keys.within = prefix;
        show_why_events(engine_of(conn), &prefix, out);
    }
    return stream_counters(conn, listing);
}

/* Without the bans that hold already, where they are not wanted. */
static bool next_nothing(struct engine *engine, struct listing *listing, struct buf *out)
{
    (void)engine;
    (void)listing;
    (void)out;
    return false;
}

static enum service_step do_watch(struct service_conn *conn, const struct attr_list *request)
{
    bool wants_bans = !str_eq(attr_get_or_empty(request, "bans"), "no");
    bool wants_events = str_eq(attr_get_or_empty(request, "events"), "yes");
    struct listing *listing = start_listing(conn, wants_bans ? next_ban : next_nothing);

    count_answer(conn, true);
    listing->watch = watch_new(conn, engine_of(conn), wants_events);
    return SERVICE_STREAM;
}

static bool end_of_list(struct service_conn *conn, struct listing *listing, struct buf *out)
{
    struct engine *engine = engine_of(conn);

    if (listing->watch) {
        watch_put_sync(listing->watch, out);
        return true;
    }
    if (listing->hosts)
        attr_put(out, "hosts", listing->hosts);
    if (listing->is_why && listing->login) {
        show_why_login(engine, listing->login, out);
    } else if (listing->is_why) {
        show_why(engine, &listing->keys.within, out);
    } else {
        put_ok(out);
        attr_put_uint(out, "count", listing->count);
        attr_end(out);
    }
    count_answer(conn, true);
    end_listing(conn);
    return true;
}

static bool more_of_list(struct service_conn *conn)
{
    struct listing *listing = *service_conn_state(conn);
    struct buf *out = service_conn_output(conn);

    for (; out->len < CONTROL_PIECE; listing->count++) {
        if (!listing->next(engine_of(conn), listing, out))
            return end_of_list(conn, listing, out);
    }
    return false;
}

/* --- the table -------------------------------------------------------------------------- */

static const struct {
    const char *name;
    enum service_step (*fn)(struct service_conn *conn, const struct attr_list *request);
} requests[] = {
    {"status", do_status}, {"bans", do_bans},         {"ban", do_ban},     {"unban", do_unban},
    {"why", do_why},       {"counters", do_counters}, {"jails", do_jails}, {"route", do_route},
    {"report", do_report}, {"watch", do_watch},
};

static enum service_step dispatch(struct service_conn *conn, const struct attr_list *request)
{
    const char *name = attr_get_or_empty(request, "request");

    if (*service_conn_state(conn))
        return answer_error(conn, "this connection watches; ask over another one");
    for (size_t i = 0; i < sizeof(requests) / sizeof(*requests); i++) {
        if (str_eq(requests[i].name, name))
            return requests[i].fn(conn, request);
    }
    return answer_error(conn, "no such request: there are status, bans, ban, unban, why, counters, "
                              "jails, route, report, watch");
}

static enum service_step control_step(struct service_conn *conn, struct buf *in,
                                      const char **reason_r)
{
    static struct attr_list request;
    size_t consumed;
    enum attr_status status = attr_parse(in->data, in->len, &request, &consumed);

    if (status == ATTR_MORE)
        return SERVICE_MORE;
    if (status != ATTR_OK) {
        *reason_r = attr_strstatus(status);
        return SERVICE_CLOSE;
    }
    buf_consume(in, consumed);
    return dispatch(conn, &request);
}

const struct service_protocol control_protocol = {
    .name = "control",
    .input_max = ATTR_LIST_MAX,
    .output_max = CONTROL_OUTPUT_MAX,
    .step = control_step,
    .more = more_of_list,
    .abandon = end_listing,
};
