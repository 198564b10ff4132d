/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/owed.h"

#include <stdlib.h>

#include "common/base/mem.h"

void owed_init(struct owed *owed, size_t max)
{
    prefixset_init(&owed->set);
    owed->max = max;
}

static void drop(struct owed *owed, struct prefixset_node *node)
{
    prefixset_remove(&owed->set, node);
    free(node);
}

void owed_fini(struct owed *owed)
{
    struct prefixset_node *node;

    while ((node = prefixset_next(&owed->set, NULL)))
        drop(owed, node);
    prefixset_fini(&owed->set);
}

int owed_add(struct owed *owed, const struct prefix *prefix)
{
    if (prefixset_find(&owed->set, prefix))
        return 0;
    if (owed_count(owed) >= owed->max)
        return -1;
    struct prefixset_node *node = x_calloc(1, sizeof(*node));
    node->prefix = *prefix;
    prefixset_insert(&owed->set, node);
    return 0;
}

void owed_cancel(struct owed *owed, const struct prefix *prefix)
{
    struct prefixset_node *node = prefixset_find(&owed->set, prefix);
    if (node)
        drop(owed, node);
}

size_t owed_count(const struct owed *owed)
{
    return owed->set.map.count;
}

const struct prefixset_node *owed_next(const struct owed *owed, const struct prefixset_node *after)
{
    return prefixset_next(&owed->set, after);
}
