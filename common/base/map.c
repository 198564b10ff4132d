/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/base/map.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "common/base/bug.h"
#include "common/base/mem.h"

#define MAP_FIRST_SLOTS 16

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

static void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[2] += v[3];
    v[1] = rotl(v[1], 13) ^ v[0];
    v[3] = rotl(v[3], 16) ^ v[2];
    v[0] = rotl(v[0], 32);
    v[2] += v[1];
    v[0] += v[3];
    v[1] = rotl(v[1], 17) ^ v[2];
    v[3] = rotl(v[3], 21) ^ v[0];
    v[2] = rotl(v[2], 32);
}

static uint64_t load_le(const uint8_t *bytes, size_t len)
{
    uint64_t word = 0;
    for (size_t i = 0; i < len; i++)
        word |= (uint64_t)bytes[i] << (8 * i);
    return word;
}

/* SipHash-1-3, Aumasson and Bernstein 2012. */
uint64_t map_hash(const void *key, size_t key_len)
{
    const uint8_t *bytes = key;

    pthread_once(&hash_key_once, make_hash_key);
    uint64_t v[4] = {hash_key[0] ^ 0x736f6d6570736575u, hash_key[1] ^ 0x646f72616e646f6du,
                     hash_key[0] ^ 0x6c7967656e657261u, hash_key[1] ^ 0x7465646279746573u};
    size_t whole = key_len & ~(size_t)7;
    for (size_t i = 0; i < whole; i += 8) {
        uint64_t word = load_le(bytes + i, 8);
        v[3] ^= word;
        sip_round(v);
        v[0] ^= word;
    }
    uint64_t last = load_le(bytes + whole, key_len - whole) | (uint64_t)key_len << 56;
    v[3] ^= last;
    sip_round(v);
    v[0] ^= last;
    v[2] ^= 0xff;
    for (int i = 0; i < 3; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

void map_init(struct map *map, map_eq_fn eq)
{
    *map = (struct map){.eq = eq};
}

void map_fini(struct map *map)
{
    free(map->slots);
    *map = (struct map){.eq = map->eq};
}

static struct map_node **slot_of(const struct map *map, uint64_t hash)
{
    return &map->slots[hash & (map->slot_count - 1)];
}

static void grow(struct map *map)
{
    struct map old = *map;

    map->slot_count = old.slot_count ? old.slot_count * 2 : MAP_FIRST_SLOTS;
    map->slots = x_calloc(map->slot_count, sizeof(*map->slots));
    for (size_t i = 0; i < old.slot_count; i++) {
        struct map_node *node = old.slots[i];
        while (node) {
            struct map_node *next = node->next;
            struct map_node **slot = slot_of(map, node->hash);
            node->next = *slot;
            *slot = node;
            node = next;
        }
    }
    free(old.slots);
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
    if (map->count >= map->slot_count)
        grow(map);
    node->hash = map_hash(key, key_len);
    struct map_node **slot = slot_of(map, node->hash);
    node->next = *slot;
    *slot = node;
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
    size_t i = 0;

    if (after) {
        if (after->next)
            return after->next;
        i = (after->hash & (map->slot_count - 1)) + 1;
    }
    for (; i < map->slot_count; i++) {
        if (map->slots[i])
            return map->slots[i];
    }
    return NULL;
}
