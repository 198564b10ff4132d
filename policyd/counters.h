/* SPDX-License-Identifier: MIT */
#ifndef PN_POLICYD_COUNTERS_H
#define PN_POLICYD_COUNTERS_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/addr.h"
#include "common/base/map.h"
#include "policyd/window.h"

/*
 * The windows of one jail by key, in memory. At most COUNTERS_MAX keys: a new one
 * then takes the place of the one that had no event for the longest time. Keys
 * whose window can only be void are swept out.
 */
#define COUNTERS_MAX 200000

struct counter;

struct counters {
    struct map map;
    struct counter *oldest; /* by last event; a list through all counters */
    struct counter *newest;
    int64_t findtime_ms;
};

void counters_init(struct counters *counters, int64_t findtime_ms);
void counters_fini(struct counters *counters);

/* The window of key, made void if there is none. Valid until the next call here. */
struct window *counters_window(struct counters *counters, const struct prefix *key, int64_t now_ms);

/* Forget key; nothing happens if it is unknown. */
void counters_forget(struct counters *counters, const struct prefix *key);

/* Forget every key that prefix contains. Walks all: for an operator's unban, not for clients. */
void counters_forget_within(struct counters *counters, const struct prefix *prefix);

/* Forget keys whose last event is two findtimes old. Costs what it forgets. */
void counters_sweep(struct counters *counters, int64_t now_ms);

size_t counters_count(const struct counters *counters);

#endif
