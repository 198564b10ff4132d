/* SPDX-License-Identifier: MIT */
#ifndef PN_POLICYD_KEEPER_H
#define PN_POLICYD_KEEPER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/net/origin.h"
#include "policyd/bans.h"
#include "policyd/stats.h"
#include "policyd/store.h"

/*
 * Keeps the bans in memory and those in the store the same. Memory changes at once;
 * who made the change hears when the store has it too. A store that refuses changes
 * nothing in memory, and is asked again every KEEPER_RETRY_MS, for bans and for deletions;
 * once it takes what it is told, each second until it has all.
 */
#define KEEPER_RETRY_MS  30000
#define KEEPER_OWED_MAX  10000 /* deletions that the store refused; more are forgotten */
#define KEEPER_LIFTS_MAX 10000 /* remembered, in a store that several share */
#define KEEPER_LIFT_SEC  86400 /* so long at least, and as long as the ban would have held */

struct keeper;

/* All arguments live longer than the keeper. */
struct keeper *keeper_new(const struct clock *clock, struct store *store, struct stats *stats);
/* Nothing may be pending. */
void keeper_free(struct keeper **keeper);

/*
 * Take up the bans of the store with what is left of them by the wall clock, but for
 * those that rules protect: they are dropped. 0 or -1.
 */
int keeper_restore(struct keeper *keeper, const struct origin_rules *rules, struct error *error_r)
    __attribute__((warn_unused_result));
/* Drop the bans that rules protect. */
void keeper_drop_protected(struct keeper *keeper, const struct origin_rules *rules);

/*
 * Drop bans whose end has come, KEEPER_EXPIRE_MAX of them: who called should not wait for
 * more. They hold no longer in any case.
 */
#define KEEPER_EXPIRE_MAX 100
void keeper_expire(struct keeper *keeper);
/* Once a second. */
void keeper_tick(struct keeper *keeper);

/*
 * A change of none or more bans, from begin to end. done is called once, in end or
 * later from the loop, when the store answered for all of it: NULL, or the last error.
 */
struct keeper_change;
typedef void (*keeper_done_fn)(const struct error *error, void *ctx);

/* done may be NULL. */
struct keeper_change *keeper_begin(struct keeper *keeper, keeper_done_fn done, void *ctx);
/* 0, or -1 when the table is full. */
int keeper_put(struct keeper_change *change, const struct prefix *prefix, uint64_t seconds,
               const char *jail, unsigned acts) __attribute__((warn_unused_result));
/* The same for a login. */
int keeper_put_login(struct keeper_change *change, const char *login, uint64_t seconds,
                     const char *jail, unsigned acts) __attribute__((warn_unused_result));
/* By the operator: who was banned begins anew. */
void keeper_remove(struct keeper_change *change, struct ban *ban, bool is_by_operator);
/* Before the end: whether done comes later than that. */
bool keeper_waits(const struct keeper_change *change);
void keeper_end(struct keeper_change *change);

/* --- a store that several share ------------------------------------------------------- */

enum keeper_word { KEEPER_KNOWN, KEEPER_NEW_BAN, KEEPER_NEW_LIFT };

/*
 * What stands in the store, or that it was lifted there, becomes so here where it is the
 * newer word; but no ban of what rules protect. KEEPER_NEW_LIFT: by the operator.
 */
enum keeper_word keeper_take(struct keeper *keeper, const struct origin_rules *rules,
                             const struct store_ban *record);
/* The store tells all that it has from now on; then, that it has: what it lacks is told it. */
void keeper_begin_sync(struct keeper *keeper);
void keeper_end_sync(struct keeper *keeper);
/* After that, in one turn of the loop after the other until false: it is told a part of that. */
bool keeper_retell(struct keeper *keeper);
/* Or it has not: it begins anew, later. */
void keeper_break_sync(struct keeper *keeper);
/* Before the end: it is told no more of what it lacks. */
void keeper_finish(struct keeper *keeper);
/* What the operator lifts so long, too: until nothing counts any more that was before. */
void keeper_remember_unbans(struct keeper *keeper, int64_t ms);
/* How long ago the operator lifted a ban around key or in it, ms; -1: never. */
int64_t keeper_lifted_ms(const struct keeper *keeper, const struct prefix *key);

/* The ban on a prefix that was set last, whether it still holds or not. */
struct last_ban {
    struct prefix prefix;
    char jail[BANS_JAIL_MAX];
    int64_t since_wall_ms;
};

/* NULL: none that is known. */
const struct last_ban *keeper_last_ban(const struct keeper *keeper);

struct bans *keeper_bans(struct keeper *keeper);
/* Those by login: a table of their own, so nobody who wants prefixes meets them. */
struct bans *keeper_logins(struct keeper *keeper);
/* Why the store refuses now, or NULL while it takes what it is told. */
const char *keeper_store_error(const struct keeper *keeper);
/* Writes that the store has not answered. */
size_t keeper_pending(const struct keeper *keeper);

#endif
