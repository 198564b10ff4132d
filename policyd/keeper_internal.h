/* SPDX-License-Identifier: MIT */
#ifndef PN_POLICYD_KEEPER_INTERNAL_H
#define PN_POLICYD_KEEPER_INTERNAL_H

#include "policyd/keeper.h"
#include "policyd/lifts.h"
#include "policyd/owed.h"

/* What the keeper's own files share. */

struct keeper {
    const struct clock *clock;
    struct store *store;
    struct stats *stats;
    struct bans bans;
    struct bans logins; /* that are banned */
    struct lifts lifts; /* in a store that several share; instead of */
    int64_t unban_ms;   /* how long the operator's are remembered */
    struct owed owed;   /* deletions; of no prefix that is banned */
    bool has_forgotten; /* some, since there were none */
    size_t pending;
    struct last_ban last;     /* no time: none */
    struct error store_error; /* of the last write, ERROR_NONE when it went well */
    int64_t retry_mono_ms;    /* 0: all is written, or on its way for the first time */
    bool is_syncing;          /* a shared store tells all that it has */
    bool is_finishing;        /* nothing is written any more but what is asked for */
    bool is_held_up;          /* retelling, by an error */
    bool is_retelling;        /* what a shared store lacks, by */
    struct bans_cursor cursor;
    bool is_telling; /* a portion of it */
    uint16_t sync;   /* the number of the last reading */
};

struct keeper_change {
    struct keeper *keeper;
    size_t shares; /* one a write that is due, and the caller's until keeper_end() */
    struct error error;
    keeper_done_fn done;
    void *ctx;
};

static inline bool keeper_is_shared(const struct keeper *keeper)
{
    return keeper->store->hit != NULL;
}

/* The table that a ban on prefix is in. */
struct bans *keeper_table(struct keeper *keeper, const struct prefix *prefix);
/* The ban on it, or NULL. */
struct ban *keeper_find(const struct keeper *keeper, const struct prefix *prefix);

/* Of a word on prefix that is newer than all that are known of it. */
uint64_t keeper_next_version(const struct keeper *keeper, const struct prefix *prefix);

/* What stands in the store is in memory, too; NULL: its table is full. */
struct ban *keeper_place(struct keeper *keeper, const struct store_ban *record,
                         int64_t until_mono_ms);

/* A ban becomes one that was lifted. */
void keeper_lift(struct keeper_change *change, struct ban *ban, bool is_by_operator);
/* All that were lifted and of which a shared store has not the word. */
void keeper_write_lifts(struct keeper_change *change);

/* One write more of the change; what it is of is stored if its end is the same by then. */
void keeper_write(struct keeper_change *change, const struct store_ban *record,
                  int64_t until_mono_ms);
void keeper_write_ban(struct keeper_change *change, const struct ban *ban);

/* Once a second: the telling that was held up goes on. */
void keeper_go_on(struct keeper *keeper);

/* The store has it as it is here. */
void keeper_mark_stored(const struct keeper *keeper, struct ban *ban);

/* What the store said last: NULL, that it is well. */
void keeper_note_result(struct keeper *keeper, const struct error *error);
void keeper_note_last(struct keeper *keeper, const struct ban *ban);

#endif
