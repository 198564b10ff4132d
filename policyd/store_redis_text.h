/* SPDX-License-Identifier: MIT */
#ifndef PN_POLICYD_STORE_REDIS_TEXT_H
#define PN_POLICYD_STORE_REDIS_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "policyd/store.h"

/*
 * What the Redis store writes, as bytes. PREFIX is the option of that name.
 *
 * PREFIX c:{KEY}   a counter: redis_hit.lua. KEY is a net, or "login:" or "client+login:"
 *                  and 32 hexadecimal digits
 * PREFIX b:{NET}   a ban, or that one was lifted: "VERSION UNTIL SINCE ACTS NET JAIL", times
 *                  in ms of the server's clock; ACTS 0: lifted, and UNTIL is how long that
 *                  is remembered. By login NET is as KEY above, and in the value a colon and
 *                  the login follow it, as hexadecimal digits
 * PREFIX changes   the channel: "b" and NOW and what was written of a ban, "c" and a window
 *                  that is reached
 *
 * All functions are pure. What is read is what another host wrote: 0, or -1 for anything
 * that none writes.
 */
void store_redis_put_counter_key(struct buf *out, const char *prefix, const struct prefix *key);
int store_redis_read_counter_key(const char *text, size_t len, const char *prefix,
                                 struct prefix *key_r) __attribute__((warn_unused_result));

void store_redis_put_ban_key(struct buf *out, const char *prefix, const struct prefix *net);
/* NET of the value. */
void store_redis_put_ban_net(struct buf *out, const struct store_ban *ban);
/* The pattern of SCAN for all of them. */
void store_redis_put_ban_pattern(struct buf *out, const char *prefix);

/* A ban's value. server_ms is what the server's clock shows now, wall_ms what ours does. */
int store_redis_read_ban(const char *text, size_t len, int64_t server_ms, int64_t wall_ms,
                         struct store_ban *ban_r) __attribute__((warn_unused_result));
/* The same behind the server's time and a space. */
int store_redis_read_dated_ban(const char *text, size_t len, int64_t wall_ms,
                               struct store_ban *ban_r) __attribute__((warn_unused_result));

/* One jail of a hit, as redis_hit.lua takes it. */
#define STORE_REDIS_JAIL_MAX 22
size_t store_redis_write_jail(const struct store_hit_jail *jail, uint8_t out[STORE_REDIS_JAIL_MAX]);
/* What it answers for `count` jails. */
int store_redis_read_answers(const char *text, size_t len, size_t count,
                             struct store_hit_answer *answers_r)
    __attribute__((warn_unused_result));
/* What it tells the channel, without the "c". */
int store_redis_read_window(const char *text, size_t len, const char *prefix,
                            struct store_window *window_r) __attribute__((warn_unused_result));

#endif
