/* SPDX-License-Identifier: MIT */
#ifndef PN_POLICYD_HISTORY_H
#define PN_POLICYD_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/addr.h"
#include "policyd/jail.h"

/*
 * The events of late, in memory only: why somebody is banned. The last HISTORY_CLIENT_MAX of
 * a client (an address, or a /64 of IPv6) are known, of the last HISTORY_MAX of all clients;
 * and beside them, until HISTORY_MAX later ones came, those that a client had had when it
 * was banned, which nobody else's can push out before. So the memory is bounded by
 * 2 * HISTORY_MAX events, 7 MiB, whatever comes, and taken as they come.
 *
 * An event costs the same however many there are, and looks for nobody who follows them:
 * those come and ask what is new.
 */
#define HISTORY_MAX        8192
#define HISTORY_CLIENT_MAX 16

/* Never the fingerprint of a password. Longer texts are cut, between two characters. */
struct history_event {
    uint64_t number; /* 1, 2, 3, … in the order in which they came */
    int64_t at_wall_ms;
    struct addr client; /* of a masked one its gateway */
    unsigned kind;
    unsigned weight;
    char protocol[16]; /* these are "" where unknown */
    char login[64];
    char recipient[64];
    char session[32];
    char
        jails[64]; /* "logins, busy": those that counted it; a name that does not fit is left out */
    bool led_to_ban; /* it was the one too many */
};

struct history;

struct history *history_new(void);
void history_free(struct history **history);

/* Where an event was put, for as long as it is there. */
struct history_place {
    struct history_event *event;
    uint64_t number;
};

struct history_place history_add(struct history *history, const struct event *event,
                                 int64_t at_wall_ms);
/* This jail counted the event there. */
void history_add_jail(const struct history_place *place, const char *jail);
/* The event there led to a ban: what its client has done is kept. */
void history_keep(struct history *history, const struct history_place *place);

/* What one client is here. */
struct prefix history_net(const struct addr *client);

/*
 * Up to max events of clients within a net, or where that is NULL of this login, the newest first;
 * borrowed until the next add. Walks all: for an operator, not for clients.
 */
#define HISTORY_FOUND_MAX 50
size_t history_find(const struct history *history, const struct prefix *within, const char *login,
                    const struct history_event *found[HISTORY_FOUND_MAX]);

/*
 * To follow: the number of the last event, 0 for none; the first one behind a number that is
 * still known, and the one behind that. NULL: there is none.
 */
uint64_t history_last(const struct history *history);
const struct history_event *history_after(const struct history *history, uint64_t number);
const struct history_event *history_newer(const struct history *history,
                                          const struct history_event *event);

#endif
