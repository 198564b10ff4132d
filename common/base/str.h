/* SPDX-License-Identifier: MIT */
#ifndef PN_BASE_STR_H
#define PN_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ASCII only, whatever the locale: names on the wire are not a matter of language. */
bool str_eq(const char *a, const char *b);
bool str_eq_nocase(const char *a, const char *b);
bool str_has_prefix(const char *text, const char *prefix);
char *str_lower(char *text);
bool str_is_ascii(const char *text);
bool str_is_utf8(const char *text);
/* Whether a domain is parent or below it: both in lower case, without a dot at the end. */
bool str_is_domain_within(const char *domain, const char *parent);

/*
 * Wire bytes as a C string: a fresh copy when bytes[0..len) hold no NUL and
 * len <= max, NULL otherwise. The caller frees.
 */
char *str_take(const uint8_t *bytes, size_t len, size_t max) __attribute__((warn_unused_result));

/* Decimal digits only, no sign, no space, whole text, min <= value <= max. 0 or -1. */
int str_parse_u64(const char *text, uint64_t min, uint64_t max, uint64_t *value_r)
    __attribute__((warn_unused_result));

/*
 * A duration as fail2ban writes it: digits with one unit s, m, h, d or w, or bare
 * seconds ("10m", "600"). 0 or -1; the result is in seconds.
 */
int str_parse_duration(const char *text, uint64_t *sec_r) __attribute__((warn_unused_result));

/*
 * Seconds in the two largest units that say it, "1h 30m", "45s", for people. Writes into out and
 * returns it.
 */
#define STR_DURATION_MAX 32
const char *str_format_duration(uint64_t sec, char out[STR_DURATION_MAX]);

/* Compares in a time that depends on the lengths alone. For secrets. */
bool str_eq_secret(const char *a, const char *b);

#endif
