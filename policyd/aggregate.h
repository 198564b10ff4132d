/* SPDX-License-Identifier: MIT */
#ifndef PN_POLICYD_AGGREGATE_H
#define PN_POLICYD_AGGREGATE_H

#include <stdbool.h>
#include <stdint.h>

#include "policyd/bans.h"
#include "policyd/keeper.h"

/* So many banned nets of an IPv6 net that is wider by eight bits make it one ban. */
#define AGGREGATE_MIN 16

/*
 * Whether so many nets, each eight bits narrower than wide and in it, are banned where acts
 * says; wide->bits is a multiple of eight. What is left of the longest of these bans comes
 * out, but of the operator's: he meant one net. A ban on wide that holds becomes one with it
 * (bans_join). Costs 256 look-ups.
 */
bool aggregate_is_due(const struct bans *bans, const struct prefix *wide, unsigned *acts,
                      int64_t now_mono_ms, uint64_t *seconds_r);

/* Remove those that the ban on wide makes needless; not the operator's. */
void aggregate_drop(const struct bans *bans, struct keeper_change *change,
                    const struct prefix *wide);

#endif
