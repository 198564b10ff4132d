/* SPDX-License-Identifier: MIT */
#ifndef PN_BASE_MAP_H
#define PN_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A hash map whose nodes live inside the caller's structs: it allocates nothing
 * but its table. Keys are byte strings; their hash is SipHash-1-3 under a random
 * key of this process, so that nobody outside can choose colliding ones.
 *
 * A table that has a node for every second slot gets one of twice the size beside it,
 * and each insert moves two slots: no single insert pays for all.
 */
struct map_node {
    struct map_node *next;
    uint64_t hash;
};

/* Whether node has the key of key_len bytes. */
typedef bool (*map_eq_fn)(const struct map_node *node, const void *key, size_t key_len);

struct map {
    struct map_node **slots;
    size_t slot_count; /* a power of two, or 0 before the first insert */
    size_t count;
    map_eq_fn eq;
    struct map_node **old_slots; /* while it grows */
    size_t old_count;            /* of slots; 0 when it does not */
    size_t moved_count;
};

#define MAP_ENTRY(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))

void map_init(struct map *map, map_eq_fn eq);
/* Frees the table; what the nodes live in stays the caller's. */
void map_fini(struct map *map);

struct map_node *map_find(const struct map *map, const void *key, size_t key_len);

/* The key must not be in the map yet. */
void map_insert(struct map *map, struct map_node *node, const void *key, size_t key_len);

/* node is in the map. */
void map_remove(struct map *map, struct map_node *node);

/*
 * Walks all nodes in table order: start with map_next(map, NULL). The node last
 * returned may be removed only after the next one was fetched; an insert ends the walk.
 */
struct map_node *map_next(const struct map *map, const struct map_node *after);

/* The hash itself, for those who build their own table. */
uint64_t map_hash(const void *key, size_t key_len);

#endif
