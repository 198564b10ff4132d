/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/engine.h"

#include <stdlib.h>

#include "common/base/bug.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "policyd/counters.h"

#define RETRY_AFTER_MS 30000 /* a store that refused is asked again */
#define RETRY_MAX      1000  /* bans written again at once */

struct engine {
    const struct config *config;
    const struct origin_rules *rules;
    const struct clock *clock;
    struct store *store;
    struct bans bans;
    struct counters *counters; /* one for each jail of the configuration */
    struct stats stats;
    int64_t started_mono_ms;
    size_t pending;
    struct error store_error; /* of the last write, ERROR_NONE when it went well */
    int64_t retry_mono_ms;
};

/*
 * What waits for the store: one caller's answer, given when the last of its writes
 * is answered. A ban that is written again without a caller has done == NULL.
 */
struct task {
    struct engine *engine;
    size_t writes;
    enum engine_status status;
    struct error error;
    engine_done_fn done;
    void *ctx;
};

/* One write of a task. */
struct put {
    struct task *task;
    struct prefix prefix;
    int64_t until_mono_ms;
};

static struct counters *counters_for(const struct config *config)
{
    struct counters *counters = x_calloc(config->jail_count, sizeof(*counters));

    for (size_t i = 0; i < config->jail_count; i++)
        counters_init(&counters[i], (int64_t)config->jails[i].findtime_sec * 1000);
    return counters;
}

static void counters_free_all(struct counters *counters, const struct config *config)
{
    for (size_t i = 0; i < config->jail_count; i++)
        counters_fini(&counters[i]);
    free(counters);
}

struct engine *engine_new(const struct engine_options *options)
{
    struct engine *engine = x_calloc(1, sizeof(*engine));
    const struct config *config = options->config;

    engine->config = config;
    engine->rules = options->rules;
    engine->clock = options->clock;
    engine->store = options->store;
    engine->started_mono_ms = clock_mono_ms(options->clock);
    bans_init(&engine->bans);
    engine->counters = counters_for(config);
    return engine;
}

void engine_free(struct engine **engine)
{
    if (!*engine)
        return;
    BUG_ON((*engine)->pending);
    counters_free_all((*engine)->counters, (*engine)->config);
    bans_fini(&(*engine)->bans);
    free(*engine);
    *engine = NULL;
}

/* --- writing to the store --------------------------------------------------------- */

static struct task *task_new(struct engine *engine, engine_done_fn done, void *ctx)
{
    struct task *task = x_calloc(1, sizeof(*task));
    *task = (struct task){.engine = engine, .writes = 1, .done = done, .ctx = ctx};
    return task;
}

/* The caller's own share, and each write's, ends here. */
static void task_release(struct task *task)
{
    if (--task->writes)
        return;
    if (task->done)
        task->done(task->status, task->error.text, task->ctx);
    free(task);
}

static void note_store_result(struct engine *engine, const struct error *error)
{
    bool was_well = engine->store_error.code == ERROR_NONE;

    if (error) {
        if (was_well) {
            log_error(NULL, "store-failed", LOG_ERR(error),
                      LOG_STR("effect", "bans hold in memory and are written again later"));
            engine->retry_mono_ms = engine_now_mono_ms(engine) + RETRY_AFTER_MS;
        }
        engine->store_error = *error;
    } else if (!was_well) {
        log_info(NULL, "store-recovered");
        engine->store_error = (struct error){0};
    }
}

static void on_written(struct task *task, const struct error *error)
{
    task->engine->pending--;
    note_store_result(task->engine, error);
    if (error) {
        task->status = ENGINE_UNSTORED;
        task->error = *error;
    }
    task_release(task);
}

static void on_put(const struct error *error, void *ctx)
{
    struct put *put = ctx;
    struct ban *ban = bans_find(&put->task->engine->bans, &put->prefix);

    if (ban && !error && ban->until_mono_ms == put->until_mono_ms)
        ban->stored = true;
    on_written(put->task, error);
    free(put);
}

static void on_deleted(const struct error *error, void *ctx)
{
    on_written(ctx, error);
}

static void write_ban(struct task *task, const struct ban *ban)
{
    struct engine *engine = task->engine;
    struct put *put = x_calloc(1, sizeof(*put));
    struct store_ban record = {
        .prefix = ban->node.prefix,
        .since_wall_ms = ban->since_wall_ms,
        .until_wall_ms =
            clock_wall_ms(engine->clock) + ban->until_mono_ms - engine_now_mono_ms(engine),
    };

    _Static_assert(sizeof(record.jail) == sizeof(ban->jail), "one limit");
    for (size_t i = 0; i < sizeof(record.jail); i++)
        record.jail[i] = ban->jail[i];
    *put = (struct put){task, ban->node.prefix, ban->until_mono_ms};
    task->writes++;
    engine->pending++;
    engine->store->put_ban(engine->store, &record, on_put, put);
}

static void delete_ban(struct task *task, const struct prefix *prefix)
{
    task->writes++;
    task->engine->pending++;
    task->engine->store->delete_ban(task->engine->store, prefix, on_deleted, task);
}

static void delete_unasked(struct engine *engine, const struct prefix *prefix)
{
    struct task *task = task_new(engine, NULL, NULL);
    delete_ban(task, prefix);
    task_release(task);
}

static void retry_unstored(struct engine *engine)
{
    struct task *task = task_new(engine, NULL, NULL);
    size_t tried = 0;

    for (struct ban *ban = engine->bans.first; ban && tried < RETRY_MAX; ban = ban->next) {
        if (ban->stored)
            continue;
        write_ban(task, ban);
        tried++;
    }
    task_release(task);
}

/* --- time ------------------------------------------------------------------------- */

static void expire(struct engine *engine)
{
    struct ban *ban;

    while ((ban = bans_next_expired(&engine->bans, engine_now_mono_ms(engine)))) {
        char text[PREFIX_TEXT_MAX];
        struct prefix prefix = ban->node.prefix;
        log_info(NULL, "ban-expired", LOG_STR("ban", prefix_format(&prefix, text)),
                 LOG_STR("jail", ban->jail));
        bans_remove(&engine->bans, ban);
        engine->stats.count[STAT_BAN_EXPIRED]++;
        delete_unasked(engine, &prefix);
    }
}

void engine_tick(struct engine *engine)
{
    int64_t now_ms = engine_now_mono_ms(engine);

    expire(engine);
    for (size_t i = 0; i < engine->config->jail_count; i++)
        counters_sweep(&engine->counters[i], now_ms);
    if (now_ms >= engine->retry_mono_ms && engine->retry_mono_ms && !engine->pending) {
        engine->retry_mono_ms = now_ms + RETRY_AFTER_MS;
        retry_unstored(engine);
        if (!engine->pending)
            engine->retry_mono_ms = 0;
    }
}

/* --- restoring -------------------------------------------------------------------- */

/* A wall clock that went back must not make a ban longer than it was meant to be. */
static int64_t left_of(const struct store_ban *record, int64_t now_wall_ms)
{
    int64_t left_ms = record->until_wall_ms - now_wall_ms;
    int64_t whole_ms = record->until_wall_ms - record->since_wall_ms;
    return left_ms < whole_ms ? left_ms : whole_ms;
}

static void log_dropped(const struct prefix *prefix, const char *jail, const char *reason)
{
    char text[PREFIX_TEXT_MAX];

    log_info(NULL, "ban-dropped", LOG_STR("ban", prefix_format(prefix, text)),
             LOG_STR("jail", jail), LOG_STR("reason", reason));
}

static void restore_ban(const struct store_ban *record, void *ctx)
{
    struct engine *engine = ctx;
    char reason[ORIGIN_REASON_MAX];
    int64_t left_ms = left_of(record, clock_wall_ms(engine->clock));
    const char *why = "expired";

    if (left_ms > 0)
        why = origin_protects(engine->rules, &record->prefix, reason);
    if (why) {
        log_dropped(&record->prefix, record->jail, why);
        delete_unasked(engine, &record->prefix);
        return;
    }
    struct ban *ban = bans_put(&engine->bans, &record->prefix, record->jail, record->since_wall_ms,
                               engine_now_mono_ms(engine) + left_ms);
    if (ban)
        ban->stored = true;
}

int engine_restore(struct engine *engine, struct error *error_r)
{
    if (engine->store->load(engine->store, restore_ban, engine, error_r))
        return -1;
    log_info(NULL, "bans-restored", LOG_UINT("bans", engine->bans.count));
    return 0;
}

/* --- another configuration ---------------------------------------------------------- */

static bool counts_alike(const struct config_jail *a, const struct config_jail *b)
{
    return str_eq(a->name, b->name) && a->events == b->events && a->count_by == b->count_by &&
           a->distinct_password == b->distinct_password && a->maxretry == b->maxretry &&
           a->findtime_sec == b->findtime_sec && a->prefix4 == b->prefix4 &&
           a->prefix6 == b->prefix6;
}

static void take_over_counts(struct engine *engine, struct counters *counters,
                             const struct config *config)
{
    for (size_t i = 0; i < config->jail_count; i++) {
        for (size_t n = 0; n < engine->config->jail_count; n++) {
            if (!counts_alike(&config->jails[i], &engine->config->jails[n]))
                continue;
            struct counters empty = counters[i];
            counters[i] = engine->counters[n];
            engine->counters[n] = empty;
        }
    }
}

static void lift_protected(struct engine *engine)
{
    struct bans_cursor cursor;
    struct ban *ban;

    bans_cursor_open(&engine->bans, &cursor);
    while ((ban = bans_cursor_step(&cursor))) {
        struct prefix prefix = ban->node.prefix;
        char reason[ORIGIN_REASON_MAX];
        const char *why = origin_protects(engine->rules, &prefix, reason);
        if (!why)
            continue;
        log_dropped(&prefix, ban->jail, why);
        bans_remove(&engine->bans, ban);
        delete_unasked(engine, &prefix);
    }
    bans_cursor_close(&engine->bans, &cursor);
}

void engine_reconfigure(struct engine *engine, const struct config *config,
                        const struct origin_rules *rules)
{
    struct counters *counters = counters_for(config);

    take_over_counts(engine, counters, config);
    counters_free_all(engine->counters, engine->config);
    engine->counters = counters;
    engine->config = config;
    engine->rules = rules;
    lift_protected(engine);
}

/* --- questions ---------------------------------------------------------------------- */

static enum verdict judge(struct engine *engine, struct judgement *judgement)
{
    if (judgement->origin.kind == ORIGIN_REFUSED)
        return VERDICT_REFUSED;
    if (judgement->origin.kind != ORIGIN_KNOWN)
        return VERDICT_GO_ON;
    judgement->ban = bans_match(&engine->bans, &judgement->origin.addr);
    if (!judgement->ban)
        return VERDICT_GO_ON;
    judgement->seconds = bans_seconds_left(judgement->ban, engine_now_mono_ms(engine));
    return VERDICT_BANNED;
}

struct judgement engine_judge(struct engine *engine, const struct origin_peer *peer)
{
    struct judgement judgement = {.origin = origin_find(engine->rules, peer)};

    expire(engine);
    judgement.unforced = judge(engine, &judgement);
    judgement.verdict = engine->config->enforce ? judgement.unforced : VERDICT_GO_ON;
    return judgement;
}

/* --- bans ----------------------------------------------------------------------------- */

static void log_ban(const char *event, const char *session, const struct prefix *prefix,
                    const char *jail, uint64_t seconds)
{
    char text[PREFIX_TEXT_MAX];
    log_info(session, event, LOG_STR("ban", prefix_format(prefix, text)), LOG_STR("jail", jail),
             LOG_UINT("seconds", seconds));
}

static void fail(struct task *task, enum engine_status status, const char *reason)
{
    task->status = status;
    error_set(&task->error, ERROR_REFUSED, "%s", reason);
}

static void set_ban(struct task *task, const struct prefix *prefix, uint64_t seconds,
                    const char *session, const char *jail)
{
    struct engine *engine = task->engine;
    struct ban *ban = bans_put(&engine->bans, prefix, jail, clock_wall_ms(engine->clock),
                               engine_now_mono_ms(engine) + (int64_t)seconds * 1000);

    if (!ban) {
        log_error(session, "ban-table-full", LOG_UINT("bans", engine->bans.count));
        fail(task, ENGINE_FULL, "the table of bans is full");
        return;
    }
    engine->stats.count[STAT_BAN_SET]++;
    log_ban("ban", session, prefix, jail, seconds);
    write_ban(task, ban);
}

void engine_ban(struct engine *engine, const struct prefix *prefix, uint64_t seconds,
                engine_done_fn done, void *ctx)
{
    struct task *task = task_new(engine, done, ctx);
    char reason[ORIGIN_REASON_MAX], text[PREFIX_TEXT_MAX];

    BUG_ON(!seconds || seconds > (uint64_t)BANS_SECONDS_MAX);
    expire(engine);
    const char *why = origin_protects(engine->rules, prefix, reason);
    if (why) {
        engine->stats.count[STAT_BAN_PROTECTED]++;
        log_warning(NULL, "ban-refused", LOG_STR("ban", prefix_format(prefix, text)),
                    LOG_STR("reason", why));
        fail(task, ENGINE_PROTECTED, why);
    } else {
        set_ban(task, prefix, seconds, NULL, BANS_OPERATOR);
    }
    task_release(task);
}

static void fail_unban(struct task *task, const struct prefix *prefix)
{
    const struct ban *wider = bans_match(&task->engine->bans, &prefix->addr);
    char text[PREFIX_TEXT_MAX] = "";

    if (wider && wider->node.prefix.bits < prefix->bits)
        prefix_format(&wider->node.prefix, text);
    fail(task, ENGINE_NOT_BANNED, text);
}

void engine_unban(struct engine *engine, const struct prefix *prefix, engine_done_fn done,
                  void *ctx)
{
    struct task *task = task_new(engine, done, ctx);

    expire(engine);
    struct ban *ban = bans_find(&engine->bans, prefix);
    if (!ban) {
        fail_unban(task, prefix);
    } else {
        log_ban("unban", NULL, prefix, ban->jail,
                bans_seconds_left(ban, engine_now_mono_ms(engine)));
        bans_remove(&engine->bans, ban);
        engine->stats.count[STAT_BAN_LIFTED]++;
        for (size_t i = 0; i < engine->config->jail_count; i++)
            counters_forget_within(&engine->counters[i], prefix);
        delete_ban(task, prefix);
    }
    task_release(task);
}

/* --- events ------------------------------------------------------------------------- */

static void ban_by_jail(struct task *task, const struct config_jail *jail, const struct prefix *key,
                        const struct event *event)
{
    struct engine *engine = task->engine;
    const struct ban *held = bans_find(&engine->bans, key);
    int64_t until_ms = engine_now_mono_ms(engine) + (int64_t)jail->bantime_sec * 1000;

    if (!engine->config->enforce)
        log_ban("would ban", event->session, key, jail->name, jail->bantime_sec);
    else if (!held || held->until_mono_ms < until_ms)
        set_ban(task, key, jail->bantime_sec, event->session, jail->name);
}

static void log_uncounted(struct engine *engine, const struct event *event, const char *reason)
{
    char text[ADDR_TEXT_MAX];

    engine->stats.count[STAT_EVENT_UNCOUNTED]++;
    log_info(event->session, "event-uncounted", LOG_STR("event", event_name(event->kind)),
             LOG_STR("client", addr_format(&event->client, text)), LOG_STR("login", event->login),
             LOG_STR("reason", reason));
}

static void hit_jail(struct task *task, size_t index, const struct event *event)
{
    struct engine *engine = task->engine;
    const struct config_jail *jail = &engine->config->jails[index];
    struct counters *counters = &engine->counters[index];
    struct prefix key = jail_key(jail, &event->client);
    int64_t now_ms = engine_now_mono_ms(engine);
    char reason[ORIGIN_REASON_MAX], text[PREFIX_TEXT_MAX];

    if (!jail_wants(jail, event->kind))
        return;
    const char *why_not = origin_protects(engine->rules, &key, reason);
    if (why_not) {
        log_uncounted(engine, event, why_not);
        return;
    }
    struct window *window = counters_window(counters, &key, now_ms);
    enum jail_decision decision = jail_hit(jail, window, event, now_ms);
    log_info(event->session, "event", LOG_STR("event", event_name(event->kind)),
             LOG_STR("client", prefix_format(&key, text)), LOG_STR("login", event->login),
             LOG_STR("jail", jail->name), LOG_STR("new", decision == JAIL_IGNORED ? "no" : "yes"),
             LOG_UINT("count", window_count(window, (int64_t)jail->findtime_sec * 1000, now_ms)),
             LOG_UINT("maxretry", jail->maxretry));
    if (decision != JAIL_BAN)
        return;
    counters_forget(counters, &key);
    ban_by_jail(task, jail, &key, event);
}

static const char *uncounted(struct engine *engine, const struct origin *origin)
{
    if (origin->kind != ORIGIN_KNOWN)
        return origin_kind_name(origin->kind);
    expire(engine);
    return bans_match(&engine->bans, &origin->addr) ? "banned already" : NULL;
}

void engine_report(struct engine *engine, const struct origin_peer *peer, struct event *event,
                   engine_done_fn done, void *ctx)
{
    struct task *task = task_new(engine, done, ctx);
    struct origin origin = origin_find(engine->rules, peer);
    const char *why_not = uncounted(engine, &origin);

    event->client = origin.kind == ORIGIN_KNOWN ? origin.addr : peer->addr;
    if (why_not) {
        log_uncounted(engine, event, why_not);
    } else {
        engine->stats.count[STAT_EVENT_AUTH_FAIL]++;
        for (size_t i = 0; i < engine->config->jail_count; i++)
            hit_jail(task, i, event);
    }
    task_release(task);
}

/* --- what it shows -------------------------------------------------------------------- */

struct bans *engine_bans(struct engine *engine)
{
    return &engine->bans;
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

int64_t engine_uptime_sec(const struct engine *engine)
{
    return (engine_now_mono_ms(engine) - engine->started_mono_ms) / 1000;
}

size_t engine_key_count(const struct engine *engine)
{
    size_t count = 0;
    for (size_t i = 0; i < engine->config->jail_count; i++)
        count += counters_count(&engine->counters[i]);
    return count;
}

const char *engine_store_error(const struct engine *engine)
{
    return engine->store_error.code == ERROR_NONE ? NULL : engine->store_error.text;
}

size_t engine_pending(const struct engine *engine)
{
    return engine->pending;
}
