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
    int64_t since_wall_ms;
    int64_t until_wall_ms;
};

/* error: NULL when it is durable. In the loop's thread, never before the call that asked returned.
 */
typedef void (*store_done_fn)(const struct error *error, void *ctx);
typedef void (*store_load_fn)(const struct store_ban *ban, void *ctx);

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
    /* After the loop ended: what was asked for is committed, answers still due are not given. */
    void (*free)(struct store *store);
};

#endif
