/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <string.h>

#include "common/base/log.h"
#include "policyd/keeper_internal.h"

#define RETELL_MAX  200   /* bans, told to the store at once: it has them long before it is late */
#define RETELL_LOOK 10000 /* bans, looked at in one turn: 2 ms where they lie all over memory */
#define SAME_MS     100   /* two times of one word, read at two times, are as near as this */

/*
 * Two words on one prefix are told apart by a number that only grows: the time, and more
 * than the one before where a clock went back.
 */
static uint64_t known_version(const struct keeper *keeper, const struct prefix *prefix)
{
    const struct ban *ban = keeper_find(keeper, prefix);
    const struct lift *lift = lifts_find(&keeper->lifts, prefix);

    if (ban)
        return ban->version;
    return lift ? lift->version : 0;
}

uint64_t keeper_next_version(const struct keeper *keeper, const struct prefix *prefix)
{
    uint64_t now_ms = (uint64_t)clock_wall_ms(keeper->clock);
    uint64_t known = known_version(keeper, prefix);

    return now_ms > known ? now_ms : known + 1;
}

/* --- what is lifted --------------------------------------------------------------------- */

static void write_lift(struct keeper_change *change, const struct lift *lift)
{
    const struct clock *clock = change->keeper->clock;
    int64_t mono_ms = clock_mono_ms(clock), wall_ms = clock_wall_ms(clock);
    struct store_ban record = {
        .prefix = lift->node.prefix,
        .since_wall_ms = wall_ms + lift->at_mono_ms - mono_ms,
        .until_wall_ms = wall_ms + lift->until_mono_ms - mono_ms,
        .version = lift->version,
        .is_lifted = true,
    };

    if (lift->is_by_operator)
        memcpy(record.jail, BANS_OPERATOR, sizeof(BANS_OPERATOR));
    keeper_write(change, &record, lift->until_mono_ms);
}

static int64_t later(int64_t a_ms, int64_t b_ms)
{
    return a_ms > b_ms ? a_ms : b_ms;
}

void keeper_remember_unbans(struct keeper *keeper, int64_t ms)
{
    keeper->unban_ms = ms;
}

void keeper_lift(struct keeper_change *change, struct ban *ban, bool is_by_operator)
{
    struct keeper *keeper = change->keeper;
    struct prefix prefix = ban->node.prefix;
    uint64_t version = keeper_next_version(keeper, &prefix);
    int64_t now_ms = clock_mono_ms(keeper->clock);
    int64_t until_ms = later(ban->until_mono_ms, now_ms + INT64_C(1000) * KEEPER_LIFT_SEC);

    if (is_by_operator)
        until_ms = later(until_ms, now_ms + keeper->unban_ms);

    bans_remove(keeper_table(keeper, &prefix), ban);
    write_lift(change,
               lifts_put(&keeper->lifts, &prefix, version, now_ms, until_ms, is_by_operator));
}

int64_t keeper_lifted_ms(const struct keeper *keeper, const struct prefix *key)
{
    int64_t last_ms = lifts_last_ms(&keeper->lifts, key);

    return last_ms < 0 ? -1 : clock_mono_ms(keeper->clock) - last_ms;
}

/* --- what it has ------------------------------------------------------------------------- */

void keeper_mark_stored(const struct keeper *keeper, struct ban *ban)
{
    ban->stored = true;
    ban->synced = keeper->sync;
}

/* Only the last reading says what it has: it may have come back empty. */
static bool is_lacking(const struct keeper *keeper, struct ban *ban)
{
    ban->stored = ban->stored && ban->synced == keeper->sync;
    return !ban->stored;
}

/* --- what the store tells ---------------------------------------------------------------- */

/* Of all that stood there at the start one line tells, at the end. */
static void log_taken(const struct keeper *keeper, const char *event, const struct ban *ban,
                      const char *jail, int64_t left_ms)
{
    enum log_level level = keeper->is_syncing ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO;
    char text[PREFIX_TEXT_MAX];

    if (!log_wants(level))
        return;
    log_write(level, NULL, event,
              LOG_FIELDS(LOG_STR(ban_login(ban) ? "login" : "ban", ban_who(ban, text)),
                         LOG_STR("jail", jail),
                         LOG_UINT("seconds", (uint64_t)(left_ms + 999) / 1000),
                         LOG_STR("from", "store")));
}

/* The word of before is that of this host, which the store has now, if late. */
static enum keeper_word take_known(struct keeper *keeper, struct ban *ban,
                                   const struct prefix *prefix)
{
    struct lift *lift = lifts_find(&keeper->lifts, prefix);

    if (ban ? is_lacking(keeper, ban) : !lift->stored)
        keeper_note_result(keeper, NULL);
    if (ban)
        keeper_mark_stored(keeper, ban);
    else
        lift->stored = true;
    return KEEPER_KNOWN;
}

/* When the operator did so last; -1: never. */
static int64_t unban_ms(const struct lift *lift)
{
    return lift && lift->is_by_operator ? lift->at_mono_ms : -1;
}

static enum keeper_word take_lift(struct keeper *keeper, struct ban *ban,
                                  const struct store_ban *record)
{
    int64_t mono_ms = clock_mono_ms(keeper->clock), wall_ms = clock_wall_ms(keeper->clock);
    int64_t known_ms = unban_ms(lifts_find(&keeper->lifts, &record->prefix));

    if (ban) {
        log_taken(keeper, "unban", ban, ban->jail, ban->until_mono_ms - mono_ms);
        bans_remove(keeper_table(keeper, &record->prefix), ban);
    }
    struct lift *lift = lifts_put(
        &keeper->lifts, &record->prefix, record->version, mono_ms + record->since_wall_ms - wall_ms,
        mono_ms + record->until_wall_ms - wall_ms, strcmp(record->jail, BANS_OPERATOR) == 0);
    lift->stored = true;
    bool is_new = lift->is_by_operator && (known_ms < 0 || lift->at_mono_ms > known_ms + SAME_MS);
    return is_new ? KEEPER_NEW_LIFT : KEEPER_KNOWN;
}

static enum keeper_word take_ban(struct keeper *keeper, const struct origin_rules *rules,
                                 const struct store_ban *record)
{
    int64_t left_ms = record->until_wall_ms - clock_wall_ms(keeper->clock);
    char reason[ORIGIN_REASON_MAX];

    if (left_ms <= 0 || left_ms > BANS_SECONDS_MAX * 1000 ||
        (!*record->login && origin_protects(rules, &record->prefix, reason)))
        return KEEPER_KNOWN;
    struct ban *ban = keeper_place(keeper, record, clock_mono_ms(keeper->clock) + left_ms);
    if (!ban) {
        log_error(NULL, "ban-table-full", LOG_UINT("bans", BANS_MAX));
        return KEEPER_KNOWN;
    }
    ban->version = record->version;
    keeper_mark_stored(keeper, ban);
    if (ban->since_wall_ms > keeper->last.since_wall_ms)
        keeper_note_last(keeper, ban);
    log_taken(keeper, "ban", ban, record->jail, left_ms);
    return KEEPER_NEW_BAN;
}

enum keeper_word keeper_take(struct keeper *keeper, const struct origin_rules *rules,
                             const struct store_ban *record)
{
    struct ban *ban = keeper_find(keeper, &record->prefix);
    uint64_t known = known_version(keeper, &record->prefix);

    if (known && record->version == known)
        return take_known(keeper, ban, &record->prefix);
    if (record->version < known)
        return KEEPER_KNOWN;
    return record->is_lifted ? take_lift(keeper, ban, record) : take_ban(keeper, rules, record);
}

/* --- what the store lacks ------------------------------------------------------------------ */

static void stop_retelling(struct keeper *keeper)
{
    if (keeper->is_retelling)
        bans_cursor_close(&keeper->bans, &keeper->cursor);
    keeper->is_retelling = false;
}

void keeper_finish(struct keeper *keeper)
{
    stop_retelling(keeper);
    keeper->is_finishing = true;
}

static void retell(struct keeper *keeper);

/* One that has not come in time may still be on its way: no more until the next tick. */
static void on_told(const struct error *error, void *ctx)
{
    struct keeper *keeper = ctx;

    keeper->is_telling = false;
    keeper->is_held_up = error != NULL;
    if (keeper->is_retelling && !error)
        retell(keeper);
}

/* Who is away is told all again by the next sync. */
void keeper_go_on(struct keeper *keeper)
{
    struct store_health health;

    if (!keeper->is_retelling || !keeper->is_held_up || keeper->pending)
        return;
    keeper->store->health(keeper->store, &health);
    keeper->is_held_up = false;
    if (health.error)
        stop_retelling(keeper);
}

bool keeper_retell(struct keeper *keeper)
{
    if (keeper->is_retelling && !keeper->is_telling && !keeper->is_held_up)
        retell(keeper);
    return keeper->is_retelling;
}

/* In portions, each when the one before is there. */
static void retell(struct keeper *keeper)
{
    struct keeper_change *change = NULL;
    struct ban *ban = NULL;
    size_t looks = RETELL_LOOK, left = RETELL_MAX;

    while (left && looks-- && (ban = bans_cursor_step(&keeper->cursor))) {
        if (!is_lacking(keeper, ban))
            continue;
        if (!change)
            change = keeper_begin(keeper, on_told, keeper);
        keeper_write_ban(change, ban);
        left--;
    }
    if (!ban)
        stop_retelling(keeper);
    keeper->is_telling = change != NULL;
    if (change)
        keeper_end(change);
}

static void retell_logins(struct keeper *keeper)
{
    struct keeper_change *change = keeper_begin(keeper, NULL, NULL);

    for (struct ban *ban = keeper->logins.first; ban; ban = ban->next) {
        if (is_lacking(keeper, ban))
            keeper_write_ban(change, ban);
    }
    keeper_end(change);
}

void keeper_write_lifts(struct keeper_change *change)
{
    const struct keeper *keeper = change->keeper;

    for (struct lift *lift = keeper->lifts.first; lift; lift = lift->next) {
        if (!lift->stored && !keeper_find(keeper, &lift->node.prefix))
            write_lift(change, lift);
    }
}

static void retell_lifts(struct keeper *keeper)
{
    struct keeper_change *change = keeper_begin(keeper, NULL, NULL);

    keeper_write_lifts(change);
    keeper_end(change);
}

void keeper_break_sync(struct keeper *keeper)
{
    keeper->is_syncing = false;
}

void keeper_begin_sync(struct keeper *keeper)
{
    stop_retelling(keeper);
    keeper->is_syncing = true;
    keeper->sync++;
    for (struct lift *lift = keeper->lifts.first; lift; lift = lift->next)
        lift->stored = false;
}

void keeper_end_sync(struct keeper *keeper)
{
    keeper->is_syncing = false;
    log_info(NULL, "bans-synced", LOG_UINT("bans", keeper->bans.count));
    if (keeper->is_finishing)
        return;
    keeper->is_retelling = true;
    keeper->is_held_up = keeper->is_telling = false;
    bans_cursor_open(&keeper->bans, &keeper->cursor);
    retell_logins(keeper);
    retell_lifts(keeper);
}
