/* SPDX-License-Identifier: MIT */
#ifndef PN_CONFIG_NEAR_H
#define PN_CONFIG_NEAR_H

#include "common/config/schema.h"

/* What was probably meant: pure, each NULL when nothing is close. */
const char *near_option(const struct section *section, const char *name);
const char *near_section(const char *name);
/* The section that has an option of exactly that name, "" for the top level. */
const char *near_section_of(const char *option);

#endif
