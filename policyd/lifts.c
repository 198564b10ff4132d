/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/lifts.h"

#include <stdlib.h>

#include "common/base/mem.h"

static struct lift *lift_of(struct prefixset_node *node)
{
    return node ? MAP_ENTRY(node, struct lift, node) : NULL;
}

void lifts_init(struct lifts *lifts, size_t max)
{
    *lifts = (struct lifts){.max = max};
    prefixset_init(&lifts->set);
}

void lifts_fini(struct lifts *lifts)
{
    while (lifts->first)
        lifts_remove(lifts, lifts->first);
    prefixset_fini(&lifts->set);
}

struct lift *lifts_find(const struct lifts *lifts, const struct prefix *prefix)
{
    return lift_of(prefixset_find(&lifts->set, prefix));
}

static void unlink_lift(struct lifts *lifts, struct lift *lift)
{
    *(lift->prev ? &lift->prev->next : &lifts->first) = lift->next;
    *(lift->next ? &lift->next->prev : &lifts->last) = lift->prev;
}

static void append_lift(struct lifts *lifts, struct lift *lift)
{
    lift->prev = lifts->last;
    lift->next = NULL;
    *(lifts->last ? &lifts->last->next : &lifts->first) = lift;
    lifts->last = lift;
}

void lifts_remove(struct lifts *lifts, struct lift *lift)
{
    prefixset_remove(&lifts->set, &lift->node);
    unlink_lift(lifts, lift);
    lifts->count--;
    lifts->unbans -= lift->is_by_operator;
    free(lift);
}

static struct lift *add(struct lifts *lifts, const struct prefix *prefix)
{
    struct lift *lift = x_calloc(1, sizeof(*lift));

    if (lifts->count == lifts->max)
        lifts_remove(lifts, lifts->first);
    lift->node.prefix = *prefix;
    prefixset_insert(&lifts->set, &lift->node);
    append_lift(lifts, lift);
    lifts->count++;
    return lift;
}

struct lift *lifts_put(struct lifts *lifts, const struct prefix *prefix, uint64_t version,
                       int64_t at_mono_ms, int64_t until_mono_ms, bool is_by_operator)
{
    struct lift *lift = lifts_find(lifts, prefix);

    if (!lift)
        lift = add(lifts, prefix);
    unlink_lift(lifts, lift);
    append_lift(lifts, lift);
    lifts->unbans += (size_t)is_by_operator - (size_t)lift->is_by_operator;
    lift->is_by_operator = is_by_operator;
    lift->version = version;
    lift->at_mono_ms = at_mono_ms;
    lift->until_mono_ms = until_mono_ms;
    lift->stored = false;
    return lift;
}

/* Operators lift few, and each of them may have. */
int64_t lifts_last_ms(const struct lifts *lifts, const struct prefix *key)
{
    const struct lift *lift = lifts->last;
    int64_t last_ms = -1;

    for (size_t left = lifts->unbans; left; lift = lift->prev) {
        left -= lift->is_by_operator;
        if (lift->is_by_operator && lift->at_mono_ms > last_ms &&
            prefix_overlaps(&lift->node.prefix, key))
            last_ms = lift->at_mono_ms;
    }
    return last_ms;
}

void lifts_sweep(struct lifts *lifts, int64_t now_mono_ms)
{
    struct lift *next;

    for (struct lift *lift = lifts->first; lift; lift = next) {
        next = lift->next;
        if (lift->until_mono_ms <= now_mono_ms)
            lifts_remove(lifts, lift);
    }
}
