/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/redis_map.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/str.h"

#define HOST_MAX      253
#define REDIRECT_MAX  512
#define CRC16_DIVISOR 0x1021u /* CRC-16/XMODEM */

struct redis_map *redis_map_new(void)
{
    struct redis_map *map = x_calloc(1, sizeof(*map));

    for (size_t i = 0; i < REDIS_SLOTS; i++)
        map->slots[i] = REDIS_NOBODY;
    return map;
}

void redis_map_free(struct redis_map **map)
{
    for (size_t i = 0; i < (*map)->masters.count; i++)
        free((*map)->masters.items[i]);
    free((*map)->masters.items);
    free(*map);
    *map = NULL;
}

static bool is_host(const char *host, size_t len)
{
    if (len == 0 || len > HOST_MAX)
        return false;
    for (size_t i = 0; i < len; i++)
        if (host[i] <= ' ' || host[i] > '~' || strchr("/[]\"?", host[i]))
            return false;
    return true;
}

/* Without a host it is the one that was asked. */
static int make_address(const char *host, size_t len, uint64_t port, const char *asked,
                        char address_r[REDIS_ADDRESS_MAX])
{
    const char *colon = asked ? strrchr(asked, ':') : NULL;

    if (port == 0 || port > UINT16_MAX)
        return -1;
    if (len == 0 && colon) {
        snprintf(address_r, REDIS_ADDRESS_MAX, "%.*s:%u", (int)(colon - asked), asked,
                 (unsigned)port);
        return 0;
    }
    if (!is_host(host, len))
        return -1;
    snprintf(address_r, REDIS_ADDRESS_MAX, memchr(host, ':', len) ? "[%.*s]:%u" : "%.*s:%u",
             (int)len, host, (unsigned)port);
    return 0;
}

/* REDIS_NOBODY: there are too many. */
static uint16_t add_master(struct redis_map *map, const char *address)
{
    struct config_strings *masters = &map->masters;

    for (size_t i = 0; i < masters->count; i++)
        if (str_eq(masters->items[i], address))
            return (uint16_t)i;
    if (masters->count == REDIS_NODES_MAX)
        return REDIS_NOBODY;
    masters->items = x_reallocarray(masters->items, masters->count + 1, sizeof(masters->items[0]));
    masters->items[masters->count] = x_strdup(address);
    return (uint16_t)masters->count++;
}

int redis_map_read_sentinel(struct redis_map *map, const struct redis_value *value)
{
    size_t host_len, port_len;
    const char *host = redis_string(redis_item(value, 0), &host_len);
    const char *port_text = redis_string(redis_item(value, 1), &port_len);
    char address[REDIS_ADDRESS_MAX];
    uint64_t port;

    if (redis_count(value) != 2 || !host || !port_text || strlen(port_text) != port_len ||
        str_parse_u64(port_text, 1, UINT16_MAX, &port) != 0 ||
        make_address(host, host_len, port, NULL, address) != 0)
        return -1;
    add_master(map, address);
    return 0;
}

/* [from, to, [host, port, …], replicas…] */
static void read_range(struct redis_map *map, const struct redis_value *range, const char *asked)
{
    int64_t from = redis_integer(redis_item(range, 0)), to = redis_integer(redis_item(range, 1));
    const struct redis_value *master = redis_item(range, 2);
    int64_t port = redis_integer(redis_item(master, 1));
    char address[REDIS_ADDRESS_MAX];
    size_t len;
    const char *host = redis_string(redis_item(master, 0), &len);

    if (from < 0 || from > to || to >= REDIS_SLOTS || redis_count(master) < 2 ||
        make_address(host, len, (uint64_t)port, asked, address) != 0)
        return;
    uint16_t node = add_master(map, address);
    for (int64_t slot = from; slot <= to; slot++)
        map->slots[slot] = node;
}

int redis_map_read_cluster(struct redis_map *map, const struct redis_value *value,
                           const char *asked)
{
    for (size_t i = 0; i < redis_count(value) && i < REDIS_SLOTS; i++)
        read_range(map, redis_item(value, i), asked);
    return map->masters.count > 0 ? 0 : -1;
}

int redis_map_read_redirect(const struct redis_value *value, const char *asked, unsigned *slot_r,
                            char address_r[REDIS_ADDRESS_MAX])
{
    size_t len;
    const char *bytes = redis_string(value, &len);
    char *text = bytes ? str_take((const uint8_t *)bytes, len, REDIRECT_MAX) : NULL;
    char *rest = text, *number, *host, *port_text;
    uint64_t slot, port;
    int result = -1;

    (void)strsep(&rest, " ");
    number = strsep(&rest, " ");
    host = strsep(&rest, " ");
    port_text = host ? strrchr(host, ':') : NULL;
    if (number && port_text && str_parse_u64(number, 0, REDIS_SLOTS - 1, &slot) == 0 &&
        str_parse_u64(port_text + 1, 1, UINT16_MAX, &port) == 0) {
        *slot_r = (unsigned)slot;
        result = make_address(host, (size_t)(port_text - host), port, asked, address_r);
    }
    free(text);
    return result;
}

static unsigned crc16(const char *bytes, size_t len)
{
    unsigned crc = 0;

    for (size_t i = 0; i < len; i++) {
        crc ^= (unsigned)(unsigned char)bytes[i] << 8;
        for (int bit = 0; bit < 8; bit++)
            crc = ((crc << 1) ^ (crc & 0x8000u ? CRC16_DIVISOR : 0)) & 0xffffu;
    }
    return crc;
}

unsigned redis_map_slot(const char *key, size_t len)
{
    const char *open = memchr(key, '{', len);
    const char *close = open ? memchr(open, '}', len - (size_t)(open - key)) : NULL;

    if (close && close > open + 1) {
        key = open + 1;
        len = (size_t)(close - key);
    }
    return crc16(key, len) % REDIS_SLOTS;
}
