/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>

#include "tests/unit/net_fixture.h"

#include "common/base/str.h"

struct trace {
    struct loop *loop;
    struct loop_timer *timer;
    struct loop_timer *other;
    struct loop_io *io[2];
    int fds[2];
    unsigned events;
    char text[64];
    int64_t at_ms;
};

static int set_up(void **state)
{
    struct trace *trace = calloc(1, sizeof(*trace));

    trace->loop = loop_new();
    *state = trace;
    return 0;
}

static int tear_down(void **state)
{
    struct trace *trace = *state;

    loop_free(&trace->loop);
    assert_null(trace->loop);
    loop_free(&trace->loop);
    free(trace);
    return 0;
}

static void note(struct trace *trace, const char *what)
{
    size_t used = strlen(trace->text);

    snprintf(trace->text + used, sizeof(trace->text) - used, "%s", what);
}

static void note_a(void *ctx)
{
    note(ctx, "a");
}

static void note_b(void *ctx)
{
    note(ctx, "b");
}

static void note_and_post(void *ctx)
{
    struct trace *trace = ctx;

    note(trace, "p");
    loop_post(trace->loop, note_b, trace);
}

static void stop(void *ctx)
{
    loop_stop(((struct trace *)ctx)->loop);
}

static void posts_run_in_order(void **state)
{
    struct trace *trace = *state;

    loop_post(trace->loop, note_and_post, trace);
    loop_post(trace->loop, note_a, trace);
    assert_string_equal(trace->text, "");
    FIXTURE_TURN_UNTIL(trace->loop, str_eq(trace->text, "pab"));
}

#define POSTS 1000

struct count {
    struct loop *loop;
    unsigned seen;
    unsigned from[2];
    bool in_order;
};

struct numbered {
    struct count *count;
    unsigned thread;
    unsigned number;
};

static void count_one(void *ctx)
{
    struct numbered *numbered = ctx;
    struct count *count = numbered->count;

    count->in_order &= count->from[numbered->thread]++ == numbered->number;
    if (++count->seen == 2 * POSTS)
        loop_stop(count->loop);
    free(numbered);
}

static void *post_many(void *ctx)
{
    struct numbered *first = ctx;

    for (unsigned i = 0; i < POSTS; i++) {
        struct numbered *numbered = malloc(sizeof(*numbered));
        *numbered = (struct numbered){first->count, first->thread, i};
        loop_post(first->count->loop, count_one, numbered);
    }
    return NULL;
}

static void posts_come_from_any_thread(void **state)
{
    struct trace *trace = *state;
    struct count count = {.loop = trace->loop, .in_order = true};
    struct numbered starts[2] = {{&count, 0, 0}, {&count, 1, 0}};
    pthread_t threads[2];

    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, post_many, &starts[i]), 0);
    loop_run(trace->loop);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(count.seen, 2 * POSTS);
    assert_true(count.in_order);
}

static void posts_that_never_ran_are_forgotten(void **state)
{
    struct trace *trace = *state;

    loop_post(trace->loop, note_a, trace);
    assert_string_equal(trace->text, "");
}

static void a_stop_before_the_run_counts(void **state)
{
    struct trace *trace = *state;

    loop_stop(trace->loop);
    loop_run(trace->loop);
    loop_post(trace->loop, note_a, trace);
    loop_post(trace->loop, stop, trace);
    loop_run(trace->loop);
    assert_string_equal(trace->text, "a");
}

static void timers_fire_in_the_order_of_their_times(void **state)
{
    struct trace *trace = *state;
    struct loop_timer *a = loop_timer_new(trace->loop, note_a, trace);
    struct loop_timer *b = loop_timer_new(trace->loop, note_b, trace);
    struct loop_timer *end = loop_timer_new(trace->loop, stop, trace);

    loop_timer_start(a, 20);
    loop_timer_start(b, 5);
    loop_timer_start(end, 40);
    loop_run(trace->loop);
    assert_string_equal(trace->text, "ba");
    loop_timer_free(&a);
    loop_timer_free(&b);
    loop_timer_free(&end);
    assert_null(end);
    loop_timer_free(&end);
}

static void a_timer_moves_and_stops(void **state)
{
    struct trace *trace = *state;
    struct loop_timer *moved = loop_timer_new(trace->loop, note_a, trace);
    struct loop_timer *stopped = loop_timer_new(trace->loop, note_b, trace);
    struct loop_timer *end = loop_timer_new(trace->loop, stop, trace);

    loop_timer_start(moved, 60000);
    loop_timer_start(moved, 0);
    loop_timer_start(stopped, 0);
    loop_timer_stop(stopped);
    loop_timer_start(end, 20);
    loop_run(trace->loop);
    assert_string_equal(trace->text, "a");
    loop_timer_free(&moved);
    loop_timer_free(&stopped);
    loop_timer_free(&end);
}

static void a_timer_moved_to_later_fires_once_and_then(void **state)
{
    struct trace *trace = *state;
    struct loop_timer *moved = loop_timer_new(trace->loop, note_a, trace);
    struct loop_timer *between = loop_timer_new(trace->loop, note_b, trace);
    struct loop_timer *never = loop_timer_new(trace->loop, note_b, trace);
    struct loop_timer *end = loop_timer_new(trace->loop, stop, trace);

    loop_timer_start(moved, 5);
    loop_timer_start(moved, 60);
    loop_timer_start(between, 30);
    loop_timer_start(never, 5);
    loop_timer_start(never, 60000);
    loop_timer_start(end, 100);
    loop_run(trace->loop);
    assert_string_equal(trace->text, "ba");
    loop_timer_free(&moved);
    loop_timer_free(&between);
    loop_timer_free(&never);
    loop_timer_free(&end);
}

static void note_time_and_stop(void *ctx)
{
    struct trace *trace = ctx;

    trace->at_ms = clock_mono_ms(&clock_system) - trace->at_ms;
    loop_stop(trace->loop);
}

static void be_slow_then_start(void *ctx)
{
    struct trace *trace = ctx;

    poll(NULL, 0, 60);
    trace->at_ms = clock_mono_ms(&clock_system);
    loop_timer_start(trace->timer, 40);
    loop_post(trace->loop, note_a, trace); /* the loop comes round and looks at its timers */
}

static void a_timer_counts_from_its_start(void **state)
{
    struct trace *trace = *state;

    trace->timer = loop_timer_new(trace->loop, note_time_and_stop, trace);
    loop_post(trace->loop, be_slow_then_start, trace);
    loop_run(trace->loop);
    /* The kernel's coarse clock may be one tick behind. */
    assert_true(trace->at_ms >= 30);
    loop_timer_free(&trace->timer);
}

static void free_both_timers(void *ctx)
{
    struct trace *trace = ctx;

    note(trace, "f");
    loop_timer_free(&trace->timer);
    loop_timer_free(&trace->other);
}

static void a_timer_may_free_itself_and_another(void **state)
{
    struct trace *trace = *state;

    trace->timer = loop_timer_new(trace->loop, free_both_timers, trace);
    trace->other = loop_timer_new(trace->loop, free_both_timers, trace);
    loop_timer_start(trace->timer, 0);
    loop_timer_start(trace->other, 0);
    FIXTURE_TURN_UNTIL(trace->loop, trace->text[0]);
    loop_run_once(trace->loop);
    assert_string_equal(trace->text, "f");
}

static void note_events(unsigned events, void *ctx)
{
    struct trace *trace = ctx;

    trace->events |= events;
}

static void io_tells_what_was_asked_for(void **state)
{
    struct trace *trace = *state;

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, trace->fds), 0);
    trace->io[0] = loop_io_new(trace->loop, trace->fds[0], 0, note_events, trace);
    fixture_send(trace->fds[1], "x");
    loop_run_once(trace->loop);
    assert_int_equal(trace->events, 0);

    loop_io_want(trace->io[0], LOOP_WRITE);
    loop_run_once(trace->loop);
    assert_int_equal(trace->events, LOOP_WRITE);

    loop_io_want(trace->io[0], LOOP_READ | LOOP_WRITE);
    loop_run_once(trace->loop);
    assert_int_equal(trace->events, LOOP_READ | LOOP_WRITE);

    trace->events = 0;
    loop_io_want(trace->io[0], LOOP_READ);
    loop_run_once(trace->loop);
    loop_run_once(trace->loop);
    assert_int_equal(trace->events, LOOP_READ);

    loop_io_free(&trace->io[0]);
    assert_null(trace->io[0]);
    loop_io_free(&trace->io[0]);
    close(trace->fds[0]);
    close(trace->fds[1]);
}

static void free_both_ios(unsigned events, void *ctx)
{
    struct trace *trace = ctx;

    (void)events;
    note(trace, "f");
    loop_io_free(&trace->io[0]);
    loop_io_free(&trace->io[1]);
}

static void io_may_free_itself_and_another(void **state)
{
    struct trace *trace = *state;

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, trace->fds), 0);
    for (int i = 0; i < 2; i++)
        trace->io[i] = loop_io_new(trace->loop, trace->fds[i], LOOP_WRITE, free_both_ios, trace);
    loop_run_once(trace->loop);
    loop_run_once(trace->loop);
    assert_string_equal(trace->text, "f");
    close(trace->fds[0]);
    close(trace->fds[1]);
}

static void a_signal_is_an_event(void **state)
{
    struct trace *trace = *state;
    struct loop_signal *hup = loop_signal_new(trace->loop, SIGHUP, note_a, trace);

    raise(SIGHUP);
    FIXTURE_TURN_UNTIL(trace->loop, str_eq(trace->text, "a"));
    loop_signal_free(&hup);
    assert_null(hup);
    loop_signal_free(&hup);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(posts_run_in_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(posts_come_from_any_thread, set_up, tear_down),
        cmocka_unit_test_setup_teardown(posts_that_never_ran_are_forgotten, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_stop_before_the_run_counts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(timers_fire_in_the_order_of_their_times, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_timer_moves_and_stops, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_timer_moved_to_later_fires_once_and_then, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_timer_counts_from_its_start, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_timer_may_free_itself_and_another, set_up, tear_down),
        cmocka_unit_test_setup_teardown(io_tells_what_was_asked_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(io_may_free_itself_and_another, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_signal_is_an_event, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
