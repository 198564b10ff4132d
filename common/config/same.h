/* SPDX-License-Identifier: MIT */
#ifndef PN_CONFIG_SAME_H
#define PN_CONFIG_SAME_H

#include <stdbool.h>

#include "common/config/config.h"

/* Whether two configurations agree in a value: what a reload asks of what it cannot change. */

/* Both may be NULL. In a time that tells nothing of a secret. */
bool same_text(const char *a, const char *b);
bool same_strings(const struct config_strings *a, const struct config_strings *b);
bool same_prefixes(const struct prefixlist *a, const struct prefixlist *b);

/* The http sections of one program, in their order. */
bool same_https(const struct config *a, const struct config *b, enum config_program program);

/* Where bans and counters are kept, and how Redis is talked to if that is where. */
bool same_store(const struct config *a, const struct config *b);

#endif
