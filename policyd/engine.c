/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/engine.h"

#include <stdlib.h>

#include "common/base/mem.h"
#include "common/base/str.h"
#include "policyd/engine_internal.h"

struct engine *engine_new(const struct engine_options *options)
{
    struct engine *engine = x_calloc(1, sizeof(*engine));
    const struct config *config = options->config;

    engine->config = config;
    engine->rules = options->rules;
    engine->clock = options->clock;
    engine->store = options->store;
    engine->random = options->random;
    engine->keeper = keeper_new(options->clock, options->store, &engine->stats);
    engine->started_mono_ms = clock_mono_ms(options->clock);
    jails_init(&engine->jails, config);
    keeper_remember_unbans(engine->keeper, jails_longest_ms(&engine->jails));
    engine->saver = saver_new(options->clock, options->store);
    saver_use(engine->saver, engine->jails.counted, engine->jails.count, engine->jails.counters);
    engine->history = history_new();
    engine->once = once_new();
    shared_listen(engine);
    return engine;
}

void engine_free(struct engine **engine)
{
    if (!*engine)
        return;
    shared_free_all(*engine);
    once_free(&(*engine)->once);
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
    keeper_finish(engine->keeper);
}

/* --- another configuration ---------------------------------------------------------- */

void engine_reconfigure(struct engine *engine, const struct config *config,
                        const struct origin_rules *rules)
{
    jails_reconfigure(&engine->jails, config);
    keeper_remember_unbans(engine->keeper, jails_longest_ms(&engine->jails));
    engine->config = config;
    engine->rules = rules;
    saver_use(engine->saver, engine->jails.counted, engine->jails.count, engine->jails.counters);
    keeper_drop_protected(engine->keeper, rules);
}

/* --- questions ---------------------------------------------------------------------- */

const struct ban *engine_find_login(const struct engine *engine, const char *login, unsigned acts)
{
    const struct bans *logins = keeper_logins(engine->keeper);

    if (!*login || !logins->count)
        return NULL;
    struct prefix key = jail_key_of_login(login);
    const struct ban *ban = bans_held(logins, &key, engine_now_mono_ms(engine));
    return ban && ban->acts & acts ? ban : NULL;
}

static enum verdict judge(struct engine *engine, struct judgement *judgement, const char *login,
                          unsigned act)
{
    if (judgement->origin.kind == ORIGIN_REFUSED)
        return VERDICT_REFUSED;
    int64_t now_ms = engine_now_mono_ms(engine);
    if (judgement->origin.kind == ORIGIN_KNOWN)
        judgement->ban =
            bans_match(keeper_bans(engine->keeper), &judgement->origin.addr, act, now_ms);
    if (!judgement->ban)
        judgement->ban = engine_find_login(engine, login, act);
    if (!judgement->ban)
        return VERDICT_GO_ON;
    judgement->seconds = bans_seconds_left(judgement->ban, now_ms);
    return VERDICT_BANNED;
}

/* The origin is known already. */
struct judgement engine_judge_origin(struct engine *engine, const struct origin *origin,
                                     const char *login, unsigned act)
{
    struct judgement judgement = {.origin = *origin};

    keeper_expire(engine->keeper);
    judgement.unforced = judge(engine, &judgement, login, act);
    judgement.verdict = engine->config->enforce ? judgement.unforced : VERDICT_GO_ON;
    return judgement;
}

struct judgement engine_judge(struct engine *engine, const struct origin_peer *peer,
                              const char *login, unsigned act)
{
    struct origin origin = origin_find(engine->rules, peer);

    return engine_judge_origin(engine, &origin, login, act);
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

struct bans *engine_logins(const struct engine *engine)
{
    return keeper_logins(engine->keeper);
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

bool engine_is_shared(const struct engine *engine)
{
    return engine->store->hit != NULL;
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

struct store_health engine_store_health(const struct engine *engine)
{
    struct store_health health = {0};

    if (engine->store->health)
        engine->store->health(engine->store, &health);
    else
        health.pending = engine_pending(engine);
    if (!health.error)
        health.error = keeper_store_error(engine->keeper);
    return health;
}

size_t engine_pending(const struct engine *engine)
{
    return keeper_pending(engine->keeper) + saver_is_busy(engine->saver) + engine->asked;
}
