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
    prefixset_init(&lifts->unbans);
    prefixset_init(&lifts->others);
}

void lifts_fini(struct lifts *lifts)
{
    while (lifts->first)
        lifts_remove(lifts, lifts->first);
    prefixset_fini(&lifts->unbans);
    prefixset_fini(&lifts->others);
}

struct lift *lifts_find(const struct lifts *lifts, const struct prefix *prefix)
{
    struct lift *unban = lift_of(prefixset_find(&lifts->unbans, prefix));

    return unban ? unban : lift_of(prefixset_find(&lifts->others, prefix));
}

static struct prefixset *set_of(struct lifts *lifts, bool is_by_operator)
{
    return is_by_operator ? &lifts->unbans : &lifts->others;
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
    prefixset_remove(set_of(lifts, lift->is_by_operator), &lift->node);
    unlink_lift(lifts, lift);
    lifts->count--;
    free(lift);
}

static struct lift *add(struct lifts *lifts, const struct prefix *prefix)
{
    struct lift *lift = x_calloc(1, sizeof(*lift));

    if (lifts->count == lifts->max)
        lifts_remove(lifts, lifts->first);
    lift->node.prefix = *prefix;
    prefixset_insert(&lifts->others, &lift->node);
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
    if (lift->is_by_operator && !is_by_operator) {
        at_mono_ms = lift->at_mono_ms;
        until_mono_ms = until_mono_ms > lift->until_mono_ms ? until_mono_ms : lift->until_mono_ms;
        is_by_operator = true;
    }
    unlink_lift(lifts, lift);
    append_lift(lifts, lift);
    prefixset_remove(set_of(lifts, lift->is_by_operator), &lift->node);
    prefixset_insert(set_of(lifts, is_by_operator), &lift->node);
    lift->is_by_operator = is_by_operator;
    lift->version = version;
    lift->at_mono_ms = at_mono_ms;
    lift->until_mono_ms = until_mono_ms;
    lift->stored = false;
    return lift;
}

static int64_t later(const struct prefixset_node *node, int64_t last_ms)
{
    int64_t at_ms = MAP_ENTRY(node, const struct lift, node)->at_mono_ms;

    return at_ms > last_ms ? at_ms : last_ms;
}

/* Bans are mostly of the length that is counted, so few lie within. */
static int64_t last_within(const struct prefixset *unbans, const struct prefix *key)
{
    const struct prefixset_node *node = NULL;
    int64_t last_ms = -1;

    if (!prefixset_has_longer(unbans, key))
        return last_ms;
    while ((node = prefixset_next(unbans, node))) {
        if (prefix_overlaps(&node->prefix, key))
            last_ms = later(node, last_ms);
    }
    return last_ms;
}

int64_t lifts_last_ms(const struct lifts *lifts, const struct prefix *key)
{
    const struct prefixset *unbans = &lifts->unbans;
    const struct prefixset_node *node = prefixset_find(unbans, key);
    int64_t last_ms = last_within(unbans, key);

    if (!node)
        node = prefixset_match_wider(unbans, &key->addr, key);
    while (node) {
        last_ms = later(node, last_ms);
        node = prefixset_match_wider(unbans, &key->addr, &node->prefix);
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
