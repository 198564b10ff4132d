/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/window.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/unit.h"

#define FINDTIME 600000

/* --- named cases -------------------------------------------------------------------- */

struct window_case {
    const char *name;
    int64_t events[8]; /* times, ended by -1 */
    int64_t at;
    uint64_t count;
};

static const struct window_case cases[] = {
    {"nothing", {-1}, 5, 0},
    {"the first event starts the bucket", {1000, -1}, 1000, 1},
    {"five at once", {7, 7, 7, 7, 7, -1}, 7, 5},
    {"five across a wall clock boundary", {599998, 599999, 600000, 600001, 600002, -1}, 600003, 5},
    {"all count until the bucket ends", {0, 0, 0, -1}, FINDTIME - 1, 3},
    {"at the border all of the previous count", {0, 0, 0, -1}, FINDTIME, 3},
    {"one ms later they are still rounded up", {0, 0, 0, -1}, FINDTIME + 1, 3},
    {"after a third a third is gone", {0, 0, 0, -1}, FINDTIME + FINDTIME / 3, 2},
    {"the last moment", {0, 0, 0, -1}, 2 * FINDTIME - 1, 1},
    {"after two buckets the window is void", {0, 0, 0, -1}, 2 * FINDTIME, 0},
    {"half of the previous and the current", {0, 0, 0, 0, 900000, -1}, 900000, 3},
    {"rounded up", {0, 0, 0, 900000, -1}, 900000, 3},
    {"an event long after is a first event", {0, 0, 0, 5000000, -1}, 5000000, 1},
    {"and starts a bucket of its own", {0, 1200000, 1200000, -1}, 1799999, 2},
    {"a rotation keeps the borders", {0, 700000, 1250000, -1}, 1250000, 2},
    {"a clock that goes back stands still", {1000, 500, -1}, 400, 2},
};

static void counts_as_the_formula_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct window window = {0};
        for (size_t n = 0; cases[i].events[n] >= 0; n++)
            window_add(&window, FINDTIME, cases[i].events[n]);
        CASE(cases[i].name, window_count(&window, FINDTIME, cases[i].at) == cases[i].count);
        CASE(cases[i].name,
             window_is_void(&window, FINDTIME, cases[i].at) == (cases[i].count == 0));
        window_fini(&window);
    }
}

static void tells_when_nothing_counts_any_more(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct window window = {0};
        for (size_t n = 0; cases[i].events[n] >= 0; n++)
            window_add(&window, FINDTIME, cases[i].events[n]);
        int64_t at = cases[i].at > window.start_ms ? cases[i].at : window.start_ms;
        int64_t left = window_left_ms(&window, FINDTIME, at);
        CASE(cases[i].name, window_is_void(&window, FINDTIME, at + left));
        CASE(cases[i].name, !left || !window_is_void(&window, FINDTIME, at + left - 1));
        CASE(cases[i].name, left > 0 || !window_count(&window, FINDTIME, at));
        window_fini(&window);
    }
    /* As a password seen before leaves it. */
    struct window window = {.start_ms = 1000, .previous = 3};
    assert_int_equal(window_left_ms(&window, FINDTIME, 1000), FINDTIME);
}

static void many_events_saturate(void **state)
{
    struct window window = {.current = WINDOW_COUNT_MAX, .previous = WINDOW_COUNT_MAX};

    (void)state;
    window_add(&window, WINDOW_FINDTIME_MAX, 0);
    assert_int_equal(window.current, WINDOW_COUNT_MAX);
    assert_int_equal(window_count(&window, WINDOW_FINDTIME_MAX, 0), 2 * WINDOW_COUNT_MAX);
    window_fini(&window);
}

/* --- against a model that keeps every event ------------------------------------------- */

#define EVENTS_MAX 400

/* The definition word by word: buckets laid over the list of all events since the first one. */
struct model {
    int64_t times[EVENTS_MAX];
    size_t count;
};

static uint64_t model_between(const struct model *model, int64_t from, int64_t to)
{
    uint64_t count = 0;
    for (size_t i = 0; i < model->count; i++)
        count += model->times[i] >= from && model->times[i] < to;
    return count;
}

static int64_t model_bucket(const struct model *model, int64_t findtime, int64_t now)
{
    int64_t start = model->times[0];
    while (start + findtime <= now)
        start += findtime;
    return start;
}

static uint64_t model_count(const struct model *model, int64_t findtime, int64_t now)
{
    if (!model->count)
        return 0;
    int64_t start = model_bucket(model, findtime, now);
    uint64_t current = model_between(model, start, now + 1);
    uint64_t previous = model_between(model, start - findtime, start);
    uint64_t whole = (uint64_t)findtime, part = previous * (uint64_t)(findtime - (now - start));
    while (part % whole)
        part++; /* up to the next whole event */
    return current + part / whole;
}

static void model_add(struct model *model, int64_t findtime, int64_t now)
{
    if (model->count && model_count(model, findtime, now) == 0)
        model->count = 0;
    model->times[model->count++] = now;
}

static void agrees_with_the_slow_model(void **state)
{
    (void)state;
    srand(20261120);
    for (int round = 0; round < 300; round++) {
        int64_t findtime = 1 + rand() % 50, now = rand() % 100;
        struct window window = {0};
        struct model model = {.count = 0};
        for (int i = 0; i < EVENTS_MAX; i++) {
            now += rand() % 4 ? rand() % (findtime / 2 + 1) : rand() % (3 * findtime);
            assert_int_equal(window_count(&window, findtime, now),
                             model_count(&model, findtime, now));
            window_add(&window, findtime, now);
            model_add(&model, findtime, now);
            assert_int_equal(window_count(&window, findtime, now),
                             model_count(&model, findtime, now));
        }
        window_fini(&window);
    }
}

/* The first moment at which there are fewer, found by trying each. */
static void tells_when_the_count_is_below_a_limit(void **state)
{
    (void)state;
    srand(20261128);
    for (int round = 0; round < 300; round++) {
        int64_t findtime = 1 + rand() % 50, now = rand() % 100;
        struct window window = {0};
        for (int i = 0; i < 40; i++) {
            now += rand() % 4 ? rand() % (findtime / 4 + 1) : rand() % (2 * findtime);
            window_add(&window, findtime, now);
            uint64_t limit = 1 + (uint64_t)(rand() % 20);
            int64_t at = now + rand() % (2 * findtime), wait = 0;
            while (window_count(&window, findtime, at + wait) >= limit)
                wait++;
            assert_int_equal(window_wait_ms(&window, findtime, limit, at), wait);
            assert_true(wait <= window_left_ms(&window, findtime, at));
        }
        window_fini(&window);
    }
}

/* --- against the count that the two buckets stand for: of the last findtime ----------- */

static uint64_t exact_count(const struct model *model, int64_t findtime, int64_t now)
{
    return model_between(model, now - findtime, now + 1);
}

static void is_exact_where_a_bucket_ends_whatever_came(void **state)
{
    size_t borders = 0;

    (void)state;
    srand(20261121);
    for (int round = 0; round < 2000; round++) {
        int64_t findtime = 2 + rand() % 50, now = rand() % 100;
        struct window window = {0};
        struct model model = {.count = 0};
        for (int i = 0; i < 60; i++) {
            int64_t border = window.start_ms + findtime;
            now += rand() % 3 ? rand() % 3 : rand() % findtime;
            if (i && now >= border) {
                assert_int_equal(window_count(&window, findtime, border),
                                 exact_count(&model, findtime, border));
                borders++;
            }
            window_add(&window, findtime, now);
            model.times[model.count++] = now;
        }
        window_fini(&window);
    }
    assert_true(borders > 2000);
}

static void is_one_off_at_most_for_even_traffic(void **state)
{
    (void)state;
    for (int64_t gap = 1; gap <= 40; gap++) {
        const int64_t findtime = 100;
        struct window window = {0};
        struct model model = {.count = 0};
        for (int64_t now = 0; now < 10 * findtime && model.count < EVENTS_MAX - 1; now++) {
            if (now % gap == 0) {
                window_add(&window, findtime, now);
                model.times[model.count++] = now;
            }
            uint64_t exact = exact_count(&model, findtime, now);
            uint64_t count = window_count(&window, findtime, now);
            assert_true(count <= exact + 1 && exact <= count + 1);
        }
        window_fini(&window);
    }
}

/* Between borders it may be off by what came unevenly in the bucket before, and by no more. */
static void is_off_by_the_previous_bucket_at_most(void **state)
{
    (void)state;
    srand(20261122);
    for (int round = 0; round < 500; round++) {
        int64_t findtime = 1 + rand() % 50, now = rand() % 100;
        struct window window = {0};
        struct model model = {.count = 0};
        for (int i = 0; i < EVENTS_MAX; i++) {
            now += rand() % 8 ? rand() % 3 : rand() % (2 * findtime);
            window_add(&window, findtime, now);
            model.times[model.count++] = now;
            uint64_t exact = exact_count(&model, findtime, now);
            uint64_t count = window_count(&window, findtime, now);
            assert_in_range(exact, window.current, window.current + window.previous);
            assert_in_range(count, window.current + (window.previous > 0),
                            window.current + window.previous);
        }
        window_fini(&window);
    }
}

/*
 * So the best that a guesser does who knows the buckets: maxretry - 1 at the very end of
 * one, and as many as the rest of them allows in the next.
 */
static void a_guesser_who_knows_it_gets_less_than_twice_maxretry(void **state)
{
    (void)state;
    for (uint64_t maxretry = 2; maxretry <= 20; maxretry++) {
        struct window window = {0};
        uint64_t made = 0;
        int64_t last = 2 * FINDTIME - 2; /* the first were at FINDTIME - 1 */
        window_add(&window, FINDTIME, 0);
        for (uint64_t i = 2; i < maxretry; i++, made++)
            window_add(&window, FINDTIME, FINDTIME - 1);
        for (int64_t now = FINDTIME; now <= last; now++) {
            if (window_count(&window, FINDTIME, now) + 1 >= maxretry)
                continue;
            window_add(&window, FINDTIME, now);
            made++;
        }
        assert_int_equal(made, maxretry == 2 ? 0 : 2 * maxretry - 4);
        window_fini(&window);
    }
}

/* --- distinct ---------------------------------------------------------------------------- */

static void a_hash_counts_once(void **state)
{
    struct window window = {0};

    (void)state;
    for (int i = 0; i < 20; i++)
        assert_int_equal(window_add_distinct(&window, FINDTIME, 42, 5, i), i == 0);
    assert_int_equal(window_count(&window, FINDTIME, 20), 1);
    for (uint32_t hash = 1; hash < 5; hash++)
        assert_true(window_add_distinct(&window, FINDTIME, hash, 5, 20));
    assert_int_equal(window_count(&window, FINDTIME, 20), 5);
    window_fini(&window);
}

static void a_hash_lives_as_long_as_its_event_counts(void **state)
{
    struct window window = {0};

    (void)state;
    assert_true(window_add_distinct(&window, FINDTIME, 1, 5, 0));
    assert_true(window_add_distinct(&window, FINDTIME, 2, 5, FINDTIME + 1));
    assert_int_equal(window.hashes->old_count, 1);
    assert_false(window_add_distinct(&window, FINDTIME, 1, 5, 2 * FINDTIME - 1));
    /* The bucket of 1 is over: it is new. 2 is previous: it is not. */
    assert_true(window_add_distinct(&window, FINDTIME, 1, 5, 2 * FINDTIME));
    assert_false(window_add_distinct(&window, FINDTIME, 2, 5, 2 * FINDTIME));
    assert_int_equal(window.hashes->count, 2);
    window_fini(&window);
}

static void an_old_password_for_ever_stays_one_event(void **state)
{
    struct window window = {0};

    (void)state;
    for (int64_t now = 0; now < 50 * FINDTIME; now += FINDTIME / 7) {
        window_add_distinct(&window, FINDTIME, 42, 5, now);
        assert_true(window_count(&window, FINDTIME, now) <= 1);
    }
    window_fini(&window);
}

static void no_more_hashes_than_asked_for_are_kept(void **state)
{
    struct window window = {0};

    (void)state;
    for (uint32_t hash = 0; hash < 100; hash++)
        assert_true(window_add_distinct(&window, FINDTIME, hash, 3, 20 * hash));
    assert_int_equal(window.hashes->count, 3);
    assert_false(window_add_distinct(&window, FINDTIME, 97, 3, 2000));
    assert_true(window_add_distinct(&window, FINDTIME, 96, 3, 2000));
    assert_int_equal(window_count(&window, FINDTIME, 2000), 101);
    window_fini(&window);
}

static void fewer_hashes_than_there_are_may_be_asked_for(void **state)
{
    struct window window = {0};

    (void)state;
    for (uint32_t i = 0; i < 100; i++)
        assert_true(window_add_distinct(&window, 1000, i, 100, 1));
    for (uint32_t i = 100; i < 150; i++)
        assert_true(window_add_distinct(&window, 1000, i, 3, 2));
    assert_int_equal(window.hashes->count, 3);
    assert_false(window_add_distinct(&window, 1000, 147, 3, 2));
    for (uint32_t i = 150; i < 160; i++)
        assert_true(window_add_distinct(&window, 1000, i, 5, 2));
    assert_int_equal(window.hashes->count, 5);
    assert_int_equal(window_count(&window, 1000, 2), 160);
    window_fini(&window);
}

static void the_oldest_hash_of_the_previous_bucket_gives_way_first(void **state)
{
    struct window window = {0};

    (void)state;
    window_add_distinct(&window, FINDTIME, 1, 2, 0);
    window_add_distinct(&window, FINDTIME, 2, 2, 1);
    window_add_distinct(&window, FINDTIME, 3, 2, FINDTIME);
    assert_int_equal(window.hashes->old_count, 1);
    assert_false(window_add_distinct(&window, FINDTIME, 2, 2, FINDTIME));
    assert_true(window_add_distinct(&window, FINDTIME, 1, 2, FINDTIME));
    assert_int_equal(window.hashes->old_count, 0);
    window_fini(&window);
}

static void restored_it_counts_as_it_did(void **state)
{
    struct window window = {0}, again = {0};

    (void)state;
    window_add_distinct(&again, FINDTIME, 77, 5, 0); /* what it had goes */
    for (uint32_t hash = 1; hash < 5; hash++)
        window_add_distinct(&window, FINDTIME, hash, 5, hash * FINDTIME / 3);
    window_restore(&again, &(struct window_state){
                               .start_ms = window.start_ms,
                               .current = window.current,
                               .previous = window.previous,
                               .hashes = window.hashes->items,
                               .hash_count = window.hashes->count,
                               .hash_old_count = window.hashes->old_count,
                           });
    for (int64_t now = 4 * FINDTIME / 3; now < 4 * FINDTIME; now += FINDTIME / 9) {
        uint32_t hash = (uint32_t)(now / FINDTIME);
        assert_int_equal(window_count(&again, FINDTIME, now), window_count(&window, FINDTIME, now));
        assert_int_equal(window_add_distinct(&again, FINDTIME, hash, 5, now),
                         window_add_distinct(&window, FINDTIME, hash, 5, now));
    }
    window_fini(&window);
    window_restore(&again, &(struct window_state){.current = 1});
    assert_null(again.hashes);
    window_fini(&again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_as_the_formula_says),
        cmocka_unit_test(tells_when_nothing_counts_any_more),
        cmocka_unit_test(many_events_saturate),
        cmocka_unit_test(agrees_with_the_slow_model),
        cmocka_unit_test(tells_when_the_count_is_below_a_limit),
        cmocka_unit_test(is_exact_where_a_bucket_ends_whatever_came),
        cmocka_unit_test(is_one_off_at_most_for_even_traffic),
        cmocka_unit_test(is_off_by_the_previous_bucket_at_most),
        cmocka_unit_test(a_guesser_who_knows_it_gets_less_than_twice_maxretry),
        cmocka_unit_test(restored_it_counts_as_it_did),
        cmocka_unit_test(a_hash_counts_once),
        cmocka_unit_test(a_hash_lives_as_long_as_its_event_counts),
        cmocka_unit_test(an_old_password_for_ever_stays_one_event),
        cmocka_unit_test(no_more_hashes_than_asked_for_are_kept),
        cmocka_unit_test(fewer_hashes_than_there_are_may_be_asked_for),
        cmocka_unit_test(the_oldest_hash_of_the_previous_bucket_gives_way_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
