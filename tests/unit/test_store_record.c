/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/store_record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#include <cmocka.h>

#include "policyd/window.h"
#include "policyd/jail.h"
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

static void where_a_ban_acts_is_behind_a_nul(void **state)
{
    static const uint8_t key[STORE_KEY_LEN] = {4, 24, 203, 0, 113};
    static const struct {
        const char *tail;
        size_t len;
        unsigned acts; /* 0: refused */
    } cases[] = {
        {"mail", 4, CONFIG_ACTS_ALL},
        {"mail\0\1", 6, CONFIG_ACTS_SMTP},
        {"mail\0\2", 6, CONFIG_ACTS_AUTH},
        {"\0\2", 2, CONFIG_ACTS_AUTH},
        {"mail\0", 5, 0},
        {"mail\0\3", 6, 0},
        {"mail\0\0", 6, 0},
        {"mail\0\1\1", 7, 0},
        {"mail\0\4", 6, 0},
    };
    uint8_t value[STORE_VALUE_MAX] = {0};
    struct store_ban ban;

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        memcpy(value + STORE_VALUE_MIN, cases[i].tail, cases[i].len);
        int rc = store_record_read(key, sizeof(key), value, STORE_VALUE_MIN + cases[i].len, &ban);
        if (rc != (cases[i].acts ? 0 : -1) || (rc == 0 && ban.acts != cases[i].acts))
            fail_msg("case %zu", i);
        if (rc)
            continue;
        uint8_t again[STORE_VALUE_MAX];
        assert_int_equal(store_record_value(&ban, again), STORE_VALUE_MIN + cases[i].len);
        assert_memory_equal(again, value, STORE_VALUE_MIN + cases[i].len);
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
    memset(value + STORE_VALUE_MIN, 'j', BANS_JAIL_MAX + 2);
    assert_int_equal(store_record_read(good_key, STORE_KEY_LEN, value, STORE_VALUE_MAX, &ban), -1);
    assert_int_equal(store_record_read(good_key, STORE_KEY_LEN, value,
                                       STORE_VALUE_MIN + BANS_JAIL_MAX - 1, &ban),
                     0);
    assert_int_equal(store_record_read(good_key, STORE_KEY_LEN, value, STORE_VALUE_MAX + 1, &ban),
                     -1);
    value[STORE_VALUE_MIN + 3] = '\0';
    assert_int_equal(store_record_read(good_key, STORE_KEY_LEN, value, STORE_VALUE_MAX, &ban), -1);
    value[0] = 0x80;
    assert_int_equal(store_record_read(good_key, STORE_KEY_LEN, value, STORE_VALUE_MIN, &ban), -1);
}

/* --- counters ------------------------------------------------------------------------ */

static const uint32_t some_hashes[] = {0x01020304, 0, UINT32_MAX};

static struct store_counter counter_of(uint32_t hash_count)
{
    struct store_counter counter = {
        .jail = UINT64_C(0xf102030405060708),
        .start_wall_ms = 1,
        .end_wall_ms = INT64_C(0x0102030405060708),
        .current = 3,
        .previous = WINDOW_COUNT_MAX,
        .hash_count = hash_count,
        .hash_old_count = hash_count / 2,
    };
    assert_int_equal(prefix_parse("203.0.113.0/24", &counter.key), 0);
    return counter;
}

static void the_bytes_of_a_counter_are_these(void **state)
{
    static const uint8_t wanted_key[STORE_COUNTER_KEY_LEN] = {0xf1, 2, 3,  4,   5, 6,  7,
                                                              8,    4, 24, 203, 0, 113};
    static const char wanted_value[] = "\1\2\3\4\5\6\7\10\0\0\0\0\0\0\0\1\0\0\0\3\0\x10\0\0"
                                       "\0\0\0\1\1\2\3\4\0\0\0\0\377\377\377\377";
    struct store_counter counter = counter_of(3);
    uint8_t key[STORE_COUNTER_KEY_LEN], value[STORE_COUNTER_VALUE_MAX];

    (void)state;
    store_counter_key(counter.jail, &counter.key, key);
    assert_memory_equal(key, wanted_key, sizeof(key));
    assert_int_equal(store_counter_value(&counter, some_hashes, value), sizeof(wanted_value) - 1);
    assert_memory_equal(value, wanted_value, sizeof(wanted_value) - 1);
}

static void a_counter_reads_the_same(void **state)
{
    uint8_t key[STORE_COUNTER_KEY_LEN], value[STORE_COUNTER_VALUE_MAX];
    uint32_t hashes[STORE_HASHES_MAX];

    (void)state;
    for (uint32_t count = 0; count <= COUNT(some_hashes); count++) {
        struct store_counter counter = counter_of(count), again;
        store_counter_key(counter.jail, &counter.key, key);
        size_t len = store_counter_value(&counter, some_hashes, value);
        assert_int_equal(store_counter_read(key, sizeof(key), value, len, &again, hashes), 0);
        assert_true(prefix_eq(&again.key, &counter.key) && again.jail == counter.jail);
        assert_int_equal(again.start_wall_ms, counter.start_wall_ms);
        assert_int_equal(again.end_wall_ms, counter.end_wall_ms);
        assert_int_equal(again.current, counter.current);
        assert_int_equal(again.previous, counter.previous);
        assert_int_equal(again.hash_count, count);
        assert_int_equal(again.hash_old_count, count / 2);
        assert_memory_equal(hashes, some_hashes, count * sizeof(*hashes));
    }
}

static void other_bytes_are_no_counter(void **state)
{
    static const struct {
        const char *name;
        size_t at;
        uint8_t byte;
    } faults[] = {
        {"a start before 1970", 8, 0x80},
        {"an end before the start", 0, 0xff},
        {"too many", 17, 0x11},
        {"too many before", 21, 0x11},
        {"more old hashes than hashes", 27, 4},
    };
    uint8_t key[STORE_COUNTER_KEY_LEN], value[STORE_COUNTER_VALUE_MAX + 4] = {0};
    uint8_t good[STORE_COUNTER_VALUE_MAX];
    uint32_t hashes[STORE_HASHES_MAX];
    struct store_counter counter = counter_of(3), again;

    (void)state;
    store_counter_key(counter.jail, &counter.key, key);
    size_t len = store_counter_value(&counter, some_hashes, good);
    memcpy(value, good, len);
    for (size_t cut = 1; cut < len; cut++) {
        bool whole = len - cut >= STORE_COUNTER_VALUE_MIN && cut % 4 == 0 &&
                     cut / 4 + counter.hash_old_count <= counter.hash_count;
        int rc = store_counter_read(key, sizeof(key), value, len - cut, &again, hashes);
        assert_int_equal(rc, whole ? 0 : -1);
    }
    for (size_t i = 0; i < COUNT(faults); i++) {
        memcpy(value, good, len);
        value[faults[i].at] = faults[i].byte;
        CASE(faults[i].name,
             store_counter_read(key, sizeof(key), value, len, &again, hashes) == -1);
    }
    memcpy(value, good, len);
    len = STORE_COUNTER_VALUE_MAX;
    assert_int_equal(store_counter_read(key, sizeof(key), value, len, &again, hashes), 0);
    assert_int_equal(store_counter_read(key, sizeof(key), value, len + 4, &again, hashes), -1);
    assert_int_equal(store_counter_read(key, sizeof(key) - 1, value, len, &again, hashes), -1);
    key[8] = 5;
    assert_int_equal(store_counter_read(key, sizeof(key), value, len, &again, hashes), -1);
}

/* A login's key is a counter's, and no ban's. */
static void a_login_is_counted_and_never_banned(void **state)
{
    static const uint8_t families[] = {JAIL_KEY_LOGIN, JAIL_KEY_CLIENT_LOGIN};
    uint8_t key[STORE_COUNTER_KEY_LEN], value[STORE_COUNTER_VALUE_MAX] = {0};
    uint32_t hashes[STORE_HASHES_MAX];
    struct store_counter counter = counter_of(0), again;
    struct store_ban ban;

    (void)state;
    for (size_t i = 0; i < COUNT(families); i++) {
        counter.key = (struct prefix){.addr = {families[i], {1, 2, 3, [15] = 0xff}}};
        store_counter_key(counter.jail, &counter.key, key);
        size_t len = store_counter_value(&counter, some_hashes, value);
        assert_int_equal(store_counter_read(key, sizeof(key), value, len, &again, hashes), 0);
        assert_true(prefix_eq(&again.key, &counter.key));
        key[9] = 1;
        assert_int_equal(store_counter_read(key, sizeof(key), value, len, &again, hashes), -1);
        store_record_key(&counter.key, key);
        assert_int_equal(store_record_read(key, STORE_KEY_LEN, value, STORE_VALUE_MIN, &ban), -1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_bytes_are_these),
        cmocka_unit_test(what_was_written_reads_the_same),
        cmocka_unit_test(where_a_ban_acts_is_behind_a_nul),
        cmocka_unit_test(other_bytes_are_refused),
        cmocka_unit_test(the_bytes_of_a_counter_are_these),
        cmocka_unit_test(a_counter_reads_the_same),
        cmocka_unit_test(other_bytes_are_no_counter),
        cmocka_unit_test(a_login_is_counted_and_never_banned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
