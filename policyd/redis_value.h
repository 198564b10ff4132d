/* SPDX-License-Identifier: MIT */
#ifndef PN_POLICYD_REDIS_VALUE_H
#define PN_POLICYD_REDIS_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A reply of Redis, or an item of one. */
struct redis_value;

enum redis_kind { REDIS_NIL, REDIS_INTEGER, REDIS_STRING, REDIS_ARRAY, REDIS_ERROR };

/*
 * All of these are safe on every kind and on NULL, which is a nil. A status ("OK") is a
 * string. What is returned lives as long as the reply.
 */
enum redis_kind redis_kind(const struct redis_value *value);
int64_t redis_integer(const struct redis_value *value); /* 0 for another kind */
/* Also the text of an error. NULL and 0 for another kind. May hold NULs; one follows. */
const char *redis_string(const struct redis_value *value, size_t *len_r);
size_t redis_count(const struct redis_value *value); /* of an array; 0 for another kind */
const struct redis_value *redis_item(const struct redis_value *value, size_t i); /* or NULL */

/* Whether it is a string, and this one. */
bool redis_string_is(const struct redis_value *value, const char *text);
/* Whether it is an error that begins with this word, as "NOSCRIPT". */
bool redis_error_is(const struct redis_value *value, const char *code);

#endif
