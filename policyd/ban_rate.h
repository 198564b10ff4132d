/* SPDX-License-Identifier: MIT */
#ifndef PN_POLICYD_BAN_RATE_H
#define PN_POLICYD_BAN_RATE_H

#include <stdbool.h>
#include <stdint.h>

#include "policyd/window.h"

#define BAN_RATE_MS 60000

/*
 * How many bans jails set within a minute, on all hosts that share a store. More than max of them,
 * and somebody may be after those who come through the gateway: it is logged, once, and until there
 * are fewer again no new ban may be told to one. max is max_bans_per_minute; 0: any number is
 * right.
 */
struct ban_rate {
    struct window minute;
    bool is_too_high;
    uint64_t held_from; /* the number of the first new one */
};

/* next is the number that the next ban will have. */
void ban_rate_add(struct ban_rate *rate, unsigned max, uint64_t next, int64_t now_ms);
/* Once a second. */
void ban_rate_tick(struct ban_rate *rate, unsigned max, int64_t now_ms);

#endif
