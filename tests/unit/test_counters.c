/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/counters.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define LIMIT    30000
#define FINDTIME 1600
#define PART     (FINDTIME / COUNTERS_ORDER_PARTS)

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
    counters_init(&counters, FINDTIME, LIMIT);
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
    counters_init(&counters, FINDTIME, LIMIT);
    counters_window(&counters, &a, 0);
    counters_window(&counters, &b, PART);
    counters_window(&counters, &a, 2 * PART);
    counters_sweep(&counters, 2 * FINDTIME + 2 * PART - 1);
    assert_int_equal(counters_count(&counters), 2);
    counters_sweep(&counters, 2 * FINDTIME + 2 * PART);
    assert_int_equal(counters_count(&counters), 1);
    counters_sweep(&counters, 2 * FINDTIME + 3 * PART - 1);
    assert_int_equal(counters_count(&counters), 1);
    counters_sweep(&counters, 2 * FINDTIME + 3 * PART);
    assert_int_equal(counters_count(&counters), 0);
    counters_fini(&counters);
}

/* A key that was looked at last in one moment of a part is never gone before its time. */
static void no_part_ends_too_early(void **state)
{
    (void)state;
    for (int64_t findtime = 1; findtime < 200; findtime += 7) {
        for (int64_t at = 0; at < 2 * findtime; at++) {
            struct counters counters;
            struct prefix key = key_of(1);
            counters_init(&counters, findtime, LIMIT);
            counters_window(&counters, &key, at);
            counters_sweep(&counters, at + 2 * findtime - 1);
            assert_int_equal(counters_count(&counters), 1);
            counters_sweep(&counters, at + 2 * findtime + findtime / COUNTERS_ORDER_PARTS + 1);
            assert_int_equal(counters_count(&counters), 0);
            counters_fini(&counters);
        }
    }
}

static void a_sweep_is_bounded_and_each_new_key_does_its_part(void **state)
{
    struct counters counters;

    (void)state;
    counters_init(&counters, FINDTIME, LIMIT);
    for (uint32_t i = 0; i < COUNTERS_SWEEP_MAX + 10; i++) {
        struct prefix key = key_of(i);
        counters_window(&counters, &key, 0);
    }
    struct prefix last = key_of(COUNTERS_SWEEP_MAX + 10);
    counters_window(&counters, &last, 10 * FINDTIME);
    assert_int_equal(counters_count(&counters), COUNTERS_SWEEP_MAX + 10 + 1 - 2);
    counters_sweep(&counters, 10 * FINDTIME);
    assert_int_equal(counters_count(&counters), 10 + 1 - 2);
    counters_sweep(&counters, 10 * FINDTIME);
    assert_int_equal(counters_count(&counters), 1);
    counters_fini(&counters);
}

static void the_limit_takes_the_place_of_the_idlest(void **state)
{
    struct counters counters;
    struct prefix kept = key_of(0), dropped = key_of(1);

    (void)state;
    counters_init(&counters, FINDTIME, LIMIT);
    for (uint32_t i = 0; i < LIMIT; i++) {
        struct prefix key = key_of(i);
        window_add(counters_window(&counters, &key, 0), FINDTIME, 0);
    }
    counters_window(&counters, &kept, PART);
    struct prefix one_more = key_of(LIMIT);
    counters_window(&counters, &one_more, PART + 1);
    assert_int_equal(counters_count(&counters), LIMIT);
    assert_int_equal(window_count(counters_window(&counters, &kept, PART + 2), FINDTIME, PART + 2),
                     1);
    assert_int_equal(
        window_count(counters_window(&counters, &dropped, PART + 2), FINDTIME, PART + 2), 0);
    counters_fini(&counters);
}

static void a_lower_limit_is_reached_as_keys_come(void **state)
{
    struct counters counters;

    (void)state;
    counters_init(&counters, FINDTIME, 100);
    for (uint32_t i = 0; i < 100; i++) {
        struct prefix key = key_of(i);
        counters_window(&counters, &key, 0);
    }
    counters.max = 50;
    for (uint32_t i = 100; i < 200; i++) {
        struct prefix key = key_of(i);
        counters_window(&counters, &key, 0);
        assert_true(counters_count(&counters) <= 100);
    }
    assert_int_equal(counters_count(&counters), 50);
    counters_fini(&counters);
}

/* More keys than lie in one piece of memory, some of which come and go. */
static void numbers_are_used_again(void **state)
{
    struct counters counters;

    (void)state;
    counters_init(&counters, FINDTIME, 1000000);
    for (uint32_t i = 0; i < 70000; i++) {
        struct prefix key = key_of(i);
        window_add(counters_window(&counters, &key, 0), FINDTIME, 0);
    }
    for (uint32_t i = 0; i < 70000; i += 2) {
        struct prefix key = key_of(i);
        counters_forget(&counters, &key);
    }
    assert_int_equal(counters_count(&counters), 35000);
    for (uint32_t i = 70000; i < 105000; i++) {
        struct prefix key = key_of(i);
        assert_int_equal(window_count(counters_window(&counters, &key, 0), FINDTIME, 0), 0);
    }
    assert_int_equal(counters.taken, 70000);
    for (uint32_t i = 1; i < 70000; i += 2) {
        struct prefix key = key_of(i);
        assert_int_equal(window_count(counters_window(&counters, &key, 0), FINDTIME, 0), 1);
    }
    for (int i = 0; i < 4; i++)
        counters_sweep(&counters, 10 * FINDTIME);
    assert_int_equal(counters_count(&counters), 0);
    assert_int_equal(counters.slab_count, 0);
    struct prefix key = key_of(1);
    assert_int_equal(window_count(counters_window(&counters, &key, 0), FINDTIME, 0), 0);
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
    counters_init(&counters, FINDTIME, LIMIT);
    counters_window(&counters, &inside, 0);
    counters_window(&counters, &outside, 0);
    counters_forget_within(&counters, &net);
    assert_int_equal(counters_count(&counters), 1);
    counters_window(&counters, &net, 0);
    counters_forget_within(&counters, &inside);
    assert_int_equal(counters_count(&counters), 1);
    counters_fini(&counters);
}

/* --- what changed ---------------------------------------------------------------------- */

#define CHANGED_KEYS 70000u /* more than two slabs */

struct taken {
    unsigned times[CHANGED_KEYS];
    uint64_t count;
};

static void take(const struct prefix *key, const struct window *window, void *ctx)
{
    struct taken *taken = ctx;
    const uint8_t *bytes = key->addr.bytes;
    uint32_t number = (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];

    assert_true(number < CHANGED_KEYS);
    assert_int_equal(window->current, 1);
    taken->times[number]++;
    taken->count++;
}

static void what_changed_is_handed_over_once(void **state)
{
    struct taken *taken = calloc(1, sizeof(*taken));
    struct counters counters;

    (void)state;
    assert_non_null(taken);
    counters_init(&counters, FINDTIME, CHANGED_KEYS);
    assert_int_equal(counters_take_changed(&counters, 10, take, taken), 0);
    for (uint32_t i = 0; i < CHANGED_KEYS; i++) {
        struct prefix key = key_of(i);
        window_add(counters_window(&counters, &key, 0), FINDTIME, 0);
    }
    for (size_t got = 1000; got == 1000;)
        got = counters_take_changed(&counters, 1000, take, taken);
    for (uint32_t i = 0; i < CHANGED_KEYS; i++)
        assert_int_equal(taken->times[i], 1);
    assert_int_equal(counters_take_changed(&counters, SIZE_MAX, take, taken), 0);
    struct prefix first = key_of(0), last = key_of(CHANGED_KEYS - 1), gone = key_of(5);
    counters_window(&counters, &last, 1);
    counters_window(&counters, &last, 2);
    counters_window(&counters, &first, 3);
    counters_window(&counters, &gone, 4);
    counters_forget(&counters, &gone);
    assert_int_equal(counters_take_changed(&counters, 10, take, taken), 2);
    assert_int_equal(taken->times[0] + taken->times[CHANGED_KEYS - 1], 4);
    counters_window(&counters, &last, 5);
    assert_int_equal(counters_take_changed(&counters, SIZE_MAX, NULL, NULL), 1);
    assert_int_equal(taken->count, CHANGED_KEYS + 2);
    counters_fini(&counters);
    free(taken);
}

static void a_slow_taker_gets_to_every_key(void **state)
{
    struct taken *taken = calloc(1, sizeof(*taken));
    struct counters counters;

    (void)state;
    assert_non_null(taken);
    counters_init(&counters, FINDTIME, CHANGED_KEYS);
    for (uint32_t i = 0; i < CHANGED_KEYS; i++) {
        struct prefix key = key_of(i);
        window_add(counters_window(&counters, &key, 0), FINDTIME, 0);
    }
    /* One is always changed again: it must not be the only one that is taken. */
    struct prefix busy = key_of(0);
    for (uint32_t i = 0; i < CHANGED_KEYS / 1000 + 1; i++) {
        counters_window(&counters, &busy, 1);
        counters_take_changed(&counters, 1000, take, taken);
    }
    for (uint32_t i = 0; i < CHANGED_KEYS; i++)
        assert_true(taken->times[i] > 0);
    counters_fini(&counters);
    free(taken);
}

/* Counts by the last byte of the key; a walk of 1.0.0.0/8 in one piece or in two. */
static size_t walk(const struct counters *counters, const char *net, uint32_t *at, size_t max,
                   uint8_t seen[256])
{
    const struct prefix *key;
    const struct window *window;
    struct prefix within;
    size_t count = 0;

    assert_int_equal(prefix_parse(net, &within), 0);
    for (; count < max && counters_next_within(counters, &within, at, &key, &window); count++) {
        assert_int_equal(window_count(window, FINDTIME, 0), key->addr.bytes[3]);
        seen[key->addr.bytes[3]]++;
    }
    return count;
}

static void a_walk_sees_what_a_net_contains(void **state)
{
    static const uint8_t v6[16] = {1, 0, 0, 1};
    struct counters counters;
    struct addr addr = addr_from_ipv6(v6);
    struct prefix other = prefix_of(&addr, 64), wide = key_of(0);
    uint8_t seen[256] = {0};
    uint32_t at = 0;

    (void)state;
    counters_init(&counters, FINDTIME, LIMIT);
    assert_int_equal(walk(&counters, "1.0.0.0/8", &at, LIMIT, seen), 0);
    counters_window(&counters, &other, 0);
    wide = prefix_of(&wide.addr, 7);
    counters_window(&counters, &wide, 0);
    for (uint32_t number = 1; number <= 200; number++) {
        struct prefix key = key_of(number);
        for (uint32_t i = 0; i < number; i++)
            window_add(counters_window(&counters, &key, 0), FINDTIME, 0);
    }
    assert_int_equal(walk(&counters, "1.0.0.0/8", &at, 100, seen), 100);
    for (uint32_t number = 1; number <= 200; number += 2) {
        struct prefix key = key_of(number);
        counters_forget(&counters, &key);
    }
    walk(&counters, "1.0.0.0/8", &at, LIMIT, seen);
    for (unsigned i = 0; i < 256; i++)
        assert_int_equal(seen[i], i >= 1 && i <= 200 && (i <= 100 || i % 2 == 0));
    at = 0;
    assert_int_equal(walk(&counters, "1.0.0.128/25", &at, LIMIT, seen), 37);
    at = 0; /* not the /7 around it */
    assert_int_equal(walk(&counters, "0.0.0.0/8", &at, LIMIT, seen), 0);
    counters_fini(&counters);
    at = 5;
    counters_init(&counters, FINDTIME, LIMIT);
    assert_int_equal(walk(&counters, "1.0.0.0/8", &at, LIMIT, seen), 0);
    counters_fini(&counters);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_changed_is_handed_over_once),
        cmocka_unit_test(a_slow_taker_gets_to_every_key),
        cmocka_unit_test(each_key_has_its_window),
        cmocka_unit_test(a_sweep_forgets_what_is_idle_for_two_findtimes),
        cmocka_unit_test(no_part_ends_too_early),
        cmocka_unit_test(a_sweep_is_bounded_and_each_new_key_does_its_part),
        cmocka_unit_test(the_limit_takes_the_place_of_the_idlest),
        cmocka_unit_test(a_lower_limit_is_reached_as_keys_come),
        cmocka_unit_test(numbers_are_used_again),
        cmocka_unit_test(a_walk_sees_what_a_net_contains),
        cmocka_unit_test(a_lifted_net_forgets_all_in_and_around_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
