/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/store_record.h"

#include <string.h>

#include "policyd/jail.h"
#include "policyd/window.h"

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

static void put_be32(uint8_t *out, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        out[i] = (uint8_t)(value >> (24 - 8 * i));
}

static uint32_t get_be32(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

size_t store_record_value(const struct store_ban *ban, uint8_t out[STORE_VALUE_MAX])
{
    size_t jail_len = strnlen(ban->jail, BANS_JAIL_MAX - 1);

    put_be64(out, ban->until_wall_ms);
    put_be64(out + 8, ban->since_wall_ms);
    memcpy(out + STORE_VALUE_MIN, ban->jail, jail_len);
    size_t login_len = strnlen(ban->login, BANS_LOGIN_MAX - 1);
    unsigned acts = ban->acts ? ban->acts : CONFIG_ACTS_ALL;
    if (acts == CONFIG_ACTS_ALL && !login_len)
        return STORE_VALUE_MIN + jail_len;
    uint8_t *end = out + STORE_VALUE_MIN + jail_len;
    end[0] = '\0';
    end[1] = (uint8_t)acts;
    memcpy(end + 2, ban->login, login_len);
    return STORE_VALUE_MIN + jail_len + 2 + login_len;
}

static int read_prefix(const uint8_t *key, struct prefix *prefix_r)
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

static int read_login(const uint8_t *text, size_t len, struct store_ban *ban)
{
    if (len >= BANS_LOGIN_MAX || (len && memchr(text, '\0', len)))
        return -1;
    if (len)
        memcpy(ban->login, text, len);
    return 0;
}

/* The jail, and what follows it. */
static int read_jail(const uint8_t *text, size_t len, struct store_ban *ban)
{
    const uint8_t *nul = len ? memchr(text, '\0', len) : NULL;
    size_t jail_len = nul ? (size_t)(nul - text) : len;

    ban->acts = CONFIG_ACTS_ALL;
    if (jail_len >= BANS_JAIL_MAX || (nul && len < jail_len + 2))
        return -1;
    memcpy(ban->jail, text, jail_len);
    if (!nul)
        return 0;
    ban->acts = nul[1];
    if (ban->acts < CONFIG_ACTS_SMTP || ban->acts > CONFIG_ACTS_ALL ||
        read_login(nul + 2, len - jail_len - 2, ban))
        return -1;
    return ban->acts == CONFIG_ACTS_ALL && !*ban->login ? -1 : 0;
}

/* A prefix, or what a jail has in place of one. */
static int read_counter_key(const uint8_t *key, struct prefix *key_r)
{
    if (key[0] != JAIL_KEY_LOGIN && key[0] != JAIL_KEY_CLIENT_LOGIN)
        return read_prefix(key, key_r);
    *key_r = (struct prefix){.addr.family = key[0]};
    memcpy(key_r->addr.bytes, key + 2, sizeof(key_r->addr.bytes));
    return key[1] == 0 ? 0 : -1;
}

int store_record_read(const uint8_t *key, size_t key_len, const uint8_t *value, size_t value_len,
                      struct store_ban *ban_r)
{
    *ban_r = (struct store_ban){0};
    if (key_len != STORE_KEY_LEN || value_len < STORE_VALUE_MIN || value_len > STORE_VALUE_MAX)
        return -1;
    ban_r->until_wall_ms = get_be64(value);
    ban_r->since_wall_ms = get_be64(value + 8);
    if (ban_r->until_wall_ms < 0 || ban_r->since_wall_ms < 0)
        return -1;
    if (read_jail(value + STORE_VALUE_MIN, value_len - STORE_VALUE_MIN, ban_r))
        return -1;
    if (!*ban_r->login)
        return read_prefix(key, &ban_r->prefix);
    if (key[0] != JAIL_KEY_LOGIN)
        return -1;
    return read_counter_key(key, &ban_r->prefix);
}

void store_counter_key(uint64_t jail, const struct prefix *prefix,
                       uint8_t out[STORE_COUNTER_KEY_LEN])
{
    put_be64(out, (int64_t)jail);
    store_record_key(prefix, out + 8);
}

size_t store_counter_value(const struct store_counter *counter, const uint32_t *hashes,
                           uint8_t out[STORE_COUNTER_VALUE_MAX])
{
    put_be64(out, counter->end_wall_ms);
    put_be64(out + 8, counter->start_wall_ms);
    put_be32(out + 16, counter->current);
    put_be32(out + 20, counter->previous);
    put_be32(out + 24, counter->hash_old_count);
    for (size_t i = 0; i < counter->hash_count; i++)
        put_be32(out + STORE_COUNTER_VALUE_MIN + 4 * i, hashes[i]);
    return STORE_COUNTER_VALUE_MIN + 4 * counter->hash_count;
}

static int read_counter_value(const uint8_t *value, size_t len, struct store_counter *counter)
{
    counter->end_wall_ms = get_be64(value);
    counter->start_wall_ms = get_be64(value + 8);
    counter->current = get_be32(value + 16);
    counter->previous = get_be32(value + 20);
    counter->hash_old_count = get_be32(value + 24);
    counter->hash_count = (uint32_t)(len - STORE_COUNTER_VALUE_MIN) / 4;
    if (counter->current > WINDOW_COUNT_MAX || counter->previous > WINDOW_COUNT_MAX)
        return -1;
    if (counter->start_wall_ms < 0 || counter->end_wall_ms < counter->start_wall_ms)
        return -1;
    return counter->hash_old_count <= counter->hash_count ? 0 : -1;
}

int store_counter_read(const uint8_t *key, size_t key_len, const uint8_t *value, size_t value_len,
                       struct store_counter *counter_r, uint32_t hashes_r[STORE_HASHES_MAX])
{
    *counter_r = (struct store_counter){0};
    if (key_len != STORE_COUNTER_KEY_LEN || value_len < STORE_COUNTER_VALUE_MIN ||
        value_len > STORE_COUNTER_VALUE_MAX || value_len % 4)
        return -1;
    counter_r->jail = (uint64_t)get_be64(key);
    if (read_counter_key(key + 8, &counter_r->key) ||
        read_counter_value(value, value_len, counter_r))
        return -1;
    for (size_t i = 0; i < counter_r->hash_count; i++)
        hashes_r[i] = get_be32(value + STORE_COUNTER_VALUE_MIN + 4 * i);
    return 0;
}
