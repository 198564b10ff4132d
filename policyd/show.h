/* SPDX-License-Identifier: MIT */
#ifndef PN_POLICYD_SHOW_H
#define PN_POLICYD_SHOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "policyd/engine.h"

/* What the daemon knows, as attributes of postern-control(7). */

/* A ban; the list goes on. */
void show_ban(const struct ban *ban, int64_t now_mono_ms, struct buf *out);

/* An event; missed (0: none) came since the one before and are forgotten. A whole record. */
void show_event(const struct history_event *event, uint64_t missed, struct buf *out);

/* A jail of the configuration; false: there are not so many. A whole record. */
bool show_jail(const struct engine *engine, size_t index, struct buf *out);

/*
 * What jails count: of one login, or of all keys that a net contains and those that contain
 * it. The cursor starts as zeroes but for whom it asks.
 */
struct show_cursor {
    const char *login; /* NULL: of within */
    struct prefix within;
    size_t jail;
    uint32_t at;
};

/* The next of them, a whole record; false: there is no more. */
bool show_counter(const struct engine *engine, struct show_cursor *cursor, struct buf *out);

/* Why prefix is banned: the events of late of its clients, and what ends request=why. */
void show_why_events(const struct engine *engine, const struct prefix *prefix, struct buf *out);
void show_why(const struct engine *engine, const struct prefix *prefix, struct buf *out);
/* The same of a login. */
void show_why_login_events(const struct engine *engine, const char *login, struct buf *out);
void show_why_login(const struct engine *engine, const char *login, struct buf *out);

#endif
