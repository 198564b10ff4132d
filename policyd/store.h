/* SPDX-License-Identifier: MIT */
#ifndef PN_POLICYD_STORE_H
#define PN_POLICYD_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/addr.h"
#include "common/base/error.h"
#include "policyd/bans.h"
#include "policyd/jail.h"

/* A ban as it outlives the process: ends are wall clock. */
struct store_ban {
    struct prefix prefix;       /* or the jail_key_of_login() */
    char login[BANS_LOGIN_MAX]; /* of that; "": a prefix, or a login that was lifted */
    char jail[BANS_JAIL_MAX];
    unsigned acts; /* CONFIG_ACTS_*; 0 is all */
    int64_t since_wall_ms;
    int64_t until_wall_ms;
    uint64_t version; /* of two words on one prefix the higher one is true; in a shared store */
    bool is_lifted;   /* it holds no more: known until until_wall_ms; in a shared store */
};

/* A window as it outlives the process; times are wall clock. */
struct store_counter {
    uint64_t jail; /* jail_identity() */
    struct prefix key;
    int64_t start_wall_ms;
    int64_t end_wall_ms; /* from then on it counts nothing */
    uint32_t current;
    uint32_t previous;
    uint32_t hash_count; /* at most STORE_HASHES_MAX */
    uint32_t hash_old_count;
    size_t hash_at; /* where its hashes begin */
};

/* Keys of a jail that are forgotten: those of so many bits that lie in a prefix or around it. */
struct store_gone {
    uint64_t jail;
    uint8_t bits;
    struct prefix within;
};

/* What is written of counters at once: first what is gone, then what changed. */
#define STORE_COUNTERS_MAX 1024
#define STORE_HASHES_MAX   100 /* of one counter */
struct store_counters {
    struct store_gone gone[STORE_COUNTERS_MAX];
    size_t gone_count;
    struct store_counter items[STORE_COUNTERS_MAX];
    size_t count;
    uint32_t hashes[STORE_COUNTERS_MAX * STORE_HASHES_MAX];
    size_t hash_count;
    int64_t now_wall_ms;
};

/* --- what several share ------------------------------------------------------------ */

/* How one jail counts an event: jail_count() is what the store has to do. */
struct store_hit_jail {
    uint64_t jail;        /* jail_identity(); a shared store tells jails apart by its lower half */
    struct jail_count by; /* weight 0: nothing is counted, and only looked at */
    bool forgets;         /* the window is void once it is reached */
    bool begins;          /* the window begins with this event, whatever was before */
    bool tells_others;    /* each time that it is reached: take_window() */
};

/* An event, for one key of all jails that count it by that key. */
#define STORE_HIT_JAILS_MAX 64
struct store_hit {
    struct prefix key;
    int64_t age_ms;    /* how long ago it was */
    int64_t lifted_ms; /* windows that began before so many ms ago are void; -1: none is */
    const struct store_hit_jail *jails;
    size_t count; /* 1 to STORE_HIT_JAILS_MAX */
};

struct store_hit_answer {
    enum jail_decision decision;
    uint64_t count;     /* now, before anything is forgotten */
    int64_t elapsed_ms; /* since the window's start, as are these: */
    uint32_t current;
    uint32_t previous;
};

/* A window of another host's that is reached. */
struct store_window {
    uint64_t jail; /* the lower half alone */
    struct prefix key;
    int64_t elapsed_ms;
    uint32_t current;
    uint32_t previous;
};

/*
 * What a store says of a hit: its answer, one for each jail in their order; or that it is
 * late: away, or silent for STORE_WAIT_MS, so memory decides, and another word follows; or
 * that it never will count it. answers is NULL but for the first.
 */
#define STORE_WAIT_MS 15 /* so that no request waits for more than 20 */
enum store_word { STORE_HIT_ANSWER, STORE_HIT_LATE, STORE_HIT_LOST };
typedef void (*store_hit_fn)(enum store_word word, const struct store_hit_answer *answers,
                             void *ctx);

/* What a shared store says by itself, in the loop's thread. */
struct store_listener {
    /* A ban, or that it was lifted, as it stands there; is_told: it was told, not read. */
    void (*take_ban)(const struct store_ban *ban, bool is_told, void *ctx);
    /* It can be asked again, and tells all that stand there; then, that it has. */
    void (*begin_sync)(void *ctx);
    void (*end_sync)(void *ctx);
    /* After that, in one turn of the loop after the other until false: what is to be put there. */
    bool (*retell)(void *ctx);
    /* Or that it cannot tell all of them now. */
    void (*break_sync)(void *ctx);
    void (*take_window)(const struct store_window *window, void *ctx);
    void *ctx;
};

struct store_health {
    const char *error; /* why it is away, or NULL */
    size_t queued;     /* events that it has not counted yet */
    uint64_t dropped;  /* events that it will never count */
    size_t pending;    /* what it has not answered */
    bool is_reading;   /* its bans: not all are here yet */
};

/* error: NULL when it is durable. In the loop's thread, never before the call that asked returned.
 */
typedef void (*store_done_fn)(const struct error *error, void *ctx);
typedef void (*store_load_fn)(const struct store_ban *ban, void *ctx);
typedef void (*store_load_counter_fn)(const struct store_counter *counter, const uint32_t *hashes,
                                      void *ctx);

/*
 * Where bans outlive the process. Writes take effect in the order in which they
 * were asked for, and each is answered once, after the commit that holds it.
 */
struct store {
    /* Every ban, expired ones too. Before the first write. 0 or -1. */
    int (*load)(struct store *store, store_load_fn fn, void *ctx, struct error *error_r);
    /* done may be NULL. A ban of the same prefix is replaced. */
    void (*put_ban)(struct store *store, const struct store_ban *ban, store_done_fn done,
                    void *ctx);
    /* done may be NULL. One that is not there counts as deleted. */
    void (*delete_ban)(struct store *store, const struct prefix *prefix, store_done_fn done,
                       void *ctx);
    /*
     * Counters: a batch is borrowed until done is called. Several that were asked for
     * together may be one commit, and fail together. What ended is forgotten by itself.
     * Both NULL in a store that keeps none.
     */
    int (*load_counters)(struct store *store, store_load_counter_fn fn, void *ctx,
                         struct error *error_r);
    void (*put_counters)(struct store *store, const struct store_counters *batch,
                         store_done_fn done, void *ctx);
    /*
     * Of a store that several share, else NULL. listen comes before load, which gives a
     * store that is there a moment to tell its bans. hit takes the event always; fn is never
     * called before it has returned. It has no delete_ban: bans end by themselves, and what is
     * lifted is put as such.
     */
    void (*listen)(struct store *store, const struct store_listener *listener);
    void (*hit)(struct store *store, const struct store_hit *hit, store_hit_fn fn, void *ctx);
    void (*health)(const struct store *store, struct store_health *health_r);
    /* After the loop ended: what was asked for is committed, answers still due are not given. */
    void (*free)(struct store *store);
};

#endif
