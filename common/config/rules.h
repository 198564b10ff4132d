/* SPDX-License-Identifier: MIT */
#ifndef PN_CONFIG_RULES_H
#define PN_CONFIG_RULES_H

#include "common/config/draft.h"

/*
 * What belongs together across options and sections, each breach an error with its
 * line, and what follows from other options: a relay's host from its preset, the
 * relays of a route, a gateway's header_destinations. Values that have an error of
 * their own are empty here and not complained about again.
 */
void rules_apply(struct draft *draft);

#endif
