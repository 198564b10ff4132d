/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "tests/unit/net_fixture.h"

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/net/listener.h"
#include "common/net/report_link.h"
#include "tests/unit/unit.h"

#define QUEUE_MAX 100

/* A link in a loop, and by hand the policyd at its other end. */
struct fixture {
    char *dir;
    char address[128];
    struct loop *loop;
    struct report_queue queue;
    struct report_link *link;
    int listener;
    int peer;
    struct buf in; /* what peer got */
    struct buf logged;
};

static void keep_log(enum log_level level, const char *line, void *ctx)
{
    struct buf *logged = ctx;

    (void)level;
    buf_puts(logged, line);
    buf_putc(logged, '\n');
}

static size_t count_of(const struct buf *text, const char *needle)
{
    size_t count = 0;

    for (const char *at = buf_str(text); (at = strstr(at, needle)); at += strlen(needle))
        count++;
    return count;
}

static void listen_again(struct fixture *fixture)
{
    fixture->listener = listener_bind(fixture->address, NULL, NULL);
    assert_true(fixture->listener >= 0);
}

static void make_link(struct fixture *fixture, int64_t summary_ms)
{
    report_link_free(&fixture->link);
    fixture->link = report_link_new(fixture->loop, &(struct report_link_options){
                                                       .address = fixture->address,
                                                       .queue = &fixture->queue,
                                                       .retry_min_ms = 1,
                                                       .retry_max_ms = 5,
                                                       .summary_ms = summary_ms,
                                                   });
}

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    fixture->dir = fixture_dir_new();
    snprintf(fixture->address, sizeof(fixture->address), "unix:%s/control", fixture->dir);
    fixture->loop = loop_new();
    fixture->peer = -1;
    listen_again(fixture);
    log_open("test", LOG_TARGET_NOWHERE, LOG_LEVEL_INFO);
    log_capture(keep_log, &fixture->logged);
    report_queue_init(&fixture->queue, QUEUE_MAX);
    make_link(fixture, 3600000);
    *state = fixture;
    return 0;
}

static void hang_up(struct fixture *fixture)
{
    if (fixture->peer >= 0)
        close(fixture->peer);
    fixture->peer = -1;
    buf_reset(&fixture->in);
}

static void stop_listening(struct fixture *fixture)
{
    if (fixture->listener >= 0)
        close(fixture->listener);
    fixture->listener = -1;
    unlink(fixture->address + strlen("unix:"));
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;

    report_link_free(&fixture->link);
    report_queue_fini(&fixture->queue);
    loop_free(&fixture->loop);
    hang_up(fixture);
    stop_listening(fixture);
    log_capture(NULL, NULL);
    buf_fini(&fixture->in);
    buf_fini(&fixture->logged);
    fixture_dir_remove(fixture->dir);
    free(fixture);
    return 0;
}

static void put(struct fixture *fixture, unsigned first, unsigned count)
{
    char text[32];

    for (unsigned i = first; i < first + count; i++) {
        snprintf(text, sizeof(text), "n=%u\n\n", i);
        if (report_queue_put(&fixture->queue, x_strdup(text)))
            report_link_wake(fixture->link);
    }
}

static int has_accepted(struct fixture *fixture)
{
    if (fixture->peer < 0)
        fixture->peer = accept4(fixture->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    return fixture->peer >= 0;
}

/* Whether exactly the reports first to last, in order, are what the peer has got so far. */
static int has_got(struct fixture *fixture, unsigned first, unsigned count)
{
    struct buf wanted = {0};

    if (!has_accepted(fixture))
        return 0;
    (void)fixture_receive(fixture->peer, &fixture->in);
    for (unsigned i = first; i < first + count; i++)
        buf_printf(&wanted, "n=%u\n\n", i);
    int same = fixture->in.len >= wanted.len;
    if (same)
        assert_string_equal(buf_str(&fixture->in), buf_str(&wanted));
    buf_fini(&wanted);
    return same;
}

static void expect(struct fixture *fixture, unsigned first, unsigned count)
{
    FIXTURE_TURN_UNTIL(fixture->loop, has_got(fixture, first, count));
    for (int i = 0; i < 3; i++)
        loop_run_once(fixture->loop);
    assert_true(has_got(fixture, first, count)); /* and nothing behind it */
    buf_reset(&fixture->in);
}

static void answer(struct fixture *fixture, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        fixture_send(fixture->peer, "status=ok\nstored=yes\nenforce=yes\n\n");
}

#define ACCEPTED(fixture) report_queue_counts(&(fixture)->queue).accepted
#define REFUSED(fixture)  report_queue_counts(&(fixture)->queue).refused

static void a_batch_goes_out_before_it_is_answered(void **state)
{
    struct fixture *fixture = *state;

    put(fixture, 0, 1);
    expect(fixture, 0, 1);
    put(fixture, 1, REPORT_BATCH_MAX + 5);
    answer(fixture, 1);
    expect(fixture, 1, REPORT_BATCH_MAX);
    answer(fixture, REPORT_BATCH_MAX);
    expect(fixture, 1 + REPORT_BATCH_MAX, 5);
    assert_false(report_link_is_idle(fixture->link));
    answer(fixture, 5);
    FIXTURE_TURN_UNTIL(fixture->loop, report_link_is_idle(fixture->link));
    assert_int_equal(ACCEPTED(fixture), REPORT_BATCH_MAX + 6);
    put(fixture, 500, 2);
    expect(fixture, 500, 1);
    assert_string_equal(buf_str(&fixture->logged), "");
}

static void an_answer_may_come_in_pieces(void **state)
{
    struct fixture *fixture = *state;
    const char text[] = "status=ok\nstored=yes\n\nstatus=error\nreason=no\n\n";

    put(fixture, 0, 1);
    expect(fixture, 0, 1);
    put(fixture, 1, 2);
    answer(fixture, 1);
    expect(fixture, 1, 2);
    for (const char *at = text; *at; at++) {
        assert_int_equal(send(fixture->peer, at, 1, MSG_NOSIGNAL), 1);
        loop_run_once(fixture->loop);
    }
    FIXTURE_TURN_UNTIL(fixture->loop, REFUSED(fixture) == 1);
    assert_int_equal(ACCEPTED(fixture), 2);
}

static void nobody_there_is_said_once_and_tried_again(void **state)
{
    struct fixture *fixture = *state;

    stop_listening(fixture);
    put(fixture, 0, 3);
    FIXTURE_TURN_UNTIL(fixture->loop, strstr(buf_str(&fixture->logged), "reports-wait") != NULL);
    poll(NULL, 0, 20);
    loop_run_once(fixture->loop);
    assert_int_equal(count_of(&fixture->logged, "reports-wait"), 1);
    assert_non_null(strstr(buf_str(&fixture->logged), "is postern-policyd running?"));
    assert_true(report_link_is_idle(fixture->link));
    put(fixture, 3, 2);
    listen_again(fixture);
    expect(fixture, 0, 1);
    answer(fixture, 1);
    expect(fixture, 1, 4);
    answer(fixture, 4);
    FIXTURE_TURN_UNTIL(fixture->loop, ACCEPTED(fixture) == 5);
    assert_int_equal(count_of(&fixture->logged, "reports-go-on"), 1);
}

static void what_was_not_answered_is_sent_again(void **state)
{
    struct fixture *fixture = *state;

    put(fixture, 0, 1);
    expect(fixture, 0, 1);
    answer(fixture, 1);
    put(fixture, 1, 10);
    FIXTURE_TURN_UNTIL(fixture->loop, has_got(fixture, 1, 10));
    answer(fixture, 4);
    hang_up(fixture);
    expect(fixture, 5, 6);
    answer(fixture, 6);
    FIXTURE_TURN_UNTIL(fixture->loop, ACCEPTED(fixture) == 11);
    assert_string_equal(buf_str(&fixture->logged), "");
}

static void a_connection_closed_in_peace_is_opened_when_needed(void **state)
{
    struct fixture *fixture = *state;

    put(fixture, 0, 1);
    expect(fixture, 0, 1);
    answer(fixture, 1);
    FIXTURE_TURN_UNTIL(fixture->loop, ACCEPTED(fixture) == 1);
    hang_up(fixture);
    for (int i = 0; i < 20; i++) {
        poll(NULL, 0, 1);
        loop_run_once(fixture->loop);
    }
    assert_false(has_accepted(fixture));
    put(fixture, 1, 1);
    expect(fixture, 1, 1);
    assert_string_equal(buf_str(&fixture->logged), "");
}

static void a_refusal_is_said_once(void **state)
{
    struct fixture *fixture = *state;

    put(fixture, 0, 1);
    expect(fixture, 0, 1);
    put(fixture, 1, 9);
    for (int i = 0; i < 10; i++) {
        fixture_send(fixture->peer, "status=error\nreason=no such event\n\n");
        FIXTURE_TURN_UNTIL(fixture->loop, REFUSED(fixture) == (uint64_t)i + 1);
    }
    assert_int_equal(count_of(&fixture->logged, "no such event"), 1);
    make_link(fixture, 1);
    FIXTURE_TURN_UNTIL(fixture->loop, strstr(buf_str(&fixture->logged), "refused=10") != NULL);
    assert_int_equal(count_of(&fixture->logged, "reports-lost"), 1);
}

static void a_report_that_ends_connections_is_given_up(void **state)
{
    struct fixture *fixture = *state;

    put(fixture, 0, 1);
    for (unsigned i = 0; i < REPORT_TRIES_MAX; i++) {
        expect(fixture, 0, 1);
        if (i == 0)
            put(fixture, 1, 1);
        hang_up(fixture);
    }
    expect(fixture, 1, 1);
    answer(fixture, 1);
    FIXTURE_TURN_UNTIL(fixture->loop, ACCEPTED(fixture) == 1);
    assert_int_equal(REFUSED(fixture), 1);
    assert_int_equal(count_of(&fixture->logged, "report-given-up"), 1);
}

static void who_does_not_read_costs_nothing_but_reports(void **state)
{
    struct fixture *fixture = *state;

    make_link(fixture, 2);
    put(fixture, 0, 1);
    FIXTURE_TURN_UNTIL(fixture->loop, has_accepted(fixture));
    put(fixture, 1, 50000);
    struct report_counts counts = report_queue_counts(&fixture->queue);
    assert_int_equal(counts.waiting, QUEUE_MAX);
    assert_int_equal(counts.dropped, 50000 - QUEUE_MAX);
    FIXTURE_TURN_UNTIL(fixture->loop,
                       strstr(buf_str(&fixture->logged), "policyd does not answer") != NULL);
    assert_int_equal(count_of(&fixture->logged, "reports-lost dropped=49900 refused=0"), 1);
    assert_int_equal(count_of(&fixture->logged, "reports-lost"), 1);
    expect(fixture, 0, 1);
    answer(fixture, 1);
    expect(fixture, 50001 - QUEUE_MAX, REPORT_BATCH_MAX);
    assert_int_equal(count_of(&fixture->logged, "reports-go-on"), 1);
}

static void a_whole_batch_of_the_longest_reports(void **state)
{
    struct fixture *fixture = *state;
    char *text = malloc(REPORT_ENCODED_MAX + 1);

    put(fixture, 0, 1);
    expect(fixture, 0, 1);
    memset(text, 'x', REPORT_ENCODED_MAX);
    text[REPORT_ENCODED_MAX] = '\0';
    for (int i = 0; i < REPORT_BATCH_MAX; i++)
        assert_false(report_queue_put(&fixture->queue, x_strdup(text)));
    answer(fixture, 1);
    size_t whole = (size_t)REPORT_BATCH_MAX * REPORT_ENCODED_MAX;
    FIXTURE_TURN_UNTIL(fixture->loop,
                       fixture_receive(fixture->peer, &fixture->in) && fixture->in.len >= whole);
    assert_int_equal(fixture->in.len, whole);
    answer(fixture, REPORT_BATCH_MAX);
    FIXTURE_TURN_UNTIL(fixture->loop, ACCEPTED(fixture) == REPORT_BATCH_MAX + 1);
    free(text);
}

static void nonsense_for_an_answer_is_no_answer(void **state)
{
    static const char *const cases[] = {"HTTP/1.0 400\n\n", "ban=203.0.113.7\n\n", "\n", "=\n\n"};
    struct fixture *fixture = *state;

    put(fixture, 0, COUNT(cases) * REPORT_TRIES_MAX);
    for (size_t i = 0; i < COUNT(cases); i++) {
        FIXTURE_TURN_UNTIL(fixture->loop, has_accepted(fixture));
        fixture_send(fixture->peer, cases[i]);
        FIXTURE_TURN_UNTIL(fixture->loop, !fixture_receive(fixture->peer, &fixture->in));
        hang_up(fixture);
    }
    assert_int_equal(ACCEPTED(fixture), 0);
    assert_int_equal(count_of(&fixture->logged, "is not postern-policyd"), 1);
}

int main(void)
{
#define LINK_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    static const struct CMUnitTest tests[] = {
        LINK_TEST(a_batch_goes_out_before_it_is_answered),
        LINK_TEST(an_answer_may_come_in_pieces),
        LINK_TEST(nobody_there_is_said_once_and_tried_again),
        LINK_TEST(what_was_not_answered_is_sent_again),
        LINK_TEST(a_connection_closed_in_peace_is_opened_when_needed),
        LINK_TEST(a_refusal_is_said_once),
        LINK_TEST(a_report_that_ends_connections_is_given_up),
        LINK_TEST(who_does_not_read_costs_nothing_but_reports),
        LINK_TEST(a_whole_batch_of_the_longest_reports),
        LINK_TEST(nonsense_for_an_answer_is_no_answer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
