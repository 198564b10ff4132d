/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/base/map.h"

#include <endian.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "common/base/bug.h"
#include "common/base/mem.h"

#define MAP_FIRST_SLOTS 16
#define LARGE_PAGE      ((uintptr_t)2 << 20)

static uint64_t hash_key[2];
static pthread_once_t hash_key_once = PTHREAD_ONCE_INIT;

static void make_hash_key(void)
{
    BUG_ON(getrandom(hash_key, sizeof(hash_key), 0) != (ssize_t)sizeof(hash_key));
}

static uint64_t rotl(uint64_t x, unsigned n)
{
    return x << n | x >> (64 - n);
}

struct sip {
    uint64_t v0, v1, v2, v3;
};

/* By value, and in line: its words stay in registers, which is half of what a look-up costs. */
static inline struct sip sip_round(struct sip sip)
{
    sip.v0 += sip.v1;
    sip.v2 += sip.v3;
    sip.v1 = rotl(sip.v1, 13) ^ sip.v0;
    sip.v3 = rotl(sip.v3, 16) ^ sip.v2;
    sip.v0 = rotl(sip.v0, 32);
    sip.v2 += sip.v1;
    sip.v0 += sip.v3;
    sip.v1 = rotl(sip.v1, 17) ^ sip.v2;
    sip.v3 = rotl(sip.v3, 21) ^ sip.v0;
    sip.v2 = rotl(sip.v2, 32);
    return sip;
}

static inline struct sip sip_take(struct sip sip, uint64_t word)
{
    sip.v3 ^= word;
    sip = sip_round(sip);
    sip.v0 ^= word;
    return sip;
}

static uint64_t load_le(const uint8_t *bytes, size_t len)
{
    uint64_t word = 0;

    if (len == sizeof(word)) {
        memcpy(&word, bytes, sizeof(word));
        return le64toh(word);
    }
    for (size_t i = 0; i < len; i++)
        word |= (uint64_t)bytes[i] << (8 * i);
    return word;
}

/* SipHash-1-3, Aumasson and Bernstein 2012. */
uint64_t map_hash(const void *key, size_t key_len)
{
    const uint8_t *bytes = key;

    pthread_once(&hash_key_once, make_hash_key);
    struct sip sip = {hash_key[0] ^ 0x736f6d6570736575u, hash_key[1] ^ 0x646f72616e646f6du,
                      hash_key[0] ^ 0x6c7967656e657261u, hash_key[1] ^ 0x7465646279746573u};
    size_t whole = key_len & ~(size_t)7;
    for (size_t i = 0; i < whole; i += 8)
        sip = sip_take(sip, load_le(bytes + i, 8));
    uint64_t last = load_le(bytes + whole, key_len - whole) | (uint64_t)key_len << 56;
    sip = sip_take(sip, last);
    sip.v2 ^= 0xff;
    for (int i = 0; i < 3; i++)
        sip = sip_round(sip);
    return sip.v0 ^ sip.v1 ^ sip.v2 ^ sip.v3;
}

void map_init(struct map *map, map_eq_fn eq)
{
    *map = (struct map){.eq = eq};
}

void map_fini(struct map *map)
{
    free(map->slots);
    free(map->old_slots);
    *map = (struct map){.eq = map->eq};
}

/* The slots of both tables in one row: the old one's, which may be none, come first. */
static struct map_node **slot_at(const struct map *map, size_t at)
{
    return at < map->old_count ? &map->old_slots[at] : &map->slots[at - map->old_count];
}

/* A hash belongs to the old table as long as its slot there was not emptied. */
static size_t place_of(const struct map *map, uint64_t hash)
{
    size_t old = map->old_count ? hash & (map->old_count - 1) : 0;

    if (map->old_count && old >= map->moved_count)
        return old;
    return map->old_count + (hash & (map->slot_count - 1));
}

static struct map_node **slot_of(const struct map *map, uint64_t hash)
{
    return slot_at(map, place_of(map, hash));
}

static void link_in(struct map *map, struct map_node *node)
{
    struct map_node **slot = slot_of(map, node->hash);

    node->next = *slot;
    *slot = node;
}

/* A look-up in a table larger than the processor's caches also misses its page; fewer are better.
 */
static struct map_node **slots_new(size_t count)
{
    struct map_node **slots = x_calloc(count, sizeof(*slots));
    uintptr_t from = ((uintptr_t)slots + LARGE_PAGE - 1) & ~(LARGE_PAGE - 1);
    uintptr_t to = (uintptr_t)(slots + count) & ~(LARGE_PAGE - 1);

    if (to > from)
        (void)madvise((uint8_t *)slots + (from - (uintptr_t)slots), to - from, MADV_HUGEPAGE);
    return slots;
}

static void grow(struct map *map)
{
    BUG_ON(map->old_count);
    map->old_slots = map->slots;
    map->old_count = map->slot_count;
    map->moved_count = 0;
    map->slot_count = map->old_count ? map->old_count * 2 : MAP_FIRST_SLOTS;
    map->slots = slots_new(map->slot_count);
}

static void move_slot(struct map *map)
{
    struct map_node **slot = &map->old_slots[map->moved_count++], *node = *slot;

    *slot = NULL;
    while (node) {
        struct map_node *next = node->next;
        link_in(map, node);
        node = next;
    }
    if (map->moved_count < map->old_count)
        return;
    free(map->old_slots);
    map->old_slots = NULL;
    map->old_count = 0;
}

/* A table of n slots is left with n / 2 nodes; as many inserts fill the next one, which has 2 n. */
static void move_some(struct map *map)
{
    for (int i = 0; i < 2 && map->old_count; i++)
        move_slot(map);
}

struct map_node *map_find(const struct map *map, const void *key, size_t key_len)
{
    if (!map->count)
        return NULL;
    uint64_t hash = map_hash(key, key_len);
    for (struct map_node *node = *slot_of(map, hash); node; node = node->next) {
        if (node->hash == hash && map->eq(node, key, key_len))
            return node;
    }
    return NULL;
}

void map_insert(struct map *map, struct map_node *node, const void *key, size_t key_len)
{
    if (map->count >= map->slot_count / 2)
        grow(map);
    move_some(map);
    node->hash = map_hash(key, key_len);
    link_in(map, node);
    map->count++;
}

void map_remove(struct map *map, struct map_node *node)
{
    struct map_node **link = slot_of(map, node->hash);
    while (*link != node) {
        BUG_ON(!*link);
        link = &(*link)->next;
    }
    *link = node->next;
    map->count--;
}

struct map_node *map_next(const struct map *map, const struct map_node *after)
{
    size_t at = 0;

    if (after && after->next)
        return after->next;
    if (after)
        at = place_of(map, after->hash) + 1;
    for (; at < map->old_count + map->slot_count; at++) {
        struct map_node *node = *slot_at(map, at);
        if (node)
            return node;
    }
    return NULL;
}
