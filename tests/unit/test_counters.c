/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/counters.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define FINDTIME 1000

static struct prefix key_of(uint32_t number)
{
    const uint8_t bytes[4] = {(uint8_t)(number >> 24 | 1), (uint8_t)(number >> 16),
                              (uint8_t)(number >> 8), (uint8_t)number};
    struct addr addr = addr_from_ipv4(bytes);
    return prefix_of(&addr, 32);
}

static void each_key_has_its_window(void **state)
{
    struct counters counters;
    struct prefix a = key_of(1), b = key_of(2);

    (void)state;
    counters_init(&counters, FINDTIME);
    window_add(counters_window(&counters, &a, 0), FINDTIME, 0);
    window_add(counters_window(&counters, &a, 1), FINDTIME, 1);
    window_add(counters_window(&counters, &b, 2), FINDTIME, 2);
    assert_int_equal(window_count(counters_window(&counters, &a, 3), FINDTIME, 3), 2);
    assert_int_equal(window_count(counters_window(&counters, &b, 3), FINDTIME, 3), 1);
    counters_forget(&counters, &a);
    counters_forget(&counters, &a);
    assert_int_equal(counters_count(&counters), 1);
    assert_int_equal(window_count(counters_window(&counters, &a, 3), FINDTIME, 3), 0);
    counters_fini(&counters);
}

static void a_sweep_forgets_what_is_idle_for_two_findtimes(void **state)
{
    struct counters counters;
    struct prefix a = key_of(1), b = key_of(2);

    (void)state;
    counters_init(&counters, FINDTIME);
    counters_window(&counters, &a, 0);
    counters_window(&counters, &b, 10);
    counters_window(&counters, &a, 20);
    counters_sweep(&counters, 2 * FINDTIME + 9);
    assert_int_equal(counters_count(&counters), 2);
    counters_sweep(&counters, 2 * FINDTIME + 10);
    assert_int_equal(counters_count(&counters), 1);
    counters_sweep(&counters, 2 * FINDTIME + 20);
    assert_int_equal(counters_count(&counters), 0);
    counters_fini(&counters);
}

static void the_limit_takes_the_place_of_the_idlest(void **state)
{
    struct counters counters;
    struct prefix kept = key_of(0), dropped = key_of(1);

    (void)state;
    counters_init(&counters, FINDTIME);
    for (uint32_t i = 0; i < COUNTERS_MAX; i++) {
        struct prefix key = key_of(i);
        window_add(counters_window(&counters, &key, 0), FINDTIME, 0);
    }
    counters_window(&counters, &kept, 1);
    struct prefix one_more = key_of(COUNTERS_MAX);
    counters_window(&counters, &one_more, 2);
    assert_int_equal(counters_count(&counters), COUNTERS_MAX);
    assert_int_equal(window_count(counters_window(&counters, &kept, 3), FINDTIME, 3), 1);
    assert_int_equal(window_count(counters_window(&counters, &dropped, 3), FINDTIME, 3), 0);
    counters_fini(&counters);
}

static void a_lifted_net_forgets_all_in_and_around_it(void **state)
{
    struct counters counters;
    struct prefix inside, outside, net;

    (void)state;
    assert_int_equal(prefix_parse("203.0.113.7", &inside), 0);
    assert_int_equal(prefix_parse("203.0.114.7", &outside), 0);
    assert_int_equal(prefix_parse("203.0.113.0/24", &net), 0);
    counters_init(&counters, FINDTIME);
    counters_window(&counters, &inside, 0);
    counters_window(&counters, &outside, 0);
    counters_forget_within(&counters, &net);
    assert_int_equal(counters_count(&counters), 1);
    counters_window(&counters, &net, 0);
    counters_forget_within(&counters, &inside);
    assert_int_equal(counters_count(&counters), 1);
    counters_fini(&counters);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_key_has_its_window),
        cmocka_unit_test(a_sweep_forgets_what_is_idle_for_two_findtimes),
        cmocka_unit_test(the_limit_takes_the_place_of_the_idlest),
        cmocka_unit_test(a_lifted_net_forgets_all_in_and_around_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
