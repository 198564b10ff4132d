/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/net/dns_memo.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "tests/unit/unit.h"

/* Answers each name with itself as text; "late" too late, "void" with nothing. */
struct echo {
    struct dns dns;
    unsigned batches, questions;
};

static struct dns_answer echo_answer(const char *name)
{
    struct dns_answer answer = {.status = DNS_FOUND, .ttl_sec = 60, .count = 1};

    if (strcmp(name, "late") == 0)
        return (struct dns_answer){.status = DNS_TIMEOUT};
    if (strcmp(name, "void") == 0)
        return (struct dns_answer){.status = DNS_NXDOMAIN};
    answer.records = x_calloc(1, sizeof *answer.records);
    answer.records[0].txt = (uint8_t *)x_strdup(name);
    answer.records[0].txt_len = strlen(name);
    answer.records[0].name = x_strdup(name);
    return answer;
}

static void echo_ask(struct dns *dns, const struct dns_question *questions, size_t count,
                     struct dns_budget *budget, struct dns_answer *answers_r)
{
    struct echo *echo = (struct echo *)(void *)dns;

    echo->batches++;
    echo->questions += (unsigned)count;
    budget->left_ms -= 10;
    for (size_t i = 0; i < count; i++)
        answers_r[i] = echo_answer(questions[i].name);
}

static struct echo echo;
static struct dns_memo memo;
static struct dns_budget budget;

static int set_up(void **state)
{
    (void)state;
    echo = (struct echo){.dns = {.ask = echo_ask}};
    budget = (struct dns_budget){1000};
    dns_memo_init(&memo, &echo.dns);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    dns_memo_fini(&memo);
    return 0;
}

static void expect_answer(const char *name, uint16_t type, enum dns_status status)
{
    struct dns_question question = {name, type};
    struct dns_answer answer;

    dns_ask(&memo.dns, &question, 1, &budget, &answer);
    assert_int_equal(answer.status, status);
    assert_int_equal(answer.count, status == DNS_FOUND);
    if (status == DNS_FOUND) {
        assert_int_equal(answer.records[0].txt_len, strlen(name));
        assert_int_equal(strncasecmp((const char *)answer.records[0].txt, name, strlen(name) + 1),
                         0);
    }
    dns_answer_fini(&answer);
}

static void test_known_answers_cost_nothing(void **state)
{
    const struct dns_question ahead[] = {
        {"a", DNS_TYPE_TXT}, {"late", DNS_TYPE_TXT}, {"A", DNS_TYPE_TXT}, {"void", DNS_TYPE_PTR}};

    (void)state;
    dns_memo_ask_ahead(&memo, ahead, COUNT(ahead), &budget);
    assert_int_equal(echo.batches, 1);
    assert_int_equal(echo.questions, 3); /* a name is one, whatever its case */
    for (unsigned i = 0; i < 3; i++) {
        expect_answer("a", DNS_TYPE_TXT, DNS_FOUND);
        expect_answer("A", DNS_TYPE_TXT, DNS_FOUND);
        expect_answer("late", DNS_TYPE_TXT, DNS_TIMEOUT);
        expect_answer("void", DNS_TYPE_PTR, DNS_NXDOMAIN);
    }
    assert_int_equal(echo.batches, 1);
    assert_int_equal(budget.left_ms, 990);
    dns_memo_ask_ahead(&memo, ahead, COUNT(ahead), &budget);
    assert_int_equal(echo.batches, 1);
}

static void test_the_rest_is_asked(void **state)
{
    const struct dns_question ahead = {"a", DNS_TYPE_TXT};
    const struct dns_question mixed[] = {
        {"b", DNS_TYPE_TXT}, {"a", DNS_TYPE_TXT}, {"late", DNS_TYPE_A}, {"a", DNS_TYPE_A}};
    struct dns_answer answers[COUNT(mixed)];

    (void)state;
    dns_memo_ask_ahead(&memo, &ahead, 1, &budget);
    dns_ask(&memo.dns, mixed, COUNT(mixed), &budget, answers);
    assert_int_equal(echo.batches, 2);
    assert_int_equal(echo.questions, 4);
    assert_string_equal(answers[0].records[0].txt, "b");
    assert_string_equal(answers[1].records[0].txt, "a");
    assert_int_equal(answers[2].status, DNS_TIMEOUT);
    assert_string_equal(answers[3].records[0].name, "a");
    for (size_t i = 0; i < COUNT(mixed); i++)
        dns_answer_fini(&answers[i]);
    /* only what was asked ahead is kept */
    expect_answer("b", DNS_TYPE_TXT, DNS_FOUND);
    assert_int_equal(echo.batches, 3);
}

static void test_no_more_than_the_limit_is_kept(void **state)
{
    struct dns_question ahead[DNS_MEMO_MAX + 5];
    char names[DNS_MEMO_MAX + 5][8];

    (void)state;
    for (size_t i = 0; i < COUNT(ahead); i++) {
        snprintf(names[i], sizeof names[i], "n%zu", i);
        ahead[i] = (struct dns_question){names[i], DNS_TYPE_TXT};
    }
    dns_memo_ask_ahead(&memo, ahead, COUNT(ahead), &budget);
    assert_int_equal(echo.questions, DNS_MEMO_MAX);
    expect_answer(names[DNS_MEMO_MAX - 1], DNS_TYPE_TXT, DNS_FOUND);
    assert_int_equal(echo.batches, 1);
    expect_answer(names[DNS_MEMO_MAX], DNS_TYPE_TXT, DNS_FOUND);
    assert_int_equal(echo.batches, 2);
}

static void test_nothing_ahead_asks_nobody(void **state)
{
    (void)state;
    dns_memo_ask_ahead(&memo, NULL, 0, &budget);
    assert_int_equal(echo.batches, 0);
    expect_answer("a", DNS_TYPE_TXT, DNS_FOUND);
    assert_int_equal(echo.batches, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_known_answers_cost_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_rest_is_asked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_more_than_the_limit_is_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nothing_ahead_asks_nobody, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("dns_memo", tests, NULL, NULL);
}
