/* SPDX-License-Identifier: MIT */
#ifndef PN_POLICYD_STORE_H
#define PN_POLICYD_STORE_H

#include <stdint.h>

#include "common/base/addr.h"
#include "common/base/error.h"
#include "policyd/bans.h"

/* A ban as it outlives the process: ends are wall clock. */
struct store_ban {
    struct prefix prefix;
    char jail[BANS_JAIL_MAX];
    unsigned acts; /* CONFIG_ACTS_*; 0 is all */
    int64_t since_wall_ms;
    int64_t until_wall_ms;
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
    /* After the loop ended: what was asked for is committed, answers still due are not given. */
    void (*free)(struct store *store);
};

#endif
