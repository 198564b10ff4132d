/* SPDX-License-Identifier: MIT */
#ifndef PN_CONFIG_RULES_STORE_H
#define PN_CONFIG_RULES_STORE_H

#include "common/config/draft.h"

/*
 * What store means, and whether the section redis fits it. One that is not right is never
 * shown where it could hold a password.
 */
void rules_check_store(struct draft *draft);

#endif
