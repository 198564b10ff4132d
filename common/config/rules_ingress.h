/* SPDX-License-Identifier: MIT */
#ifndef PN_CONFIG_RULES_INGRESS_H
#define PN_CONFIG_RULES_INGRESS_H

#include "common/config/draft.h"

/* What the options of ingress sections must be together and beside the gateways. */
void rules_check_ingresses(struct draft *draft);

#endif
