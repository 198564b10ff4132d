/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/mailauth/dmarc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/buf.h"
#include "common/base/str.h"
#include "tests/unit/dmarc_fixture.h"
#include "tests/unit/unit.h"

/* What DNS, SPF and DKIM keep back, what is asked of DNS, and records that are meant to hurt. */

/* DNS that keeps something back changes no verdict but into temperror. */
static void test_dns_failure(void **state)
{
    (void)state;
    static const struct dmarc_example examples[] = {
        {"the author's own", "example.com SERVFAIL", "example.com", "example.com", "example.com",
         "temperror example.com: server failure: _dmarc.example.com"},
        {"the author's own, the organization has one", "a.example.com SERVFAIL\nexample.com p=none",
         "a.example.com", "", "a.example.com",
         "temperror a.example.com: server failure: _dmarc.a.example.com"},
        {"the organization's", "example.com BOGUS", "a.example.com", "", "",
         "temperror a.example.com: DNSSEC validation failed: _dmarc.example.com"},
        {"the top, nothing below", "com TIMEOUT", "a.example.com", "", "",
         "temperror a.example.com: no answer in time: _dmarc.com"},
        {"all in time but one", "com TIMEOUT\nexample.com p=reject", "a.example.com", "", "",
         "temperror a.example.com: no answer in time: _dmarc.com"},
        {"the top, the author has one, nobody vouches", "com SERVFAIL\nexample.com p=reject",
         "example.com", "", "", "fail example.com by example.com reject"},
        {"the top, the author has one and vouches", "com SERVFAIL\nexample.com p=reject",
         "example.com", "example.com", "", "pass example.com by example.com reject, spf"},
        {"the top, strict", "com SERVFAIL\nexample.com p=reject; adkim=s", "example.com", "",
         "a.example.com evil.com", "fail example.com by example.com reject"},
        {"the top, a child: whatever there is, the two are together",
         "com SERVFAIL\nexample.com p=reject", "example.com", "", "a.example.com",
         "pass example.com by example.com reject, dkim"},
        {"the top, a stranger: one record there would align them",
         "com SERVFAIL\nexample.com p=reject", "example.com", "", "evil.com",
         "temperror example.com by example.com reject: server failure: _dmarc.com"},
        {"the top, a stranger of another top", "com SERVFAIL\nexample.com p=reject", "example.com",
         "", "evil.org", "fail example.com by example.com reject"},
        {"the top, behind psd=n", "com SERVFAIL\nexample.com p=reject; psd=n", "a.example.com",
         "evil.com", "", "fail a.example.com by example.com reject"},
        {"the top, behind psd=y",
         "example SERVFAIL\nbank.example p=none; psd=y\ngiant.bank.example p=reject",
         "giant.bank.example", "evil.bank.example", "evil.example",
         "fail giant.bank.example by giant.bank.example reject"},
        {"a child's own: it might be an organization",
         "a.example.com SERVFAIL\nexample.com p=reject", "example.com", "", "a.example.com",
         "temperror example.com by example.com reject: server failure: _dmarc.a.example.com"},
        {"a child's own, and another signature", "a.example.com SERVFAIL\nexample.com p=reject",
         "example.com", "", "a.example.com b.example.com",
         "pass example.com by example.com reject, dkim"},
        {"a stranger's own is nothing to the author", "evil.com SERVFAIL\nexample.com p=reject",
         "example.com", "evil.com", "a.evil.com", "fail example.com by example.com reject"},
        {"between", "b.example.com SERVFAIL\nexample.com p=reject", "a.b.example.com", "", "",
         "temperror a.b.example.com: server failure: _dmarc.b.example.com"},
        {"whether the author exists", "example.com p=none; np=reject\na.example.com A-SERVFAIL",
         "a.example.com", "", "",
         "temperror a.example.com by example.com none: server failure: a.example.com"},
        {"whether the author exists, of no matter",
         "example.com p=reject; np=reject\na.example.com A-SERVFAIL", "a.example.com", "", "",
         "fail a.example.com by example.com reject"},
        {"whether the author exists, and a pass",
         "example.com p=none; np=reject\na.example.com A-SERVFAIL", "a.example.com", "",
         "a.example.com", "pass a.example.com by example.com none, dkim"},
        {"whether the author exists, after another author's silence",
         "org TIMEOUT\nexample.com p=none; np=reject", "a.example.com b.org", "", "",
         "fail a.example.com by example.com reject"},
        {"whether each of two exists, and one is not told",
         "example.com p=none; np=reject\nexample.org p=none; np=reject\na.example.org A-TIMEOUT",
         "a.example.com a.example.org", "", "", "fail a.example.com by example.com reject"},
        {"a record that is not applied, and the top", "com SERVFAIL\nexample.com adkim=s",
         "example.com", "", "", "none example.com"},
    };
    dmarc_check_examples(examples, COUNT(examples));
}

/* SPF and DKIM that did not find out. */
static void test_unknown(void **state)
{
    (void)state;
    static const struct dmarc_example examples[] = {
        {"a masked client", "example.com p=reject", "example.com", "?", "",
         "temperror example.com by example.com reject: SPF is not known"},
        {"a masked client, DKIM passed", "example.com p=reject", "example.com", "?", "example.com",
         "pass example.com by example.com reject, dkim"},
        {"a masked client, no record", "", "example.com", "?", "", "none example.com"},
        {"SPF of the author", "example.com p=reject", "example.com", "?example.com", "",
         "temperror example.com by example.com reject: SPF of example.com is not known"},
        {"SPF and DKIM of the author", "example.com p=reject", "example.com", "?example.com",
         "?a.example.com ?example.com",
         "temperror example.com by example.com reject: SPF of example.com is not known"},
        {"SPF of a child", "example.com p=reject", "example.com", "?a.example.com", "",
         "temperror example.com by example.com reject: SPF of a.example.com is not known"},
        {"SPF of a child, strict", "example.com p=reject; aspf=s", "example.com", "?a.example.com",
         "", "fail example.com by example.com reject"},
        {"SPF of a stranger", "example.com p=reject", "example.com", "?evil.com", "",
         "fail example.com by example.com reject"},
        {"DKIM of the author", "example.com p=reject", "example.com", "evil.com", "?example.com",
         "temperror example.com by example.com reject: DKIM of example.com is not known"},
        {"DKIM of the author, SPF passed", "example.com p=reject", "example.com", "example.com",
         "?example.com", "pass example.com by example.com reject, spf"},
        {"DKIM of the author, another passed", "example.com p=reject", "example.com", "",
         "?a.example.com example.com", "pass example.com by example.com reject, dkim"},
        {"DKIM of the author, twice, one passed", "example.com p=reject", "example.com", "",
         "?example.com example.com", "pass example.com by example.com reject, dkim"},
        {"DKIM of a stranger", "example.com p=reject", "example.com", "", "?evil.com ?evil.org",
         "fail example.com by example.com reject"},
        {"DKIM of a child that is an organization",
         "example.com p=reject\na.example.com p=none; psd=n", "example.com", "", "?a.example.com",
         "fail example.com by example.com reject"},
    };
    dmarc_check_examples(examples, COUNT(examples));
}

/* --- what is asked ----------------------------------------------------------- */

/* Notes the questions on their way to a table. */
struct recorder {
    struct dns dns;
    struct fake_dns fake;
    struct buf names; /* one batch a line, "_dmarc." as "_" */
};

static void record(struct dns *dns, const struct dns_question *questions, size_t count,
                   struct dns_budget *budget, struct dns_answer *answers_r)
{
    struct recorder *recorder = (struct recorder *)(void *)dns;

    for (size_t i = 0; i < count; i++) {
        bool is_policy = str_has_prefix(questions[i].name, "_dmarc.");
        assert_int_equal(questions[i].type, is_policy ? DNS_TYPE_TXT : DNS_TYPE_A);
        buf_printf(&recorder->names, "%s%s%s", i ? " " : "", is_policy ? "_" : "",
                   questions[i].name + (is_policy ? 7 : 0));
    }
    buf_putc(&recorder->names, '\n');
    dns_ask(&recorder->fake.dns, questions, count, budget, answers_r);
}

static void check_questions(const struct dmarc_example *example)
{
    struct recorder recorder = {.dns = {record}};
    struct dns_budget budget = {1000};
    struct dmarc_verdict verdict;
    struct dmarc_message message;

    fake_dns_init(&recorder.fake);
    dmarc_zone_add(&recorder.fake, example->zone);
    dmarc_message_init(&message, example->authors, example->spf, example->signers);
    dmarc_evaluate(&message.facts, &recorder.dns, &budget, &verdict);
    if (!str_eq(buf_str(&recorder.names), example->wanted))
        fail_msg("%s: %s", example->name, buf_str(&recorder.names));
    unsigned policies = 0;
    for (const char *p = buf_str(&recorder.names); *p; p++)
        policies += *p == '_';
    assert_int_equal(verdict.queries, policies);
    dmarc_message_fini(&message);
    buf_fini(&recorder.names);
    fake_dns_fini(&recorder.fake);
}

static void test_questions(void **state)
{
    (void)state;
    static const struct dmarc_example examples[] = {
        {"the author alone", "example.com p=reject", "example.com", "example.com", "evil.com",
         "_example.com _com\n"},
        {"a child", "example.com p=reject", "example.com", "a.b.example.com", "",
         "_example.com _com\n_a.b.example.com _b.example.com\n"},
        {"two children, together", "example.com p=reject", "example.com", "a.example.com",
         "b.example.com a.example.com example.com",
         "_example.com _com\n_a.example.com _b.example.com\n"},
        {"strict: no walk", "example.com p=reject; adkim=s; aspf=s", "example.com", "a.example.com",
         "b.example.com", "_example.com _com\n"},
        {"no record: no walk", "", "example.com", "a.example.com", "b.example.com",
         "_example.com _com\n"},
        {"a parent is in the author's walk", "example.com p=reject", "a.b.example.com",
         "b.example.com", "example.com", "_a.b.example.com _b.example.com _example.com _com\n"},
        {"13 labels", "", "a.b.c.d.e.f.g.h.i.j.mail.example.com", "", "",
         "_a.b.c.d.e.f.g.h.i.j.mail.example.com _g.h.i.j.mail.example.com "
         "_h.i.j.mail.example.com _i.j.mail.example.com _j.mail.example.com _mail.example.com "
         "_example.com _com\n"},
        {"np", "example.com p=none; np=reject", "a.example.com", "", "",
         "_a.example.com _example.com _com\na.example.com\n"},
        {"np, no need to ask", "example.com p=none; np=reject\na.example.com =x", "a.example.com",
         "", "", "_a.example.com _example.com _com\n"},
        {"two authors", "example.com p=reject", "a.example.com b.example.com", "", "c.example.com",
         "_a.example.com _example.com _com _b.example.com\n_c.example.com\n"},
        {"eight walks of signatures", "com p=none", "com", "x.com",
         "1.com 2.com 3.com 4.com 5.com 6.com 7.com 8.com 9.com 10.com",
         "_com\n_x.com _1.com _2.com _3.com _4.com _5.com _6.com _7.com _8.com\n"},
    };
    for (size_t i = 0; i < COUNT(examples); i++)
        check_questions(&examples[i]);
}

/* --- records that are meant to hurt --------------------------------------------- */

static enum auth_result judge_text(const void *txt, size_t len, struct dmarc_verdict *verdict_r)
{
    struct dns_budget budget = {1000};
    struct fake_dns fake;
    struct dmarc_message message;

    fake_dns_init(&fake);
    fake_dns_add_txt(&fake, "_dmarc.example.com", txt, len);
    dmarc_message_init(&message, "example.com", "", "a.example.com");
    dmarc_evaluate(&message.facts, &fake.dns, &budget, verdict_r);
    dmarc_message_fini(&message);
    fake_dns_fini(&fake);
    return verdict_r->result;
}

static void test_hostile_records(void **state)
{
    (void)state;
    static const char nul[] = "v=DMARC1; p=reject; adkim=s\0; x=\0y";
    struct dmarc_verdict verdict;
    struct buf text = {0};

    assert_int_equal(judge_text(nul, sizeof(nul) - 1, &verdict), AUTH_PASS);
    assert_int_equal(judge_text("v=DMARC1\0;p=reject", 18, &verdict), AUTH_NONE);
    assert_int_equal(judge_text("v=DMARC1;p=reject\0", 18, &verdict), AUTH_NONE);
    assert_int_equal(judge_text("", 0, &verdict), AUTH_NONE);
    buf_puts(&text, "v=DMARC1;");
    while (text.len < 65500)
        buf_puts(&text, "p=reject;");
    assert_int_equal(judge_text(text.data, text.len, &verdict), AUTH_PASS);
    buf_puts(&text, "adkim=s");
    assert_int_equal(judge_text(text.data, text.len, &verdict), AUTH_FAIL);
    assert_int_equal(verdict.policy, DMARC_POLICY_REJECT);
    buf_fini(&text);
}

/* A hundred records at each name, and the budget used up before it begins. */
static void test_limits(void **state)
{
    (void)state;
    struct dns_budget budget = {1000};
    struct dmarc_verdict verdict;
    struct dmarc_message message;
    struct fake_dns fake;

    fake_dns_init(&fake);
    for (int i = 0; i < 100; i++) {
        dmarc_zone_add(&fake, "a.example.com p=none; psd=n");
        dmarc_zone_add(&fake, "example.com =v=spf1 -all");
    }
    dmarc_zone_add(&fake, "example.com p=reject");
    dmarc_message_init(&message, "a.example.com", "", "");
    dmarc_evaluate(&message.facts, &fake.dns, &budget, &verdict);
    assert_int_equal(verdict.result, AUTH_FAIL);
    assert_string_equal(verdict.record_domain, "example.com");
    budget.left_ms = 0;
    dmarc_evaluate(&message.facts, &fake.dns, &budget, &verdict);
    assert_int_equal(verdict.result, AUTH_TEMPERROR);
    assert_string_equal(verdict.reason, "no answer in time: _dmarc.a.example.com");
    dmarc_message_fini(&message);
    fake_dns_fini(&fake);
}

static void test_long_names(void **state)
{
    (void)state;
    char author[DNS_NAME_MAX], zone[400];
    struct dmarc_verdict verdict;
    struct dmarc_message message;

    memset(author, 'x', sizeof(author));
    author[sizeof(author) - 2] = 0;
    author[60] = author[120] = author[180] = '.';
    memcpy(author + sizeof(author) - 2 - 12, ".example.com", 12);
    snprintf(zone, sizeof(zone), "%s SERVFAIL\nexample.com p=none; np=reject", author);
    dmarc_message_init(&message, author, author, "");
    dmarc_run(zone, &message, &verdict);
    assert_int_equal(verdict.result, AUTH_PASS);
    assert_int_equal(verdict.published, DMARC_POLICY_REJECT);
    assert_int_equal(verdict.queries, 5);
    dmarc_message_fini(&message);

    snprintf(zone, sizeof(zone), "%s SERVFAIL", author + 61);
    dmarc_message_init(&message, author + 61, "", "");
    dmarc_run(zone, &message, &verdict);
    assert_int_equal(verdict.result, AUTH_TEMPERROR);
    dmarc_message_fini(&message);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dns_failure), cmocka_unit_test(test_unknown),
        cmocka_unit_test(test_questions),   cmocka_unit_test(test_hostile_records),
        cmocka_unit_test(test_limits),      cmocka_unit_test(test_long_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
