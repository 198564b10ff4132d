/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/store_record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/unit.h"

static struct store_ban ban_of(const char *prefix, const char *jail)
{
    struct store_ban ban = {.since_wall_ms = 1, .until_wall_ms = INT64_C(0x0102030405060708)};

    assert_int_equal(prefix_parse(prefix, &ban.prefix), 0);
    memcpy(ban.jail, jail, strlen(jail));
    return ban;
}

/* Format 1 never changes: what an old daemon wrote, a new one reads. */
static void the_bytes_are_these(void **state)
{
    static const uint8_t wanted_key[STORE_KEY_LEN] = {6, 64, 0x20, 0x01, 0x0d, 0xb8, 0, 1, 0, 2};
    static const char wanted_value[] = "\1\2\3\4\5\6\7\10\0\0\0\0\0\0\0\1logins";
    struct store_ban ban = ban_of("2001:db8:1:2::/64", "logins");
    uint8_t key[STORE_KEY_LEN], value[STORE_VALUE_MAX];

    (void)state;
    store_record_key(&ban.prefix, key);
    assert_memory_equal(key, wanted_key, sizeof(key));
    assert_int_equal(store_record_value(&ban, value), sizeof(wanted_value) - 1);
    assert_memory_equal(value, wanted_value, sizeof(wanted_value) - 1);
}

static void what_was_written_reads_the_same(void **state)
{
    static const char *const prefixes[] = {"203.0.113.7", "203.0.113.0/24", "0.0.0.0/0", "::/0",
                                           "2001:db8::1"};
    static const char *const jails[] = {
        "", "logins", "123456789012345678901234567890123456789012345678901234567890123"};
    uint8_t key[STORE_KEY_LEN], value[STORE_VALUE_MAX];

    (void)state;
    for (size_t i = 0; i < COUNT(prefixes) * COUNT(jails); i++) {
        struct store_ban ban = ban_of(prefixes[i % COUNT(prefixes)], jails[i / COUNT(prefixes)]);
        struct store_ban again;
        store_record_key(&ban.prefix, key);
        size_t len = store_record_value(&ban, value);
        assert_int_equal(store_record_read(key, sizeof(key), value, len, &again), 0);
        assert_true(prefix_eq(&again.prefix, &ban.prefix));
        assert_memory_equal(again.jail, ban.jail, sizeof(ban.jail));
        assert_int_equal(again.until_wall_ms, ban.until_wall_ms);
        assert_int_equal(again.since_wall_ms, ban.since_wall_ms);
    }
}

static void other_bytes_are_refused(void **state)
{
    static const uint8_t good_key[STORE_KEY_LEN] = {4, 24, 203, 0, 113};
    static const struct {
        const char *name;
        size_t at;
        uint8_t byte;
    } keys[] = {
        {"family", 0, 5},         {"no family", 0, 0}, {"host bits", 5, 1},
        {"too many bits", 1, 33}, {"rest", 17, 1},
    };
    uint8_t value[STORE_VALUE_MAX + 1] = {0};
    struct store_ban ban;

    (void)state;
    for (size_t i = 0; i < COUNT(keys); i++) {
        uint8_t key[STORE_KEY_LEN];
        memcpy(key, good_key, sizeof(key));
        key[keys[i].at] = keys[i].byte;
        CASE(keys[i].name, store_record_read(key, sizeof(key), value, STORE_VALUE_MIN, &ban) == -1);
    }
    assert_int_equal(store_record_read(good_key, STORE_KEY_LEN, value, STORE_VALUE_MIN, &ban), 0);
    for (size_t len = 0; len < STORE_KEY_LEN; len++)
        assert_int_equal(store_record_read(good_key, len, value, STORE_VALUE_MIN, &ban), -1);
    for (size_t len = 0; len < STORE_VALUE_MIN; len++)
        assert_int_equal(store_record_read(good_key, STORE_KEY_LEN, value, len, &ban), -1);
    memset(value + STORE_VALUE_MIN, 'j', BANS_JAIL_MAX);
    assert_int_equal(store_record_read(good_key, STORE_KEY_LEN, value, STORE_VALUE_MAX, &ban), 0);
    assert_int_equal(store_record_read(good_key, STORE_KEY_LEN, value, STORE_VALUE_MAX + 1, &ban),
                     -1);
    value[STORE_VALUE_MIN + 3] = '\0';
    assert_int_equal(store_record_read(good_key, STORE_KEY_LEN, value, STORE_VALUE_MAX, &ban), -1);
    value[0] = 0x80;
    assert_int_equal(store_record_read(good_key, STORE_KEY_LEN, value, STORE_VALUE_MIN, &ban), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_bytes_are_these),
        cmocka_unit_test(what_was_written_reads_the_same),
        cmocka_unit_test(other_bytes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
