/* SPDX-License-Identifier: MIT */
#ifndef PN_POLICYD_STORE_REDIS_H
#define PN_POLICYD_STORE_REDIS_H

#include "common/base/clock.h"
#include "common/config/config.h"
#include "common/net/loop.h"
#include "policyd/store.h"

/*
 * The store "redis:", which any number of policyd on any number of hosts share
 * (postern-policyd(8), "Several hosts"). Each event is one call of redis_hit.lua for each
 * key; bans are written by redis_ban.lua and read whole when the connection comes up, then
 * from a channel. Nothing is asked while somebody waits for the answer "is it banned".
 *
 * While it is away, events are counted in memory by who asks, and up to
 * STORE_REDIS_QUEUE_MAX of them are kept, to be counted there at their own time later; what
 * waited longest gives way. What was sent and not answered when a connection broke is sent again:
 * it may count twice.
 */
#define STORE_REDIS_QUEUE_MAX 65536
#define STORE_REDIS_LOAD_MS   2000 /* so long at most the start waits for the bans */

/*
 * All arguments live longer than the store. Never fails: it connects for ever. The time of
 * the scripts is the server's; a clock that is not the system's takes its place.
 */
struct store *store_redis_open(struct loop *loop, const struct clock *clock,
                               const struct config *config);
#endif
