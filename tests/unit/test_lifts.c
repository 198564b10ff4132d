/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/lifts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/unit/unit.h"

#define MAX 4

static struct prefix net(const char *text)
{
    struct prefix prefix;

    assert_int_equal(prefix_parse(text, &prefix), 0);
    return prefix;
}

static struct lift *put(struct lifts *lifts, const char *text, int64_t at_ms, bool is_by_operator)
{
    struct prefix prefix = net(text);

    return lifts_put(lifts, &prefix, (uint64_t)at_ms, at_ms, at_ms + 1000, is_by_operator);
}

static int64_t last(const struct lifts *lifts, const char *text)
{
    struct prefix key = net(text);

    return lifts_last_ms(lifts, &key);
}

static void the_operators_count_around_and_within(void **state)
{
    struct lifts lifts;

    (void)state;
    lifts_init(&lifts, MAX);
    put(&lifts, "203.0.113.0/24", 10, true);
    put(&lifts, "203.0.113.7", 20, true);
    put(&lifts, "198.51.100.0/24", 30, false);
    assert_int_equal(last(&lifts, "203.0.113.8"), 10);
    assert_int_equal(last(&lifts, "203.0.113.7"), 20);
    assert_int_equal(last(&lifts, "203.0.0.0/16"), 20);
    assert_int_equal(last(&lifts, "198.51.100.1"), -1);
    assert_int_equal(last(&lifts, "192.0.2.1"), -1);
    /* It came later, and is older. */
    put(&lifts, "203.0.113.128/25", 5, true);
    assert_int_equal(last(&lifts, "203.0.113.200"), 10);
    assert_int_equal(last(&lifts, "203.0.113.128/26"), 10);
    assert_int_equal(last(&lifts, "203.0.113.0/26"), 20);
    assert_int_equal(last(&lifts, "::/0"), -1);
    lifts_fini(&lifts);
}

static void one_prefix_has_one(void **state)
{
    struct prefix prefix = net("203.0.113.7");
    struct lifts lifts;

    (void)state;
    lifts_init(&lifts, MAX);
    put(&lifts, "203.0.113.7", 10, true)->stored = true;
    put(&lifts, "203.0.113.7", 20, true);
    assert_int_equal(lifts.count, 1);
    assert_int_equal(lifts.unbans.map.count, 1);
    assert_int_equal(lifts_find(&lifts, &prefix)->version, 20);
    assert_false(lifts_find(&lifts, &prefix)->stored);
    assert_int_equal(last(&lifts, "203.0.113.7"), 20);
    lifts_fini(&lifts);
}

static void what_the_operator_lifted_stays_so(void **state)
{
    struct prefix prefix = net("203.0.113.7");
    struct lifts lifts;

    (void)state;
    lifts_init(&lifts, MAX);
    put(&lifts, "203.0.113.7", 5, false);
    assert_int_equal(last(&lifts, "203.0.113.7"), -1);
    put(&lifts, "203.0.113.7", 10, true);
    put(&lifts, "203.0.113.7", 20, false);
    assert_int_equal(lifts.count, 1);
    assert_int_equal(lifts_find(&lifts, &prefix)->version, 20);
    assert_int_equal(last(&lifts, "203.0.113.7"), 10);
    /* For as long as he said. */
    lifts_put(&lifts, &prefix, 30, 30, 1000000, true);
    lifts_put(&lifts, &prefix, 40, 40, 2000, false);
    lifts_sweep(&lifts, 999999);
    assert_int_equal(last(&lifts, "203.0.113.7"), 30);
    lifts_sweep(&lifts, 1000000);
    assert_int_equal(lifts.count, 0);
    lifts_fini(&lifts);
}

static void the_oldest_gives_way(void **state)
{
    struct prefix first = net("10.0.0.0/32"), last_one = net("10.0.0.5");
    struct lifts lifts;

    (void)state;
    lifts_init(&lifts, MAX);
    for (int i = 0; i <= 5; i++) {
        char text[16];
        snprintf(text, sizeof(text), "10.0.0.%d", i);
        put(&lifts, text, i, i == 0);
    }
    assert_int_equal(lifts.count, MAX);
    assert_int_equal(lifts.unbans.map.count, 0);
    assert_null(lifts_find(&lifts, &first));
    assert_non_null(lifts_find(&lifts, &last_one));
    lifts_fini(&lifts);
}

static void each_is_forgotten_at_its_time(void **state)
{
    struct lifts lifts;

    (void)state;
    lifts_init(&lifts, MAX);
    put(&lifts, "10.0.0.1", 100, true);
    put(&lifts, "10.0.0.2", 50, true);
    lifts_sweep(&lifts, 1049);
    assert_int_equal(lifts.count, 2);
    lifts_sweep(&lifts, 1050);
    assert_int_equal(lifts.count, 1);
    assert_int_equal(lifts.unbans.map.count, 1);
    assert_int_equal(last(&lifts, "10.0.0.1"), 100);
    lifts_sweep(&lifts, 1100);
    assert_int_equal(lifts.count, 0);
    lifts_fini(&lifts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_operators_count_around_and_within),
        cmocka_unit_test(one_prefix_has_one),
        cmocka_unit_test(what_the_operator_lifted_stays_so),
        cmocka_unit_test(the_oldest_gives_way),
        cmocka_unit_test(each_is_forgotten_at_its_time),
    };

    return cmocka_run_group_tests_name("lifts", tests, NULL, NULL);
}
