/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/store_record.h"

#include <string.h>

void store_record_key(const struct prefix *prefix, uint8_t out[STORE_KEY_LEN])
{
    out[0] = prefix->addr.family;
    out[1] = prefix->bits;
    memcpy(out + 2, prefix->addr.bytes, sizeof(prefix->addr.bytes));
}

static void put_be64(uint8_t *out, int64_t value)
{
    for (int i = 0; i < 8; i++)
        out[i] = (uint8_t)((uint64_t)value >> (56 - 8 * i));
}

static int64_t get_be64(const uint8_t *bytes)
{
    uint64_t value = 0;
    for (int i = 0; i < 8; i++)
        value = value << 8 | bytes[i];
    return (int64_t)value;
}

size_t store_record_value(const struct store_ban *ban, uint8_t out[STORE_VALUE_MAX])
{
    size_t jail_len = strnlen(ban->jail, BANS_JAIL_MAX - 1);

    put_be64(out, ban->until_wall_ms);
    put_be64(out + 8, ban->since_wall_ms);
    memcpy(out + STORE_VALUE_MIN, ban->jail, jail_len);
    return STORE_VALUE_MIN + jail_len;
}

static int read_key(const uint8_t *key, struct prefix *prefix_r)
{
    struct addr addr = {0};
    uint8_t again[STORE_KEY_LEN];

    if (key[0] == ADDR_IPV4)
        addr = addr_from_ipv4(key + 2);
    else if (key[0] == ADDR_IPV6)
        addr = addr_from_ipv6(key + 2);
    else
        return -1;
    *prefix_r = prefix_of(&addr, key[1]);
    store_record_key(prefix_r, again);
    return memcmp(again, key, STORE_KEY_LEN) == 0 ? 0 : -1;
}

int store_record_read(const uint8_t *key, size_t key_len, const uint8_t *value, size_t value_len,
                      struct store_ban *ban_r)
{
    *ban_r = (struct store_ban){0};
    if (key_len != STORE_KEY_LEN || value_len < STORE_VALUE_MIN || value_len > STORE_VALUE_MAX)
        return -1;
    if (memchr(value + STORE_VALUE_MIN, '\0', value_len - STORE_VALUE_MIN))
        return -1;
    ban_r->until_wall_ms = get_be64(value);
    ban_r->since_wall_ms = get_be64(value + 8);
    if (ban_r->until_wall_ms < 0 || ban_r->since_wall_ms < 0)
        return -1;
    memcpy(ban_r->jail, value + STORE_VALUE_MIN, value_len - STORE_VALUE_MIN);
    return read_key(key, &ban_r->prefix);
}
