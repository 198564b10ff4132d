/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/base/prefixset.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

/* family, bits and the bytes: nothing between them that could differ */
struct key {
    uint8_t bytes[18];
};

static struct key key_of(const struct prefix *prefix)
{
    struct key key = {{prefix->addr.family, prefix->bits}};
    memcpy(key.bytes + 2, prefix->addr.bytes, sizeof(prefix->addr.bytes));
    return key;
}

static bool node_eq(const struct map_node *node, const void *key, size_t key_len)
{
    struct key own = key_of(&MAP_ENTRY(node, struct prefixset_node, in_map)->prefix);
    return key_len == sizeof(own) && memcmp(own.bytes, key, sizeof(own)) == 0;
}

static void count(struct prefixset *set, const struct prefix *prefix, bool is_more)
{
    struct prefixset_lengths *lengths = prefix->addr.family == ADDR_IPV4 ? &set->ipv4 : &set->ipv6;
    uint32_t change = is_more ? 1 : UINT32_MAX; /* one less */

    lengths->all += change;
    lengths->of[prefix->bits] += change;
}

void prefixset_init(struct prefixset *set)
{
    *set = (struct prefixset){0};
    map_init(&set->map, node_eq);
}

void prefixset_fini(struct prefixset *set)
{
    map_fini(&set->map);
    prefixset_init(set);
}

void prefixset_insert(struct prefixset *set, struct prefixset_node *node)
{
    struct key key = key_of(&node->prefix);
    map_insert(&set->map, &node->in_map, &key, sizeof(key));
    count(set, &node->prefix, true);
}

void prefixset_remove(struct prefixset *set, struct prefixset_node *node)
{
    map_remove(&set->map, &node->in_map);
    count(set, &node->prefix, false);
}

struct prefixset_node *prefixset_find(const struct prefixset *set, const struct prefix *prefix)
{
    struct key key = key_of(prefix);
    struct map_node *node = map_find(&set->map, &key, sizeof(key));
    return node ? MAP_ENTRY(node, struct prefixset_node, in_map) : NULL;
}

static const struct prefixset_lengths *lengths_of(const struct prefixset *set,
                                                  const struct addr *addr)
{
    return addr->family == ADDR_IPV4 ? &set->ipv4 : &set->ipv6;
}

static struct prefixset_node *match_from(const struct prefixset *set, const struct addr *addr,
                                         int from_bits)
{
    const struct prefixset_lengths *lengths = lengths_of(set, addr);
    uint32_t left = addr->family == ADDR_NONE ? 0 : lengths->all;

    for (int bits = (int)addr_bits(addr); left && bits >= 0; bits--) {
        if (!lengths->of[bits])
            continue;
        left -= lengths->of[bits];
        if (bits > from_bits)
            continue;
        struct prefix prefix = prefix_of(addr, (unsigned)bits);
        struct prefixset_node *node = prefixset_find(set, &prefix);
        if (node)
            return node;
    }
    return NULL;
}

struct prefixset_node *prefixset_match(const struct prefixset *set, const struct addr *addr)
{
    return match_from(set, addr, (int)addr_bits(addr));
}

struct prefixset_node *prefixset_match_wider(const struct prefixset *set, const struct addr *addr,
                                             const struct prefix *than)
{
    return match_from(set, addr, (int)than->bits - 1);
}

bool prefixset_has_longer(const struct prefixset *set, const struct prefix *prefix)
{
    const struct prefixset_lengths *lengths = lengths_of(set, &prefix->addr);

    for (unsigned bits = prefix->bits + 1U; bits <= addr_bits(&prefix->addr); bits++) {
        if (lengths->of[bits])
            return true;
    }
    return false;
}

struct prefixset_node *prefixset_next(const struct prefixset *set,
                                      const struct prefixset_node *after)
{
    struct map_node *node = map_next(&set->map, after ? &after->in_map : NULL);
    return node ? MAP_ENTRY(node, struct prefixset_node, in_map) : NULL;
}

void prefixlist_add(struct prefixlist *list, const struct prefix *prefix)
{
    list->items = x_reallocarray(list->items, list->count + 1, sizeof(*list->items));
    list->items[list->count++] = *prefix;
}

void prefixlist_fini(struct prefixlist *list)
{
    free(list->items);
    *list = (struct prefixlist){0};
}

bool prefixlist_contains(const struct prefixlist *list, const struct addr *addr)
{
    for (size_t i = 0; i < list->count; i++) {
        if (prefix_contains(&list->items[i], addr))
            return true;
    }
    return false;
}
