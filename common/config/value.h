/* SPDX-License-Identifier: MIT */
#ifndef PN_CONFIG_VALUE_H
#define PN_CONFIG_VALUE_H

#include "common/config/config.h"
#include "common/config/schema.h"
#include "common/config/syntax.h"

/*
 * Store what item says of option into the struct at base, or the option's default
 * when item is NULL; one that must be given is then missing at `line`. `where` begins each error:
 * `jail "logins": `. A field that has an error stays empty. OPTION_RELAYS is checked but left to
 * the rules.
 */
void value_set(const struct option *option, const struct syntax_item *item, unsigned line,
               const char *where, void *base, struct config_errors *errors);

/* Free what value_set() made, and wipe secrets; the field is empty afterwards. */
void value_fini(const struct option *option, void *base);

void *value_field(const struct option *option, const void *base);
/* Of an option whose words have weights. */
uint8_t *value_weight(const struct option *option, const void *base, unsigned bit);

/* Of OPTION_BOOL, OPTION_NUMBER, durations, OPTION_WORD and OPTION_WORDS. */
unsigned value_number(const struct option *option, const void *base);

/* As the file has it, in the largest unit that says it exactly. Writes into out and returns it. */
#define VALUE_DURATION_MAX 16
const char *value_duration(unsigned sec, char out[VALUE_DURATION_MAX]);

#endif
