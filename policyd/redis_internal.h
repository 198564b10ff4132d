/* SPDX-License-Identifier: MIT */
#ifndef PN_POLICYD_REDIS_INTERNAL_H
#define PN_POLICYD_REDIS_INTERNAL_H

#include "policyd/redis_guide.h"
#include "policyd/redis_nodes.h"
#include "policyd/redis_server.h"

/* What redis.c and redis_reply.c share. */
struct redis {
    struct loop *loop;
    const struct clock *clock;
    const struct config *config;
    char *channel;
    struct redis_handler handler;
    struct redis_login login, guide_login;
    struct redis_nodes *nodes;
    struct redis_server *subscriber;
    size_t subscriber_turn;
    struct redis_guide *guide; /* NULL: one server */
    struct redis_queue parked; /* to be sent again */
    struct loop_timer *retry;
    size_t in_flight;
    bool is_up;
    unsigned refusals_told;
    char why[REDIS_WHY_MAX];
    char why_told[REDIS_WHY_MAX];
    int64_t told_mono_ms;
};

static inline bool redis_is_cluster(const struct redis *redis)
{
    return redis->config->store.kind == CONFIG_STORE_CLUSTER;
}

static inline int64_t redis_now(const struct redis *redis)
{
    return clock_mono_ms(redis->clock);
}

/* done of each call: its function is called, or it is sent again. */
void redis_reply_take(struct redis_command *command, const struct redis_value *value);
/* Sends again what is parked; fn of the timer. */
void redis_reply_retry(void *ctx);

#endif
