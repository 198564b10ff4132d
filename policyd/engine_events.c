/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <stdlib.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "policyd/aggregate.h"
#include "policyd/engine_internal.h"
#include "policyd/event_log.h"

void engine_count_ban(struct engine *engine)
{
    ban_rate_add(&engine->rate, engine->config->policyd.max_bans_per_minute,
                 keeper_bans(engine->keeper)->changes, engine_now_mono_ms(engine));
}

/* Who owns a /48 has a /64 for each guess. Where no new ban is told, those told before stay. */
static void aggregate(struct engine *engine, struct engine_report *report,
                      const struct config_jail *jail, const struct prefix *key, unsigned acts)
{
    const struct bans *bans = keeper_bans(engine->keeper);
    char reason[ORIGIN_REASON_MAX];
    uint64_t seconds;

    if (!engine->config->policyd.aggregate || key->addr.family != ADDR_IPV6)
        return;
    for (unsigned bits = 56; bits >= 48 && key->bits == 64; bits -= 8) {
        struct prefix wide = prefix_of(&key->addr, bits);
        unsigned all = acts;
        bool is_told = !engine->rate.is_too_high;
        if (!aggregate_is_due(bans, &wide, &all, engine_now_mono_ms(engine), &seconds) ||
            origin_protects(engine->rules, &wide, reason) ||
            !engine_set_ban(report->request, &wide, seconds, report->event->session, jail->name,
                            all))
            return;
        engine_count_ban(engine);
        if (is_told)
            aggregate_drop(bans, report->request->change, &wide);
    }
}

/* One of this prefix that holds becomes one with it, unless nothing would change. */
static void ban_by_jail(struct engine *engine, struct engine_report *report, size_t index)
{
    const struct event *event = report->event;
    const struct config_jail *jail = &engine->config->jails[index];
    const struct prefix net = jail_net(jail, &event->client), *key = &net;
    int64_t now_ms = engine_now_mono_ms(engine);
    const struct ban *held = bans_held(keeper_bans(engine->keeper), key, now_ms);
    uint64_t seconds = jail_bantime(jail, jails_bans_before(&engine->jails, index, key, now_ms),
                                    engine->random ? engine->random() : 0);
    unsigned reach = jail->acts & (event->is_of_mail ? CONFIG_ACTS_SMTP : CONFIG_ACTS_ALL);
    unsigned acts = reach;
    char reason[ORIGIN_REASON_MAX];

    /* A shared store may have answered after the configuration was read again. */
    if (!reach || origin_protects(engine->rules, key, reason))
        return;
    if (!engine->config->enforce)
        engine_log_ban("would ban", event->session, key, jail->name, seconds);
    if (!engine->config->enforce || !bans_join(held, now_ms, &acts, &seconds))
        return;
    if (!report->request)
        report->request = engine_request_new(engine, report->done, report->ctx);
    engine_set_ban(report->request, key, seconds, event->session, jail->name, acts);
    jails_note_ban(&engine->jails, index, key, now_ms);
    shared_note_ban(engine, index, key);
    engine_count_ban(engine);
    aggregate(engine, report, jail, key, reach);
    history_keep(engine->history, &report->place);
}

/* Whoever sends so much in its name has its password: from wherever, and no firewall hears of it.
 */
static void ban_login_by_jail(struct engine *engine, struct engine_report *report, size_t index)
{
    const struct event *event = report->event;
    const struct config_jail *jail = &engine->config->jails[index];
    const struct prefix key = jail_key_of_login(event->login);
    const struct ban *held = engine_find_login(engine, event->login, CONFIG_ACTS_ALL);
    int64_t now_ms = engine_now_mono_ms(engine);
    uint64_t seconds = jail_bantime(jail, jails_bans_before(&engine->jails, index, &key, now_ms),
                                    engine->random ? engine->random() : 0);
    unsigned acts = jail->acts;

    if (!engine->config->enforce) {
        engine_log_login_ban("would ban", event->session, event->login, jail->name, seconds);
        return;
    }
    if (!bans_join(held, now_ms, &acts, &seconds))
        return;
    if (!report->request)
        report->request = engine_request_new(engine, report->done, report->ctx);
    engine_set_login_ban(report->request, event->login, seconds, event->session, jail->name, acts);
    jails_note_ban(&engine->jails, index, &key, now_ms);
    shared_note_ban(engine, index, &key);
    history_keep(engine->history, &report->place);
}

static void leave_uncounted(struct engine *engine, const struct event *event, const char *reason)
{
    engine->stats.count[STAT_EVENT_UNCOUNTED]++;
    event_log_uncounted(event, reason);
}

/* Replayed after an outage, it counts at the time when it was; a clock set back is now. */
static int64_t age_of(const struct engine *engine, const struct event *event)
{
    if (!event->at_wall_ms)
        return 0;
    int64_t now_ms = clock_wall_ms(engine->clock);
    return event->at_wall_ms < now_ms ? now_ms - event->at_wall_ms : 0;
}

/* What the jail does about the one too many. A delay is found by the count, and asked for later. */
void engine_act(struct engine *engine, struct engine_report *report, size_t index,
                const struct prefix *key, uint64_t count)
{
    const struct config_jail *jail = &engine->config->jails[index];
    const struct event *event = report->event;

    if (jail->action == JAIL_ACTION_BAN) {
        counters_forget(&engine->jails.counters[index], key);
        saver_forget(engine->saver, index, key);
        if (jail_is_by_login(jail))
            ban_login_by_jail(engine, report, index);
        else
            ban_by_jail(engine, report, index);
    } else if (jail_is_first_reached(jail, event, count)) {
        event_log_reached(jail, event, key, count);
    }
}

void engine_take_count(struct engine *engine, struct engine_report *report, size_t index,
                       const struct prefix *key, enum jail_decision decision, uint64_t count)
{
    const struct config_jail *jail = &engine->config->jails[index];
    const struct event *event = report->event;

    event_log_counted(jail, event, key, decision != JAIL_IGNORED, count);
    if (decision != JAIL_IGNORED)
        history_add_jail(&report->place, jail->name);
    if (decision == JAIL_REACHED)
        engine_act(engine, report, index, key, count);
}

/* Why nobody in this net is counted, or NULL. */
static const char *protects(const struct engine *engine, struct engine_report *report,
                            const struct prefix *net, char reason[ORIGIN_REASON_MAX])
{
    if (prefix_eq(&report->unprotected, net))
        return NULL;
    const char *why_not = origin_protects(engine->rules, net, reason);
    if (!why_not)
        report->unprotected = *net;
    return why_not;
}

static void hit_jail(struct engine *engine, struct engine_report *report, size_t index)
{
    const struct event *event = report->event;
    const struct config_jail *jail = &engine->config->jails[index];
    int64_t now_ms = report->now_ms, age_ms = age_of(engine, event);
    struct prefix key = jail_key(jail, event);
    const char *why_not = NULL;
    char reason[ORIGIN_REASON_MAX];

    if (!jail_is_by_login(jail)) {
        struct prefix net = jail_net(jail, &event->client);
        why_not = protects(engine, report, &net, reason);
    }
    if (!why_not && age_ms >= (int64_t)jail->findtime_sec * 1000)
        why_not = "older than findtime";
    if (why_not) {
        leave_uncounted(engine, event, why_not);
        return;
    }
    if (report->shared) {
        shared_event_add(report->shared, event, index, &key);
        return;
    }
    struct window *window = counters_window(&engine->jails.counters[index], &key, now_ms);
    enum jail_decision decision = jail_hit(jail, window, event, now_ms - age_ms);
    uint64_t count = window_count(window, (int64_t)jail->findtime_sec * 1000, now_ms);
    engine_take_count(engine, report, index, &key, decision, count);
}

bool engine_counts(const struct engine *engine, const struct origin *origin, unsigned kind,
                   const char *login)
{
    for (size_t i = 0; i < engine->config->jail_count; i++) {
        const struct config_jail *jail = &engine->config->jails[i];
        if (jail_wants(jail, kind) && jail_applies(jail, origin->kind, kind, login))
            return true;
    }
    return false;
}

static const char *uncounted(struct engine *engine, const struct origin *origin,
                             const struct event *event, int64_t now_ms)
{
    unsigned act = event_is_of_login(event) ? CONFIG_ACTS_AUTH : CONFIG_ACTS_SMTP;

    if (event->kind & CONFIG_EVENTS_OF_SUBMISSION && engine_find_login(engine, event->login, act))
        return "banned already";
    if (origin->kind != ORIGIN_KNOWN)
        return engine_counts(engine, origin, event->kind, event->login)
                   ? NULL
                   : origin_kind_name(origin->kind);
    return bans_match(keeper_bans(engine->keeper), &origin->addr, act, now_ms) ? "banned already"
                                                                               : NULL;
}

/* Whether it is counted: by what holds now. */
static bool begin_event(struct engine *engine, const struct origin *origin,
                        const struct origin_peer *peer, struct event *event)
{
    int64_t now_ms = engine_now_mono_ms(engine);

    keeper_expire(engine->keeper);
    const char *why_not = uncounted(engine, origin, event, now_ms);
    event->client = origin->kind == ORIGIN_KNOWN ? origin->addr : peer->addr;
    event->origin = origin;
    event->is_known = origin->kind == ORIGIN_KNOWN && *event->login &&
                      !(event->kind & CONFIG_EVENTS_OF_SUBMISSION) &&
                      jails_know(&engine->jails, &origin->addr, event->login, now_ms);
    if (why_not)
        leave_uncounted(engine, event, why_not);
    return !why_not;
}

static void count_event(struct engine *engine, struct engine_report *report)
{
    const struct event *event = report->event;
    enum origin_kind origin = event->origin->kind;

    report->now_ms = engine_now_mono_ms(engine);
    engine->stats.count[stats_of_event(event->kind)]++;
    event_log_taken(event);
    report->place =
        history_add(engine->history, event, clock_wall_ms(engine->clock) - age_of(engine, event));
    if (engine_is_shared(engine))
        report->shared = shared_event_new(engine, report, age_of(engine, event));
    for (size_t i = 0; i < engine->config->jail_count; i++) {
        const struct config_jail *jail = &engine->config->jails[i];
        if (jail_wants(jail, event->kind) && jail_applies(jail, origin, event->kind, event->login))
            hit_jail(engine, report, i);
    }
}

void engine_report(struct engine *engine, const struct origin_peer *peer, struct event *event,
                   engine_done_fn done, void *ctx)
{
    struct engine_report report = {.event = event, .done = done, .ctx = ctx};
    struct origin origin = origin_find(engine->rules, peer);

    if (begin_event(engine, &origin, peer, event))
        count_event(engine, &report);
    if (report.shared && shared_event_send(report.shared))
        return;
    if (report.request)
        keeper_end(report.request->change);
    else
        done(ENGINE_OK, "", ctx);
}

void engine_nobody_waits(enum engine_status status, const char *reason, void *ctx)
{
    (void)status;
    (void)reason;
    (void)ctx;
}

bool engine_is_honeypot(const struct engine *engine, const char *name)
{
    const struct config_strings *honeypots = &engine->config->policyd.honeypots;

    for (size_t i = 0; i < honeypots->count; i++) {
        if (str_eq_nocase(honeypots->items[i], name))
            return true;
    }
    return false;
}

/* A store need not be told of each: within the hour it knows. */
void engine_note_login(struct engine *engine, const struct origin_peer *peer, const char *login)
{
    struct origin origin = origin_find(engine->rules, peer);
    int64_t now_ms = engine_now_mono_ms(engine);

    if (origin.kind != ORIGIN_KNOWN || !*login)
        return;
    int64_t age_ms = jails_login_age_ms(&engine->jails, &origin.addr, login, now_ms);
    if (age_ms >= 0 && age_ms < ENGINE_LOGIN_NEWS_MS)
        return;
    jails_note_login(&engine->jails, &origin.addr, login, now_ms);
    shared_note_login(engine, &origin.addr, login);
}

bool engine_wants(const struct engine *engine, unsigned kinds)
{
    for (size_t i = 0; i < engine->config->jail_count; i++) {
        if (jail_wants(&engine->config->jails[i], kinds))
            return true;
    }
    return false;
}

/* Whether done is still to come; a ban that found no place is not waited for. */
static bool end_taking(struct engine_report *report)
{
    struct engine_request *request = report->request;

    if (report->shared && shared_event_send(report->shared))
        return true;
    if (!request)
        return false;
    bool waits = keeper_waits(request->change);
    if (!waits)
        request->done = engine_nobody_waits;
    keeper_end(request->change);
    return waits;
}

/* Who is told when the last of several is there. */
struct together {
    size_t due; /* and one for the call itself */
    engine_done_fn done;
    void *ctx;
};

static void on_one(enum engine_status status, const char *reason, void *ctx)
{
    struct together *together = ctx;

    if (--together->due)
        return;
    together->done(status, reason, together->ctx);
    free(together);
}

static bool take(struct engine *engine, const struct origin *origin, const struct origin_peer *peer,
                 struct event *events, size_t count, engine_done_fn done, void *ctx)
{
    struct together *together = x_malloc(sizeof(*together));
    size_t counted = 0;

    for (size_t i = 0; i < count; i++) {
        if (begin_event(engine, origin, peer, &events[i]))
            events[counted++] = events[i];
    }
    *together = (struct together){1, done, ctx};
    for (size_t i = 0; i < counted; i++) {
        struct engine_report report = {.event = &events[i], .done = on_one, .ctx = together};
        count_event(engine, &report);
        together->due += end_taking(&report);
    }
    if (--together->due)
        return true;
    free(together);
    return false;
}

bool engine_take(struct engine *engine, const struct origin_peer *peer, struct event *events,
                 size_t count, engine_done_fn done, void *ctx)
{
    struct origin origin;

    if (!count)
        return false;
    origin = origin_find(engine->rules, peer);
    return take(engine, &origin, peer, events, count, done, ctx);
}

bool engine_admit(struct engine *engine, const struct origin_peer *peer, engine_done_fn done,
                  void *ctx, struct judgement *judgement_r)
{
    struct event event = {
        .kind = CONFIG_EVENT_CONNECT,
        .login = "",
        .fingerprint = "",
        .weight = 1,
        .protocol = "smtp",
    };
    struct origin origin = origin_find(engine->rules, peer);

    bool is_later =
        engine_wants(engine, event.kind) && take(engine, &origin, peer, &event, 1, done, ctx);
    *judgement_r = engine_judge_origin(engine, &origin, "", CONFIG_ACTS_SMTP);
    return is_later;
}

unsigned engine_delay(struct engine *engine, const struct origin *origin, const char *login,
                      const struct config_jail **jail_r)
{
    shared_look_at_login(engine, origin, login);
    return jails_delay(&engine->jails, origin, login, engine_now_mono_ms(engine), jail_r);
}

const struct config_jail *engine_defers(struct engine *engine, const struct origin *origin)
{
    return jails_defer(&engine->jails, origin, engine_now_mono_ms(engine));
}
