/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/window.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/bug.h"
#include "common/base/mem.h"

static int64_t elapsed_since_start(const struct window *window, int64_t now_ms)
{
    return now_ms > window->start_ms ? now_ms - window->start_ms : 0;
}

void window_fini(struct window *window)
{
    free(window->hashes);
    *window = (struct window){0};
}

bool window_is_void(const struct window *window, int64_t findtime_ms, int64_t now_ms)
{
    int64_t elapsed = elapsed_since_start(window, now_ms);

    BUG_ON(findtime_ms < 1 || findtime_ms > WINDOW_FINDTIME_MAX);
    if (!window->current && !window->previous)
        return true;
    return elapsed >= 2 * findtime_ms || (elapsed >= findtime_ms && !window->current);
}

uint64_t window_count(const struct window *window, int64_t findtime_ms, int64_t now_ms)
{
    int64_t elapsed = elapsed_since_start(window, now_ms);
    uint64_t current = window->current, previous = window->previous;

    if (window_is_void(window, findtime_ms, now_ms))
        return 0;
    if (elapsed >= findtime_ms) {
        previous = current;
        current = 0;
        elapsed -= findtime_ms;
    }
    uint64_t left = (uint64_t)(findtime_ms - elapsed), whole = (uint64_t)findtime_ms;
    return current + (previous * left + whole - 1) / whole;
}

static void forget_old_hashes(struct window *window)
{
    uint32_t kept = window->hash_count - window->hash_old_count;

    if (kept)
        memmove(window->hashes, window->hashes + window->hash_old_count,
                kept * sizeof(*window->hashes));
    window->hash_count = kept;
    window->hash_old_count = kept;
}

/* Bring the window to now_ms, so that an event can go into `current`. */
static void advance(struct window *window, int64_t findtime_ms, int64_t now_ms)
{
    if (window_is_void(window, findtime_ms, now_ms)) {
        window->start_ms = now_ms;
        window->current = window->previous = 0;
        window->hash_count = window->hash_old_count = 0;
    } else if (elapsed_since_start(window, now_ms) >= findtime_ms) {
        window->start_ms += findtime_ms;
        window->previous = window->current;
        window->current = 0;
        forget_old_hashes(window);
    }
}

static void count_one(struct window *window)
{
    if (window->current < WINDOW_COUNT_MAX)
        window->current++;
}

void window_add(struct window *window, int64_t findtime_ms, int64_t now_ms)
{
    advance(window, findtime_ms, now_ms);
    count_one(window);
}

static bool has_hash(const struct window *window, uint32_t hash)
{
    for (uint32_t i = 0; i < window->hash_count; i++) {
        if (window->hashes[i] == hash)
            return true;
    }
    return false;
}

static void remember_hash(struct window *window, uint32_t hash, uint32_t hash_max)
{
    BUG_ON(!hash_max);
    if (window->hash_count == hash_max) {
        window->hash_count--;
        if (window->hash_old_count)
            window->hash_old_count--;
        memmove(window->hashes, window->hashes + 1, window->hash_count * sizeof(*window->hashes));
    } else {
        window->hashes =
            x_reallocarray(window->hashes, window->hash_count + 1, sizeof(*window->hashes));
    }
    window->hashes[window->hash_count++] = hash;
}

bool window_add_distinct(struct window *window, int64_t findtime_ms, uint32_t hash,
                         uint32_t hash_max, int64_t now_ms)
{
    advance(window, findtime_ms, now_ms);
    if (has_hash(window, hash))
        return false;
    remember_hash(window, hash, hash_max);
    count_one(window);
    return true;
}
