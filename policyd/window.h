/* SPDX-License-Identifier: MIT */
#ifndef PN_POLICYD_WINDOW_H
#define PN_POLICYD_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * How often something happened within findtime, from two buckets: no list of
 * events, and the same answer to the integer wherever it is computed.
 *
 * A bucket of findtime starts at the key's first event. After one findtime
 * `current` becomes `previous`; after two without a rotation the window is void,
 * and the next event is a first event again. The count is
 *
 *     n = current + ceil(previous * (findtime - elapsed) / findtime)
 *
 * with elapsed since the start of the current bucket.
 *
 * A distinct window also remembers the short hashes of the events it counted, at
 * most hash_max of them, which may change, the oldest giving way. A hash lives exactly as long as
 * the event that brought it: at a rotation those of `current` become those of
 * `previous`, and those of `previous` go. An event whose hash is remembered is not
 * counted, and renews nothing.
 *
 * Times are milliseconds of a monotonic clock. One that goes back nevertheless
 * counts as standing still.
 */
#define WINDOW_COUNT_MAX    (1u << 20)                /* of one bucket; more stay at this */
#define WINDOW_FINDTIME_MAX (INT64_C(366) * 86400000) /* ms; so no product overflows */

struct window_hashes {
    uint32_t count;     /* of both buckets */
    uint32_t old_count; /* of `previous` */
    uint32_t items[];   /* first those of `previous`, then those of `current`, oldest first */
};

struct window {
    int64_t start_ms;
    uint32_t current;
    uint32_t previous;
    struct window_hashes *hashes; /* NULL: none yet */
};

/* Zeroes are a void window. */
void window_fini(struct window *window);

/* Make it what another was: what that one's fields say. */
struct window_state {
    int64_t start_ms;
    uint32_t current; /* at most WINDOW_COUNT_MAX, as previous */
    uint32_t previous;
    const uint32_t *hashes;
    uint32_t hash_count;
    uint32_t hash_old_count; /* at most hash_count */
};
void window_restore(struct window *window, const struct window_state *state);

/* Make its counts what they are elsewhere; its hashes stay. */
void window_follow(struct window *window, int64_t start_ms, uint32_t current, uint32_t previous);

/* Count one event, or so many at once. findtime_ms is 1 to WINDOW_FINDTIME_MAX. */
void window_add(struct window *window, int64_t findtime_ms, int64_t now_ms);
void window_add_many(struct window *window, int64_t findtime_ms, uint32_t count, int64_t now_ms);

/* The same for one event with a hash; false when it was seen and therefore not counted. */
bool window_add_distinct(struct window *window, int64_t findtime_ms, uint32_t hash,
                         uint32_t hash_max, int64_t now_ms);

/* n at now_ms. */
uint64_t window_count(const struct window *window, int64_t findtime_ms, int64_t now_ms);

/* Until nothing counts any more, if nothing is added: ms, 0 for one that is void. */
int64_t window_left_ms(const struct window *window, int64_t findtime_ms, int64_t now_ms);

/*
 * Until the count is below limit (1 or more), if nothing is added: ms, 0 when it is now. That
 * is never later than window_left_ms().
 */
int64_t window_wait_ms(const struct window *window, int64_t findtime_ms, uint64_t limit,
                       int64_t now_ms);

/* Whether nothing counts any more: a window that may be forgotten. */
bool window_is_void(const struct window *window, int64_t findtime_ms, int64_t now_ms);

#endif
