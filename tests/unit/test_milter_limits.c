/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "milter/gate.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "milter/limit.h"

static void test_limit(void **state)
{
    struct limit limit;

    (void)state;
    limit_init(&limit, 10);
    for (int i = 0; i < 10; i++)
        assert_int_equal(limit_take(&limit), LIMIT_OK);
    assert_int_equal(limit_take(&limit), LIMIT_REACHED);
    assert_int_equal(limit_take(&limit), LIMIT_STILL_THERE);
    /* one out, one in, one refused: the same burst */
    limit_release(&limit);
    assert_int_equal(limit_take(&limit), LIMIT_OK);
    assert_int_equal(limit_take(&limit), LIMIT_STILL_THERE);
    /* below nine tenths: the next one is another burst */
    limit_release(&limit);
    limit_release(&limit);
    assert_int_equal(limit_take(&limit), LIMIT_OK);
    assert_int_equal(limit_take(&limit), LIMIT_OK);
    assert_int_equal(limit_take(&limit), LIMIT_REACHED);
    limit_fini(&limit);
}

static void test_limit_of_one(void **state)
{
    struct limit limit;

    (void)state;
    limit_init(&limit, 1);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(limit_take(&limit), LIMIT_OK);
        assert_int_equal(limit_take(&limit), LIMIT_REACHED);
        assert_int_equal(limit_take(&limit), LIMIT_STILL_THERE);
        limit_release(&limit);
    }
    limit_fini(&limit);
}

static void test_limit_that_changes(void **state)
{
    struct limit limit;

    (void)state;
    limit_init(&limit, 1);
    assert_int_equal(limit_take(&limit), LIMIT_OK);
    assert_int_equal(limit_take(&limit), LIMIT_REACHED);
    limit_set_max(&limit, 3);
    assert_int_equal(limit_take(&limit), LIMIT_OK);
    assert_int_equal(limit_take(&limit), LIMIT_OK);
    assert_int_equal(limit_take(&limit), LIMIT_REACHED);
    limit_set_max(&limit, 1);
    for (int i = 0; i < 2; i++) {
        assert_true(limit_take(&limit) != LIMIT_OK);
        limit_release(&limit);
    }
    assert_true(limit_take(&limit) != LIMIT_OK);
    limit_release(&limit);
    assert_int_equal(limit_take(&limit), LIMIT_OK);
    limit_fini(&limit);
}

static void test_gate(void **state)
{
    struct gate gate;

    (void)state;
    gate_init(&gate);
    assert_true(gate_enter(&gate, NULL));
    assert_true(gate_enter(&gate, NULL));
    assert_int_equal(gate_leave(&gate, 7), 7);
    assert_false(gate_close(&gate, 1));
    assert_false(gate_enter(&gate, NULL));
    assert_int_equal(gate_leave(&gate, 0), 0);
    assert_true(gate_close(&gate, 0));
    assert_false(gate_enter(&gate, NULL));
}

static void *come_and_go(void *arg)
{
    struct gate *gate = arg;
    bool held = true; /* by the other thread, for this one */

    while (gate_enter(gate, NULL))
        gate_leave(gate, 0);
    bool came = gate_enter(gate, &held);
    if (came)
        gate_leave(gate, 0);
    gate_let_go(gate, &held);
    return came ? gate : NULL;
}

static void test_gate_lets_holders_finish(void **state)
{
    struct gate gate;
    pthread_t thread;
    bool held = false;
    void *came = NULL;

    (void)state;
    gate_init(&gate);
    gate_hold(&gate, &held);
    gate_hold(&gate, &held);
    assert_true(held);
    assert_int_equal(pthread_create(&thread, NULL, come_and_go, &gate), 0);
    assert_true(gate_close(&gate, 20000));
    pthread_join(thread, &came);
    assert_ptr_equal(came, &gate);
    assert_false(gate_enter(&gate, &held));
    held = false;
    gate_let_go(&gate, &held);
}

static void *leave_once_closed(void *arg)
{
    struct gate *gate = arg;

    while (gate_enter(gate, NULL))
        gate_leave(gate, 0);
    gate_leave(gate, 0);
    return NULL;
}

static void test_gate_waits_for_the_last(void **state)
{
    struct gate gate;
    pthread_t thread;

    (void)state;
    gate_init(&gate);
    assert_true(gate_enter(&gate, NULL));
    assert_int_equal(pthread_create(&thread, NULL, leave_once_closed, &gate), 0);
    assert_true(gate_close(&gate, 20000));
    pthread_join(thread, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_limit_that_changes),
        cmocka_unit_test(test_limit_of_one),
        cmocka_unit_test(test_gate),
        cmocka_unit_test(test_gate_lets_holders_finish),
        cmocka_unit_test(test_gate_waits_for_the_last),
    };
    return cmocka_run_group_tests_name("milter_limits", tests, NULL, NULL);
}
