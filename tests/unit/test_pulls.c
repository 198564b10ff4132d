/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/pulls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/unit/unit.h"

static struct prefix numbered(uint32_t number)
{
    const uint8_t bytes[4] = {10, (uint8_t)(number >> 16), (uint8_t)(number >> 8), (uint8_t)number};
    struct addr addr = addr_from_ipv4(bytes);
    return prefix_of(&addr, 32);
}

static struct pulls_reader reader(uint32_t number, uint64_t agent)
{
    return (struct pulls_reader){.peer = numbered(number).addr, .agent = agent};
}

static void changes_are_kept_from_the_beginning_on(void **state)
{
    struct pulls pulls = {0};
    struct prefix prefix = numbered(1);

    (void)state;
    pulls_add(&pulls, &prefix);
    assert_int_equal(pulls.next, 0);
    pulls_begin(&pulls);
    pulls_add(&pulls, &prefix);
    pulls_begin(&pulls);
    assert_int_equal(pulls.next, 1);
    assert_true(prefix_eq(pulls_change(&pulls, 0), &prefix));
    assert_null(pulls_change(&pulls, 1));
    pulls_fini(&pulls);
}

static void old_changes_make_room(void **state)
{
    struct pulls pulls = {0};

    (void)state;
    pulls_begin(&pulls);
    for (uint32_t i = 0; i < PULLS_CHANGES_MAX + 10; i++) {
        struct prefix prefix = numbered(i);
        pulls_add(&pulls, &prefix);
    }
    assert_null(pulls_change(&pulls, 0));
    assert_null(pulls_change(&pulls, 9));
    for (uint32_t i = 10; i < PULLS_CHANGES_MAX + 10; i++) {
        struct prefix wanted = numbered(i);
        assert_true(prefix_eq(pulls_change(&pulls, i), &wanted));
    }
    assert_null(pulls_change(&pulls, PULLS_CHANGES_MAX + 10));
    pulls_fini(&pulls);
}

static void each_reader_has_come_so_far(void **state)
{
    struct pulls_reader one = reader(1, 7), agent = reader(1, 8), peer = reader(2, 7);
    struct pulls pulls = {0};

    (void)state;
    assert_null(pulls_find(&pulls, &one));
    pulls_set(&pulls, &one, &(struct pulls_mark){.change = 1});
    assert_null(pulls_find(&pulls, &agent));
    assert_null(pulls_find(&pulls, &peer));
    pulls_set(&pulls, &agent, &(struct pulls_mark){.change = 2});
    pulls_set(&pulls, &peer, &(struct pulls_mark){.change = 3, .turn = 4, .is_held = true});
    pulls_set(&pulls, &one, &(struct pulls_mark){.change = 5});
    assert_int_equal(pulls.reader_count, 3);
    assert_int_equal(pulls_find(&pulls, &one)->change, 5);
    assert_int_equal(pulls_find(&pulls, &agent)->change, 2);
    assert_int_equal(pulls_find(&pulls, &peer)->turn, 4);
    assert_true(pulls_find(&pulls, &peer)->is_held);
    pulls_forget(&pulls, &one);
    pulls_forget(&pulls, &one);
    assert_null(pulls_find(&pulls, &one));
    assert_int_equal(pulls_find(&pulls, &agent)->change, 2);
    assert_int_equal(pulls_find(&pulls, &peer)->change, 3);
    pulls_fini(&pulls);
}

static void who_asked_longest_ago_makes_room(void **state)
{
    struct pulls pulls = {0};

    (void)state;
    for (uint32_t i = 0; i < PULLS_READERS_MAX; i++) {
        struct pulls_reader each = reader(i, 0);
        pulls_set(&pulls, &each, &(struct pulls_mark){.change = i});
    }
    struct pulls_reader first = reader(0, 0), second = reader(1, 0), other = reader(9999, 0);
    pulls_set(&pulls, &first, &(struct pulls_mark){0});
    pulls_set(&pulls, &other, &(struct pulls_mark){0});
    assert_int_equal(pulls.reader_count, PULLS_READERS_MAX);
    assert_non_null(pulls_find(&pulls, &first));
    assert_null(pulls_find(&pulls, &second));
    assert_non_null(pulls_find(&pulls, &other));
    pulls_fini(&pulls);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(changes_are_kept_from_the_beginning_on),
        cmocka_unit_test(old_changes_make_room),
        cmocka_unit_test(each_reader_has_come_so_far),
        cmocka_unit_test(who_asked_longest_ago_makes_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
