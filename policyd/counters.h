/* SPDX-License-Identifier: MIT */
#ifndef PN_POLICYD_COUNTERS_H
#define PN_POLICYD_COUNTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/addr.h"
#include "common/base/map.h"
#include "policyd/window.h"

/*
 * The windows of one jail by key, in memory, in about 100 bytes each. At most `max`
 * keys: a new one then takes the place of the one that had no event for the longest
 * time. Keys whose window can only be void are swept out.
 *
 * Both go by the order of the last events, which is kept to a COUNTERS_ORDER_PARTS-th
 * of findtime, so that an event of a busy key touches that key alone.
 */
#define COUNTERS_ORDER_PARTS 16
#define COUNTERS_SWEEP_MAX   20000 /* keys forgotten at once */

struct counter_slab;

struct counters {
    struct map map;
    struct counter_slab **slabs; /* where the counters lie, each with a number */
    size_t slab_count;
    uint32_t taken;  /* numbers below this were given out */
    uint32_t unused; /* one that came back, the first of a list */
    uint32_t oldest; /* by last event; a list through all */
    uint32_t newest;
    size_t changed_at; /* where counters_take_changed() goes on */
    bool is_frozen;    /* what changes from now on is not handed over */
    int64_t findtime_ms;
    size_t max; /* may change: what is too much goes as new keys come */
};

void counters_init(struct counters *counters, int64_t findtime_ms, size_t max);
void counters_fini(struct counters *counters);

/* The window of key, made void if there is none. Valid until the next call here. */
struct window *counters_window(struct counters *counters, const struct prefix *key, int64_t now_ms);

/* The same, or NULL if there is none; nothing changes. */
const struct window *counters_look(const struct counters *counters, const struct prefix *key);

/* Forget key; nothing happens if it is unknown. */
void counters_forget(struct counters *counters, const struct prefix *key);

/* Forget every key that lies in prefix or around it. Walks all: for an operator's unban, not for
 * clients. */
void counters_forget_within(struct counters *counters, const struct prefix *prefix);

/*
 * Forget keys whose last event is two findtimes old, the order's part later at most, and
 * COUNTERS_SWEEP_MAX of them at most.
 */
void counters_sweep(struct counters *counters, int64_t now_ms);

size_t counters_count(const struct counters *counters);

/*
 * Walks the keys that prefix contains, over any time, from *at = 0: what is there throughout
 * is seen exactly once. False at the end. Borrowed until the next call here.
 */
bool counters_next_within(const struct counters *counters, const struct prefix *prefix,
                          uint32_t *at, const struct prefix **key_r,
                          const struct window **window_r);

/*
 * Hand over up to max keys whose window was asked for since it was last handed over;
 * the next call goes on behind. Fewer than max: there are no more. fn may be NULL.
 */
typedef void (*counters_fn)(const struct prefix *key, const struct window *window, void *ctx);
size_t counters_take_changed(struct counters *counters, size_t max, counters_fn fn, void *ctx);
/* How many there are to hand over. Walks all. */
size_t counters_changed_count(const struct counters *counters);
/* From now on none is added to them. */
void counters_freeze_changed(struct counters *counters);

#endif
