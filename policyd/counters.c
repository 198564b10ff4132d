/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/counters.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "common/base/bug.h"
#include "common/base/mem.h"

/* Exactly one line of the processor's cache: all that an event of a busy key touches. */
struct counter {
    struct map_node in_map;
    struct window window;
    struct prefix key;
    uint16_t slab;
    uint32_t listed_at; /* when it went to the end of the list, in parts */
};
_Static_assert(sizeof(struct counter) == 64, "a line of the cache");

/* Counters go by numbers: where they lie never changes, and no number is a pointer's size. */
struct links {
    uint32_t older;
    uint32_t newer;
};
#define NOBODY UINT32_MAX

/* So many are a large page of the processor's. */
#define SLAB_COUNT 32768u
#define SLAB_SIZE  (SLAB_COUNT * sizeof(struct counter))
#define SLAB_WORDS (SLAB_COUNT / 64)

struct counter_slab {
    struct counter *counters;
    struct links links[SLAB_COUNT];
    uint64_t changed[SLAB_WORDS]; /* a bit for each */
};

static struct counter *counter_at(const struct counters *counters, uint32_t number)
{
    return &counters->slabs[number / SLAB_COUNT]->counters[number % SLAB_COUNT];
}

static struct links *links_at(const struct counters *counters, uint32_t number)
{
    return &counters->slabs[number / SLAB_COUNT]->links[number % SLAB_COUNT];
}

static uint64_t *changed_word(const struct counters *counters, size_t word)
{
    return &counters->slabs[word / SLAB_WORDS]->changed[word % SLAB_WORDS];
}

static void set_changed(const struct counters *counters, uint32_t number)
{
    *changed_word(counters, number / 64) |= UINT64_C(1) << number % 64;
}

static void clear_changed(const struct counters *counters, uint32_t number)
{
    *changed_word(counters, number / 64) &= ~(UINT64_C(1) << number % 64);
}

static uint32_t number_of(const struct counters *counters, const struct counter *counter)
{
    const struct counter_slab *slab = counters->slabs[counter->slab];
    return counter->slab * SLAB_COUNT + (uint32_t)(counter - slab->counters);
}

/* Time in parts of findtime: two events in one part are in no order. */
static uint32_t part_of(const struct counters *counters, int64_t now_ms)
{
    return (uint32_t)(now_ms * COUNTERS_ORDER_PARTS / counters->findtime_ms);
}

static bool counter_has_key(const struct map_node *node, const void *key, size_t key_len)
{
    (void)key_len;
    return prefix_eq(&MAP_ENTRY(node, struct counter, in_map)->key, key);
}

void counters_init(struct counters *counters, int64_t findtime_ms, size_t max)
{
    *counters = (struct counters){
        .oldest = NOBODY,
        .newest = NOBODY,
        .unused = NOBODY,
        .findtime_ms = findtime_ms,
        .max = max,
    };
    map_init(&counters->map, counter_has_key);
}

/* --- memory ------------------------------------------------------------------------- */

static void add_slab(struct counters *counters)
{
    struct counter_slab *slab = x_calloc(1, sizeof(*slab));

    BUG_ON(counters->slab_count > UINT16_MAX);
    slab->counters = x_aligned_alloc(SLAB_SIZE, SLAB_SIZE);
    /* A jail with few keys needs no large page; a refusal is no loss. */
    if (counters->slab_count)
        (void)madvise(slab->counters, SLAB_SIZE, MADV_HUGEPAGE);
    counters->slabs =
        x_reallocarray(counters->slabs, counters->slab_count + 1, sizeof(*counters->slabs));
    counters->slabs[counters->slab_count++] = slab;
}

static struct counter *counter_new(struct counters *counters)
{
    uint32_t number = counters->unused;

    if (number != NOBODY) {
        counters->unused = links_at(counters, number)->newer;
    } else {
        number = counters->taken++;
        if (number / SLAB_COUNT == counters->slab_count)
            add_slab(counters);
    }
    struct counter *counter = counter_at(counters, number);
    *counter = (struct counter){.slab = (uint16_t)(number / SLAB_COUNT)};
    return counter;
}

static void counter_free(struct counters *counters, uint32_t number)
{
    window_fini(&counter_at(counters, number)->window);
    counter_at(counters, number)->key = (struct prefix){0}; /* what a walk passes by */
    links_at(counters, number)->newer = counters->unused;
    counters->unused = number;
}

static void free_slabs(struct counters *counters)
{
    for (size_t i = 0; i < counters->slab_count; i++) {
        free(counters->slabs[i]->counters);
        free(counters->slabs[i]);
    }
    free(counters->slabs);
    counters->slabs = NULL;
    counters->slab_count = 0;
    counters->taken = 0;
    counters->unused = NOBODY;
}

/* --- the list: the order of the last events ------------------------------------------- */

static void unlink_from_list(struct counters *counters, uint32_t number)
{
    struct links links = *links_at(counters, number);

    if (links.older != NOBODY)
        links_at(counters, links.older)->newer = links.newer;
    else
        counters->oldest = links.newer;
    if (links.newer != NOBODY)
        links_at(counters, links.newer)->older = links.older;
    else
        counters->newest = links.older;
}

static void append_to_list(struct counters *counters, uint32_t number)
{
    *links_at(counters, number) = (struct links){.older = counters->newest, .newer = NOBODY};
    if (counters->newest != NOBODY)
        links_at(counters, counters->newest)->newer = number;
    else
        counters->oldest = number;
    counters->newest = number;
}

static void drop(struct counters *counters, uint32_t number)
{
    map_remove(&counters->map, &counter_at(counters, number)->in_map);
    unlink_from_list(counters, number);
    clear_changed(counters, number);
    counter_free(counters, number);
}

/* The last event was in that part: since its end two findtimes have passed. */
static bool is_idle(const struct counters *counters, uint32_t number, int64_t now_ms)
{
    uint32_t parts = part_of(counters, now_ms) - counter_at(counters, number)->listed_at;
    return parts > 2 * COUNTERS_ORDER_PARTS && parts < UINT32_MAX / 2;
}

static void drop_idle(struct counters *counters, size_t max, int64_t now_ms)
{
    for (size_t i = 0; i < max && counters->oldest != NOBODY; i++) {
        if (!is_idle(counters, counters->oldest, now_ms))
            break;
        drop(counters, counters->oldest);
    }
}

/* --- the table ------------------------------------------------------------------------ */

void counters_fini(struct counters *counters)
{
    while (counters->oldest != NOBODY)
        drop(counters, counters->oldest);
    map_fini(&counters->map);
    free_slabs(counters);
}

static struct counter *find(const struct counters *counters, const struct prefix *key)
{
    struct map_node *node = map_find(&counters->map, key, sizeof(*key));
    return node ? MAP_ENTRY(node, struct counter, in_map) : NULL;
}

static struct counter *add(struct counters *counters, const struct prefix *key, int64_t now_ms)
{
    drop_idle(counters, 2, now_ms);
    for (int i = 0; i < 2 && counters->oldest != NOBODY && counters->map.count >= counters->max;
         i++)
        drop(counters, counters->oldest);
    struct counter *counter = counter_new(counters);
    counter->key = *key;
    map_insert(&counters->map, &counter->in_map, &counter->key, sizeof(counter->key));
    return counter;
}

struct window *counters_window(struct counters *counters, const struct prefix *key, int64_t now_ms)
{
    uint32_t part = part_of(counters, now_ms);
    struct counter *counter = find(counters, key);

    /* For an event of before, too: whether it was swept out yet makes no difference. */
    if (counter && window_is_void(&counter->window, counters->findtime_ms, now_ms))
        window_fini(&counter->window);
    if (!counter || counter->listed_at != part) {
        if (counter)
            unlink_from_list(counters, number_of(counters, counter));
        else
            counter = add(counters, key, now_ms);
        append_to_list(counters, number_of(counters, counter));
        counter->listed_at = part;
    }
    if (!counters->is_frozen)
        set_changed(counters, number_of(counters, counter));
    return &counter->window;
}

const struct window *counters_look(const struct counters *counters, const struct prefix *key)
{
    const struct counter *counter = find(counters, key);
    return counter ? &counter->window : NULL;
}

void counters_forget(struct counters *counters, const struct prefix *key)
{
    struct counter *counter = find(counters, key);
    if (counter)
        drop(counters, number_of(counters, counter));
}

void counters_forget_within(struct counters *counters, const struct prefix *prefix)
{
    uint32_t next = NOBODY;

    for (uint32_t number = counters->oldest; number != NOBODY; number = next) {
        next = links_at(counters, number)->newer;
        if (prefix_overlaps(prefix, &counter_at(counters, number)->key))
            drop(counters, number);
    }
}

void counters_sweep(struct counters *counters, int64_t now_ms)
{
    drop_idle(counters, COUNTERS_SWEEP_MAX, now_ms);
    if (!counters->map.count)
        free_slabs(counters);
}

size_t counters_count(const struct counters *counters)
{
    return counters->map.count;
}

bool counters_next_within(const struct counters *counters, const struct prefix *prefix,
                          uint32_t *at, const struct prefix **key_r, const struct window **window_r)
{
    while (*at < counters->taken) {
        const struct counter *counter = counter_at(counters, (*at)++);
        if (counter->key.bits < prefix->bits || !prefix_contains(prefix, &counter->key.addr))
            continue;
        *key_r = &counter->key;
        *window_r = &counter->window;
        return true;
    }
    return false;
}

static size_t take_of_word(struct counters *counters, size_t max, counters_fn fn, void *ctx)
{
    uint64_t *word = changed_word(counters, counters->changed_at);
    size_t taken = 0;

    for (; *word && taken < max; taken++) {
        unsigned bit = (unsigned)__builtin_ctzll(*word);
        const struct counter *counter =
            counter_at(counters, (uint32_t)(counters->changed_at * 64 + bit));
        *word &= *word - 1;
        if (fn)
            fn(&counter->key, &counter->window, ctx);
    }
    return taken;
}

size_t counters_take_changed(struct counters *counters, size_t max, counters_fn fn, void *ctx)
{
    size_t words = counters->slab_count * SLAB_WORDS, taken = 0;

    for (size_t i = 0; i < words; i++) {
        if (counters->changed_at >= words)
            counters->changed_at = 0;
        taken += take_of_word(counters, max - taken, fn, ctx);
        if (taken == max)
            break; /* the word may have more */
        counters->changed_at++;
    }
    return taken;
}

size_t counters_changed_count(const struct counters *counters)
{
    size_t count = 0;

    for (size_t word = 0; word < counters->slab_count * SLAB_WORDS; word++)
        count += (size_t)__builtin_popcountll(*changed_word(counters, word));
    return count;
}

void counters_freeze_changed(struct counters *counters)
{
    counters->is_frozen = true;
}
