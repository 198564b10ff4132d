/* SPDX-License-Identifier: MIT */
#ifndef PN_POLICYD_REDIS_H
#define PN_POLICYD_REDIS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/clock.h"
#include "common/config/config.h"
#include "common/net/loop.h"
#include "policyd/redis_script.h"
#include "policyd/redis_value.h"

/*
 * The client of Redis, of all that config->store names: one server, the master that
 * Sentinel knows, or the masters of a Cluster, each with one connection. It connects at
 * once and for ever. What is sent in one turn of the loop goes out in few writes. A reply
 * that is later than the section's timeout ends its connection. hiredis is used here and
 * nowhere else (policyd/redis*.c). One thread, that of the loop.
 *
 * Log lines: store-up, store-down (once each time, with the reason), store-refused for
 * what a server says no to for good. Never a password.
 */
struct redis;

enum redis_status {
    REDIS_DONE, /* value is the reply, which may be an error */
    REDIS_LOST, /* no reply: it may have been done, or not */
};

/* value is borrowed until the return; NULL when lost. May call everything but redis_free(). */
typedef void (*redis_reply_fn)(enum redis_status status, const struct redis_value *value,
                               void *ctx);

/* All NULL or not; none is called from within a function of this file. */
struct redis_handler {
    void (*up)(void *ctx);                    /* it can be asked, and the channel is heard */
    void (*down)(const char *why, void *ctx); /* once after each up */
    void (*message)(const uint8_t *bytes, size_t len, void *ctx); /* of the channel */
    /*
     * In a Cluster, while it is up: another master, or one again, can be asked; what it has
     * may be less than is known.
     */
    void (*joined)(void *ctx);
    void *ctx;
};

/* Of commands without a reply on one connection; more are refused. */
#define REDIS_IN_FLIGHT_MAX 65536

/*
 * config and clock stay the caller's and must outlive it; channel and handler are copied.
 * channel NULL: none is heard. Up is what has its connections (a Cluster: one at least),
 * has authenticated, selected the database and got the subscription confirmed, and down
 * when one of these is not so any more. In a Cluster a master that is away alone makes
 * nothing down: its keys alone are refused.
 */
struct redis *redis_new(struct loop *loop, const struct clock *clock, const struct config *config,
                        const char *channel, const struct redis_handler *handler);
/* Of what is in flight nothing is called any more. Not from within a handler. */
void redis_free(struct redis **redis);

/*
 * Send a command, argv[0] its name. key decides the node. false: away now, or too much in
 * flight, and fn is never called; otherwise fn is called once, after this has returned. fn
 * NULL: the reply does not matter. argv is copied. lens NULL: they are C strings.
 *
 * MOVED and ASK are followed here, TRYAGAIN and CLUSTERDOWN tried again a few times; what
 * still meets them, or READONLY from a former master, is lost.
 */
bool redis_call(struct redis *redis, const char *key, size_t key_len, size_t argc,
                const char *const *argv, const size_t *lens, redis_reply_fn fn, void *ctx);

/*
 * EVALSHA sha1 1 key argv…, and EVAL where the server does not know it (after a restart, a
 * failover, SCRIPT FLUSH). argc counts the further arguments alone. script is static or
 * outlives redis.
 */
bool redis_eval(struct redis *redis, const struct redis_script *script, const char *key,
                size_t key_len, size_t argc, const char *const *argv, const size_t *lens,
                redis_reply_fn fn, void *ctx);

/*
 * The masters, for SCAN: those known now, 1 outside of a Cluster, each by its address, which
 * is borrowed until the next turn of the loop. A call to one that is no master is refused.
 */
size_t redis_node_count(const struct redis *redis);
const char *redis_node_address(const struct redis *redis, size_t i);
bool redis_call_node(struct redis *redis, const char *address, size_t argc, const char *const *argv,
                     const size_t *lens, redis_reply_fn fn, void *ctx);

/* NULL while it is up; borrowed until the next turn of the loop. */
const char *redis_why_down(const struct redis *redis);
/* Calls whose fn was not called yet. */
size_t redis_in_flight(const struct redis *redis);

#endif
