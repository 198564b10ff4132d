/* SPDX-License-Identifier: MIT */
#ifndef PN_INGRESS_BANTABLE_H
#define PN_INGRESS_BANTABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/prefixset.h"

/*
 * The bans that policyd holds, followed from here: they go on when policyd is away, each
 * until its own end. Ends are monotonic milliseconds.
 */
#define BANTABLE_MAX 1500000 /* as many as policyd holds */

enum bantable_reach { BANTABLE_EVERY_PORT, BANTABLE_SMTP_PORT };

struct bantable {
    struct prefixset set;
    size_t count;
    unsigned round; /* of the full list that was read last, or is being read */
};

void bantable_init(struct bantable *table);
void bantable_fini(struct bantable *table);

/* Set it, or give it another reach and end. Past BANTABLE_MAX nothing is kept: false. */
bool bantable_put(struct bantable *table, const struct prefix *prefix, enum bantable_reach reach,
                  int64_t until_mono_ms);
void bantable_remove(struct bantable *table, const struct prefix *prefix);

/* A full list begins; with its end, what was not in it is gone: lifted while nobody listened. */
void bantable_begin_round(struct bantable *table);
void bantable_end_round(struct bantable *table);

/* Whether one of this reach closes connections to this port. */
bool bantable_reaches(enum bantable_reach reach, uint16_t port);
/* Whether the client is banned from this port. */
bool bantable_has(const struct bantable *table, const struct addr *addr, uint16_t port,
                  int64_t now_mono_ms);

/* Forget the bans whose end has come; call it now and then. */
void bantable_sweep(struct bantable *table, int64_t now_mono_ms);

#endif
