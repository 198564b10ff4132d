/* SPDX-License-Identifier: MIT */
#ifndef PN_POLICYD_WATCH_H
#define PN_POLICYD_WATCH_H

#include <stdbool.h>

#include "common/base/buf.h"
#include "policyd/engine.h"
#include "common/net/service.h"

/*
 * request=watch of postern-control(7): each change of the bans is told as it happens, over
 * a connection that asked for it, and that it still stands every WATCH_PING_MS. Who reads too
 * slowly is closed like any other peer; it connects again and reads the full list.
 *
 * Events are looked for every WATCH_EVENTS_MS, so that none costs more for who watches. Who
 * reads them too slowly misses some, and is told how many.
 */
#define WATCH_PING_MS   15000
#define WATCH_EVENTS_MS 200

struct watch;

/* From now on, until watch_free(); engine outlives it. */
struct watch *watch_new(struct service_conn *conn, struct engine *engine, bool wants_events);
void watch_free(struct watch **watch);

/* Append what ends the full list. */
void watch_put_sync(const struct watch *watch, struct buf *out);

#endif
