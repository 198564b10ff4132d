/* SPDX-License-Identifier: MIT */
#ifndef PN_CONFIG_RULES_MILTER_H
#define PN_CONFIG_RULES_MILTER_H

#include "common/config/draft.h"

/* The rules of rules.h on the sections milter, spf, dkim and dmarc. */

/* What follows from other options; before listeners are compared. */
void rules_complete_milter(struct draft *draft);
void rules_check_milter(struct draft *draft);

#endif
