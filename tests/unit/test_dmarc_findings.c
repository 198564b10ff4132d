/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/mailauth/dmarc_findings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/unit.h"

static const struct author author;

static void test_spf(void **state)
{
    (void)state;
    static const struct {
        const char *name, *sender, *helo;
        enum auth_result mailfrom, helo_result;
        const char *domain; /* NULL: none */
        bool unknown;
    } cases[] = {
        {"pass", "bob@Example.ORG", "h.example", AUTH_PASS, AUTH_FAIL, "example.org", false},
        {"pass of HELO alone", "bob@example.org", "h.example", AUTH_FAIL, AUTH_PASS, NULL, false},
        {"the null sender", "", "H.example", AUTH_PASS, AUTH_PASS, "h.example", false},
        {"the null sender fails", "", "h.example", AUTH_PASS, AUTH_FAIL, NULL, false},
        {"the null sender, no HELO", "", "", AUTH_PASS, AUTH_PASS, NULL, false},
        {"softfail", "bob@example.org", "h.example", AUTH_SOFTFAIL, AUTH_PASS, NULL, false},
        {"neutral", "bob@example.org", "h.example", AUTH_NEUTRAL, AUTH_PASS, NULL, false},
        {"none", "bob@example.org", "h.example", AUTH_NONE, AUTH_PASS, NULL, false},
        {"permerror", "bob@example.org", "h.example", AUTH_PERMERROR, AUTH_PASS, NULL, false},
        {"temperror", "bob@example.org", "h.example", AUTH_TEMPERROR, AUTH_PASS, "example.org",
         true},
        {"temperror of HELO", "bob@example.org", "h.example", AUTH_FAIL, AUTH_TEMPERROR, NULL,
         false},
        {"temperror of the null sender", "", "h.example", AUTH_FAIL, AUTH_TEMPERROR, "h.example",
         true},
        {"two at signs", "a@example.com@example.org", "", AUTH_PASS, AUTH_NONE, "example.org",
         false},
        {"no domain", "bob", "h.example", AUTH_PASS, AUTH_PASS, NULL, false},
        {"a literal", "bob@[192.0.2.1]", "h.example", AUTH_PASS, AUTH_PASS, NULL, false},
        {"U-labels", "bob@b\303\274cher.example", "", AUTH_PASS, AUTH_NONE, "xn--bcher-kva.example",
         false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct spf_request request = {.sender = cases[i].sender, .helo = cases[i].helo};
        struct spf_verdict spf = {.mailfrom.result = cases[i].mailfrom,
                                  .helo.result = cases[i].helo_result};
        struct dmarc_findings findings;
        dmarc_findings_init(&findings, &author, &request, &spf, NULL, 0);
        CASE(cases[i].name, findings.facts.author == &author);
        CASE(cases[i].name, !findings.facts.spf_domain == !cases[i].domain);
        if (cases[i].domain)
            CASE(cases[i].name, strcmp(findings.facts.spf_domain, cases[i].domain) == 0);
        CASE(cases[i].name, findings.facts.spf_unknown == cases[i].unknown);
        dmarc_findings_fini(&findings);
    }
}

/* A client that is not known could be anybody; its sender's domain is known all the same. */
static void test_no_client(void **state)
{
    (void)state;
    struct spf_request request = {.sender = "bob@example.org", .helo = "h.example"};
    struct dmarc_findings findings;

    dmarc_findings_init(&findings, &author, &request, NULL, NULL, 0);
    assert_true(findings.facts.spf_unknown);
    assert_string_equal(findings.facts.spf_domain, "example.org");
    dmarc_findings_fini(&findings);
    request.sender = "";
    dmarc_findings_init(&findings, &author, &request, NULL, NULL, 0);
    assert_true(findings.facts.spf_unknown);
    assert_string_equal(findings.facts.spf_domain, "h.example");
    dmarc_findings_fini(&findings);
    request.sender = "bob";
    dmarc_findings_init(&findings, &author, &request, NULL, NULL, 0);
    assert_false(findings.facts.spf_unknown);
    assert_null(findings.facts.spf_domain);
    dmarc_findings_fini(&findings);
    dmarc_findings_init(&findings, &author, NULL, NULL, NULL, 0);
    assert_true(findings.facts.spf_unknown);
    assert_null(findings.facts.spf_domain);
    dmarc_findings_fini(&findings);
}

static void test_dkim(void **state)
{
    (void)state;
    static const struct dkim_result dkim[] = {
        {.result = AUTH_TEMPERROR, .domain = "late.example"},
        {.result = AUTH_PASS, .domain = "Good.Example."},
        {.result = AUTH_FAIL, .domain = "bad.example"},
        {.result = AUTH_PERMERROR, .domain = "nokey.example"},
        {.result = AUTH_NEUTRAL, .domain = "odd.example"},
        {.result = AUTH_POLICY, .domain = "weak.example"},
        {.result = AUTH_PASS, .domain = ""},
        {.result = AUTH_PASS, .domain = "a..b"},
        {.result = AUTH_TEMPERROR, .domain = "later.example"},
        {.result = AUTH_PASS, .domain = "good2.example"},
    };
    struct dmarc_findings findings;

    dmarc_findings_init(&findings, &author, NULL, NULL, dkim, COUNT(dkim));
    const struct dmarc_facts *facts = &findings.facts;
    assert_int_equal(facts->dkim_count, 2);
    assert_string_equal(facts->dkim_domains[0], "good.example");
    assert_string_equal(facts->dkim_domains[1], "good2.example");
    assert_int_equal(facts->dkim_unknown_count, 2);
    assert_string_equal(facts->dkim_unknown_domains[0], "later.example");
    assert_string_equal(facts->dkim_unknown_domains[1], "late.example");
    dmarc_findings_fini(&findings);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spf),
        cmocka_unit_test(test_no_client),
        cmocka_unit_test(test_dkim),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
