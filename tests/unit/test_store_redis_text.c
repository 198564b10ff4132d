/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/store_redis_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "policyd/jail.h"
#include "policyd/window.h"
#include "tests/unit/unit.h"

#define PREFIX "postern:"

static struct prefix net(const char *text)
{
    struct prefix prefix;

    assert_int_equal(prefix_parse(text, &prefix), 0);
    return prefix;
}

static struct prefix hashed(uint8_t family)
{
    struct prefix key = {.addr.family = family};

    for (uint8_t i = 0; i < 16; i++)
        key.addr.bytes[i] = (uint8_t)(0xf0 + i);
    return key;
}

/* --- keys ---------------------------------------------------------------------------- */

static const struct {
    const char *text;
    const char *net; /* NULL: hashed */
    uint8_t family;
} keys[] = {
    {PREFIX "c:{203.0.113.7}", "203.0.113.7", 0},
    {PREFIX "c:{203.0.113.0/24}", "203.0.113.0/24", 0},
    {PREFIX "c:{2001:db8:1:2::/64}", "2001:db8:1:2::/64", 0},
    {PREFIX "c:{login:f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff}", NULL, JAIL_KEY_LOGIN},
    {PREFIX "c:{client+login:f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff}", NULL, JAIL_KEY_CLIENT_LOGIN},
};

static void a_key_is_read_as_it_was_written(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
        struct prefix key = keys[i].net ? net(keys[i].net) : hashed(keys[i].family), read;
        struct buf out = {0};
        store_redis_put_counter_key(&out, PREFIX, &key);
        assert_string_equal(buf_str(&out), keys[i].text);
        assert_int_equal(store_redis_read_counter_key(buf_str(&out), out.len, PREFIX, &read), 0);
        assert_true(prefix_eq(&key, &read));
        for (size_t len = 0; len < out.len; len++)
            assert_int_equal(store_redis_read_counter_key(buf_str(&out), len, PREFIX, &read), -1);
        buf_fini(&out);
    }
}

static void another_key_is_none(void **state)
{
    static const char *const others[] = {
        "",
        PREFIX,
        PREFIX "c:{}",
        PREFIX "c:{203.0.113.7",
        PREFIX "c:203.0.113.7}",
        PREFIX "b:{203.0.113.7}",
        "other:c:{203.0.113.7}",
        PREFIX "c:{203.0.113.7/24}",
        PREFIX "c:{login:}",
        PREFIX "c:{login:f0f1f2f3f4f5f6f7f8f9fafbfcfdfef}",
        PREFIX "c:{login:f0f1f2f3f4f5f6f7f8f9fafbfcfdfefff}",
        PREFIX "c:{login:F0f1f2f3f4f5f6f7f8f9fafbfcfdfeff}",
        PREFIX "c:{login:f0f1f2f3f4f5f6f7f8f9fafbfcfdfe g}",
    };
    struct prefix read;

    (void)state;
    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
        assert_int_equal(store_redis_read_counter_key(others[i], strlen(others[i]), PREFIX, &read),
                         -1);
    assert_int_equal(store_redis_read_counter_key(PREFIX "c:{1.2.3.4\0}", 21, PREFIX, &read), -1);
}

static void a_pattern_takes_the_prefix_literally(void **state)
{
    struct buf out = {0};

    (void)state;
    store_redis_put_ban_pattern(&out, "a*b[c]\\d?-^:");
    assert_string_equal(buf_str(&out), "a\\*b\\[c\\]\\\\d\\?\\-\\^:b:{*}");
    buf_fini(&out);
}

/* --- bans ------------------------------------------------------------------------------ */

#define SERVER_MS INT64_C(1790000000000)
#define WALL_MS   INT64_C(1789999000000) /* our clock is 1000 s behind */

static int read_ban(const char *text, struct store_ban *ban)
{
    return store_redis_read_ban(text, strlen(text), SERVER_MS, WALL_MS, ban);
}

static void a_ban_is_read_by_our_clock(void **state)
{
    struct store_ban ban;
    struct prefix prefix = net("2001:db8::/64");

    (void)state;
    assert_int_equal(
        read_ban("1789999000123 1790000060000 1789999990000 1 2001:db8::/64 a jail", &ban), 0);
    assert_int_equal(ban.version, 1789999000123);
    assert_int_equal(ban.until_wall_ms, WALL_MS + 60000);
    assert_int_equal(ban.since_wall_ms, WALL_MS - 10000);
    assert_int_equal(ban.acts, CONFIG_ACTS_SMTP);
    assert_false(ban.is_lifted);
    assert_true(prefix_eq(&ban.prefix, &prefix));
    assert_string_equal(ban.jail, "a jail");
}

/* As Redis's clock was set back: since then nobody knows how much of it has passed. */
static void a_ban_that_begins_later_is_no_longer_for_it(void **state)
{
    struct store_ban ban;

    (void)state;
    assert_int_equal(read_ban("5 1790003660000 1790003600000 3 203.0.113.7 jail", &ban), 0);
    assert_int_equal(ban.since_wall_ms, WALL_MS);
    assert_int_equal(ban.until_wall_ms, WALL_MS + 60000);
    assert_int_equal(read_ban("5 1790090000000 1790003600000 0 203.0.113.7 operator", &ban), 0);
    assert_int_equal(ban.since_wall_ms, WALL_MS);
}

static void what_is_lifted_acts_nowhere(void **state)
{
    struct store_ban ban;

    (void)state;
    assert_int_equal(read_ban("5 1790000060000 1789999990000 0 203.0.113.7 operator", &ban), 0);
    assert_true(ban.is_lifted);
    assert_string_equal(ban.jail, "operator");
    assert_int_equal(read_ban("5 1790000060000 1789999990000 0 203.0.113.7 ", &ban), 0);
    assert_string_equal(ban.jail, "");
}

static void a_dated_ban_brings_the_time_along(void **state)
{
    static const char text[] = "1790000000000 5 1790000060000 1789999990000 3 203.0.113.7 x";
    struct store_ban ban;

    (void)state;
    assert_int_equal(store_redis_read_dated_ban(text, strlen(text), WALL_MS, &ban), 0);
    assert_int_equal(ban.until_wall_ms, WALL_MS + 60000);
    for (size_t len = 0; len < strlen(text) - 2; len++)
        assert_int_equal(store_redis_read_dated_ban(text, len, WALL_MS, &ban), -1);
}

static void another_text_is_no_ban(void **state)
{
    static const char *const others[] = {
        "",
        "5",
        "5 6 7 3 203.0.113.7",
        "x 6 7 3 203.0.113.7 jail",
        "-5 6 7 3 203.0.113.7 jail",
        "5 6 7 4 203.0.113.7 jail",
        "5 6 7 3 203.0.113.7/8 jail",
        "5 6 7 3 somebody jail",
        "5  6 7 3 203.0.113.7 jail",
        "99999999999999999999 6 7 3 203.0.113.7 jail",
        "9007199254740993 6 7 3 203.0.113.7 jail",
        "5 6 7 3 203.0.113.7 0123456789012345678901234567890123456789012345678901234567890123",
    };
    struct store_ban ban;

    (void)state;
    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
        assert_int_equal(read_ban(others[i], &ban), -1);
}

/* --- hits ------------------------------------------------------------------------------- */

static void a_jail_is_packed(void **state)
{
    static const struct store_hit_jail jail = {.jail = UINT64_C(0x1122334455667788),
                                               .by = {.findtime_ms = INT64_C(0x010203040506),
                                                      .limit = 0x0a0b0c0d,
                                                      .weight = 0x0102,
                                                      .hash_max = 9,
                                                      .hash = 0xdeadbeef},
                                               .forgets = true,
                                               .tells_others = true};
    static const uint8_t bytes[] = {0x55, 0x66, 0x77, 0x88, 1, 2, 3, 4,    5,    6,    0x0a,
                                    0x0b, 0x0c, 0x0d, 1,    2, 5, 9, 0xde, 0xad, 0xbe, 0xef};
    struct store_hit_jail plain = jail;
    uint8_t out[STORE_REDIS_JAIL_MAX];

    (void)state;
    assert_int_equal(store_redis_write_jail(&jail, out), sizeof(bytes));
    assert_memory_equal(out, bytes, sizeof(bytes));
    plain.by.hash_max = 0;
    plain.begins = true;
    assert_int_equal(store_redis_write_jail(&plain, out), sizeof(bytes) - 4);
    assert_int_equal(out[16], 7);
}

static const char answer[] = "\x02\x00\x00\x00\x07\x00\x00\x00\x00\x01\x00\x00\x00\x00\x03\x00\x00"
                             "\x00\x04";
#define ANSWER_LEN (sizeof(answer) - 1)

static void an_answer_is_read(void **state)
{
    struct store_hit_answer read;

    (void)state;
    assert_int_equal(store_redis_read_answers(answer, ANSWER_LEN, 1, &read), 0);
    assert_int_equal(read.decision, JAIL_REACHED);
    assert_int_equal(read.count, 7);
    assert_int_equal(read.elapsed_ms, 256);
    assert_int_equal(read.current, 3);
    assert_int_equal(read.previous, 4);
}

static void another_answer_is_none(void **state)
{
    struct store_hit_answer read[2];
    char bytes[ANSWER_LEN];

    (void)state;
    for (size_t len = 0; len < ANSWER_LEN; len++)
        assert_int_equal(store_redis_read_answers(answer, len, 1, read), -1);
    assert_int_equal(store_redis_read_answers(answer, ANSWER_LEN, 2, read), -1);
    memcpy(bytes, answer, ANSWER_LEN);
    bytes[0] = 3;
    assert_int_equal(store_redis_read_answers(bytes, ANSWER_LEN, 1, read), -1);
    bytes[0] = 1;
    assert_int_equal(store_redis_read_answers(bytes, ANSWER_LEN, 1, read), 0);
    assert_int_equal(read->decision, JAIL_COUNTED);
    bytes[11] = 1; /* more than a bucket ever has */
    assert_int_equal(store_redis_read_answers(bytes, ANSWER_LEN, 1, read), -1);
}

static void a_window_is_read(void **state)
{
    static const char text[] = "\x55\x66\x77\x88\x00\x00\x00\x00\x01\x00\x00\x00\x00\x03\x00\x00"
                               "\x00\x04" PREFIX "c:{203.0.113.7}";
    struct prefix prefix = net("203.0.113.7");
    struct store_window window;

    (void)state;
    assert_int_equal(store_redis_read_window(text, sizeof(text) - 1, PREFIX, &window), 0);
    assert_int_equal(window.jail, 0x55667788);
    assert_int_equal(window.elapsed_ms, 256);
    assert_int_equal(window.current, 3);
    assert_int_equal(window.previous, 4);
    assert_true(prefix_eq(&window.key, &prefix));
    for (size_t len = 0; len < sizeof(text) - 1; len++)
        assert_int_equal(store_redis_read_window(text, len, PREFIX, &window), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_is_read_as_it_was_written),
        cmocka_unit_test(another_key_is_none),
        cmocka_unit_test(a_pattern_takes_the_prefix_literally),
        cmocka_unit_test(a_ban_is_read_by_our_clock),
        cmocka_unit_test(a_ban_that_begins_later_is_no_longer_for_it),
        cmocka_unit_test(what_is_lifted_acts_nowhere),
        cmocka_unit_test(a_dated_ban_brings_the_time_along),
        cmocka_unit_test(another_text_is_no_ban),
        cmocka_unit_test(a_jail_is_packed),
        cmocka_unit_test(an_answer_is_read),
        cmocka_unit_test(another_answer_is_none),
        cmocka_unit_test(a_window_is_read),
    };

    return cmocka_run_group_tests_name("store_redis_text", tests, NULL, NULL);
}
