/* SPDX-License-Identifier: MIT */
#ifndef PN_POLICYD_OWED_H
#define PN_POLICYD_OWED_H

#include "common/base/prefixset.h"

/* Deletions that the store refused and that are owed to it: at most max, each prefix once. */
struct owed {
    struct prefixset set;
    size_t max;
};

void owed_init(struct owed *owed, size_t max);
void owed_fini(struct owed *owed);

/* 0, or -1 when there is no more room. */
int owed_add(struct owed *owed, const struct prefix *prefix) __attribute__((warn_unused_result));
/* Nothing happens to a prefix that is not owed. */
void owed_cancel(struct owed *owed, const struct prefix *prefix);

size_t owed_count(const struct owed *owed);
/* One after the other while none is added or cancelled: from NULL, to NULL at the end. */
const struct prefixset_node *owed_next(const struct owed *owed, const struct prefixset_node *after);

#endif
