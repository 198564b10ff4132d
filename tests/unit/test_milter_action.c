/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "milter/action.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/unit.h"

#define A CONFIG_ACTION_ACCEPT
#define R CONFIG_ACTION_REJECT
#define T CONFIG_ACTION_TEMPFAIL

static const struct config_spf strict = {.fail = R, .softfail = T, .permerror = R, .temperror = T};
static const struct config_spf mild = {.fail = T, .softfail = R, .permerror = T, .temperror = A};
static const struct config_spf none = {.fail = A};

static struct origin origin = {.kind = ORIGIN_KNOWN};
static struct judge_facts facts = {.origin = &origin, .helo = "h", .sender = "a@example.net"};

static int set_up(void **state)
{
    (void)state;
    return addr_parse("203.0.113.9", &origin.addr);
}

static struct judgement judged(enum auth_result result)
{
    struct judgement judgement = {.has_spf = true,
                                  .spf.mailfrom = {.ran = true, .result = result},
                                  .spf.helo = {.ran = true, .result = AUTH_PASS}};

    strcpy(judgement.spf.mailfrom.domain, "example.net");
    strcpy(judgement.spf.helo.domain, "helo.example.net");
    return judgement;
}

static void test_results(void **state)
{
    static const struct {
        const struct config_spf *rules;
        enum auth_result result;
        enum config_action action;
        const char *code, *status;
    } cases[] = {
        {&strict, AUTH_FAIL, R, "550", "5.7.23"},    {&mild, AUTH_FAIL, T, "451", "4.7.23"},
        {&none, AUTH_FAIL, A, NULL, NULL},           {&strict, AUTH_SOFTFAIL, T, "451", "4.7.23"},
        {&mild, AUTH_SOFTFAIL, R, "550", "5.7.23"},  {&strict, AUTH_PERMERROR, R, "550", "5.7.24"},
        {&mild, AUTH_PERMERROR, T, "451", "4.7.24"}, {&strict, AUTH_TEMPERROR, T, "451", "4.7.24"},
        {&mild, AUTH_TEMPERROR, A, NULL, NULL},      {&strict, AUTH_PASS, A, NULL, NULL},
        {&strict, AUTH_NONE, A, NULL, NULL},         {&strict, AUTH_NEUTRAL, A, NULL, NULL},
        {&strict, AUTH_POLICY, A, NULL, NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct judgement judgement = judged(cases[i].result);
        struct action action = action_by_spf(cases[i].rules, &facts, &judgement);
        if (action.kind != cases[i].action)
            fail_msg("%zu: %s", i, action_name(action.kind));
        if (cases[i].code == NULL) {
            assert_null(action.code);
            continue;
        }
        assert_string_equal(action.code, cases[i].code);
        assert_string_equal(action.status, cases[i].status);
        assert_non_null(strstr(action.text, "example.net"));
    }
}

/* Nobody can be known: no error of the sender's, whatever the file says of one. */
static void test_masked(void **state)
{
    struct judgement judgement = judged(AUTH_TEMPERROR);

    (void)state;
    judgement.is_masked = true;
    assert_int_equal(action_by_spf(&strict, &facts, &judgement).kind, A);
    judgement = judged(AUTH_FAIL);
    judgement.has_spf = false;
    assert_int_equal(action_by_spf(&strict, &facts, &judgement).kind, A);
}

static void test_unusable_sender(void **state)
{
    struct judge_facts odd = facts;
    struct judgement judgement = {.has_spf = false};

    (void)state;
    odd.sender = NULL;
    struct action action = action_by_spf(&strict, &odd, &judgement);
    assert_int_equal(action.kind, R);
    assert_string_equal(action.status, "5.7.24");
    action = action_by_spf(&mild, &odd, &judgement);
    assert_int_equal(action.kind, T);
    assert_string_equal(action.code, "451");
    assert_int_equal(action_by_spf(&none, &odd, &judgement).kind, A);
    judgement.is_masked = true;
    assert_int_equal(action_by_spf(&strict, &odd, &judgement).kind, A);
}

/* A domain that SPF has no name for, but others may read one there. */
static void test_unconvertible_domain(void **state)
{
    struct judgement judgement = judged(AUTH_NONE);

    (void)state;
    assert_int_equal(action_by_spf(&strict, &facts, &judgement).kind, A);
    judgement.spf.mailfrom.is_unconvertible = true;
    struct action action = action_by_spf(&strict, &facts, &judgement);
    assert_int_equal(action.kind, R);
    assert_string_equal(action.status, "5.7.24");
    assert_int_equal(action_by_spf(&mild, &facts, &judgement).kind, T);
    assert_int_equal(action_by_spf(&none, &facts, &judgement).kind, A);
    judgement.is_masked = true;
    assert_int_equal(action_by_spf(&strict, &facts, &judgement).kind, A);
}

static void test_null_sender(void **state)
{
    struct judge_facts bounce = facts;
    struct judgement judgement = judged(AUTH_FAIL);

    (void)state;
    bounce.sender = "";
    assert_int_equal(action_by_spf(&strict, &bounce, &judgement).kind, A);
    judgement.spf.helo.result = AUTH_FAIL;
    judgement.spf.mailfrom.result = AUTH_PASS;
    struct action action = action_by_spf(&strict, &bounce, &judgement);
    assert_int_equal(action.kind, R);
    assert_non_null(strstr(action.text, "mail of helo.example.net"));
}

static void test_texts(void **state)
{
    struct judgement judgement = judged(AUTH_FAIL);

    (void)state;
    assert_string_equal(
        action_by_spf(&strict, &facts, &judgement).text,
        "203.0.113.9 may not send mail of example.net, says its SPF record; send by "
        "a server that the record names, or have this one added");
    strcpy(judgement.spf.mailfrom.explanation, "see \x7f\xc3\xa4 here");
    assert_non_null(strstr(action_by_spf(&strict, &facts, &judgement).text,
                           "SPF record: see ??? here; send by"));
    judgement = judged(AUTH_TEMPERROR);
    strcpy(judgement.spf.mailfrom.reason, "no answer");
    assert_string_equal(action_by_spf(&strict, &facts, &judgement).text,
                        "SPF of example.net cannot be looked up now: no answer; please try again");
    judgement = judged(AUTH_PERMERROR);
    assert_string_equal(action_by_spf(&strict, &facts, &judgement).text,
                        "SPF record of example.net is broken; its owner must correct it");
}

static void test_long_texts_are_cut(void **state)
{
    struct judgement judgement = judged(AUTH_FAIL);

    (void)state;
    memset(judgement.spf.mailfrom.domain, 'd', sizeof judgement.spf.mailfrom.domain - 1);
    memset(judgement.spf.mailfrom.explanation, 'e', sizeof judgement.spf.mailfrom.explanation - 1);
    assert_int_equal(strlen(action_by_spf(&strict, &facts, &judgement).text), ACTION_TEXT_MAX - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_results),
        cmocka_unit_test(test_masked),
        cmocka_unit_test(test_unusable_sender),
        cmocka_unit_test(test_unconvertible_domain),
        cmocka_unit_test(test_null_sender),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_long_texts_are_cut),
    };

    return cmocka_run_group_tests(tests, set_up, NULL);
}
