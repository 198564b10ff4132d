/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/keeper.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/bug.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "policyd/jail.h"
#include "policyd/keeper_internal.h"

#define RETRY_MAX       1000 /* bans, and deletions, asked for again at once */
#define TICK_EXPIRE_MAX 1000

/* One deletion on its way to the store. */
struct removal {
    struct keeper_change *change;
    struct prefix prefix;
};

/* One ban on its way to the store. */
struct put {
    struct keeper_change *change;
    struct prefix prefix;
    int64_t until_mono_ms;
    int64_t asked_mono_ms;
};

struct keeper *keeper_new(const struct clock *clock, struct store *store, struct stats *stats)
{
    struct keeper *keeper = x_calloc(1, sizeof(*keeper));

    *keeper = (struct keeper){.clock = clock, .store = store, .stats = stats};
    bans_init(&keeper->bans);
    bans_init(&keeper->logins);
    owed_init(&keeper->owed, KEEPER_OWED_MAX);
    lifts_init(&keeper->lifts, KEEPER_LIFTS_MAX);
    return keeper;
}

void keeper_free(struct keeper **keeper)
{
    if (!*keeper)
        return;
    BUG_ON((*keeper)->pending);
    keeper_finish(*keeper);
    bans_fini(&(*keeper)->bans);
    bans_fini(&(*keeper)->logins);
    lifts_fini(&(*keeper)->lifts);
    owed_fini(&(*keeper)->owed);
    free(*keeper);
    *keeper = NULL;
}

struct bans *keeper_table(struct keeper *keeper, const struct prefix *prefix)
{
    return jail_key_is_hash(prefix) ? &keeper->logins : &keeper->bans;
}

struct ban *keeper_find(const struct keeper *keeper, const struct prefix *prefix)
{
    return bans_find(jail_key_is_hash(prefix) ? &keeper->logins : &keeper->bans, prefix);
}

/* --- writing to the store --------------------------------------------------------- */

struct keeper_change *keeper_begin(struct keeper *keeper, keeper_done_fn done, void *ctx)
{
    struct keeper_change *change = x_calloc(1, sizeof(*change));

    *change = (struct keeper_change){.keeper = keeper, .shares = 1, .done = done, .ctx = ctx};
    return change;
}

static void release_share(struct keeper_change *change)
{
    if (--change->shares)
        return;
    if (change->done)
        change->done(change->error.code == ERROR_NONE ? NULL : &change->error, change->ctx);
    free(change);
}

bool keeper_waits(const struct keeper_change *change)
{
    return change->shares > 1;
}

void keeper_end(struct keeper_change *change)
{
    release_share(change);
}

/* Armed as long as it fails, however it came to that; well again, the rest need not wait. */
static void arm_retry(struct keeper *keeper, bool was_well)
{
    int64_t now_ms = clock_mono_ms(keeper->clock);

    if (keeper->store_error.code == ERROR_NONE)
        keeper->retry_mono_ms = was_well ? keeper->retry_mono_ms : now_ms;
    else if (!keeper->retry_mono_ms)
        keeper->retry_mono_ms = now_ms + KEEPER_RETRY_MS;
}

void keeper_note_result(struct keeper *keeper, const struct error *error)
{
    bool was_well = keeper->store_error.code == ERROR_NONE;

    keeper->stats->count[STAT_STORE_ERROR] += error != NULL;
    if (error && was_well)
        log_error(NULL, "store-failed", LOG_ERR(error),
                  LOG_STR("effect", "bans hold in memory and are written again later"));
    else if (!error && !was_well)
        log_info(NULL, "store-recovered");
    keeper->store_error = error ? *error : (struct error){0};
    arm_retry(keeper, was_well);
}

static void on_written(struct keeper_change *change, const struct error *error)
{
    change->keeper->pending--;
    keeper_note_result(change->keeper, error);
    if (error)
        change->error = *error;
    release_share(change);
}

static void on_put(const struct error *error, void *ctx)
{
    struct put *put = ctx;
    struct keeper *keeper = put->change->keeper;
    struct ban *ban = keeper_find(keeper, &put->prefix);
    struct lift *lift = lifts_find(&keeper->lifts, &put->prefix);

    if (!error)
        histogram_add(&keeper->stats->commit, clock_mono_ms(keeper->clock) - put->asked_mono_ms);
    if (ban && !error && ban->until_mono_ms == put->until_mono_ms)
        keeper_mark_stored(keeper, ban);
    if (lift && !error && lift->until_mono_ms == put->until_mono_ms)
        lift->stored = true;
    on_written(put->change, error);
    free(put);
}

static void owe(struct keeper *keeper, const struct prefix *prefix)
{
    if (owed_add(&keeper->owed, prefix) == 0 || keeper->has_forgotten)
        return;
    keeper->has_forgotten = true;
    log_error(NULL, "unbans-forgotten", LOG_UINT("owed", KEEPER_OWED_MAX),
              LOG_STR("effect", "a restart may bring lifted bans back"));
}

/* What is banned again meanwhile is written, not deleted. */
static void on_deleted(const struct error *error, void *ctx)
{
    struct removal *removal = ctx;
    struct keeper *keeper = removal->change->keeper;

    if (!error)
        owed_cancel(&keeper->owed, &removal->prefix);
    else if (!keeper_find(keeper, &removal->prefix))
        owe(keeper, &removal->prefix);
    on_written(removal->change, error);
    free(removal);
}

void keeper_write(struct keeper_change *change, const struct store_ban *record,
                  int64_t until_mono_ms)
{
    struct keeper *keeper = change->keeper;
    struct put *put = x_calloc(1, sizeof(*put));

    *put = (struct put){change, record->prefix, until_mono_ms, clock_mono_ms(keeper->clock)};
    change->shares++;
    keeper->pending++;
    keeper->store->put_ban(keeper->store, record, on_put, put);
}

/* Where the clock went back it begins now: left_of() holds it to its whole length. */
void keeper_write_ban(struct keeper_change *change, const struct ban *ban)
{
    const struct clock *clock = change->keeper->clock;
    int64_t wall_ms = clock_wall_ms(clock);
    struct store_ban record = {
        .prefix = ban->node.prefix,
        .acts = ban->acts,
        .since_wall_ms = ban->since_wall_ms < wall_ms ? ban->since_wall_ms : wall_ms,
        .until_wall_ms = wall_ms + ban->until_mono_ms - clock_mono_ms(clock),
        .version = ban->version,
    };

    memcpy(record.jail, ban->jail, strlen(ban->jail) + 1);
    if (ban_login(ban))
        memcpy(record.login, ban_login(ban), strlen(ban_login(ban)) + 1);
    keeper_write(change, &record, ban->until_mono_ms);
}

static void delete_record(struct keeper_change *change, const struct prefix *prefix)
{
    struct keeper *keeper = change->keeper;
    struct removal *removal = x_calloc(1, sizeof(*removal));

    *removal = (struct removal){change, *prefix};
    change->shares++;
    keeper->pending++;
    keeper->store->delete_ban(keeper->store, prefix, on_deleted, removal);
}

/* A shared store knows by itself when they end. */
static void delete_unasked(struct keeper *keeper, const struct prefix *prefix)
{
    if (keeper_is_shared(keeper))
        return;
    struct keeper_change *change = keeper_begin(keeper, NULL, NULL);
    delete_record(change, prefix);
    keeper_end(change);
}

void keeper_note_last(struct keeper *keeper, const struct ban *ban)
{
    if (ban_login(ban))
        return;
    keeper->last =
        (struct last_ban){.prefix = ban->node.prefix, .since_wall_ms = ban->since_wall_ms};
    memcpy(keeper->last.jail, ban->jail, strlen(ban->jail) + 1);
}

static int take_new(struct keeper_change *change, struct ban *ban, uint64_t version)
{
    struct keeper *keeper = change->keeper;

    if (!ban)
        return -1;
    ban->version = version;
    owed_cancel(&keeper->owed, &ban->node.prefix);
    keeper->stats->count[STAT_BAN_SET]++;
    keeper_note_last(keeper, ban);
    keeper_write_ban(change, ban);
    return 0;
}

static int64_t end_of(const struct keeper *keeper, uint64_t seconds)
{
    return clock_mono_ms(keeper->clock) + (int64_t)seconds * 1000;
}

int keeper_put(struct keeper_change *change, const struct prefix *prefix, uint64_t seconds,
               const char *jail, unsigned acts)
{
    struct keeper *keeper = change->keeper;
    uint64_t version = keeper_next_version(keeper, prefix);

    return take_new(change,
                    bans_put(&keeper->bans, prefix, jail, acts, clock_wall_ms(keeper->clock),
                             end_of(keeper, seconds)),
                    version);
}

int keeper_put_login(struct keeper_change *change, const char *login, uint64_t seconds,
                     const char *jail, unsigned acts)
{
    struct keeper *keeper = change->keeper;
    struct prefix key = jail_key_of_login(login);
    uint64_t version = keeper_next_version(keeper, &key);

    return take_new(change,
                    bans_put_login(&keeper->logins, &key, login, jail, acts,
                                   clock_wall_ms(keeper->clock), end_of(keeper, seconds)),
                    version);
}

void keeper_remove(struct keeper_change *change, struct ban *ban, bool is_by_operator)
{
    struct prefix prefix = ban->node.prefix;

    if (keeper_is_shared(change->keeper)) {
        keeper_lift(change, ban, is_by_operator);
        return;
    }
    bans_remove(keeper_table(change->keeper, &prefix), ban);
    delete_record(change, &prefix);
}

/* --- time ------------------------------------------------------------------------- */

static void expire(struct keeper *keeper, struct bans *bans, int max)
{
    int64_t now_ms = clock_mono_ms(keeper->clock);
    struct ban *ban;

    while (max-- && (ban = bans_next_expired(bans, now_ms))) {
        char text[PREFIX_TEXT_MAX];
        struct prefix prefix = ban->node.prefix;
        log_info(NULL, "ban-expired", LOG_STR(ban_login(ban) ? "login" : "ban", ban_who(ban, text)),
                 LOG_STR("jail", ban->jail));
        bans_remove(bans, ban);
        keeper->stats->count[STAT_BAN_EXPIRED]++;
        delete_unasked(keeper, &prefix);
    }
}

void keeper_expire(struct keeper *keeper)
{
    expire(keeper, &keeper->bans, KEEPER_EXPIRE_MAX);
    expire(keeper, &keeper->logins, KEEPER_EXPIRE_MAX);
}

static void retry_bans(struct keeper_change *change, const struct bans *bans)
{
    size_t tried = 0;

    for (struct ban *ban = bans->first; ban && tried < RETRY_MAX; ban = ban->next) {
        if (ban->stored)
            continue;
        keeper_write_ban(change, ban);
        tried++;
    }
}

static void retry_deletions(struct keeper_change *change)
{
    const struct owed *owed = &change->keeper->owed;
    const struct prefixset_node *node = NULL;

    for (size_t tried = 0; tried < RETRY_MAX && (node = owed_next(owed, node)); tried++)
        delete_record(change, &node->prefix);
}

void keeper_tick(struct keeper *keeper)
{
    int64_t now_ms = clock_mono_ms(keeper->clock);

    expire(keeper, &keeper->bans, TICK_EXPIRE_MAX);
    expire(keeper, &keeper->logins, TICK_EXPIRE_MAX);
    lifts_sweep(&keeper->lifts, now_ms);
    keeper_go_on(keeper);
    if (!keeper->retry_mono_ms || now_ms < keeper->retry_mono_ms || keeper->pending ||
        (keeper->is_finishing && keeper_is_shared(keeper)))
        return;
    struct keeper_change *change = keeper_begin(keeper, NULL, NULL);
    bool is_well = keeper->store_error.code == ERROR_NONE;
    retry_bans(change, &keeper->logins);
    retry_bans(change, &keeper->bans);
    keeper_write_lifts(change);
    retry_deletions(change);
    keeper_end(change);
    keeper->has_forgotten &= owed_count(&keeper->owed) != 0;
    if (!is_well)
        keeper->retry_mono_ms = now_ms + KEEPER_RETRY_MS;
    else if (!keeper->pending)
        keeper->retry_mono_ms = 0;
}

/* --- restoring -------------------------------------------------------------------- */

struct restoring {
    struct keeper *keeper;
    const struct origin_rules *rules;
    int64_t now_wall_ms;
    int64_t now_mono_ms;
    size_t held;
    size_t unplaced; /* the table was full */
};

/* A wall clock that went back must not make a ban longer than it was meant to be. */
static int64_t left_of(const struct store_ban *record, int64_t now_wall_ms)
{
    int64_t left_ms = record->until_wall_ms - now_wall_ms;
    int64_t whole_ms = record->until_wall_ms - record->since_wall_ms;
    return left_ms < whole_ms ? left_ms : whole_ms;
}

static void log_dropped(const struct prefix *prefix, const char *login, const char *jail,
                        const char *reason)
{
    char text[PREFIX_TEXT_MAX];
    bool is_login = *login != '\0';

    log_info(NULL, "ban-dropped",
             LOG_STR(is_login ? "login" : "ban", is_login ? login : prefix_format(prefix, text)),
             LOG_STR("jail", jail), LOG_STR("reason", reason));
}

struct ban *keeper_place(struct keeper *keeper, const struct store_ban *record, int64_t until_ms)
{
    unsigned acts = record->acts ? record->acts : CONFIG_ACTS_ALL;

    if (*record->login)
        return bans_put_login(&keeper->logins, &record->prefix, record->login, record->jail, acts,
                              record->since_wall_ms, until_ms);
    return bans_put(&keeper->bans, &record->prefix, record->jail, acts, record->since_wall_ms,
                    until_ms);
}

static struct ban *place(struct restoring *restoring, const struct store_ban *record,
                         int64_t left_ms)
{
    return keeper_place(restoring->keeper, record, restoring->now_mono_ms + left_ms);
}

/*
 * One that is over is taken up, too, and ends with all others whose time comes: a day's
 * worth of them is not deleted at one blow. It stands in nobody's way.
 */
static void restore_ban(const struct store_ban *record, void *ctx)
{
    struct restoring *restoring = ctx;
    struct keeper *keeper = restoring->keeper;
    char reason[ORIGIN_REASON_MAX];
    int64_t left_ms = left_of(record, restoring->now_wall_ms);
    const char *why = left_ms > 0 && !*record->login
                          ? origin_protects(restoring->rules, &record->prefix, reason)
                          : NULL;

    if (why) {
        log_dropped(&record->prefix, record->login, record->jail, why);
        delete_unasked(keeper, &record->prefix);
        return;
    }
    struct ban *ban = place(restoring, record, left_ms);
    if (!ban && left_ms > 0) {
        keeper_expire(keeper);
        ban = place(restoring, record, left_ms);
    }
    restoring->unplaced += !ban && left_ms > 0;
    if (!ban)
        return;
    ban->stored = true;
    if (left_ms <= 0)
        return;
    restoring->held++;
    if (ban->since_wall_ms > keeper->last.since_wall_ms)
        keeper_note_last(keeper, ban);
}

int keeper_restore(struct keeper *keeper, const struct origin_rules *rules, struct error *error_r)
{
    struct restoring restoring = {
        .keeper = keeper,
        .rules = rules,
        .now_wall_ms = clock_wall_ms(keeper->clock),
        .now_mono_ms = clock_mono_ms(keeper->clock),
    };

    if (keeper->store->load(keeper->store, restore_ban, &restoring, error_r))
        return -1;
    if (restoring.unplaced)
        log_error(NULL, "ban-table-full", LOG_UINT("bans", BANS_MAX),
                  LOG_UINT("unrestored", restoring.unplaced));
    if (!keeper_is_shared(keeper))
        log_info(NULL, "bans-restored", LOG_UINT("bans", restoring.held));
    return 0;
}

void keeper_drop_protected(struct keeper *keeper, const struct origin_rules *rules)
{
    struct bans_cursor cursor;
    struct ban *ban;

    bans_cursor_open(&keeper->bans, &cursor);
    while ((ban = bans_cursor_step(&cursor))) {
        struct prefix prefix = ban->node.prefix;
        char reason[ORIGIN_REASON_MAX];
        const char *why = origin_protects(rules, &prefix, reason);
        if (!why)
            continue;
        log_dropped(&prefix, "", ban->jail, why);
        bans_remove(&keeper->bans, ban);
        delete_unasked(keeper, &prefix);
    }
    bans_cursor_close(&keeper->bans, &cursor);
}

/* --- what it shows ---------------------------------------------------------------- */

const struct last_ban *keeper_last_ban(const struct keeper *keeper)
{
    return keeper->last.since_wall_ms ? &keeper->last : NULL;
}

struct bans *keeper_bans(struct keeper *keeper)
{
    return &keeper->bans;
}

struct bans *keeper_logins(struct keeper *keeper)
{
    return &keeper->logins;
}

const char *keeper_store_error(const struct keeper *keeper)
{
    return keeper->store_error.code == ERROR_NONE ? NULL : keeper->store_error.text;
}

size_t keeper_pending(const struct keeper *keeper)
{
    return keeper->pending;
}
