/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/base/map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/unit.h"

#define NODES 2000

struct thing {
    struct map_node in_map;
    unsigned seen;
    char key[16];
};

static bool thing_eq(const struct map_node *node, const void *key, size_t key_len)
{
    const struct thing *thing = MAP_ENTRY(node, struct thing, in_map);
    return strlen(thing->key) == key_len && memcmp(thing->key, key, key_len) == 0;
}

static struct thing things[NODES];

static void fill(struct map *map)
{
    memset(things, 0, sizeof(things));
    map_init(map, thing_eq);
    for (unsigned i = 0; i < NODES; i++) {
        snprintf(things[i].key, sizeof(things[i].key), "key-%u", i);
        map_insert(map, &things[i].in_map, things[i].key, strlen(things[i].key));
    }
}

static void test_empty(void **state)
{
    (void)state;
    struct map map;

    map_init(&map, thing_eq);
    assert_null(map_find(&map, "x", 1));
    assert_null(map_next(&map, NULL));
    map_fini(&map);
}

static void test_find(void **state)
{
    (void)state;
    struct map map;

    fill(&map);
    assert_int_equal(map.count, NODES);
    for (unsigned i = 0; i < NODES; i++)
        assert_ptr_equal(map_find(&map, things[i].key, strlen(things[i].key)), &things[i].in_map);
    assert_null(map_find(&map, "key-", 4));
    assert_null(map_find(&map, "key-2000", 8));
    assert_null(map_find(&map, "", 0));
    map_fini(&map);
    assert_null(map_find(&map, "key-1", 5));
}

static void test_remove(void **state)
{
    (void)state;
    struct map map;

    fill(&map);
    for (unsigned i = 0; i < NODES; i += 2)
        map_remove(&map, &things[i].in_map);
    assert_int_equal(map.count, NODES / 2);
    for (unsigned i = 0; i < NODES; i++) {
        struct map_node *found = map_find(&map, things[i].key, strlen(things[i].key));
        assert_ptr_equal(found, i % 2 ? &things[i].in_map : NULL);
    }
    for (unsigned i = 1; i < NODES; i += 2)
        map_remove(&map, &things[i].in_map);
    assert_int_equal(map.count, 0);
    assert_null(map_next(&map, NULL));
    map_insert(&map, &things[7].in_map, "key-7", 5);
    assert_ptr_equal(map_find(&map, "key-7", 5), &things[7].in_map);
    map_fini(&map);
}

static void test_walk(void **state)
{
    (void)state;
    struct map map;
    size_t count = 0;

    fill(&map);
    for (struct map_node *node = map_next(&map, NULL); node; node = map_next(&map, node)) {
        MAP_ENTRY(node, struct thing, in_map)->seen++;
        count++;
    }
    assert_int_equal(count, NODES);
    for (unsigned i = 0; i < NODES; i++)
        assert_int_equal(things[i].seen, 1);
    map_fini(&map);
}

/* The next one is fetched before the last one goes, as the header asks. */
static void test_walk_and_remove(void **state)
{
    (void)state;
    struct map map;

    fill(&map);
    for (struct map_node *node = map_next(&map, NULL), *next; node; node = next) {
        struct thing *thing = MAP_ENTRY(node, struct thing, in_map);
        next = map_next(&map, node);
        thing->seen++;
        map_remove(&map, node);
        memset(&thing->in_map, 0xee, sizeof(thing->in_map));
    }
    assert_int_equal(map.count, 0);
    for (unsigned i = 0; i < NODES; i++)
        assert_int_equal(things[i].seen, 1);
    map_fini(&map);
}

static void check_all(const struct map *map, unsigned count)
{
    size_t walked = 0;

    for (struct map_node *node = map_next(map, NULL); node; node = map_next(map, node))
        walked++;
    assert_int_equal(walked, count);
    assert_int_equal(map->count, count);
    for (unsigned i = 0; i < NODES; i++) {
        struct map_node *found = map_find(map, things[i].key, strlen(things[i].key));
        assert_ptr_equal(found, i < count ? &things[i].in_map : NULL);
    }
}

/* At each size, and so at each point of each growth, everything is found and walked once. */
static void test_growth(void **state)
{
    (void)state;
    struct map map;
    bool grew = false;

    fill(&map);
    for (unsigned i = NODES; i-- > 0;)
        map_remove(&map, &things[i].in_map);
    map_fini(&map);
    for (unsigned i = 0; i < 300; i++) {
        map_insert(&map, &things[i].in_map, things[i].key, strlen(things[i].key));
        check_all(&map, i + 1);
        grew = grew || map.old_count;
        /* One that goes and comes again in the middle of it. */
        map_remove(&map, &things[i].in_map);
        check_all(&map, i);
        map_insert(&map, &things[i].in_map, things[i].key, strlen(things[i].key));
    }
    assert_true(grew);
    check_all(&map, 300);
    map_fini(&map);
}

/* Every byte and the length count: no two of these may share a hash. */
static void test_hash(void **state)
{
    (void)state;
    uint64_t hashes[200];
    static const uint8_t zeroes[64];
    size_t n = 0;

    for (size_t len = 0; len <= sizeof(zeroes); len++)
        hashes[n++] = map_hash(zeroes, len);
    for (size_t at = 0; at < sizeof(zeroes); at++) {
        uint8_t bytes[sizeof(zeroes)] = {0};
        bytes[at] = 1;
        hashes[n++] = map_hash(bytes, sizeof(bytes));
    }
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < i; k++)
            assert_true(hashes[i] != hashes[k]);
    }
    assert_true(map_hash("abc", 3) == map_hash("abcd", 3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),  cmocka_unit_test(test_find),
        cmocka_unit_test(test_remove), cmocka_unit_test(test_walk),
        cmocka_unit_test(test_hash),   cmocka_unit_test(test_walk_and_remove),
        cmocka_unit_test(test_growth),
    };
    return cmocka_run_group_tests_name("map", tests, NULL, NULL);
}
