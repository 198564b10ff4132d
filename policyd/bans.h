/* SPDX-License-Identifier: MIT */
#ifndef PN_POLICYD_BANS_H
#define PN_POLICYD_BANS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/prefixset.h"
#include "common/config/config.h"
#include "policyd/names.h"

/*
 * The bans that hold, in memory: the answer to "is it banned" never waits.
 *
 * Ends are monotonic milliseconds here, so that a wall clock that jumps neither
 * frees nor keeps anybody; the wall clock only counts across a restart.
 */
#define BANS_MAX         1500000 /* held at once */
#define BANS_JAIL_MAX    64      /* bytes of a jail's name with its NUL; longer ones are cut */
#define BANS_SECONDS_MAX (INT64_C(10) * 365 * 86400)
#define BANS_OPERATOR    "operator" /* the jail of a ban set by hand */
#define BANS_LOGIN_MAX   128        /* bytes of a login with its NUL; longer ones are cut */

struct ban {
    struct prefixset_node node; /* node.prefix is who */
    const char *jail;           /* the table's, as long as the ban bears it */
    int64_t until_mono_ms;
    int64_t since_wall_ms;
    uint64_t version;    /* keeper.h */
    uint64_t number;     /* more than those of all that came before */
    uint32_t heap_index; /* the table's own */
    uint8_t acts;        /* CONFIG_ACTS_* */
    bool stored;         /* in the store as it is here */
    uint16_t synced;     /* keeper.h: the last reading of a shared store that found it so */
    struct ban *prev;
    struct ban *next;
    char login[]; /* whose, of a ban by login; of others it is not there */
};

/*
 * Who is told of each change: is_gone false for a ban that is new or has another end.
 * Called within the change; it may not change the table.
 */
struct bans_watcher {
    void (*fn)(struct bans_watcher *watcher, const struct ban *ban, bool is_gone);
    struct bans_watcher *other;
};

struct bans {
    struct prefixset set;
    struct ban **heap; /* the soonest end first */
    size_t count;
    size_t cap;
    struct ban *first; /* in the order in which they came */
    struct ban *last;
    struct names jails;
    struct bans_cursor *cursors;
    struct bans_watcher *watchers;
    uint64_t changes; /* since the start, of those that watchers are told */
};

void bans_init(struct bans *bans);
void bans_fini(struct bans *bans);

/*
 * Set a ban, or give one of this prefix a new jail, acts, start and end. NULL when
 * BANS_MAX others hold. The result is the table's, until it is removed or expires.
 */
struct ban *bans_put(struct bans *bans, const struct prefix *prefix, const char *jail,
                     unsigned acts, int64_t since_wall_ms, int64_t until_mono_ms);
/* The same by login: key is its jail_key_of_login(). Such bans have a table of their own. */
struct ban *bans_put_login(struct bans *bans, const struct prefix *key, const char *login,
                           const char *jail, unsigned acts, int64_t since_wall_ms,
                           int64_t until_mono_ms);
/* Whose it is, NULL for one on a prefix. */
const char *ban_login(const struct ban *ban);
/* Its login, or its prefix as text, which is written into out. */
const char *ban_who(const struct ban *ban, char out[PREFIX_TEXT_MAX]);

void bans_remove(struct bans *bans, struct ban *ban);

/* The ban of exactly this prefix, which may be over, or NULL. */
struct ban *bans_find(const struct bans *bans, const struct prefix *prefix);

/* Of those whose end has not come: the one of exactly this prefix, or NULL. */
struct ban *bans_held(const struct bans *bans, const struct prefix *prefix, int64_t now_mono_ms);

/* The narrowest one that covers addr and acts on any of these, or NULL. */
struct ban *bans_match(const struct bans *bans, const struct addr *addr, unsigned acts,
                       int64_t now_mono_ms);

/* When the first of them ends, or -1. */
int64_t bans_next_end(const struct bans *bans);

/* A ban whose end has come, for the caller to remove, or NULL. */
struct ban *bans_next_expired(const struct bans *bans, int64_t now_mono_ms);

/* What is left of it, rounded up, at least 1. */
uint64_t bans_seconds_left(const struct ban *ban, int64_t now_mono_ms);

/*
 * Makes another of the same prefix or login, seconds long from now, one with the ban that is
 * held; held may be NULL. They act wherever one of them does, and end with the last of those
 * that act at logins, or with the last of all where none does: what strangers mail shuts
 * nobody's mailbox for longer. False: that is the one held, as it is.
 */
bool bans_join(const struct ban *held, int64_t now_mono_ms, unsigned *acts, uint64_t *seconds);

/*
 * Walks the table, over any time: bans may come and go between two steps. One that
 * stands throughout is seen exactly once. Between open and close the cursor stays
 * where it is in memory.
 */
struct bans_cursor {
    struct ban *next;
    struct bans_cursor *other;
};

void bans_cursor_open(struct bans *bans, struct bans_cursor *cursor);
/* NULL at the end. */
struct ban *bans_cursor_step(struct bans_cursor *cursor);
void bans_cursor_close(struct bans *bans, struct bans_cursor *cursor);

/* Between the two the watcher stays where it is in memory. */
void bans_watch(struct bans *bans, struct bans_watcher *watcher);
void bans_unwatch(struct bans *bans, struct bans_watcher *watcher);

#endif
