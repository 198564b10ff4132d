/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "milter/action.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/unit.h"

#define A CONFIG_ACTION_ACCEPT
#define R CONFIG_ACTION_REJECT
#define T CONFIG_ACTION_TEMPFAIL
#define Q CONFIG_ACTION_QUARANTINE
#define H CONFIG_ACTION_HEADER

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

static void test_spf_marks(void **state)
{
    const struct config_spf marks = {.fail = Q, .softfail = H};
    struct judgement judgement = judged(AUTH_FAIL);

    (void)state;
    struct action action = action_by_spf(&marks, &facts, &judgement);
    assert_int_equal(action.kind, Q);
    assert_string_equal(action.method, "spf");
    assert_null(action.code);
    assert_null(action.status);
    assert_non_null(strstr(action.text, "may not send mail of example.net"));
    judgement = judged(AUTH_SOFTFAIL);
    assert_int_equal(action_by_spf(&marks, &facts, &judgement).kind, H);
}

static void test_dkim(void **state)
{
    const struct config_dkim rules = {.none = H, .fail = R, .permerror = Q, .temperror = T};
    static const struct {
        enum auth_result results[3];
        size_t count;
        enum config_action action;
        const char *status, *text;
    } cases[] = {
        {{AUTH_NONE}, 0, H, NULL, "has no DKIM signature"},
        {{AUTH_PASS}, 1, A, NULL, ""},
        {{AUTH_FAIL}, 1, R, "5.7.20", "the DKIM signature of d0.example is false: why"},
        {{AUTH_NEUTRAL}, 1, Q, NULL, "the DKIM signature of d0.example cannot be verified"},
        {{AUTH_POLICY}, 1, Q, NULL, "d0.example"},
        {{AUTH_PERMERROR}, 1, Q, NULL, "d0.example"},
        {{AUTH_TEMPERROR}, 1, T, "4.7.20", "the DKIM key of d0.example cannot be looked up now"},
        /* the best counts */
        {{AUTH_FAIL, AUTH_PASS, AUTH_TEMPERROR}, 3, A, NULL, ""},
        {{AUTH_FAIL, AUTH_TEMPERROR, AUTH_PERMERROR}, 3, T, "4.7.20", "d1.example"},
        {{AUTH_PERMERROR, AUTH_NEUTRAL, AUTH_FAIL}, 3, R, "5.7.20", "d2.example"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct dkim_result signatures[3] = {{.reason = "why"}, {.reason = ""}, {.reason = ""}};
        struct judge_facts signed_facts = facts;
        for (size_t j = 0; j < cases[i].count; j++) {
            signatures[j].result = cases[i].results[j];
            snprintf(signatures[j].domain, sizeof signatures[j].domain, "d%zu.example", j);
        }
        signed_facts.dkim = signatures;
        signed_facts.dkim_count = cases[i].count;
        struct action action = action_by_dkim(&rules, &signed_facts);
        if (action.kind != cases[i].action)
            fail_msg("%zu: %s", i, action_name(action.kind));
        assert_non_null(strstr(action.text, cases[i].text));
        if (cases[i].status == NULL)
            assert_null(action.status);
        else
            assert_string_equal(action.status, cases[i].status);
    }
}

static struct judgement by_policy(enum auth_result result, enum dmarc_policy policy)
{
    struct judgement judgement = judged(AUTH_NONE);

    judgement.has_dmarc = true;
    judgement.dmarc = (struct dmarc_verdict){.result = result,
                                             .policy = policy,
                                             .domain = "example.net",
                                             .record_domain = "example.net"};
    return judgement;
}

static void test_dmarc(void **state)
{
    static const struct config_dmarc off = {.enforcement = CONFIG_ENFORCEMENT_NONE},
                                     quarantine = {.enforcement = CONFIG_ENFORCEMENT_QUARANTINE},
                                     reject = {.enforcement = CONFIG_ENFORCEMENT_REJECT},
                                     errors = {.permerror = Q, .temperror = T};
    static const struct {
        const struct config_dmarc *rules;
        enum auth_result result;
        enum dmarc_policy policy;
        enum config_action action;
    } cases[] = {
        {&off, AUTH_FAIL, DMARC_POLICY_REJECT, A},
        {&off, AUTH_PERMERROR, DMARC_POLICY_NONE, A},
        {&quarantine, AUTH_FAIL, DMARC_POLICY_REJECT, Q},
        {&quarantine, AUTH_FAIL, DMARC_POLICY_QUARANTINE, Q},
        {&quarantine, AUTH_FAIL, DMARC_POLICY_NONE, A},
        {&quarantine, AUTH_PERMERROR, DMARC_POLICY_NONE, Q},
        {&reject, AUTH_FAIL, DMARC_POLICY_REJECT, R},
        {&reject, AUTH_FAIL, DMARC_POLICY_QUARANTINE, Q},
        {&reject, AUTH_FAIL, DMARC_POLICY_NONE, A},
        {&reject, AUTH_PERMERROR, DMARC_POLICY_NONE, R},
        {&errors, AUTH_PERMERROR, DMARC_POLICY_NONE, Q},
        {&reject, AUTH_PASS, DMARC_POLICY_REJECT, A},
        {&reject, AUTH_NONE, DMARC_POLICY_NONE, A},
        {&reject, AUTH_TEMPERROR, DMARC_POLICY_REJECT, A},
        {&errors, AUTH_TEMPERROR, DMARC_POLICY_REJECT, T},
        {&errors, AUTH_FAIL, DMARC_POLICY_REJECT, A},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct judgement judgement = by_policy(cases[i].result, cases[i].policy);
        struct action action = action_by_dmarc(cases[i].rules, &facts, &judgement);
        if (action.kind != cases[i].action)
            fail_msg("%zu: %s", i, action_name(action.kind));
        judgement.is_masked = true;
        assert_int_equal(action_by_dmarc(cases[i].rules, &facts, &judgement).kind, A);
    }
    struct judgement judgement = by_policy(AUTH_FAIL, DMARC_POLICY_REJECT);
    struct action action = action_by_dmarc(&reject, &facts, &judgement);
    assert_string_equal(action.status, "5.7.26");
    assert_string_equal(action.text,
                        "example.net asks to reject mail that neither SPF nor DKIM proves to be "
                        "its own (DMARC record of example.net); send by its servers, or sign as "
                        "it");
}

static void test_dmarc_exemptions(void **state)
{
    char list[] = "lists.example.org";
    char *lists[] = {list};
    struct config_dmarc rules = {.enforcement = CONFIG_ENFORCEMENT_REJECT,
                                 .exempt_domains = {lists, 1}};
    struct judgement judgement = by_policy(AUTH_FAIL, DMARC_POLICY_REJECT);
    struct dkim_result signature = {.result = AUTH_PASS, .domain = "lists.example.org"};
    struct judge_facts listed = facts;
    struct prefix prefix;

    (void)state;
    listed.dkim = &signature;
    listed.dkim_count = 1;
    assert_int_equal(action_by_dmarc(&rules, &facts, &judgement).kind, R);
    assert_int_equal(action_by_dmarc(&rules, &listed, &judgement).kind, A);
    signature.result = AUTH_FAIL; /* anybody can write its name */
    assert_int_equal(action_by_dmarc(&rules, &listed, &judgement).kind, R);

    strcpy(judgement.spf.mailfrom.domain, list);
    assert_int_equal(action_by_dmarc(&rules, &facts, &judgement).kind, R);
    judgement.spf.mailfrom.result = AUTH_PASS;
    assert_int_equal(action_by_dmarc(&rules, &facts, &judgement).kind, A);

    judgement = by_policy(AUTH_FAIL, DMARC_POLICY_REJECT);
    assert_int_equal(prefix_parse("203.0.113.8/31", &prefix), 0);
    prefixlist_add(&rules.exempt_clients, &prefix);
    assert_int_equal(action_by_dmarc(&rules, &facts, &judgement).kind, A);
    prefixlist_fini(&rules.exempt_clients);
}

static void test_the_strictest_counts(void **state)
{
    struct config config = {.spf = {.fail = T},
                            .dkim = {.none = Q},
                            .dmarc = {.enforcement = CONFIG_ENFORCEMENT_REJECT}};
    struct judgement judgement = judged(AUTH_FAIL);

    (void)state;
    assert_string_equal(action_find(&config, &facts, &judgement).method, "spf");
    judgement.dmarc = by_policy(AUTH_FAIL, DMARC_POLICY_REJECT).dmarc;
    judgement.has_dmarc = true;
    assert_string_equal(action_find(&config, &facts, &judgement).method, "dmarc");
    judgement = judged(AUTH_PASS);
    assert_string_equal(action_find(&config, &facts, &judgement).method, "dkim");
    config.dkim.none = A;
    assert_int_equal(action_find(&config, &facts, &judgement).kind, A);
    assert_null(action_find(&config, &facts, &judgement).method);
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
        cmocka_unit_test(test_spf_marks),
        cmocka_unit_test(test_dkim),
        cmocka_unit_test(test_dmarc),
        cmocka_unit_test(test_dmarc_exemptions),
        cmocka_unit_test(test_the_strictest_counts),
        cmocka_unit_test(test_long_texts_are_cut),
    };

    return cmocka_run_group_tests(tests, set_up, NULL);
}
