/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "milter/event.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/unit.h"

static char *own_domains[] = {(char *)"example.com", (char *)"example.org"};
static const struct config_strings domains = {own_domains, COUNT(own_domains)};

static void check(const char *name, struct event event, const char *wanted, unsigned weight)
{
    CASE(name, (event.name == NULL) == (wanted == NULL));
    if (wanted == NULL)
        return;
    CASE(name, strcmp(event.name, wanted) == 0);
    CASE(name, event.weight == weight);
}

static void test_refusals(void **state)
{
    static const struct {
        const char *name;
        struct event_refusal refusal;
        const char *event;
        unsigned weight;
    } cases[] = {
        {"unknown user", {"error", "5.1.1", "a@example.com", false, false}, "rcpt_unknown", 1},
        {"of a bounce", {"error", "5.1.1", "a@example.com", false, true}, "rcpt_unknown", 0},
        {"of a user", {"error", "5.1.1", "a@example.com", true, false}, "rcpt_unknown", 0},
        {"elsewhere", {"error", "5.7.1", "a@example.net", false, false}, "relay_denied", 1},
        {"below us", {"error", "5.7.1", "a@sub.example.com", false, false}, "relay_denied", 1},
        {"at its end", {"error", "5.7.1", "a@notexample.com", false, false}, "relay_denied", 1},
        {"literal", {"error", "5.7.1", "a@[192.0.2.1]", false, false}, "relay_denied", 1},
        {"two at",
         {"error", "5.7.1", "\"x@example.com\"@example.net", false, false},
         "relay_denied",
         1},
        {"bounce elsewhere", {"error", "5.7.1", "a@example.net", false, true}, "relay_denied", 0},
        {"of a user", {"error", "5.7.1", "a@example.net", true, false}, "rcpt_rejected", 0},
        {"ours", {"error", "5.7.1", "a@EXAMPLE.org", false, false}, "rcpt_rejected", 0},
        {"no domain", {"error", "5.7.1", "postmaster", false, false}, "rcpt_rejected", 0},
        {"unusable", {"error", "5.7.1", NULL, false, false}, "rcpt_rejected", 0},
        {"full", {"error", "5.2.2", "a@example.com", false, false}, "rcpt_rejected", 0},
        {"5.1.10", {"error", "5.1.10", "a@example.com", false, false}, "rcpt_rejected", 0},
        {"greylisted", {"error", "4.7.1", "a@example.net", false, false}, NULL, 0},
        {"for now", {"error", "4.1.1", "a@example.com", false, false}, NULL, 0},
        {"accepted", {"virtual", "example.com", "a@example.com", false, false}, NULL, 0},
        {"a host named so", {"smtp", "5.1.1", "a@example.com", false, false}, NULL, 0},
        {"no status", {"error", NULL, "a@example.com", false, false}, NULL, 0},
        {"text", {"error", "User unknown", "a@example.com", false, false}, NULL, 0},
        {"empty", {"error", "", "a@example.com", false, false}, NULL, 0},
        {"nothing told", {NULL, NULL, "a@example.com", false, false}, NULL, 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        check(cases[i].name, event_of_refusal(&domains, &cases[i].refusal), cases[i].event,
              cases[i].weight);
}

struct facts {
    struct origin origin;
    struct dkim_result dkim[2];
    struct judge_facts facts;
    struct judgement judgement;
};

/*
 * A known client whose HELO name is nothing, whose sender's SPF fails, and two signatures. The
 * author's DMARC fails.
 */
static void facts_init(struct facts *facts, enum auth_result first, enum auth_result second)
{
    *facts = (struct facts){
        .origin = {.kind = ORIGIN_KNOWN},
        .dkim = {{.result = first}, {.result = second}},
        .judgement = {.has_spf = true,
                      .spf = {.mailfrom = {.ran = true, .result = AUTH_FAIL}},
                      .has_iprev = true,
                      .iprev = {.result = AUTH_FAIL},
                      .has_dmarc = true,
                      .dmarc = {.result = AUTH_FAIL}},
    };
    facts->facts = (struct judge_facts){
        .origin = &facts->origin, .helo = "mx.example.net", .dkim = facts->dkim, .dkim_count = 2};
}

static void set_known_by_name(struct facts *facts)
{
    facts->judgement.spf.helo = (struct spf_check){.ran = true, .result = AUTH_PASS};
    facts->judgement.iprev.result = AUTH_PASS;
    snprintf(facts->judgement.iprev.name, sizeof(facts->judgement.iprev.name), "MX.example.net");
}

static void test_spf(void **state)
{
    static const enum auth_result others[] = {AUTH_NONE,     AUTH_NEUTRAL,   AUTH_PASS,
                                              AUTH_SOFTFAIL, AUTH_TEMPERROR, AUTH_PERMERROR};
    struct facts facts;

    (void)state;
    facts_init(&facts, AUTH_FAIL, AUTH_FAIL);
    check("fails", event_of_spf(&facts.facts, &facts.judgement), "spf_fail", 1);
    facts.judgement.iprev.result = AUTH_PASS;
    snprintf(facts.judgement.iprev.name, sizeof(facts.judgement.iprev.name), "mx.example.net");
    check("a name without SPF", event_of_spf(&facts.facts, &facts.judgement), "spf_fail", 1);
    set_known_by_name(&facts);
    check("known by name", event_of_spf(&facts.facts, &facts.judgement), "spf_fail", 0);
    facts.facts.helo = "other.example.net";
    check("by another name", event_of_spf(&facts.facts, &facts.judgement), "spf_fail", 1);
    facts_init(&facts, AUTH_FAIL, AUTH_PASS);
    check("signed", event_of_spf(&facts.facts, &facts.judgement), "spf_fail", 0);
    for (size_t i = 0; i < COUNT(others); i++) {
        facts_init(&facts, AUTH_FAIL, AUTH_FAIL);
        facts.judgement.spf.mailfrom.result = others[i];
        check("another result", event_of_spf(&facts.facts, &facts.judgement), NULL, 0);
    }
    facts_init(&facts, AUTH_FAIL, AUTH_FAIL);
    facts.judgement.spf.mailfrom.ran = false;
    check("not asked", event_of_spf(&facts.facts, &facts.judgement), NULL, 0);
}

static void test_dkim(void **state)
{
    static const struct {
        enum auth_result first, second;
        const char *event;
    } cases[] = {
        {AUTH_FAIL, AUTH_FAIL, "dkim_fail"}, {AUTH_PERMERROR, AUTH_NEUTRAL, "dkim_fail"},
        {AUTH_PASS, AUTH_FAIL, NULL},        {AUTH_FAIL, AUTH_PASS, NULL},
        {AUTH_FAIL, AUTH_TEMPERROR, NULL},   {AUTH_TEMPERROR, AUTH_TEMPERROR, NULL},
    };
    struct facts facts;

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        facts_init(&facts, cases[i].first, cases[i].second);
        check("signed", event_of_dkim(&facts.facts, &facts.judgement), cases[i].event, 1);
        set_known_by_name(&facts);
        check("by a name", event_of_dkim(&facts.facts, &facts.judgement), cases[i].event, 0);
    }
    facts.facts.dkim_count = 0;
    check("not signed", event_of_dkim(&facts.facts, &facts.judgement), NULL, 0);
}

static void test_dmarc(void **state)
{
    static const enum auth_result others[] = {AUTH_NONE, AUTH_PASS, AUTH_TEMPERROR, AUTH_PERMERROR};
    struct facts facts;

    (void)state;
    facts_init(&facts, AUTH_FAIL, AUTH_TEMPERROR);
    check("fails", event_of_dmarc(&facts.facts, &facts.judgement), "dmarc_fail", 1);
    facts.facts.dkim_count = 0;
    check("not signed", event_of_dmarc(&facts.facts, &facts.judgement), "dmarc_fail", 1);
    set_known_by_name(&facts);
    check("known by name", event_of_dmarc(&facts.facts, &facts.judgement), "dmarc_fail", 0);
    facts.judgement.has_iprev = false;
    check("by HELO alone", event_of_dmarc(&facts.facts, &facts.judgement), "dmarc_fail", 1);
    facts_init(&facts, AUTH_FAIL, AUTH_PASS);
    check("signed by another", event_of_dmarc(&facts.facts, &facts.judgement), "dmarc_fail", 0);
    facts.judgement.has_dmarc = false;
    check("not asked", event_of_dmarc(&facts.facts, &facts.judgement), NULL, 0);
    for (size_t i = 0; i < COUNT(others); i++) {
        facts_init(&facts, AUTH_FAIL, AUTH_FAIL);
        facts.judgement.dmarc.result = others[i];
        check("another result", event_of_dmarc(&facts.facts, &facts.judgement), NULL, 0);
    }
}

static void test_nobody_known_nothing_told(void **state)
{
    static const enum origin_kind kinds[] = {ORIGIN_MASKED, ORIGIN_LOCAL, ORIGIN_REFUSED};
    struct facts facts;

    (void)state;
    for (size_t i = 0; i < COUNT(kinds); i++) {
        facts_init(&facts, AUTH_FAIL, AUTH_FAIL);
        facts.origin.kind = kinds[i];
        check("spf", event_of_spf(&facts.facts, &facts.judgement), NULL, 0);
        check("dkim", event_of_dkim(&facts.facts, &facts.judgement), NULL, 0);
        check("dmarc", event_of_dmarc(&facts.facts, &facts.judgement), NULL, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_spf),
        cmocka_unit_test(test_dkim),
        cmocka_unit_test(test_dmarc),
        cmocka_unit_test(test_nobody_known_nothing_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
