/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <string.h>

#include "common/base/bug.h"
#include "policyd/store_record.h"
#include "tests/fuzz/fuzz.h"

/* What is read is what would be written: nothing else on a disk counts as a record. */
static void ban(const uint8_t *key, size_t key_len, const uint8_t *value, size_t value_len)
{
    uint8_t key_again[STORE_KEY_LEN], value_again[STORE_VALUE_MAX];
    struct store_ban record;

    if (store_record_read(key, key_len, value, value_len, &record) < 0)
        return;
    store_record_key(&record.prefix, key_again);
    BUG_ON(key_len != sizeof(key_again) || memcmp(key, key_again, key_len) != 0);
    BUG_ON(store_record_value(&record, value_again) != value_len);
    BUG_ON(memcmp(value, value_again, value_len) != 0);
}

static void counter(const uint8_t *key, size_t key_len, const uint8_t *value, size_t value_len)
{
    uint8_t key_again[STORE_COUNTER_KEY_LEN], value_again[STORE_COUNTER_VALUE_MAX];
    uint32_t hashes[STORE_HASHES_MAX];
    struct store_counter record;

    if (store_counter_read(key, key_len, value, value_len, &record, hashes) < 0)
        return;
    BUG_ON(record.hash_count > STORE_HASHES_MAX || record.hash_old_count > record.hash_count);
    store_counter_key(record.jail, &record.key, key_again);
    BUG_ON(key_len != sizeof(key_again) || memcmp(key, key_again, key_len) != 0);
    BUG_ON(store_counter_value(&record, hashes, value_again) != value_len);
    BUG_ON(memcmp(value, value_again, value_len) != 0);
}

/* The first byte is the length of the key, which follows; the rest is the value. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    if (len < 1 || bytes[0] > len - 1)
        return 0;
    const uint8_t *key = bytes + 1, *value = key + bytes[0];
    size_t key_len = bytes[0], value_len = len - 1 - key_len;
    ban(key, key_len, value, value_len);
    counter(key, key_len, value, value_len);
    return 0;
}
