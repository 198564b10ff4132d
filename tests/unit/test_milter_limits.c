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

static void test_gate(void **state)
{
    struct gate gate;

    (void)state;
    gate_init(&gate);
    assert_true(gate_enter(&gate));
    assert_true(gate_enter(&gate));
    assert_int_equal(gate_leave(&gate, 7), 7);
    assert_false(gate_close(&gate, 1));
    assert_false(gate_enter(&gate));
    assert_int_equal(gate_leave(&gate, 0), 0);
    assert_true(gate_close(&gate, 0));
    assert_false(gate_enter(&gate));
    gate_fini(&gate);
}

static void *leave_once_closed(void *arg)
{
    struct gate *gate = arg;

    while (gate_enter(gate))
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
    assert_true(gate_enter(&gate));
    assert_int_equal(pthread_create(&thread, NULL, leave_once_closed, &gate), 0);
    assert_true(gate_close(&gate, 20000));
    pthread_join(thread, NULL);
    gate_fini(&gate);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_limit_of_one),
        cmocka_unit_test(test_gate),
        cmocka_unit_test(test_gate_waits_for_the_last),
    };
    return cmocka_run_group_tests_name("milter_limits", tests, NULL, NULL);
}
