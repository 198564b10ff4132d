/* SPDX-License-Identifier: MIT */
#ifndef PN_CONFIG_ERRORS_H
#define PN_CONFIG_ERRORS_H

#include "common/config/config.h"

/* What a file that is no configuration at all may fill the screen with. */
#define CONFIG_ERRORS_MAX 200

/* Past CONFIG_ERRORS_MAX only the number of what was left out grows. */
void config_errors_add(struct config_errors *errors, unsigned line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* By line; those of one line stay in the order they were found. */
void config_errors_sort(struct config_errors *errors);

#endif
