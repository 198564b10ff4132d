/* SPDX-License-Identifier: MIT */
#ifndef PN_POLICYD_DECISION_H
#define PN_POLICYD_DECISION_H

#include <stdint.h>

#include "common/base/addr.h"
#include "common/base/buf.h"

/* A ban in the words of CrowdSec's local API: its object Decision. */
struct decision {
    const struct prefix *prefix;
    const char *jail; /* the scenario */
    uint64_t id;
    uint64_t seconds; /* what is left of it */
};

/* Append it as a JSON object. */
void decision_put(const struct decision *decision, struct buf *out);

#endif
