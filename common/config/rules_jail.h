/* SPDX-License-Identifier: MIT */
#ifndef PN_CONFIG_RULES_JAIL_H
#define PN_CONFIG_RULES_JAIL_H

#include "common/config/draft.h"

/*
 * What the options of jails must be together: who counts by login neither bans, or anybody
 * could lock a user out, nor counts what has no login.
 */
void rules_check_jails(struct draft *draft);

#endif
