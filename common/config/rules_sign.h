/* SPDX-License-Identifier: MIT */
#ifndef PN_CONFIG_RULES_SIGN_H
#define PN_CONFIG_RULES_SIGN_H

#include "common/config/draft.h"

/* The rules of rules.h on the sections sign. Whether a key is one is not seen here. */
void rules_check_signs(struct draft *draft);

#endif
