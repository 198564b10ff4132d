/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/counters.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

struct counter {
    struct map_node in_map;
    struct counter *older;
    struct counter *newer;
    struct prefix key;
    int64_t last_ms;
    struct window window;
};

static bool counter_has_key(const struct map_node *node, const void *key, size_t key_len)
{
    (void)key_len;
    return prefix_eq(&MAP_ENTRY(node, struct counter, in_map)->key, key);
}

void counters_init(struct counters *counters, int64_t findtime_ms)
{
    *counters = (struct counters){.findtime_ms = findtime_ms};
    map_init(&counters->map, counter_has_key);
}

static void unlink_from_list(struct counters *counters, struct counter *counter)
{
    if (counter->older)
        counter->older->newer = counter->newer;
    else
        counters->oldest = counter->newer;
    if (counter->newer)
        counter->newer->older = counter->older;
    else
        counters->newest = counter->older;
}

static void append_to_list(struct counters *counters, struct counter *counter)
{
    counter->older = counters->newest;
    counter->newer = NULL;
    if (counters->newest)
        counters->newest->newer = counter;
    else
        counters->oldest = counter;
    counters->newest = counter;
}

static void drop(struct counters *counters, struct counter *counter)
{
    map_remove(&counters->map, &counter->in_map);
    unlink_from_list(counters, counter);
    window_fini(&counter->window);
    free(counter);
}

void counters_fini(struct counters *counters)
{
    while (counters->oldest)
        drop(counters, counters->oldest);
    map_fini(&counters->map);
}

static struct counter *find(const struct counters *counters, const struct prefix *key)
{
    struct map_node *node = map_find(&counters->map, key, sizeof(*key));
    return node ? MAP_ENTRY(node, struct counter, in_map) : NULL;
}

static struct counter *add(struct counters *counters, const struct prefix *key)
{
    if (counters->map.count >= COUNTERS_MAX)
        drop(counters, counters->oldest);
    struct counter *counter = x_calloc(1, sizeof(*counter));
    counter->key = *key;
    map_insert(&counters->map, &counter->in_map, &counter->key, sizeof(counter->key));
    append_to_list(counters, counter);
    return counter;
}

struct window *counters_window(struct counters *counters, const struct prefix *key, int64_t now_ms)
{
    struct counter *counter = find(counters, key);

    if (!counter) {
        counter = add(counters, key);
    } else {
        unlink_from_list(counters, counter);
        append_to_list(counters, counter);
    }
    counter->last_ms = now_ms;
    return &counter->window;
}

void counters_forget(struct counters *counters, const struct prefix *key)
{
    struct counter *counter = find(counters, key);
    if (counter)
        drop(counters, counter);
}

void counters_forget_within(struct counters *counters, const struct prefix *prefix)
{
    struct counter *next = NULL;

    for (struct counter *counter = counters->oldest; counter; counter = next) {
        next = counter->newer;
        if (prefix_overlaps(prefix, &counter->key))
            drop(counters, counter);
    }
}

void counters_sweep(struct counters *counters, int64_t now_ms)
{
    while (counters->oldest && now_ms - counters->oldest->last_ms >= 2 * counters->findtime_ms)
        drop(counters, counters->oldest);
}

size_t counters_count(const struct counters *counters)
{
    return counters->map.count;
}
