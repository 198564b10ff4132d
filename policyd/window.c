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

static void forget_hashes(struct window *window)
{
    free(window->hashes);
    window->hashes = NULL;
}

void window_fini(struct window *window)
{
    forget_hashes(window);
    *window = (struct window){0};
}

static struct window_hashes *hashes_of(const struct window_state *state)
{
    size_t size = state->hash_count * sizeof(*state->hashes);
    struct window_hashes *hashes = x_malloc(sizeof(*hashes) + size);

    hashes->count = state->hash_count;
    hashes->old_count = state->hash_old_count;
    memcpy(hashes->items, state->hashes, size);
    return hashes;
}

void window_restore(struct window *window, const struct window_state *state)
{
    window_fini(window);
    *window = (struct window){
        .start_ms = state->start_ms,
        .current = state->current,
        .previous = state->previous,
        .hashes = state->hash_count ? hashes_of(state) : NULL,
    };
}

void window_follow(struct window *window, int64_t start_ms, uint32_t current, uint32_t previous)
{
    window->start_ms = start_ms;
    window->current = current;
    window->previous = previous;
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

int64_t window_left_ms(const struct window *window, int64_t findtime_ms, int64_t now_ms)
{
    int64_t whole_ms = window->current ? 2 * findtime_ms : findtime_ms;

    if (window_is_void(window, findtime_ms, now_ms))
        return 0;
    return whole_ms - elapsed_since_start(window, now_ms);
}

/* Of a bucket that is fading: since its end, until no more than that counts of it. */
static int64_t faded_after_ms(uint64_t bucket, uint64_t rest, int64_t findtime_ms)
{
    if (bucket <= rest)
        return 0;
    return findtime_ms - (int64_t)(rest * (uint64_t)findtime_ms / bucket);
}

int64_t window_wait_ms(const struct window *window, int64_t findtime_ms, uint64_t limit,
                       int64_t now_ms)
{
    int64_t elapsed = elapsed_since_start(window, now_ms);

    BUG_ON(!limit);
    if (window_count(window, findtime_ms, now_ms) < limit)
        return 0;
    if (elapsed >= findtime_ms || window->current >= limit)
        return findtime_ms + faded_after_ms(window->current, limit - 1, findtime_ms) - elapsed;
    return faded_after_ms(window->previous, limit - 1 - window->current, findtime_ms) - elapsed;
}

static void forget_old_hashes(struct window_hashes *hashes)
{
    if (!hashes)
        return;
    hashes->count -= hashes->old_count;
    memmove(hashes->items, hashes->items + hashes->old_count,
            hashes->count * sizeof(*hashes->items));
    hashes->old_count = hashes->count;
}

/* Bring the window to now_ms, so that an event can go into `current`. */
static void advance(struct window *window, int64_t findtime_ms, int64_t now_ms)
{
    if (window_is_void(window, findtime_ms, now_ms)) {
        window->start_ms = now_ms;
        window->current = window->previous = 0;
        forget_hashes(window);
    } else if (elapsed_since_start(window, now_ms) >= findtime_ms) {
        window->start_ms += findtime_ms;
        window->previous = window->current;
        window->current = 0;
        forget_old_hashes(window->hashes);
    }
}

void window_add_many(struct window *window, int64_t findtime_ms, uint32_t count, int64_t now_ms)
{
    advance(window, findtime_ms, now_ms);
    uint32_t room = WINDOW_COUNT_MAX - window->current;
    window->current += count < room ? count : room;
}

void window_add(struct window *window, int64_t findtime_ms, int64_t now_ms)
{
    window_add_many(window, findtime_ms, 1, now_ms);
}

static bool has_hash(const struct window_hashes *hashes, uint32_t hash)
{
    for (uint32_t i = 0; hashes && i < hashes->count; i++) {
        if (hashes->items[i] == hash)
            return true;
    }
    return false;
}

static void forget_oldest_hash(struct window_hashes *hashes)
{
    hashes->count--;
    if (hashes->old_count)
        hashes->old_count--;
    memmove(hashes->items, hashes->items + 1, hashes->count * sizeof(*hashes->items));
}

static void add_room(struct window *window)
{
    struct window_hashes *old = window->hashes;
    size_t size = sizeof(*old) + ((old ? old->count : 0) + 1) * sizeof(*old->items);

    window->hashes = x_reallocarray(old, 1, size);
    if (!old)
        *window->hashes = (struct window_hashes){0};
}

static void remember_hash(struct window *window, uint32_t hash, uint32_t hash_max)
{
    BUG_ON(!hash_max);
    while (window->hashes && window->hashes->count >= hash_max)
        forget_oldest_hash(window->hashes);
    add_room(window);
    window->hashes->items[window->hashes->count++] = hash;
}

bool window_add_distinct(struct window *window, int64_t findtime_ms, uint32_t hash,
                         uint32_t hash_max, int64_t now_ms)
{
    advance(window, findtime_ms, now_ms);
    if (has_hash(window->hashes, hash))
        return false;
    remember_hash(window, hash, hash_max);
    if (window->current < WINDOW_COUNT_MAX)
        window->current++;
    return true;
}
