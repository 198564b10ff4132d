/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/engine.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/base/bug.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "policyd/aggregate.h"
#include "policyd/ban_rate.h"
#include "policyd/event_log.h"
#include "policyd/jails.h"
#include "policyd/saver.h"

struct engine {
    const struct config *config;
    const struct origin_rules *rules;
    const struct clock *clock;
    uint32_t (*random)(void);
    struct keeper *keeper;
    struct jails jails;
    struct saver *saver;
    struct history *history;
    struct stats stats;
    int64_t started_mono_ms;
    struct ban_rate rate;
};

/* What a caller asked for, until it is answered. */
struct request {
    enum engine_status status;
    char reason[ERROR_TEXT_MAX];
    engine_done_fn done;
    void *ctx;
    struct keeper_change *change; /* until the caller's call returns */
};

struct engine *engine_new(const struct engine_options *options)
{
    struct engine *engine = x_calloc(1, sizeof(*engine));
    const struct config *config = options->config;

    engine->config = config;
    engine->rules = options->rules;
    engine->clock = options->clock;
    engine->random = options->random;
    engine->keeper = keeper_new(options->clock, options->store, &engine->stats);
    engine->started_mono_ms = clock_mono_ms(options->clock);
    jails_init(&engine->jails, config);
    engine->saver = saver_new(options->clock, options->store);
    saver_use(engine->saver, engine->jails.counted, engine->jails.count, engine->jails.counters);
    engine->history = history_new();
    return engine;
}

void engine_free(struct engine **engine)
{
    if (!*engine)
        return;
    history_free(&(*engine)->history);
    saver_free(&(*engine)->saver);
    jails_fini(&(*engine)->jails);
    keeper_free(&(*engine)->keeper);
    by_gateway_fini(&(*engine)->stats.policy_origins.gateways);
    by_gateway_fini(&(*engine)->stats.auth_origins.gateways);
    free(*engine);
    *engine = NULL;
}

int engine_restore(struct engine *engine, struct error *error_r)
{
    if (keeper_restore(engine->keeper, engine->rules, error_r))
        return -1;
    return saver_restore(engine->saver, error_r);
}

void engine_tick(struct engine *engine)
{
    keeper_tick(engine->keeper);
    ban_rate_tick(&engine->rate, engine->config->policyd.max_bans_per_minute,
                  engine_now_mono_ms(engine));
    jails_sweep(&engine->jails, engine_now_mono_ms(engine));
    saver_tick(engine->saver);
}

void engine_finish(struct engine *engine)
{
    saver_finish(engine->saver);
}

/* --- another configuration ---------------------------------------------------------- */

void engine_reconfigure(struct engine *engine, const struct config *config,
                        const struct origin_rules *rules)
{
    jails_reconfigure(&engine->jails, config);
    engine->config = config;
    engine->rules = rules;
    saver_use(engine->saver, engine->jails.counted, engine->jails.count, engine->jails.counters);
    keeper_drop_protected(engine->keeper, rules);
}

/* --- questions ---------------------------------------------------------------------- */

static enum verdict judge(struct engine *engine, struct judgement *judgement, unsigned act)
{
    if (judgement->origin.kind == ORIGIN_REFUSED)
        return VERDICT_REFUSED;
    if (judgement->origin.kind != ORIGIN_KNOWN)
        return VERDICT_GO_ON;
    judgement->ban = bans_match(keeper_bans(engine->keeper), &judgement->origin.addr, act);
    if (!judgement->ban)
        return VERDICT_GO_ON;
    judgement->seconds = bans_seconds_left(judgement->ban, engine_now_mono_ms(engine));
    return VERDICT_BANNED;
}

/* The origin is known already. */
static struct judgement judge_origin(struct engine *engine, const struct origin *origin,
                                     unsigned act)
{
    struct judgement judgement = {.origin = *origin};

    keeper_expire(engine->keeper);
    judgement.unforced = judge(engine, &judgement, act);
    judgement.verdict = engine->config->enforce ? judgement.unforced : VERDICT_GO_ON;
    return judgement;
}

struct judgement engine_judge(struct engine *engine, const struct origin_peer *peer, unsigned act)
{
    struct origin origin = origin_find(engine->rules, peer);

    return judge_origin(engine, &origin, act);
}

/* --- bans ----------------------------------------------------------------------------- */

static void log_ban(const char *event, const char *session, const struct prefix *prefix,
                    const char *jail, uint64_t seconds)
{
    char text[PREFIX_TEXT_MAX];
    log_info(session, event, LOG_STR("ban", prefix_format(prefix, text)), LOG_STR("jail", jail),
             LOG_UINT("seconds", seconds));
}

static void on_kept(const struct error *error, void *ctx)
{
    struct request *request = ctx;

    if (error) {
        request->status = ENGINE_UNSTORED;
        snprintf(request->reason, sizeof(request->reason), "%s", error->text);
    }
    request->done(request->status, request->reason, request->ctx);
    free(request);
}

static struct request *request_new(struct engine *engine, engine_done_fn done, void *ctx)
{
    struct request *request = x_calloc(1, sizeof(*request));

    request->done = done;
    request->ctx = ctx;
    request->change = keeper_begin(engine->keeper, on_kept, request);
    keeper_expire(engine->keeper);
    return request;
}

static void fail(struct request *request, enum engine_status status, const char *reason)
{
    request->status = status;
    snprintf(request->reason, sizeof(request->reason), "%s", reason);
}

static bool set_ban(struct request *request, const struct prefix *prefix, uint64_t seconds,
                    const char *session, const char *jail, unsigned acts)
{
    if (keeper_put(request->change, prefix, seconds, jail, acts) == 0) {
        log_ban("ban", session, prefix, jail, seconds);
        return true;
    }
    log_error(session, "ban-table-full", LOG_UINT("bans", BANS_MAX));
    fail(request, ENGINE_FULL, "the table of bans is full");
    return false;
}

void engine_ban(struct engine *engine, const struct prefix *prefix, uint64_t seconds,
                engine_done_fn done, void *ctx)
{
    struct request *request = request_new(engine, done, ctx);
    char reason[ORIGIN_REASON_MAX], text[PREFIX_TEXT_MAX];

    BUG_ON(!seconds || seconds > (uint64_t)BANS_SECONDS_MAX);
    const char *why = origin_protects(engine->rules, prefix, reason);
    if (why) {
        engine->stats.count[STAT_BAN_PROTECTED]++;
        log_warning(NULL, "ban-refused", LOG_STR("ban", prefix_format(prefix, text)),
                    LOG_STR("reason", why));
        fail(request, ENGINE_PROTECTED, why);
    } else {
        set_ban(request, prefix, seconds, NULL, BANS_OPERATOR, CONFIG_ACTS_ALL);
    }
    keeper_end(request->change);
}

static void fail_unban(struct engine *engine, struct request *request, const struct prefix *prefix)
{
    const struct ban *wider =
        bans_match(keeper_bans(engine->keeper), &prefix->addr, CONFIG_ACTS_ALL);
    char text[PREFIX_TEXT_MAX] = "";

    if (wider && wider->node.prefix.bits < prefix->bits)
        prefix_format(&wider->node.prefix, text);
    fail(request, ENGINE_NOT_BANNED, text);
}

static void lift(struct engine *engine, struct request *request, struct ban *ban)
{
    struct prefix prefix = ban->node.prefix;

    log_ban("unban", NULL, &prefix, ban->jail, bans_seconds_left(ban, engine_now_mono_ms(engine)));
    keeper_remove(request->change, ban);
    engine->stats.count[STAT_BAN_LIFTED]++;
    for (size_t i = 0; i < engine->jails.count; i++) {
        counters_forget_within(&engine->jails.counters[i], &prefix);
        saver_forget(engine->saver, i, &prefix);
    }
}

void engine_unban(struct engine *engine, const struct prefix *prefix, engine_done_fn done,
                  void *ctx)
{
    struct request *request = request_new(engine, done, ctx);
    struct ban *ban = bans_find(keeper_bans(engine->keeper), prefix);

    if (ban)
        lift(engine, request, ban);
    else
        fail_unban(engine, request, prefix);
    keeper_end(request->change);
}

/* --- events ------------------------------------------------------------------------- */

/* An event that is being counted. Most lead to no ban, and then nothing has to be waited for. */
struct report {
    struct event *event;
    engine_done_fn done;
    void *ctx;
    struct request *request; /* NULL before the first ban */
};

/* Who owns a /48 has a /64 for each guess. Where no new ban is told, those told before stay. */
static void aggregate(struct engine *engine, struct report *report, const struct config_jail *jail,
                      const struct prefix *key, unsigned acts)
{
    const struct bans *bans = keeper_bans(engine->keeper);
    char reason[ORIGIN_REASON_MAX];
    uint64_t seconds;

    if (!engine->config->policyd.aggregate || key->addr.family != ADDR_IPV6)
        return;
    for (unsigned bits = 56; bits >= 48 && key->bits == 64; bits -= 8) {
        struct prefix wide = prefix_of(&key->addr, bits);
        unsigned all = acts;
        if (!aggregate_is_due(bans, &wide, &all, engine_now_mono_ms(engine), &seconds) ||
            origin_protects(engine->rules, &wide, reason) ||
            !set_ban(report->request, &wide, seconds, report->event->session, jail->name, all))
            return;
        if (!engine->rate.is_too_high)
            aggregate_drop(bans, report->request->change, &wide, all);
    }
}

/* One of this prefix that holds goes on where it acts, and both end with the later end. */
static void ban_by_jail(struct engine *engine, struct report *report, size_t index)
{
    const struct event *event = report->event;
    const struct config_jail *jail = &engine->config->jails[index];
    const struct prefix net = jail_net(jail, &event->client), *key = &net;
    const struct ban *held = bans_find(keeper_bans(engine->keeper), key);
    int64_t now_ms = engine_now_mono_ms(engine);
    uint64_t seconds = jail_bantime(jail, jails_bans_before(&engine->jails, index, key, now_ms),
                                    engine->random ? engine->random() : 0);
    uint64_t held_sec = held ? bans_seconds_left(held, now_ms) : 0;
    unsigned reach = jail->acts & (event->is_of_mail ? CONFIG_ACTS_SMTP : CONFIG_ACTS_ALL);
    unsigned acts = reach | (held ? held->acts : 0);

    if (!reach)
        return;
    if (!engine->config->enforce)
        log_ban("would ban", event->session, key, jail->name, seconds);
    if (!engine->config->enforce || (held && held_sec >= seconds && held->acts == acts))
        return;
    if (!report->request)
        report->request = request_new(engine, report->done, report->ctx);
    set_ban(report->request, key, seconds > held_sec ? seconds : held_sec, event->session,
            jail->name, acts);
    jails_note_ban(&engine->jails, index, key, now_ms);
    ban_rate_add(&engine->rate, engine->config->policyd.max_bans_per_minute,
                 keeper_bans(engine->keeper)->changes, now_ms);
    aggregate(engine, report, jail, key, reach);
    history_keep(engine->history);
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
static void act(struct engine *engine, struct report *report, size_t index,
                const struct prefix *key, uint64_t count)
{
    const struct config_jail *jail = &engine->config->jails[index];
    const struct event *event = report->event;

    if (jail->action == JAIL_ACTION_BAN) {
        counters_forget(&engine->jails.counters[index], key);
        saver_forget(engine->saver, index, key);
        ban_by_jail(engine, report, index);
    } else if (jail_is_first_reached(jail, event, count)) {
        event_log_reached(jail, event, key, count);
    }
}

static void hit_jail(struct engine *engine, struct report *report, size_t index)
{
    const struct event *event = report->event;
    const struct config_jail *jail = &engine->config->jails[index];
    int64_t now_ms = engine_now_mono_ms(engine), age_ms = age_of(engine, event);
    struct prefix key = jail_key(jail, event);
    const char *why_not = NULL;
    char reason[ORIGIN_REASON_MAX];

    struct prefix net = jail_net(jail, &event->client);
    if (jail->count_by != COUNT_BY_LOGIN)
        why_not = origin_protects(engine->rules, &net, reason);
    if (!why_not && age_ms >= (int64_t)jail->findtime_sec * 1000)
        why_not = "older than findtime";
    if (why_not) {
        leave_uncounted(engine, event, why_not);
        return;
    }
    struct window *window = counters_window(&engine->jails.counters[index], &key, now_ms);
    enum jail_decision decision = jail_hit(jail, window, event, now_ms - age_ms);
    uint64_t count = window_count(window, (int64_t)jail->findtime_sec * 1000, now_ms);
    event_log_counted(jail, event, &key, decision != JAIL_IGNORED, count);
    if (decision != JAIL_IGNORED)
        history_add_jail(engine->history, jail->name);
    if (decision == JAIL_REACHED)
        act(engine, report, index, &key, count);
}

static bool event_is_of_login(const struct event *event)
{
    return event->kind == CONFIG_EVENT_AUTH_FAIL ||
           (event->kind == CONFIG_EVENT_HONEYPOT && !event->is_of_mail);
}

/* Whether a jail counts what such a client does; of a masked one only those by login do. */
static bool is_counted(const struct engine *engine, const struct origin *origin,
                       const struct event *event)
{
    for (size_t i = 0; i < engine->config->jail_count; i++) {
        const struct config_jail *jail = &engine->config->jails[i];
        if (jail_wants(jail, event->kind) && jail_applies(jail, origin->kind, event->login))
            return true;
    }
    return false;
}

static const char *uncounted(struct engine *engine, const struct origin *origin,
                             const struct event *event)
{
    if (origin->kind != ORIGIN_KNOWN)
        return is_counted(engine, origin, event) ? NULL : origin_kind_name(origin->kind);
    unsigned act = event_is_of_login(event) ? CONFIG_ACTS_AUTH : CONFIG_ACTS_SMTP;
    return bans_match(keeper_bans(engine->keeper), &origin->addr, act) ? "banned already" : NULL;
}

static void count_event(struct engine *engine, const struct origin *origin,
                        const struct origin_peer *peer, struct report *report)
{
    struct event *event = report->event;

    keeper_expire(engine->keeper);
    const char *why_not = uncounted(engine, origin, event);
    event->client = origin->kind == ORIGIN_KNOWN ? origin->addr : peer->addr;
    event->origin = origin;
    event->is_known =
        origin->kind == ORIGIN_KNOWN && *event->login &&
        jails_know(&engine->jails, &origin->addr, event->login, engine_now_mono_ms(engine));
    if (why_not) {
        leave_uncounted(engine, event, why_not);
        return;
    }
    engine->stats.count[stats_of_event(event->kind)]++;
    event_log_taken(event);
    history_add(engine->history, event, clock_wall_ms(engine->clock) - age_of(engine, event));
    for (size_t i = 0; i < engine->config->jail_count; i++) {
        const struct config_jail *jail = &engine->config->jails[i];
        if (jail_wants(jail, event->kind) && jail_applies(jail, origin->kind, event->login))
            hit_jail(engine, report, i);
    }
}

void engine_report(struct engine *engine, const struct origin_peer *peer, struct event *event,
                   engine_done_fn done, void *ctx)
{
    struct report report = {.event = event, .done = done, .ctx = ctx};
    struct origin origin = origin_find(engine->rules, peer);

    count_event(engine, &origin, peer, &report);
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

void engine_note_login(struct engine *engine, const struct origin_peer *peer, const char *login)
{
    struct origin origin = origin_find(engine->rules, peer);

    if (origin.kind == ORIGIN_KNOWN && *login)
        jails_note_login(&engine->jails, &origin.addr, login, engine_now_mono_ms(engine));
}

static bool wants(const struct engine *engine, unsigned kind)
{
    for (size_t i = 0; i < engine->config->jail_count; i++) {
        if (jail_wants(&engine->config->jails[i], kind))
            return true;
    }
    return false;
}

/* Whether done is still to come; a ban that found no place is not waited for. */
static bool end_admission(struct report *report)
{
    struct request *request = report->request;

    if (!request)
        return false;
    bool waits = keeper_waits(request->change);
    if (!waits)
        request->done = engine_nobody_waits;
    keeper_end(request->change);
    return waits;
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
    struct report report = {.event = &event, .done = done, .ctx = ctx};
    struct origin origin = origin_find(engine->rules, peer);

    if (wants(engine, event.kind))
        count_event(engine, &origin, peer, &report);
    *judgement_r = judge_origin(engine, &origin, CONFIG_ACTS_SMTP);
    return end_admission(&report);
}

unsigned engine_delay(struct engine *engine, const struct origin *origin, const char *login,
                      const struct config_jail **jail_r)
{
    return jails_delay(&engine->jails, origin, login, engine_now_mono_ms(engine), jail_r);
}

const struct config_jail *engine_defers(struct engine *engine, const struct origin *origin)
{
    return jails_defer(&engine->jails, origin, engine_now_mono_ms(engine));
}

/* --- what it shows -------------------------------------------------------------------- */

const struct last_ban *engine_last_ban(const struct engine *engine)
{
    return keeper_last_ban(engine->keeper);
}

void engine_expire(struct engine *engine)
{
    keeper_expire(engine->keeper);
}

struct bans *engine_bans(const struct engine *engine)
{
    return keeper_bans(engine->keeper);
}

const struct jails *engine_jails(const struct engine *engine)
{
    return &engine->jails;
}

const struct history *engine_history(const struct engine *engine)
{
    return engine->history;
}

const char *engine_protects(const struct engine *engine, const struct prefix *prefix,
                            char reason[ORIGIN_REASON_MAX])
{
    return origin_protects(engine->rules, prefix, reason);
}

struct stats *engine_stats(struct engine *engine)
{
    return &engine->stats;
}

const struct config *engine_config(const struct engine *engine)
{
    return engine->config;
}

int64_t engine_now_mono_ms(const struct engine *engine)
{
    return clock_mono_ms(engine->clock);
}

int64_t engine_now_wall_ms(const struct engine *engine)
{
    return clock_wall_ms(engine->clock);
}

int64_t engine_uptime_sec(const struct engine *engine)
{
    return (engine_now_mono_ms(engine) - engine->started_mono_ms) / 1000;
}

size_t engine_key_count(const struct engine *engine)
{
    size_t count = 0;
    for (size_t i = 0; i < engine->config->jail_count; i++)
        count += counters_count(&engine->jails.counters[i]);
    return count;
}

bool engine_holds_back(const struct engine *engine)
{
    return engine->rate.is_too_high;
}

bool engine_may_tell(const struct engine *engine, const struct ban *ban)
{
    return !engine->rate.is_too_high || ban->number < engine->rate.held_from ||
           str_eq(ban->jail, BANS_OPERATOR);
}

const char *engine_store_error(const struct engine *engine)
{
    return keeper_store_error(engine->keeper);
}

size_t engine_pending(const struct engine *engine)
{
    return keeper_pending(engine->keeper) + saver_is_busy(engine->saver);
}
