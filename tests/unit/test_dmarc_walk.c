/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/mailauth/dmarc_walk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/buf.h"
#include "tests/unit/dmarc_fixture.h"
#include "tests/unit/unit.h"

/* The names with "_dmarc." left out, which each must begin with. */
static void check_names(const char *domain, const char *wanted)
{
    char names[DMARC_QUERIES_MAX][DNS_NAME_MAX];
    size_t count = dmarc_walk_names(domain, names);
    struct buf out = {0};

    for (size_t i = 0; i < count; i++) {
        assert_memory_equal(names[i], "_dmarc.", 7);
        assert_true(dns_name_is_valid(names[i]));
        buf_printf(&out, "%s%s", i ? " " : "", names[i] + 7);
    }
    assert_string_equal(buf_str(&out), wanted);
    buf_fini(&out);
}

static void test_names(void **state)
{
    (void)state;
    /* RFC 9989 4.10 */
    check_names("a.b.c.d.e.f.g.h.i.j.mail.example.com",
                "a.b.c.d.e.f.g.h.i.j.mail.example.com g.h.i.j.mail.example.com "
                "h.i.j.mail.example.com i.j.mail.example.com j.mail.example.com mail.example.com "
                "example.com com");
    /* Appendix B.4.2 */
    check_names("a.b.c.d.e.f.g.h.i.j.k.example.com",
                "a.b.c.d.e.f.g.h.i.j.k.example.com g.h.i.j.k.example.com h.i.j.k.example.com "
                "i.j.k.example.com j.k.example.com k.example.com example.com com");
    check_names("a.mail.example.com", "a.mail.example.com mail.example.com example.com com");
    check_names("7.6.5.4.3.2.1", "7.6.5.4.3.2.1 6.5.4.3.2.1 5.4.3.2.1 4.3.2.1 3.2.1 2.1 1");
    check_names("8.7.6.5.4.3.2.1",
                "8.7.6.5.4.3.2.1 7.6.5.4.3.2.1 6.5.4.3.2.1 5.4.3.2.1 4.3.2.1 3.2.1 2.1 1");
    check_names("9.8.7.6.5.4.3.2.1",
                "9.8.7.6.5.4.3.2.1 7.6.5.4.3.2.1 6.5.4.3.2.1 5.4.3.2.1 4.3.2.1 3.2.1 2.1 1");
    check_names("com", "com");
    check_names("example.com", "example.com com");
}

/* The longest names have no room for "_dmarc." before them. */
static void test_long_names(void **state)
{
    (void)state;
    char domain[DNS_NAME_MAX], names[DMARC_QUERIES_MAX][DNS_NAME_MAX];

    memset(domain, 'x', sizeof(domain));
    domain[sizeof(domain) - 1 - 1] = 0;
    domain[50] = domain[100] = domain[150] = domain[200] = '.';
    assert_int_equal(strlen(domain), DNS_NAME_MAX - 2);
    assert_int_equal(dmarc_walk_names(domain, names), 4);
    assert_string_equal(names[0] + 7, domain + 51);
    assert_int_equal(dmarc_walk_names(domain + 6, names), 4);
    assert_int_equal(dmarc_walk_names(domain + 7, names), 5);
    assert_string_equal(names[0] + 7, domain + 7);

    char many[] = "1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1."
                  "1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1."
                  "1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1."
                  "1.1.1.1.1.1.7";
    assert_int_equal(strlen(many), DNS_NAME_MAX - 2);
    assert_int_equal(dmarc_walk_names(many, names), 7);
    assert_string_equal(names[6], "_dmarc.7");
    assert_int_equal(dmarc_walk_names(many + 8, names), 8);
}

static const struct {
    const char *name, *zone, *domain;
    const char *organization[DMARC_GUESSES]; /* NULL: as the first */
    const char *policy;                      /* whose record; NULL: none */
    const char *gap;                         /* NULL: none */
} cases[] = {
    /* RFC 9989 4.10.2 */
    {"two above",
     "mail.example.com p=none\nexample.com p=none",
     "a.mail.example.com",
     {"example.com"},
     "example.com",
     NULL},
    {"psd=n on the way",
     "mail.example.com p=none; psd=n\nexample.com p=none",
     "a.mail.example.com",
     {"mail.example.com"},
     "mail.example.com",
     NULL},
    {"psd=y at the top alone",
     "com p=none; psd=y",
     "a.mail.example.com",
     {"example.com"},
     "com",
     NULL},
    {"psd=y right above",
     "example.com p=none; psd=y",
     "mail.example.com",
     {"mail.example.com"},
     "example.com",
     NULL},
    /* Appendix B.4.3 */
    {"giant.bank",
     "bank.example p=none; psd=y\ngiant.bank.example p=reject",
     "giant.bank.example",
     {"giant.bank.example"},
     "giant.bank.example",
     NULL},
    {"mail.giant.bank",
     "bank.example p=none; psd=y\ngiant.bank.example p=reject",
     "mail.giant.bank.example",
     {"giant.bank.example"},
     "giant.bank.example",
     NULL},
    {"mail.mega.bank",
     "bank.example p=none; psd=y\ngiant.bank.example p=reject",
     "mail.mega.bank.example",
     {"mega.bank.example"},
     "bank.example",
     NULL},

    {"no record", "", "a.example.com", {"a.example.com"}, NULL, NULL},
    {"its own alone",
     "a.example.com p=none",
     "a.example.com",
     {"a.example.com"},
     "a.example.com",
     NULL},
    {"its own, and the organization's",
     "a.example.com p=none\nexample.com p=none",
     "a.example.com",
     {"example.com"},
     "a.example.com",
     NULL},
    {"its own with psd=n",
     "a.example.com p=none; psd=n\nexample.com p=none",
     "a.example.com",
     {"a.example.com"},
     "a.example.com",
     NULL},
    {"a public suffix itself", "com p=none; psd=y", "com", {"com"}, "com", NULL},
    {"a public suffix below another",
     "co.uk p=none; psd=y\nuk p=none; psd=y",
     "co.uk",
     {"co.uk"},
     "co.uk",
     NULL},
    {"the nearer public suffix",
     "co.uk p=none; psd=y\nuk p=none; psd=y",
     "a.b.co.uk",
     {"b.co.uk"},
     "co.uk",
     NULL},
    {"psd=n below psd=y",
     "b.co.uk p=none; psd=n\nco.uk p=none; psd=y",
     "a.b.co.uk",
     {"b.co.uk"},
     "b.co.uk",
     NULL},
    {"psd=y below psd=n",
     "b.co.uk p=none; psd=y\nco.uk p=none; psd=n",
     "a.b.co.uk",
     {"a.b.co.uk"},
     "b.co.uk",
     NULL},
    {"a record between, no policy of it",
     "b.c.uk p=none\nc.uk p=none",
     "a.b.c.uk",
     {"c.uk"},
     "c.uk",
     NULL},
    {"a suffix that says nothing of it",
     "example.com p=none\ncom p=none",
     "a.example.com",
     {"com"},
     "com",
     NULL},
    {"two records count as none",
     "example.com p=none\nexample.com p=none\ncom p=none",
     "example.com",
     {"com"},
     "com",
     NULL},
    {"two records, one with psd=n",
     "b.uk p=none; psd=n\nb.uk p=none\nuk p=none",
     "a.b.uk",
     {"uk"},
     "uk",
     NULL},
    {"three records", "b.uk p=none\nb.uk p=none\nb.uk p=none", "b.uk", {"b.uk"}, NULL, NULL},
    {"other texts beside it",
     "b.uk =v=spf1 -all\nb.uk p=none\nb.uk =dmarc",
     "b.uk",
     {"b.uk"},
     "b.uk",
     NULL},
    {"other texts alone", "b.uk =v=spf1 -all\nuk p=none", "b.uk", {"uk"}, "uk", NULL},
    {"one that is not applied is one", "b.uk psd=n\nuk p=none", "a.b.uk", {"b.uk"}, "b.uk", NULL},
    {"between the first and its last seven, nobody is asked",
     "8.7.6.5.4.3.2.1 p=none; psd=n\n1 p=none",
     "9.8.7.6.5.4.3.2.1",
     {"1"},
     "1",
     NULL},
    {"psd=y at the last seven",
     "7.6.5.4.3.2.1 p=none; psd=y",
     "9.8.7.6.5.4.3.2.1",
     {"8.7.6.5.4.3.2.1"},
     "7.6.5.4.3.2.1",
     NULL},

    {"its own fails",
     "b.uk SERVFAIL\nuk p=none",
     "b.uk",
     {"uk", "uk", "b.uk", "b.uk"},
     "uk",
     "b.uk"},
    {"no answer in time, to all",
     "b.uk TIMEOUT",
     "b.uk",
     {"b.uk", "uk", "b.uk", "b.uk"},
     NULL,
     "b.uk"},
    {"one above fails",
     "b.uk p=none\nuk BOGUS",
     "b.uk",
     {"b.uk", "uk", "uk", "b.uk"},
     "b.uk",
     NULL},
    {"one above fails, behind psd=n",
     "b.uk p=none; psd=n\nuk SERVFAIL",
     "b.uk",
     {"b.uk"},
     "b.uk",
     NULL},
    {"one above fails, behind another's psd=n",
     "b.uk p=none; psd=n\nuk SERVFAIL",
     "a.b.uk",
     {"b.uk"},
     "b.uk",
     NULL},
    {"one above fails, behind a public suffix",
     "c.uk p=none; psd=y\nuk SERVFAIL",
     "a.b.c.uk",
     {"b.c.uk"},
     "c.uk",
     NULL},
    {"the top fails, no record of its own",
     "b.uk p=none\nuk SERVFAIL",
     "a.b.uk",
     {"b.uk", "uk", "uk", "b.uk"},
     "b.uk",
     "uk"},
    {"the one between fails",
     "b.c.uk SERVFAIL\nc.uk p=none",
     "a.b.c.uk",
     {"c.uk", "c.uk", "b.c.uk", "a.b.c.uk"},
     "c.uk",
     "b.c.uk"},
};

static void check_case(size_t i, const struct dmarc_walk *walk)
{
    const struct dmarc_step *gap, *policy = dmarc_walk_policy(walk, &gap);

    for (unsigned guess = 0; guess < DMARC_GUESSES; guess++) {
        const char *wanted = cases[i].organization[guess];
        const char *got = dmarc_walk_organization(walk, (enum dmarc_guess)guess);
        CASE(cases[i].name, strcmp(got, wanted ? wanted : cases[i].organization[0]) == 0);
    }
    CASE(cases[i].name, !gap == !cases[i].gap);
    if (gap)
        CASE(cases[i].name, strcmp(gap->domain, cases[i].gap) == 0);
    CASE(cases[i].name, !policy == !cases[i].policy);
    if (policy)
        CASE(cases[i].name, strcmp(policy->domain, cases[i].policy) == 0);
}

static void test_organization(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct dmarc_walks *walks = dmarc_walks_new(1);
        struct dns_budget budget = {1000};
        struct dmarc_walk walk;
        struct fake_dns fake;
        fake_dns_init(&fake);
        dmarc_zone_add(&fake, cases[i].zone);
        dmarc_walks_add(walks, cases[i].domain, &walk);
        assert_int_equal(dmarc_walks_ask(walks, &fake.dns, &budget), walk.count);
        assert_int_equal(fake.asked, walk.count);
        check_case(i, &walk);
        dmarc_walks_free(&walks);
        fake_dns_fini(&fake);
    }
}

/* A name is asked for once, however many walks pass it. */
static void test_shared_names(void **state)
{
    (void)state;
    static const char *const domains[] = {"a.example.com", "example.com", "b.a.example.com",
                                          "a.example.com", "c.example.com"};
    static const unsigned asked[] = {3, 0, 1, 0, 1};
    struct dmarc_walks *walks = dmarc_walks_new(COUNT(domains));
    struct dns_budget budget = {1000};
    struct fake_dns fake;

    fake_dns_init(&fake);
    dmarc_zone_add(&fake, "example.com p=reject");
    for (size_t i = 0; i < COUNT(domains); i++) {
        struct dmarc_walk walk;
        dmarc_walks_add(walks, domains[i], &walk);
        assert_int_equal(dmarc_walks_ask(walks, &fake.dns, &budget), asked[i]);
        assert_string_equal(dmarc_walk_organization(&walk, DMARC_GUESS_NOTHING), "example.com");
    }
    assert_int_equal(fake.asked, 5);
    dmarc_walks_free(&walks);
    fake_dns_fini(&fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_long_names),
        cmocka_unit_test(test_organization),
        cmocka_unit_test(test_shared_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
