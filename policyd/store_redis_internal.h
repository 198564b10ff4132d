/* SPDX-License-Identifier: MIT */
#ifndef PN_POLICYD_STORE_REDIS_INTERNAL_H
#define PN_POLICYD_STORE_REDIS_INTERNAL_H

#include "common/base/buf.h"
#include "common/net/loop.h"
#include "policyd/redis.h"
#include "policyd/store_redis.h"

/* What the files of the Redis store share. */

struct redis_put;
struct redis_hit;
struct redis_scan;

/* Until the first word is said; the sooner it is due the further in front. */
struct redis_wait {
    struct redis_wait *prev, *next;
    bool is_waiting;
    bool is_sent;
    int64_t due_mono_ms;
    void (*late)(struct redis_wait *wait);
};

struct redis_store {
    struct store store;
    struct loop *loop;
    const struct clock *clock;
    struct redis *redis;
    struct redis_script hit_script, ban_script;
    const char *prefix; /* the configuration's */
    char *channel;
    bool is_cluster;
    bool has_own_time;
    struct store_listener listener;

    struct redis_wait *first_wait, *last_wait;
    bool is_silent; /* one was late, and nothing was answered since: nobody waits */
    struct loop_timer *wait_timer;
    bool is_armed; /* wait_timer, for the first that waits or before */

    struct redis_hit *first_queued, *last_queued; /* for when it is back */
    size_t queued;
    size_t resent;    /* of them on their way */
    uint64_t dropped; /* events */
    struct loop_timer *retry_timer;
    struct redis_hit *hits; /* all, for the end */
    struct redis_put *puts;

    struct redis_scan *scan;  /* NULL: none runs */
    struct redis_scan *scans; /* also those that were stopped and still have answers due */
    int64_t sync_mono_ms;     /* not again before, unless one comes up */
    bool is_unsynced;         /* the last one failed, or was broken off */
    struct loop_timer *retell_timer;
    bool is_loading;     /* load() runs the loop */
    bool has_complained; /* of an answer, since it came up */
};

/* The first word is due: at once, as soon as the caller has returned, where it is not sent. */
void redis_store_wait(struct redis_store *store, struct redis_wait *wait, bool is_sent);
/* Something was answered. */
void redis_store_hear(struct redis_store *store);
void redis_store_stop_waiting(struct redis_store *store, struct redis_wait *wait);

/* What scripts are told as now: "0" but in tests. */
const char *redis_store_now(const struct redis_store *store, char text[24]);

/* An answer that cannot be used, and of what; once while it is up. */
void redis_store_complain(struct redis_store *store, const char *of,
                          const struct redis_value *value);

/* Bans: put_ban() of the store, and the end of all that are on their way. */
void redis_store_put_ban(struct store *store, const struct store_ban *ban, store_done_fn done,
                         void *ctx);
void redis_store_free_puts(struct redis_store *store);

/* Events: hit() of the store; the queue, when it is up again; the end. */
void redis_store_hit(struct store *store, const struct store_hit *hit, store_hit_fn fn, void *ctx);
void redis_store_resend(struct redis_store *store);
void redis_store_free_hits(struct redis_store *store);

/* Reads all bans, then says so; begins anew when it runs already. */
void redis_store_sync(struct redis_store *store);
void redis_store_stop_sync(struct redis_store *store);
/* Of retell_timer. */
void redis_store_retell(void *ctx);
void redis_store_free_scans(struct redis_store *store);

#endif
