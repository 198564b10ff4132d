/* SPDX-License-Identifier: MIT */
#ifndef PN_BASE_PREFIXSET_H
#define PN_BASE_PREFIXSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/addr.h"
#include "common/base/map.h"

/*
 * A set of prefixes, each with the caller's own data around its node. A look-up
 * costs one probe for each prefix length in use, whatever the size of the set.
 */
struct prefixset_node {
    struct map_node in_map;
    struct prefix prefix;
};

struct prefixset_lengths {
    uint32_t all;
    uint32_t of[129]; /* how many prefixes of each length */
};

struct prefixset {
    struct map map;
    struct prefixset_lengths ipv4, ipv6;
};

void prefixset_init(struct prefixset *set);
/* Frees the table; the nodes stay the caller's. */
void prefixset_fini(struct prefixset *set);

/* node->prefix is set and not in the set yet. */
void prefixset_insert(struct prefixset *set, struct prefixset_node *node);
void prefixset_remove(struct prefixset *set, struct prefixset_node *node);

/* Exactly this prefix, or NULL. */
struct prefixset_node *prefixset_find(const struct prefixset *set, const struct prefix *prefix);

/* The longest prefix that contains addr, or NULL. */
struct prefixset_node *prefixset_match(const struct prefixset *set, const struct addr *addr);

/* The same, of those shorter than a prefix that contains it. */
struct prefixset_node *prefixset_match_wider(const struct prefixset *set, const struct addr *addr,
                                             const struct prefix *than);

/* Whether there is any that is longer than this one, of its family. */
bool prefixset_has_longer(const struct prefixset *set, const struct prefix *prefix);

/* As map_next(). */
struct prefixset_node *prefixset_next(const struct prefixset *set,
                                      const struct prefixset_node *after);

/*
 * A set that is only asked yes or no: owns its nodes, made from text or prefixes
 * once, then constant. Zeroes are an empty one.
 */
struct prefixlist {
    struct prefix *items;
    size_t count;
};

void prefixlist_add(struct prefixlist *list, const struct prefix *prefix);
void prefixlist_fini(struct prefixlist *list);
bool prefixlist_contains(const struct prefixlist *list, const struct addr *addr);

#endif
