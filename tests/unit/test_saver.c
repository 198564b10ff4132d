/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/saver.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/log.h"
#include "policyd/jail.h"
#include "tests/unit/unit.h"

#define JAILS    2
#define FINDTIME 600

/* A saver over two jails, and a store that answers when the test says so. */
struct fixture {
    struct clock clock; /* first: its functions find the fixture by it */
    struct store store;
    struct config_jail jails[JAILS];
    struct counters counters[JAILS];
    struct saver *saver;
    const struct store_counters *batch; /* the first of what is asked; NULL: nothing */
    struct {
        const struct store_counters *batch;
        store_done_fn done;
        void *ctx;
    } due[SAVER_FINISH_PORTIONS];
    size_t due_count, due_max;
    int64_t passed_ms;
    size_t keys; /* handed over */
    char log[2048];
};

static int64_t wall_ms(const struct clock *clock)
{
    (void)clock;
    return INT64_C(1790000000000);
}

static int64_t mono_ms(const struct clock *clock)
{
    return 7000 + ((const struct fixture *)(const void *)clock)->passed_ms;
}

static struct fixture *fixture_of(struct store *store)
{
    return MAP_ENTRY(store, struct fixture, store);
}

static void put_counters(struct store *store, const struct store_counters *batch,
                         store_done_fn done, void *ctx)
{
    struct fixture *fixture = fixture_of(store);

    assert_true(fixture->due_count < fixture->due_max); /* one at a time but for the end */
    assert_true(batch->count <= STORE_COUNTERS_MAX && batch->gone_count <= STORE_COUNTERS_MAX);
    fixture->due[fixture->due_count].batch = batch;
    fixture->due[fixture->due_count].done = done;
    fixture->due[fixture->due_count++].ctx = ctx;
    fixture->batch = fixture->due[0].batch;
}

static void answer(struct fixture *fixture, const char *fault)
{
    struct error error = {0};

    assert_non_null(fixture->batch);
    if (fault)
        error_set(&error, ERROR_SYSTEM, "%s", fault);
    else
        fixture->keys += fixture->batch->count;
    store_done_fn done = fixture->due[0].done;
    void *ctx = fixture->due[0].ctx;
    memmove(fixture->due, fixture->due + 1, --fixture->due_count * sizeof(*fixture->due));
    fixture->batch = fixture->due_count ? fixture->due[0].batch : NULL;
    done(fault ? &error : NULL, ctx);
}

static void on_log(enum log_level level, const char *line, void *ctx)
{
    struct fixture *fixture = ctx;
    size_t used = strlen(fixture->log);

    (void)level;
    snprintf(fixture->log + used, sizeof(fixture->log) - used, "%s\n", line);
}

static int setup(void **state)
{
    static char names[JAILS][8] = {"one", "two"};
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    assert_non_null(fixture);
    fixture->clock = (struct clock){wall_ms, mono_ms};
    fixture->due_max = 1;
    fixture->store = (struct store){.put_counters = put_counters};
    for (size_t i = 0; i < JAILS; i++) {
        fixture->jails[i] = (struct config_jail){.name = names[i],
                                                 .maxretry = 5,
                                                 .findtime_sec = FINDTIME,
                                                 .prefix4 = 32,
                                                 .prefix6 = 64};
        counters_init(&fixture->counters[i], FINDTIME * 1000, 1000000);
    }
    log_open("test", LOG_TARGET_NOWHERE, LOG_LEVEL_INFO);
    log_capture(on_log, fixture);
    fixture->saver = saver_new(&fixture->clock, &fixture->store);
    saver_use(fixture->saver, fixture->jails, JAILS, fixture->counters);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;

    saver_free(&fixture->saver);
    for (size_t i = 0; i < JAILS; i++)
        counters_fini(&fixture->counters[i]);
    log_capture(NULL, NULL);
    free(fixture);
    return 0;
}

static struct prefix key_of(uint32_t number)
{
    const uint8_t bytes[4] = {198, (uint8_t)(number >> 16), (uint8_t)(number >> 8),
                              (uint8_t)number};
    struct addr addr = addr_from_ipv4(bytes);
    return prefix_of(&addr, 32);
}

static void count(struct fixture *fixture, size_t jail, uint32_t number)
{
    struct prefix key = key_of(number);
    window_add_distinct(counters_window(&fixture->counters[jail], &key, 5000), FINDTIME * 1000,
                        number, 5, 5000);
}

static void nothing_changed_is_nothing_written(void **state)
{
    struct fixture *fixture = *state;

    for (int i = 0; i < 5; i++)
        saver_tick(fixture->saver);
    assert_null(fixture->batch);
    assert_false(saver_is_busy(fixture->saver));
}

static void a_counter_is_copied_with_its_wall_time(void **state)
{
    struct fixture *fixture = *state;
    struct prefix key = key_of(77);

    count(fixture, 1, 77);
    saver_tick(fixture->saver);
    assert_true(saver_is_busy(fixture->saver));
    const struct store_counter *item = &fixture->batch->items[0];
    assert_int_equal(fixture->batch->count, 1);
    assert_true(item->jail == jail_identity(&fixture->jails[1]));
    assert_true(prefix_eq(&item->key, &key));
    assert_true(item->start_wall_ms == wall_ms(NULL) - 2000);
    assert_true(item->end_wall_ms == wall_ms(NULL) - 2000 + 2 * FINDTIME * 1000);
    assert_int_equal(item->current, 1);
    assert_int_equal(item->hash_count, 1);
    assert_int_equal(fixture->batch->hashes[item->hash_at], 77);
    answer(fixture, NULL);
    saver_tick(fixture->saver);
    assert_null(fixture->batch);
}

static void many_go_in_portions_and_in_rounds(void **state)
{
    const uint32_t many = SAVER_ROUND_MAX * STORE_COUNTERS_MAX + 2000;
    struct fixture *fixture = *state;

    for (uint32_t i = 0; i < many; i++)
        count(fixture, i % 2, i);
    saver_tick(fixture->saver);
    for (int i = 0; i < SAVER_ROUND_MAX; i++)
        answer(fixture, NULL);
    assert_null(fixture->batch); /* until the next second */
    assert_int_equal(fixture->keys, SAVER_ROUND_MAX * STORE_COUNTERS_MAX);
    saver_tick(fixture->saver);
    saver_tick(fixture->saver); /* a slow store is not asked twice */
    answer(fixture, NULL);
    answer(fixture, NULL);
    assert_null(fixture->batch);
    assert_int_equal(fixture->keys, many);
}

static void finish(struct fixture *fixture)
{
    fixture->due_max = SAVER_FINISH_PORTIONS;
    saver_finish(fixture->saver);
}

static void the_end_writes_all_at_once(void **state)
{
    const uint32_t many = 2 * SAVER_FINISH_PORTIONS * STORE_COUNTERS_MAX;
    struct fixture *fixture = *state;

    for (uint32_t i = 0; i < many; i++)
        count(fixture, i % 2, i);
    finish(fixture);
    assert_int_equal(fixture->due_count, SAVER_FINISH_PORTIONS);
    while (saver_is_busy(fixture->saver))
        answer(fixture, NULL);
    assert_int_equal(fixture->keys, many);
    assert_null(strstr(fixture->log, "counters-given-up"));
}

static void what_changes_at_the_end_does_not_put_it_off(void **state)
{
    const uint32_t many = (SAVER_FINISH_PORTIONS + 3) * STORE_COUNTERS_MAX + 7;
    struct fixture *fixture = *state;
    struct prefix key = key_of(5);

    for (uint32_t i = 0; i < many; i++)
        count(fixture, 0, i);
    finish(fixture);
    for (uint32_t i = 0; i < 200 && saver_is_busy(fixture->saver); i++) {
        answer(fixture, NULL);
        count(fixture, 0, i);           /* one that may have been written */
        count(fixture, 1, 1000000 + i); /* a new one */
        saver_forget(fixture->saver, 0, &key);
        saver_finish(fixture->saver); /* a second signal */
    }
    assert_false(saver_is_busy(fixture->saver));
    assert_int_equal(fixture->keys, many);
}

static void the_end_comes_though_the_store_is_slow(void **state)
{
    const uint32_t many = 2 * SAVER_FINISH_PORTIONS * STORE_COUNTERS_MAX;
    struct fixture *fixture = *state;

    for (uint32_t i = 0; i < many; i++)
        count(fixture, 0, i);
    finish(fixture);
    answer(fixture, NULL);
    fixture->passed_ms = SAVER_FINISH_MS;
    while (saver_is_busy(fixture->saver))
        answer(fixture, NULL);
    assert_int_equal(fixture->keys, (SAVER_FINISH_PORTIONS + 1) * STORE_COUNTERS_MAX);
    assert_non_null(strstr(fixture->log, "counters-given-up keys=97280 reason=\"out of time\""));
}

static void what_the_store_refused_is_written_again(void **state)
{
    struct fixture *fixture = *state;

    count(fixture, 0, 1);
    saver_tick(fixture->saver);
    answer(fixture, "no space");
    assert_non_null(strstr(fixture->log, "counters-unwritten"));
    assert_non_null(strstr(fixture->log, "no space"));
    *fixture->log = '\0';
    count(fixture, 0, 2);
    for (int i = 0; i < SAVER_RETRY_SEC; i++) {
        saver_tick(fixture->saver);
        assert_null(fixture->batch);
    }
    saver_tick(fixture->saver);
    answer(fixture, "no space");
    assert_string_equal(fixture->log, ""); /* said once */
    for (int i = 0; i <= SAVER_RETRY_SEC; i++)
        saver_tick(fixture->saver);
    answer(fixture, NULL);
    assert_non_null(strstr(fixture->log, "counters-written"));
    answer(fixture, NULL);
    assert_int_equal(fixture->keys, 2);
}

static void a_store_that_refuses_does_not_hold_up_the_end(void **state)
{
    struct fixture *fixture = *state;

    count(fixture, 0, 1);
    saver_tick(fixture->saver);
    count(fixture, 0, 2);
    finish(fixture);
    answer(fixture, "no space");
    answer(fixture, "no space");
    assert_false(saver_is_busy(fixture->saver));
    assert_non_null(strstr(fixture->log, "counters-given-up keys=2"));
}

static void what_is_forgotten_goes_first(void **state)
{
    struct fixture *fixture = *state;
    struct prefix key = key_of(3);

    for (uint32_t i = 0; i < STORE_COUNTERS_MAX + 5; i++)
        saver_forget(fixture->saver, 1, &key);
    count(fixture, 1, 3);
    saver_tick(fixture->saver);
    assert_int_equal(fixture->batch->gone_count, STORE_COUNTERS_MAX);
    assert_int_equal(fixture->batch->count, 0);
    answer(fixture, NULL);
    assert_int_equal(fixture->batch->gone_count, 5);
    assert_int_equal(fixture->batch->count, 1);
    assert_int_equal(fixture->batch->gone[4].bits, 32);
    assert_true(fixture->batch->gone[4].jail == jail_identity(&fixture->jails[1]));
    answer(fixture, NULL);
    assert_null(fixture->batch);
}

static void a_store_without_counters_is_left_alone(void **state)
{
    struct fixture *fixture = *state;
    struct prefix key = key_of(3);
    struct error error;

    fixture->store.put_counters = NULL;
    count(fixture, 0, 1);
    saver_forget(fixture->saver, 0, &key);
    saver_tick(fixture->saver);
    saver_finish(fixture->saver);
    assert_false(saver_is_busy(fixture->saver));
    assert_int_equal(saver_restore(fixture->saver, &error), 0);
}

#define SAVER_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SAVER_TEST(nothing_changed_is_nothing_written),
        SAVER_TEST(a_counter_is_copied_with_its_wall_time),
        SAVER_TEST(many_go_in_portions_and_in_rounds),
        SAVER_TEST(the_end_writes_all_at_once),
        SAVER_TEST(what_changes_at_the_end_does_not_put_it_off),
        SAVER_TEST(the_end_comes_though_the_store_is_slow),
        SAVER_TEST(what_the_store_refused_is_written_again),
        SAVER_TEST(a_store_that_refuses_does_not_hold_up_the_end),
        SAVER_TEST(what_is_forgotten_goes_first),
        SAVER_TEST(a_store_without_counters_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
