/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/base/bug.h"
#include "policyd/redis_greeting.h"
#include "policyd/redis_map.h"
#include "policyd/redis_reader.h"
#include "tests/fuzz/fuzz.h"

#define DEPTH_MAX 16

/* Each accessor on it and on all that is in it. */
static size_t walk(const struct redis_value *value, unsigned depth)
{
    size_t len, sum = 0;
    const char *text = redis_string(value, &len);

    BUG_ON((text == NULL) !=
           (redis_kind(value) != REDIS_STRING && redis_kind(value) != REDIS_ERROR));
    BUG_ON(text && text[len] != '\0');
    BUG_ON(depth > DEPTH_MAX || redis_item(value, redis_count(value)));
    for (size_t i = 0; i < redis_count(value); i++)
        sum += 1 + walk(redis_item(value, i), depth + 1);
    (void)redis_integer(value);
    return sum;
}

static void read_map(const struct redis_value *value)
{
    struct redis_map *cluster = redis_map_new(), *sentinel = redis_map_new();
    char address[REDIS_ADDRESS_MAX];
    unsigned slot;

    if (redis_map_read_cluster(cluster, value, "[::1]:6379") == 0)
        BUG_ON(cluster->masters.count == 0 || cluster->masters.count > REDIS_NODES_MAX);
    for (size_t i = 0; i < REDIS_SLOTS; i++)
        BUG_ON(cluster->slots[i] != REDIS_NOBODY && cluster->slots[i] >= cluster->masters.count);
    if (redis_map_read_sentinel(sentinel, value) == 0)
        BUG_ON(sentinel->masters.count != 1);
    if (redis_map_read_redirect(value, "h:1", &slot, address) == 0)
        BUG_ON(slot >= REDIS_SLOTS || address[0] == '\0');
    redis_map_free(&sentinel);
    redis_map_free(&cluster);
}

static void greet(const struct redis_value *value)
{
    const struct redis_login login = {.needs = "it", .role = REDIS_ROLE_MASTER};
    char why[64];

    for (enum redis_step step = 0; step < REDIS_STEP_COUNT; step++) {
        why[0] = '\0';
        if (redis_greeting_check(&login, step, value, why, sizeof(why)) != 0)
            BUG_ON(why[0] == '\0');
    }
}

/* What comes from a server, in two parts: split where the first byte says. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct redis_reader *reader = redis_reader_new();
    size_t first = len > 0 ? 1 + bytes[0] % len : 0;
    const struct redis_value *value;

    for (unsigned part = 0; part < 2 && len > 0; part++) {
        size_t from = part == 0 ? 1 : first, to = part == 0 ? first : len;
        redis_reader_feed(reader, (const char *)bytes + from, to - from);
        while (redis_reader_next(reader, &value) == 0 && value) {
            BUG_ON(walk(value, 0) > REDIS_ITEMS_MAX);
            read_map(value);
            greet(value);
        }
    }
    redis_reader_free(&reader);
    return 0;
}
