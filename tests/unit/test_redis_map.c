/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/redis_map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <hiredis/hiredis.h>

#include "tests/unit/unit.h"

/* A reply from its bytes, as they come over the wire. */
static void *reply_of(const char *wire)
{
    redisReader *reader = redisReaderCreate();
    void *reply = NULL;

    assert_int_equal(redisReaderFeed(reader, wire, strlen(wire)), REDIS_OK);
    assert_int_equal(redisReaderGetReply(reader, &reply), REDIS_OK);
    assert_non_null(reply);
    redisReaderFree(reader);
    return reply;
}

static void test_slot(void **state)
{
    static const struct {
        const char *key;
        unsigned slot;
    } cases[] = {
        {"123456789", 0x31c3}, /* of the specification */
        {"", 0},
        {"foo", 12182},
        {"{foo}", 12182},
        {"a{foo}b", 12182},
        {"{foo}{bar}", 12182},
        {"postern:{foo}", 12182},
        {"foo{}{bar}", 8363},
        {"foo{{bar}}zap", 4015},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        CASE(cases[i].key, redis_map_slot(cases[i].key, strlen(cases[i].key)) == cases[i].slot);
}

static void test_sentinel(void **state)
{
    static const struct {
        const char *wire, *address; /* NULL: it is none */
    } cases[] = {
        {"*2\r\n$9\r\n127.0.0.1\r\n$4\r\n6379\r\n", "127.0.0.1:6379"},
        {"*2\r\n$3\r\n::1\r\n$1\r\n1\r\n", "[::1]:1"},
        {"*2\r\n$4\r\nhost\r\n$5\r\n65535\r\n", "host:65535"},
        {"*-1\r\n", NULL},
        {"$-1\r\n", NULL},
        {":1\r\n", NULL},
        {"+OK\r\n", NULL},
        {"-ERR no\r\n", NULL},
        {"*0\r\n", NULL},
        {"*1\r\n$4\r\nhost\r\n", NULL},
        {"*3\r\n$4\r\nhost\r\n$1\r\n1\r\n$1\r\n1\r\n", NULL},
        {"*2\r\n$0\r\n\r\n$1\r\n1\r\n", NULL},
        {"*2\r\n$4\r\nhost\r\n$5\r\n65536\r\n", NULL},
        {"*2\r\n$4\r\nhost\r\n$1\r\n0\r\n", NULL},
        {"*2\r\n$4\r\nhost\r\n$2\r\n1x\r\n", NULL},
        {"*2\r\n$4\r\nhost\r\n:1\r\n", NULL},
        {"*2\r\n$4\r\nho t\r\n$1\r\n1\r\n", NULL},
        {"*2\r\n$5\r\n/sock\r\n$1\r\n1\r\n", NULL},
        {"*2\r\n*0\r\n*0\r\n", NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct redis_map *map = redis_map_new();
        void *reply = reply_of(cases[i].wire);
        int result = redis_map_read_sentinel(map, reply);

        CASE(cases[i].wire, (result == 0) == (cases[i].address != NULL));
        CASE(cases[i].wire, map->masters.count == (result == 0 ? 1 : 0));
        if (result == 0)
            assert_string_equal(map->masters.items[0], cases[i].address);
        freeReplyObject(reply);
        redis_map_free(&map);
    }
}

static void test_cluster(void **state)
{
    static const char wire[] = "*6\r\n"
                               "*4\r\n:0\r\n:5000\r\n"
                               "*3\r\n$9\r\n192.0.2.1\r\n:7000\r\n$2\r\nid\r\n"
                               "*3\r\n$9\r\n192.0.2.9\r\n:7009\r\n$2\r\nid\r\n"
                               "*3\r\n:5001\r\n:5001\r\n*2\r\n$3\r\n::1\r\n:7001\r\n"
                               "*3\r\n:5002\r\n:16383\r\n*2\r\n$0\r\n\r\n:7002\r\n"
                               "*3\r\n:6000\r\n:6000\r\n*2\r\n$9\r\n192.0.2.1\r\n:7000\r\n"
                               "*3\r\n:7000\r\n:7000\r\n*2\r\n$-1\r\n:7003\r\n"
                               "*3\r\n:8000\r\n:8000\r\n*2\r\n$1\r\n?\r\n:7003\r\n";
    struct redis_map *map = redis_map_new();
    void *reply = reply_of(wire);

    (void)state;
    assert_int_equal(redis_map_read_cluster(map, reply, "[2001:db8::1]:6379"), 0);
    assert_int_equal(map->masters.count, 4);
    assert_string_equal(map->masters.items[0], "192.0.2.1:7000");
    assert_string_equal(map->masters.items[1], "[::1]:7001");
    assert_string_equal(map->masters.items[2], "[2001:db8::1]:7002");
    assert_string_equal(map->masters.items[3], "[2001:db8::1]:7003");
    assert_int_equal(map->slots[0], 0);
    assert_int_equal(map->slots[5000], 0);
    assert_int_equal(map->slots[5001], 1);
    assert_int_equal(map->slots[5002], 2);
    assert_int_equal(map->slots[6000], 0);
    assert_int_equal(map->slots[7000], 3);
    assert_int_equal(map->slots[8000], 2);
    assert_int_equal(map->slots[16383], 2);
    freeReplyObject(reply);
    redis_map_free(&map);
}

static void test_cluster_nonsense(void **state)
{
    static const char *const wires[] = {
        "*0\r\n",
        ":1\r\n",
        "-ERR This instance has cluster support disabled\r\n",
        "*1\r\n:1\r\n",
        "*1\r\n*0\r\n",
        "*1\r\n*2\r\n:0\r\n:1\r\n",
        "*1\r\n*3\r\n:0\r\n:16384\r\n*2\r\n$1\r\na\r\n:1\r\n",
        "*1\r\n*3\r\n:-1\r\n:1\r\n*2\r\n$1\r\na\r\n:1\r\n",
        "*1\r\n*3\r\n:2\r\n:1\r\n*2\r\n$1\r\na\r\n:1\r\n",
        "*1\r\n*3\r\n:0\r\n:1\r\n*2\r\n$1\r\na\r\n:0\r\n",
        "*1\r\n*3\r\n:0\r\n:1\r\n*2\r\n$1\r\na\r\n:65536\r\n",
        "*1\r\n*3\r\n:0\r\n:1\r\n*2\r\n$1\r\na\r\n:-1\r\n",
        "*1\r\n*3\r\n:0\r\n:1\r\n*2\r\n$1\r\na\r\n$1\r\n1\r\n",
        "*1\r\n*3\r\n:0\r\n:1\r\n*1\r\n$1\r\na\r\n",
        "*1\r\n*3\r\n:0\r\n:1\r\n$1\r\na\r\n",
        "*1\r\n*3\r\n:0\r\n:1\r\n*2\r\n$3\r\na\rb\r\n:1\r\n",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(wires); i++) {
        struct redis_map *map = redis_map_new();
        void *reply = reply_of(wires[i]);

        CASE(wires[i], redis_map_read_cluster(map, reply, "h:1") == -1);
        CASE(wires[i], map->masters.count == 0);
        CASE(wires[i], map->slots[0] == REDIS_NOBODY);
        freeReplyObject(reply);
        redis_map_free(&map);
    }
}

static void test_too_many(void **state)
{
    struct redis_map *map = redis_map_new();
    char wire[128];

    (void)state;
    for (unsigned i = 0; i <= REDIS_NODES_MAX; i++) {
        snprintf(wire, sizeof(wire), "*1\r\n*3\r\n:%u\r\n:%u\r\n*2\r\n$1\r\na\r\n:%u\r\n", i, i,
                 i + 1);
        void *reply = reply_of(wire);
        assert_int_equal(redis_map_read_cluster(map, reply, "h:1"), 0);
        freeReplyObject(reply);
    }
    assert_int_equal(map->masters.count, REDIS_NODES_MAX);
    assert_int_equal(map->slots[REDIS_NODES_MAX - 1], REDIS_NODES_MAX - 1);
    assert_int_equal(map->slots[REDIS_NODES_MAX], REDIS_NOBODY);
    redis_map_free(&map);
}

static void test_redirect(void **state)
{
    static const struct {
        const char *wire;
        unsigned slot;
        const char *address; /* NULL: it is none */
    } cases[] = {
        {"-MOVED 3999 127.0.0.1:6381\r\n", 3999, "127.0.0.1:6381"},
        {"-ASK 16383 host:1\r\n", 16383, "host:1"},
        {"-MOVED 0 ::1:6381\r\n", 0, "[::1]:6381"},
        {"-MOVED 1 :6381\r\n", 1, "[2001:db8::1]:6381"},
        {"-MOVED\r\n", 0, NULL},
        {"-MOVED 1\r\n", 0, NULL},
        {"-MOVED 16384 h:1\r\n", 0, NULL},
        {"-MOVED -1 h:1\r\n", 0, NULL},
        {"-MOVED 1 h\r\n", 0, NULL},
        {"-MOVED 1 h:\r\n", 0, NULL},
        {"-MOVED 1 h:0\r\n", 0, NULL},
        {"-MOVED 1 /h:1\r\n", 0, NULL},
        {"-MOVED 1 ?:1\r\n", 0, NULL},
        {":1\r\n", 0, NULL},
        {"*-1\r\n", 0, NULL},
    };
    char address[REDIS_ADDRESS_MAX];
    unsigned slot;

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        void *reply = reply_of(cases[i].wire);
        int result = redis_map_read_redirect(reply, "[2001:db8::1]:6379", &slot, address);

        CASE(cases[i].wire, (result == 0) == (cases[i].address != NULL));
        if (result == 0) {
            assert_int_equal(slot, cases[i].slot);
            assert_string_equal(address, cases[i].address);
        }
        freeReplyObject(reply);
    }
}

/* Each accessor on each kind, and on nothing. */
static void test_values(void **state)
{
    static const struct {
        const char *wire;
        enum redis_kind kind;
        int64_t integer;
        size_t count;
        const char *text;
    } cases[] = {
        {"$-1\r\n", REDIS_NIL, 0, 0, NULL},
        {"*-1\r\n", REDIS_NIL, 0, 0, NULL},
        {":-7\r\n", REDIS_INTEGER, -7, 0, NULL},
        {"$2\r\n17\r\n", REDIS_STRING, 0, 0, "17"},
        {"$0\r\n\r\n", REDIS_STRING, 0, 0, ""},
        {"+OK\r\n", REDIS_STRING, 0, 0, "OK"},
        {"-NOSCRIPT No\r\n", REDIS_ERROR, 0, 0, "NOSCRIPT No"},
        {"*0\r\n", REDIS_ARRAY, 0, 0, NULL},
        {"*2\r\n:1\r\n*1\r\n:2\r\n", REDIS_ARRAY, 0, 2, NULL},
    };
    size_t len;

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        void *reply = reply_of(cases[i].wire);
        const char *text = redis_string(reply, &len);

        CASE(cases[i].wire, redis_kind(reply) == cases[i].kind);
        CASE(cases[i].wire, redis_integer(reply) == cases[i].integer);
        CASE(cases[i].wire, redis_count(reply) == cases[i].count);
        CASE(cases[i].wire, redis_item(reply, cases[i].count) == NULL);
        CASE(cases[i].wire, (text == NULL) == (cases[i].text == NULL));
        CASE(cases[i].wire, len == (cases[i].text ? strlen(cases[i].text) : 0));
        if (text)
            assert_string_equal(text, cases[i].text);
        freeReplyObject(reply);
    }
    assert_int_equal(redis_kind(NULL), REDIS_NIL);
    assert_int_equal(redis_integer(NULL), 0);
    assert_int_equal(redis_count(NULL), 0);
    assert_null(redis_item(NULL, 0));
    assert_null(redis_string(NULL, &len));
    assert_int_equal(len, 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slot),     cmocka_unit_test(test_sentinel),
        cmocka_unit_test(test_cluster),  cmocka_unit_test(test_cluster_nonsense),
        cmocka_unit_test(test_too_many), cmocka_unit_test(test_redirect),
        cmocka_unit_test(test_values),
    };

    return cmocka_run_group_tests_name("redis map", tests, NULL, NULL);
}
