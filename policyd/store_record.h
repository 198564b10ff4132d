/* SPDX-License-Identifier: MIT */
#ifndef PN_POLICYD_STORE_RECORD_H
#define PN_POLICYD_STORE_RECORD_H

#include <stddef.h>
#include <stdint.h>

#include "policyd/store.h"

/*
 * A ban as bytes in the file store, format 1.
 *
 * key    family (4 or 6), bits, 16 bytes of address; IPv4 in the first four, host bits zero;
 *        of a login JAIL_KEY_LOGIN, 0, its hash
 * value  end, start: milliseconds since 1970, 8 bytes each, big-endian; the jail's name; where
 *        the ban does not act on all, or is of a login, a NUL and on what it does, 1 byte; the
 *        login
 */
#define STORE_KEY_LEN   18
#define STORE_VALUE_MIN 16
#define STORE_VALUE_MAX (STORE_VALUE_MIN + BANS_JAIL_MAX - 1 + 2 + BANS_LOGIN_MAX - 1)

void store_record_key(const struct prefix *prefix, uint8_t out[STORE_KEY_LEN]);
/* The value's length. */
size_t store_record_value(const struct store_ban *ban, uint8_t out[STORE_VALUE_MAX]);

/* 0, or -1 for bytes that the functions above never write. */
int store_record_read(const uint8_t *key, size_t key_len, const uint8_t *value, size_t value_len,
                      struct store_ban *ban_r) __attribute__((warn_unused_result));

/*
 * A counter.
 *
 * key    its jail, 8 bytes; then as above
 * value  end, start: as above; current, previous: 4 bytes each; how many hashes are of
 *        previous: 4 bytes; the hashes, 4 bytes each
 */
#define STORE_COUNTER_KEY_LEN   (8 + STORE_KEY_LEN)
#define STORE_COUNTER_VALUE_MIN 28
#define STORE_COUNTER_VALUE_MAX (STORE_COUNTER_VALUE_MIN + 4 * STORE_HASHES_MAX)

void store_counter_key(uint64_t jail, const struct prefix *prefix,
                       uint8_t out[STORE_COUNTER_KEY_LEN]);
size_t store_counter_value(const struct store_counter *counter, const uint32_t *hashes,
                           uint8_t out[STORE_COUNTER_VALUE_MAX]);
/* 0, or -1 as above; hash_at is 0. */
int store_counter_read(const uint8_t *key, size_t key_len, const uint8_t *value, size_t value_len,
                       struct store_counter *counter_r, uint32_t hashes_r[STORE_HASHES_MAX])
    __attribute__((warn_unused_result));

#endif
