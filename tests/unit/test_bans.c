/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/bans.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/unit.h"

#define MANY 2000

static struct prefix prefix_from(const char *text)
{
    struct prefix prefix;
    assert_int_equal(prefix_parse(text, &prefix), 0);
    return prefix;
}

static struct ban *put(struct bans *bans, const char *text, int64_t until_ms)
{
    struct prefix prefix = prefix_from(text);
    return bans_put(bans, &prefix, "logins", CONFIG_ACTS_ALL, 1000, until_ms);
}

static struct prefix numbered(unsigned number)
{
    const uint8_t bytes[4] = {203, 0, (uint8_t)(number >> 8), (uint8_t)number};
    struct addr addr = addr_from_ipv4(bytes);
    return prefix_of(&addr, 32);
}

static void the_narrowest_ban_of_an_address_is_found(void **state)
{
    static const struct {
        const char *addr;
        const char *ban; /* NULL: none */
    } cases[] = {
        {"203.0.113.7", "203.0.113.7"},
        {"203.0.113.8", "203.0.113.0/24"},
        {"203.0.114.8", NULL},
        {"2001:db8:1:2::1", "2001:db8:1:2::/64"},
        {"2001:db8:1:3::1", "2001:db8::/32"},
        {"2001:db9::1", NULL},
    };
    struct bans bans;
    char text[PREFIX_TEXT_MAX];

    (void)state;
    bans_init(&bans);
    put(&bans, "203.0.113.7", 1);
    put(&bans, "203.0.113.0/24", 1);
    put(&bans, "2001:db8:1:2::/64", 1);
    put(&bans, "2001:db8::/32", 1);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct addr addr;
        assert_int_equal(addr_parse(cases[i].addr, &addr), 0);
        struct ban *ban = bans_match(&bans, &addr, CONFIG_ACTS_ALL, 0);
        CASE(cases[i].addr, (ban != NULL) == (cases[i].ban != NULL));
        if (ban)
            assert_string_equal(prefix_format(&ban->node.prefix, text), cases[i].ban);
    }
    bans_fini(&bans);
}

static void a_ban_that_acts_elsewhere_hides_none(void **state)
{
    struct prefix narrow = prefix_from("203.0.113.7"), wide = prefix_from("203.0.113.0/24");
    struct addr addr = narrow.addr;
    struct bans bans;

    (void)state;
    bans_init(&bans);
    struct ban *mail = bans_put(&bans, &narrow, "mail", CONFIG_ACTS_SMTP, 0, 1);
    assert_null(bans_match(&bans, &addr, CONFIG_ACTS_AUTH, 0));
    struct ban *all = bans_put(&bans, &wide, "logins", CONFIG_ACTS_ALL, 0, 1);
    assert_ptr_equal(bans_match(&bans, &addr, CONFIG_ACTS_SMTP, 0), mail);
    assert_ptr_equal(bans_match(&bans, &addr, CONFIG_ACTS_ALL, 0), mail);
    assert_ptr_equal(bans_match(&bans, &addr, CONFIG_ACTS_AUTH, 0), all);
    bans_fini(&bans);
}

static void a_ban_that_is_over_hides_none(void **state)
{
    struct prefix narrow = prefix_from("203.0.113.7");
    struct bans bans;

    (void)state;
    bans_init(&bans);
    struct ban *short_one = put(&bans, "203.0.113.7", 10), *wide = put(&bans, "203.0.113.0/24", 20);
    assert_ptr_equal(bans_match(&bans, &narrow.addr, CONFIG_ACTS_ALL, 9), short_one);
    assert_ptr_equal(bans_held(&bans, &narrow, 9), short_one);
    assert_ptr_equal(bans_match(&bans, &narrow.addr, CONFIG_ACTS_ALL, 10), wide);
    assert_null(bans_held(&bans, &narrow, 10));
    assert_ptr_equal(bans_find(&bans, &narrow), short_one);
    assert_null(bans_match(&bans, &narrow.addr, CONFIG_ACTS_ALL, 20));
    bans_fini(&bans);
}

static void a_ban_again_replaces_the_first(void **state)
{
    struct prefix prefix = prefix_from("203.0.113.7");
    struct bans bans;

    (void)state;
    bans_init(&bans);
    struct ban *ban = put(&bans, "203.0.113.7", 10000);
    ban->stored = true;
    assert_ptr_equal(bans_put(&bans, &prefix, "operator", CONFIG_ACTS_ALL, 7, 5000), ban);
    assert_int_equal(bans.count, 1);
    assert_string_equal(ban->jail, "operator");
    assert_int_equal(ban->since_wall_ms, 7);
    assert_false(ban->stored);
    assert_ptr_equal(bans_next_expired(&bans, 5000), ban);
    bans_fini(&bans);
}

static void a_long_jail_name_is_cut(void **state)
{
    struct prefix prefix = prefix_from("203.0.113.7");
    char name[200];
    struct bans bans;

    (void)state;
    memset(name, 'j', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    bans_init(&bans);
    struct ban *ban = bans_put(&bans, &prefix, name, CONFIG_ACTS_ALL, 0, 1);
    assert_int_equal(strlen(ban->jail), BANS_JAIL_MAX - 1);
    bans_put(&bans, &prefix, ban->jail, CONFIG_ACTS_ALL, 0, 1);
    assert_int_equal(strlen(ban->jail), BANS_JAIL_MAX - 1);
    assert_int_equal(bans.jails.map.count, 1);
    bans_fini(&bans);
}

/* Any order of ends comes out sorted, with some lifted and some prolonged in between. */
static void bans_end_in_the_order_of_their_ends(void **state)
{
    struct bans bans;
    int64_t last = 0;
    size_t left = MANY;
    struct ban *ban;

    (void)state;
    srand(7);
    bans_init(&bans);
    for (unsigned i = 0; i < MANY; i++) {
        struct prefix prefix = numbered(i);
        bans_put(&bans, &prefix, "logins", CONFIG_ACTS_ALL, 0, 1 + rand() % 100000);
    }
    for (unsigned i = 0; i < MANY; i += 3) {
        struct prefix prefix = numbered(i);
        bans_put(&bans, &prefix, "logins", CONFIG_ACTS_ALL, 0, 1 + rand() % 100000);
    }
    for (unsigned i = 1; i < MANY; i += 3) {
        struct prefix prefix = numbered(i);
        bans_remove(&bans, bans_find(&bans, &prefix));
        left--;
    }
    assert_null(bans_next_expired(&bans, 0));
    while ((ban = bans_next_expired(&bans, INT64_MAX))) {
        assert_true(ban->until_mono_ms >= last);
        last = ban->until_mono_ms;
        assert_null(bans_next_expired(&bans, last - 1));
        bans_remove(&bans, ban);
        left--;
    }
    assert_int_equal(left, 0);
    bans_fini(&bans);
}

static void seconds_left_are_rounded_up(void **state)
{
    const struct ban ban = {.until_mono_ms = 10000};

    (void)state;
    assert_int_equal(bans_seconds_left(&ban, 0), 10);
    assert_int_equal(bans_seconds_left(&ban, 1), 10);
    assert_int_equal(bans_seconds_left(&ban, 9000), 1);
    assert_int_equal(bans_seconds_left(&ban, 9999), 1);
    assert_int_equal(bans_seconds_left(&ban, 20000), 1);
}

static void two_bans_of_one_client_are_one(void **state)
{
    static const struct {
        const char *what;
        unsigned held_acts, held_sec, acts, sec, acts_is, sec_is;
        bool is_other;
    } cases[] = {
        {"as it was", 3, 3600, 3, 3600, 3, 3600, false},
        {"longer", 3, 3600, 3, 7200, 3, 7200, true},
        {"shorter", 3, 3600, 3, 60, 3, 3600, false},
        {"mail, longer", 1, 3600, 1, 7200, 1, 7200, true},
        {"mail makes a ban on logins no longer", 3, 60, 1, 7200, 3, 60, false},
        {"nor one on logins alone", 2, 60, 1, 7200, 3, 60, true},
        {"logins after mail, longer", 1, 60, 3, 3600, 3, 3600, true},
        {"logins after mail, shorter", 1, 7200, 3, 3600, 3, 3600, true},
        {"logins alone after mail", 1, 7200, 2, 3600, 3, 3600, true},
        {"everywhere after logins alone, shorter", 2, 7200, 3, 3600, 3, 7200, true},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct ban held = {.acts = (uint8_t)cases[i].held_acts,
                           .until_mono_ms = 5000 + cases[i].held_sec * 1000};
        unsigned acts = cases[i].acts;
        uint64_t seconds = cases[i].sec;
        CASE(cases[i].what, bans_join(&held, 5000, &acts, &seconds) == cases[i].is_other);
        CASE(cases[i].what, acts == cases[i].acts_is && seconds == cases[i].sec_is);
    }
    unsigned acts = CONFIG_ACTS_SMTP;
    uint64_t seconds = 60;
    assert_true(bans_join(NULL, 0, &acts, &seconds));
    assert_int_equal(acts, CONFIG_ACTS_SMTP);
    assert_int_equal(seconds, 60);
}

static void a_cursor_sees_what_stays_once_whatever_goes(void **state)
{
    struct bans bans;
    struct bans_cursor cursor, other;
    bool seen[MANY] = {false};
    struct ban *ban;

    (void)state;
    bans_init(&bans);
    for (unsigned i = 0; i < MANY; i++) {
        struct prefix prefix = numbered(i);
        bans_put(&bans, &prefix, "logins", CONFIG_ACTS_ALL, 0, 1);
    }
    bans_cursor_open(&bans, &cursor);
    bans_cursor_open(&bans, &other);
    for (unsigned step = 0; (ban = bans_cursor_step(&cursor)); step++) {
        unsigned number =
            (unsigned)ban->node.prefix.addr.bytes[2] << 8 | ban->node.prefix.addr.bytes[3];
        assert_false(seen[number]);
        seen[number] = true;
        /* What comes next, and what was just seen, are lifted. */
        struct prefix next = numbered(number + 1);
        if (step % 2 && bans_find(&bans, &next))
            bans_remove(&bans, bans_find(&bans, &next));
        if (step % 5 == 0)
            bans_remove(&bans, ban);
    }
    for (unsigned i = 0; i < MANY; i++) {
        struct prefix prefix = numbered(i);
        if (bans_find(&bans, &prefix))
            assert_true(seen[i]);
    }
    bans_cursor_close(&bans, &cursor);
    bans_cursor_close(&bans, &other);
    bans_fini(&bans);
}

static void the_table_has_a_limit(void **state)
{
    struct bans bans;

    (void)state;
    bans_init(&bans);
    for (uint32_t i = 0; i < BANS_MAX; i++) {
        const uint8_t bytes[4] = {1, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i};
        struct addr addr = addr_from_ipv4(bytes);
        struct prefix prefix = prefix_of(&addr, 32);
        assert_non_null(bans_put(&bans, &prefix, "logins", CONFIG_ACTS_ALL, 0, 1000 - i % 1000));
    }
    assert_null(put(&bans, "203.0.113.7", 1));
    assert_non_null(put(&bans, "1.0.0.1", 77));
    assert_int_equal(bans.count, BANS_MAX);
    bans_fini(&bans);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_narrowest_ban_of_an_address_is_found),
        cmocka_unit_test(a_ban_that_acts_elsewhere_hides_none),
        cmocka_unit_test(a_ban_that_is_over_hides_none),
        cmocka_unit_test(a_ban_again_replaces_the_first),
        cmocka_unit_test(a_long_jail_name_is_cut),
        cmocka_unit_test(bans_end_in_the_order_of_their_ends),
        cmocka_unit_test(seconds_left_are_rounded_up),
        cmocka_unit_test(two_bans_of_one_client_are_one),
        cmocka_unit_test(a_cursor_sees_what_stays_once_whatever_goes),
        cmocka_unit_test(the_table_has_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
