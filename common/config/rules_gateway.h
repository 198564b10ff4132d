/* SPDX-License-Identifier: MIT */
#ifndef PN_CONFIG_RULES_GATEWAY_H
#define PN_CONFIG_RULES_GATEWAY_H

#include "common/config/draft.h"

/*
 * What the options of gateway sections must be together, and what follows from others:
 * header_destinations are the public_addresses where none are named; a gateway that
 * sends no header has no destinations and no daemon_names.
 */
void rules_check_gateways(struct draft *draft);

#endif
