/* SPDX-License-Identifier: MIT */
#ifndef PN_POLICYD_LIFTS_H
#define PN_POLICYD_LIFTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/prefixset.h"

/*
 * Bans that were lifted, in a store that several share: so that nobody who missed the word
 * brings them back, and that nothing counts against their clients that was before. At most
 * `max` of them; then the oldest gives way.
 */
struct lift {
    struct prefixset_node node;
    uint64_t version;
    int64_t at_mono_ms;
    int64_t until_mono_ms; /* then it is forgotten */
    bool is_by_operator;   /* what was counted is forgotten; set by lifts_put() */
    bool stored;
    struct lift *prev, *next; /* in the order in which they came */
};

struct lifts {
    struct prefixset unbans; /* those by the operator */
    struct prefixset others;
    struct lift *first, *last;
    size_t count;
    size_t max;
};

void lifts_init(struct lifts *lifts, size_t max);
void lifts_fini(struct lifts *lifts);

/*
 * One of this prefix that is known gets new times; but what was before the operator lifted it
 * stays forgotten, whoever lifts it again. The result is the table's.
 */
struct lift *lifts_put(struct lifts *lifts, const struct prefix *prefix, uint64_t version,
                       int64_t at_mono_ms, int64_t until_mono_ms, bool is_by_operator);
struct lift *lifts_find(const struct lifts *lifts, const struct prefix *prefix);
void lifts_remove(struct lifts *lifts, struct lift *lift);

/*
 * The last time when the operator lifted what lies around key or in it; -1: never. It costs a
 * probe for each prefix length, and more only where one is known that is longer than key.
 */
int64_t lifts_last_ms(const struct lifts *lifts, const struct prefix *key);

/* Forgets those whose time is over. */
void lifts_sweep(struct lifts *lifts, int64_t now_mono_ms);

#endif
