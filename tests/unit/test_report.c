/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/net/report.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "common/net/report_queue.h"
#include "common/wire/attr.h"
#include "tests/unit/unit.h"

static struct report report_from(const char *client)
{
    struct report report = {.event = "rcpt_unknown", .weight = 1, .at_ms = 1790000000999};

    assert_int_equal(addr_parse(client, &report.client), 0);
    return report;
}

static void a_report_is_one_request(void **state)
{
    struct report report = report_from("2001:db8::7");

    (void)state;
    report.login = "alice";
    report.recipient = "bob@example.com";
    report.session = "c17";
    char *text = report_encode(&report);
    assert_string_equal(text, "request=report\nevent=rcpt_unknown\nclient_address=2001:db8::7\n"
                              "at=1790000000\nsession=c17\nlogin=alice\n"
                              "recipient=bob@example.com\n\n");
    free(text);
    report = report_from("203.0.113.7");
    report.weight = 0;
    text = report_encode(&report);
    assert_string_equal(text, "request=report\nevent=rcpt_unknown\nclient_address=203.0.113.7\n"
                              "at=1790000000\nweight=0\n\n");
    free(text);
}

static void no_text_makes_it_two_or_too_long(void **state)
{
    struct report report = report_from("203.0.113.7");
    struct attr_list list;
    char longest[3 * REPORT_TEXT_MAX];
    size_t consumed;

    (void)state;
    memset(longest, '\n', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    report.login = report.recipient = report.session = longest;
    report.at_ms = INT64_MAX;
    report.weight = 4294967295;
    char *text = report_encode(&report);
    assert_true(strlen(text) <= REPORT_ENCODED_MAX);
    assert_int_equal(attr_parse((const uint8_t *)text, strlen(text), &list, &consumed), ATTR_OK);
    assert_int_equal(consumed, strlen(text));
    assert_int_equal(strlen(attr_get(&list, "recipient")), REPORT_TEXT_MAX);
    free(text);
}

static void put(struct report_queue *queue, unsigned number)
{
    char text[16];

    snprintf(text, sizeof(text), "%u", number);
    bool sleeps = report_queue_put(queue, x_strdup(text));
    (void)sleeps;
}

/* Takes at most max and compares them with first, first + 1, …; how many there were. */
static size_t take(struct report_queue *queue, size_t max, unsigned first)
{
    char *taken[100];
    size_t count = report_queue_take(queue, taken, max);

    for (size_t i = 0; i < count; i++) {
        assert_int_equal(strtoul(taken[i], NULL, 10), first + i);
        free(taken[i]);
    }
    return count;
}

static void first_in_is_first_out(void **state)
{
    struct report_queue queue;

    (void)state;
    report_queue_init(&queue, 5);
    for (unsigned turn = 0; turn < 7; turn++) {
        for (unsigned i = 0; i < 4; i++)
            put(&queue, turn * 4 + i);
        assert_int_equal(take(&queue, 3, turn * 4), 3);
        assert_int_equal(take(&queue, 3, turn * 4 + 3), 1);
        assert_int_equal(take(&queue, 3, 0), 0);
    }
    assert_int_equal(report_queue_counts(&queue).dropped, 0);
    report_queue_fini(&queue);
}

static void when_it_is_full_the_oldest_goes(void **state)
{
    struct report_queue queue;

    (void)state;
    report_queue_init(&queue, 5);
    for (unsigned i = 0; i < 5; i++)
        put(&queue, i);
    assert_int_equal(report_queue_counts(&queue).dropped, 0);
    for (unsigned i = 5; i < 12; i++)
        put(&queue, i);
    assert_int_equal(report_queue_counts(&queue).dropped, 7);
    assert_int_equal(report_queue_counts(&queue).waiting, 5);
    assert_int_equal(take(&queue, 100, 7), 5);
    put(&queue, 99); /* is freed with the queue */
    report_queue_fini(&queue);
}

static void the_taker_is_told_only_when_it_found_nothing(void **state)
{
    struct report_queue queue;

    (void)state;
    report_queue_init(&queue, 5);
    assert_true(report_queue_put(&queue, x_strdup("0")));
    assert_false(report_queue_put(&queue, x_strdup("1")));
    assert_int_equal(take(&queue, 2, 0), 2);
    assert_false(report_queue_put(&queue, x_strdup("2"))); /* it has two and will come again */
    assert_int_equal(take(&queue, 2, 2), 1);
    assert_int_equal(take(&queue, 2, 0), 0);
    assert_true(report_queue_put(&queue, x_strdup("3")));
    report_queue_fini(&queue);
}

static void done_ones_are_counted(void **state)
{
    struct report_queue queue;

    (void)state;
    report_queue_init(&queue, 1);
    report_queue_done(&queue, true);
    report_queue_done(&queue, true);
    report_queue_done(&queue, false);
    struct report_counts counts = report_queue_counts(&queue);
    assert_int_equal(counts.accepted, 2);
    assert_int_equal(counts.refused, 1);
    report_queue_fini(&queue);
}

#define THREADS  4
#define PER_EACH 20000u

static void *put_many(void *ctx)
{
    for (unsigned i = 0; i < PER_EACH; i++)
        put(ctx, i);
    return NULL;
}

static void threads_lose_nothing_but_what_is_counted(void **state)
{
    struct report_queue queue;
    pthread_t threads[THREADS];
    char *taken[7];
    uint64_t got = 0;

    (void)state;
    report_queue_init(&queue, 100);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, put_many, &queue), 0);
    for (;;) {
        size_t count = report_queue_take(&queue, taken, COUNT(taken));
        for (size_t i = 0; i < count; i++)
            free(taken[i]);
        got += count;
        struct report_counts counts = report_queue_counts(&queue);
        if (!counts.waiting && got + counts.dropped == (uint64_t)THREADS * PER_EACH)
            break;
    }
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    report_queue_fini(&queue);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_report_is_one_request),
        cmocka_unit_test(no_text_makes_it_two_or_too_long),
        cmocka_unit_test(first_in_is_first_out),
        cmocka_unit_test(when_it_is_full_the_oldest_goes),
        cmocka_unit_test(the_taker_is_told_only_when_it_found_nothing),
        cmocka_unit_test(done_ones_are_counted),
        cmocka_unit_test(threads_lose_nothing_but_what_is_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
