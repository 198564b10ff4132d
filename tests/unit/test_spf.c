/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>

#include "common/base/buf.h"
#include "common/mailauth/spf.h"
#include "tests/unit/fake_dns.h"
#include "tests/unit/unit.h"

/* The RFC's own cases are in tests/spf; here is what it does not know of. */

/* The same for each engine, in a program of its own. */
#ifndef ENGINE
#define ENGINE "rfc7208"
#endif

static struct fake_dns fake;

static int set_up(void **state)
{
    (void)state;
    fake_dns_init(&fake);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fake_dns_fini(&fake);
    return 0;
}

static struct spf_verdict verify(const char *client, const char *helo, const char *sender)
{
    struct spf_request request = {.helo = helo, .sender = sender, .receiver = "mx.home.example"};
    struct dns_budget budget = {1000};
    struct spf_verdict verdict;

    assert_int_equal(addr_parse(client, &request.client), 0);
    spf_verify(spf_engine_find(ENGINE), &request, &fake.dns, &budget, &verdict);
    return verdict;
}

static struct spf_check check(const char *record)
{
    fake_dns_fini(&fake);
    fake_dns_init(&fake);
    fake_dns_add(&fake, "a.example", DNS_TYPE_A, "192.0.2.1");
    fake_dns_fail(&fake, "broken.example", 0, DNS_SERVFAIL);
    fake_dns_fail(&fake, "slow.example", 0, DNS_TIMEOUT);
    fake_dns_add(&fake, "d.example", DNS_TYPE_TXT, record);
    return verify("192.0.2.9", "h.d.example", "bob@d.example").mailfrom;
}

static void test_never_judged(void **state)
{
    static const char *const clients[] = {"127.0.0.1",  "::1",     "10.0.0.1",        "192.168.1.1",
                                          "100.64.0.1", "fe80::1", "fc00::1",         "169.254.1.1",
                                          "224.0.0.1",  "0.0.0.0", "::ffff:127.0.0.1"};
    (void)state;
    fake_dns_add(&fake, "d.example", DNS_TYPE_TXT, "v=spf1 +all");
    for (size_t i = 0; i < sizeof(clients) / sizeof(clients[0]); i++) {
        struct spf_verdict verdict = verify(clients[i], "d.example", "bob@d.example");
        assert_false(verdict.helo.ran || verdict.mailfrom.ran);
        assert_int_equal(verdict.helo.result, AUTH_NONE);
        assert_int_equal(verdict.mailfrom.result, AUTH_NONE);
        assert_string_not_equal(verdict.mailfrom.reason, "");
    }
    assert_int_equal(fake.asked, 0);
}

static void test_identities(void **state)
{
    (void)state;
    fake_dns_add(&fake, "d.example", DNS_TYPE_TXT, "v=spf1 -all");
    fake_dns_add(&fake, "h.example", DNS_TYPE_TXT, "v=spf1 ip4:192.0.2.9 -all");

    struct spf_verdict verdict = verify("192.0.2.9", "h.example", "bob@d.example");
    assert_int_equal(verdict.helo.result, AUTH_PASS);
    assert_string_equal(verdict.helo.mechanism, "ip4:192.0.2.9");
    assert_string_equal(verdict.helo.domain, "h.example");
    assert_int_equal(verdict.mailfrom.result, AUTH_FAIL);
    assert_string_equal(verdict.mailfrom.mechanism, "-all");
    assert_string_equal(verdict.mailfrom.domain, "d.example");

    verdict = verify("192.0.2.9", "h.example", "");
    assert_int_equal(verdict.mailfrom.result, AUTH_PASS);
    assert_true(verdict.mailfrom.ran);
}

static void test_helo_that_is_no_domain(void **state)
{
    static const char *const helos[] = {"",         "localhost",      "[192.0.2.1]", "192.0.2.1",
                                        "a..b.org", "a b.example",    "(x).example", "\xc3.example",
                                        "\xc3\xa4", "x.example\r\ny", ".example",    "[IPv6:::1]"};
    (void)state;
    fake_dns_add(&fake, "d.example", DNS_TYPE_TXT, "v=spf1 exists:%{h}.d.example -all");
    for (size_t i = 0; i < sizeof(helos) / sizeof(helos[0]); i++) {
        struct spf_verdict verdict = verify("192.0.2.9", helos[i], "bob@d.example");
        assert_false(verdict.helo.ran);
        assert_int_equal(verdict.helo.result, AUTH_NONE);
        assert_int_equal(verdict.mailfrom.result, AUTH_FAIL);
        /* neither identity: must not end the process */
        verdict = verify("192.0.2.9", helos[i], "");
        assert_false(verdict.mailfrom.ran);
        assert_int_equal(verdict.mailfrom.result, AUTH_NONE);
    }
}

static void test_sender_without_policy(void **state)
{
    char longest[400];

    (void)state;
    static const char *const senders[] = {
        "bob", "bob@", "@", "bob@localhost", "bob@[192.0.2.1]", "bob@d..example"};
    for (size_t i = 0; i < sizeof(senders) / sizeof(senders[0]); i++)
        assert_int_equal(verify("192.0.2.9", "h.example", senders[i]).mailfrom.result, AUTH_NONE);
    memset(longest, 'x', sizeof(longest));
    memcpy(longest + 257, "@d.example", 11);
    /* Nobody gets out of his domain's policy by a long name. */
    fake_dns_add(&fake, "d.example", DNS_TYPE_TXT, "v=spf1 -all");
    assert_int_equal(verify("192.0.2.9", "h.example", longest).mailfrom.result, AUTH_FAIL);
    assert_int_equal(verify("192.0.2.9", "h.example", longest + 1).mailfrom.result, AUTH_FAIL);
}

/* Counted, not guessed: what the limits of RFC 7208 4.6.4 count. */
static void test_counts(void **state)
{
    static const struct {
        const char *record;
        enum auth_result result;
        unsigned lookups, voids;
    } cases[] = {
        {"v=spf1 ip4:1.2.3.4 -all", AUTH_FAIL, 0, 0},
        {"v=spf1 a:a.example a:a.example -all", AUTH_FAIL, 2, 0},
        {"v=spf1 a:n1.example exists:n2.example -all", AUTH_FAIL, 2, 2},
        {"v=spf1 a:n1.example mx:n2.example exists:n3.example -all", AUTH_PERMERROR, 3, 3},
        {"v=spf1 a:a.example a:a.example a:a.example a:a.example a:a.example a:a.example "
         "a:a.example a:a.example a:a.example a:a.example -all",
         AUTH_FAIL, 10, 0},
        {"v=spf1 a:a.example a:a.example a:a.example a:a.example a:a.example a:a.example "
         "a:a.example a:a.example a:a.example a:a.example a:a.example -all",
         AUTH_PERMERROR, 11, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct spf_check got = check(cases[i].record);
        assert_int_equal(got.result, cases[i].result);
        assert_int_equal(got.lookups, cases[i].lookups);
        assert_int_equal(got.void_lookups, cases[i].voids);
    }
}

static void test_eleventh_is_not_asked(void **state)
{
    char name[32], next[64];

    (void)state;
    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof(name), "i%d.example", i);
        snprintf(next, sizeof(next), "v=spf1 include:i%d.example", i + 1);
        fake_dns_add(&fake, name, DNS_TYPE_TXT, next);
    }
    struct spf_check got = verify("192.0.2.9", "", "bob@i0.example").mailfrom;
    assert_int_equal(got.result, AUTH_PERMERROR);
    assert_int_equal(fake.asked, 1 + SPF_LOOKUPS_MAX);

    fake_dns_add(&fake, "loop.example", DNS_TYPE_TXT, "v=spf1 include:loop.example -all");
    got = verify("192.0.2.9", "", "bob@loop.example").mailfrom;
    assert_int_equal(got.result, AUTH_PERMERROR);
    fake_dns_add(&fake, "ring.example", DNS_TYPE_TXT, "v=spf1 redirect=ring.example");
    got = verify("192.0.2.9", "", "bob@ring.example").mailfrom;
    assert_int_equal(got.result, AUTH_PERMERROR);
}

/* libspf2 alone loses "-all" after 64 ip4 or 26 ip6 terms, and says neutral. */
static void test_long_records(void **state)
{
    struct buf record = {0};

    (void)state;
    buf_puts(&record, "v=spf1");
    for (int i = 0; i < 200; i++)
        buf_printf(&record, " ip4:198.51.100.%d ip6:2001:db8::%d", i, i);
    buf_puts(&record, " -all");
    assert_int_equal(check(buf_str(&record)).result, AUTH_FAIL);
    buf_reset(&record);
    buf_puts(&record, "v=spf1");
    for (int i = 0; i < 200; i++)
        buf_printf(&record, " ip4:198.51.100.%d", i);
    buf_puts(&record, " ip4:192.0.2.9 -all");
    struct spf_check got = check(buf_str(&record));
    assert_int_equal(got.result, AUTH_PASS);
    assert_string_equal(got.mechanism, "ip4:192.0.2.9");
    buf_fini(&record);
}

/* Many macros in one term fill libspf2's buffer to its last bytes; all lengths must be harmless. */
static void test_macros_that_fill_its_buffer(void **state)
{
    static const char *const units[] = {"%{d}", "%{i}x", "x%{l}", "%%", "%_", "%-", "%{S}yy"};
    struct buf record = {0};

    (void)state;
    for (size_t u = 0; u < sizeof(units) / sizeof(units[0]); u++) {
        for (int n = 1; n < 70; n++) {
            buf_reset(&record);
            buf_puts(&record, "v=spf1 exists:");
            for (int i = 0; i < n; i++)
                buf_puts(&record, units[u]);
            buf_puts(&record, ".d.example -all exp=");
            for (int i = 0; i < n; i++)
                buf_puts(&record, units[u]);
            buf_puts(&record, ".d.example");
            struct spf_check got = check(buf_str(&record));
            assert_true(got.result == AUTH_FAIL || got.result == AUTH_PERMERROR);
        }
    }
    buf_fini(&record);
}

static void test_explanations_of_all_lengths(void **state)
{
    static const char *const units[] = {"%{d}", "x%{l}", "a b ", "%-", "word", "%%{"};
    struct buf text = {0};

    (void)state;
    for (size_t u = 0; u < sizeof(units) / sizeof(units[0]); u++) {
        for (int n = 0; n < 200; n++) {
            buf_reset(&text);
            for (int i = 0; i < n; i++)
                buf_puts(&text, units[u]);
            fake_dns_fini(&fake);
            fake_dns_init(&fake);
            fake_dns_add(&fake, "d.example", DNS_TYPE_TXT, "v=spf1 -all exp=e.example");
            fake_dns_add(&fake, "e.example", DNS_TYPE_TXT, buf_str(&text));
            struct spf_check got = verify("192.0.2.9", "", "bob@d.example").mailfrom;
            assert_int_equal(got.result, AUTH_FAIL);
            assert_true(strlen(got.explanation) < SPF_TEXT_MAX);
        }
    }
    buf_fini(&text);
}

static void test_explanation(void **state)
{
    (void)state;
    fake_dns_add(&fake, "d.example", DNS_TYPE_TXT, "v=spf1 -all exp=e.%{d}");
    fake_dns_add(&fake, "e.d.example", DNS_TYPE_TXT, "%{i} is not %{d}, see %{h} and %{r}");
    struct spf_check got = verify("192.0.2.9", "h.example", "bob@d.example").mailfrom;
    assert_string_equal(got.explanation,
                        "192.0.2.9 is not d.example, see h.example and mx.home.example");
    /* One in a record that an include asked is not the sender's. */
    fake_dns_add(&fake, "i.example", DNS_TYPE_TXT, "v=spf1 include:d.example -all");
    got = verify("192.0.2.9", "h.example", "bob@i.example").mailfrom;
    assert_int_equal(got.result, AUTH_FAIL);
    assert_string_equal(got.explanation, "");
    /* It cannot smuggle a line into a reply. */
    fake_dns_add(&fake, "x.example", DNS_TYPE_TXT, "v=spf1 -all exp=n.example");
    fake_dns_add(&fake, "n.example", DNS_TYPE_TXT, "a\r\nb");
    assert_string_equal(verify("192.0.2.9", "", "bob@x.example").mailfrom.explanation, "");
}

static void test_errors_are_told_apart(void **state)
{
    static const struct {
        const char *record;
        enum auth_result result;
    } cases[] = {
        {"v=spf1 a:broken.example -all", AUTH_TEMPERROR},
        {"v=spf1 mx:slow.example -all", AUTH_TEMPERROR},
        {"v=spf1 exists:broken.example -all", AUTH_TEMPERROR},
        {"v=spf1 include:broken.example -all", AUTH_TEMPERROR},
        {"v=spf1 redirect=slow.example", AUTH_TEMPERROR},
        {"v=spf1 include:nothing.example -all", AUTH_PERMERROR},
        {"v=spf1 redirect=nothing.example", AUTH_PERMERROR},
        {"v=spf1 include:a.example -all", AUTH_PERMERROR},
        {"v=spf1 a:broken.example", AUTH_TEMPERROR},
        {"v=spf1 ip4:192.0.2.9 a:broken.example", AUTH_PASS},
        {"v=spf1 -all a:broken.example", AUTH_FAIL},
        {"v=spf1 moo", AUTH_PERMERROR},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct spf_check got = check(cases[i].record);
        assert_int_equal(got.result, cases[i].result);
        if (got.result == AUTH_TEMPERROR || got.result == AUTH_PERMERROR)
            assert_string_not_equal(got.reason, "");
        else
            assert_string_equal(got.reason, "");
    }
}

static void test_record_selection(void **state)
{
    (void)state;
    fake_dns_add(&fake, "two.example", DNS_TYPE_TXT, "v=spf1 +all");
    fake_dns_add(&fake, "two.example", DNS_TYPE_TXT, "v=spf1 -all");
    fake_dns_add(&fake, "i.example", DNS_TYPE_TXT, "v=spf1 include:two.example -all");
    fake_dns_add(&fake, "other.example", DNS_TYPE_TXT, "\xff verification=1");
    fake_dns_add(&fake, "other.example", DNS_TYPE_TXT, "v=spf1 -all");
    fake_dns_add_txt(&fake, "nul.example", "v=spf1 +all\0 -all", 17);
    assert_int_equal(verify("192.0.2.9", "", "b@two.example").mailfrom.result, AUTH_PERMERROR);
    assert_int_equal(verify("192.0.2.9", "", "b@i.example").mailfrom.result, AUTH_PERMERROR);
    assert_int_equal(verify("192.0.2.9", "", "b@other.example").mailfrom.result, AUTH_FAIL);
    assert_int_equal(verify("192.0.2.9", "", "b@nul.example").mailfrom.result, AUTH_PERMERROR);
    assert_int_equal(verify("192.0.2.9", "", "b@none.example").mailfrom.result, AUTH_NONE);
}

/* The client chooses its PTR records; they must not turn a fail into an error. */
static void test_ptr_of_a_hostile_client(void **state)
{
    (void)state;
    fake_dns_add(&fake, "d.example", DNS_TYPE_TXT, "v=spf1 ptr -all");
    for (int i = 0; i < 40; i++) {
        char name[32];
        snprintf(name, sizeof(name), "n%d.broken.example", i);
        fake_dns_add(&fake, "9.2.0.192.in-addr.arpa", DNS_TYPE_PTR, name);
        if (i % 2)
            fake_dns_fail(&fake, name, 0, DNS_SERVFAIL);
    }
    struct spf_check got = verify("192.0.2.9", "", "bob@d.example").mailfrom;
    assert_int_equal(got.result, AUTH_FAIL);
    assert_true(fake.asked <= 2 + 10);
}

static void test_senders_with_odd_bytes(void **state)
{
    static const char *const locals[] = {"a b", "\"a\\b\"", "\xc3\xa4", "%", "..", "a\tb", "-"};
    char sender[64];

    (void)state;
    fake_dns_add(&fake, "d.example", DNS_TYPE_TXT,
                 "v=spf1 exists:%{l1r-}.%{L}.%{s}.d.example -all exp=e.example");
    fake_dns_add(&fake, "e.example", DNS_TYPE_TXT, "%{s} %{L}");
    for (size_t i = 0; i < sizeof(locals) / sizeof(locals[0]); i++) {
        snprintf(sender, sizeof(sender), "%s@d.example", locals[i]);
        struct spf_check got = verify("192.0.2.9", "", sender).mailfrom;
        assert_int_equal(got.result, AUTH_FAIL);
        for (const char *p = got.explanation; *p; p++)
            assert_in_range(*p, 0x20, 0x7e);
    }
}

/* RFC 8616 4: the same policy by whichever spelling of the name. */
static void test_u_labels(void **state)
{
    static const char *const domains[] = {"münchen.example", "MÜNCHEN.Example.",
                                          "mu\xcc\x88nchen.example", "xn--mnchen-3ya.example",
                                          "münchen。example"};
    char sender[64];

    (void)state;
    fake_dns_add(&fake, "xn--mnchen-3ya.example", DNS_TYPE_TXT,
                 "v=spf1 exists:%{h}.h.example exists:%{o}.o.example -all exp=%{d}.e.example");
    fake_dns_add(&fake, "xn--mnchen-3ya.example.e.example", DNS_TYPE_TXT, "%{o} not by %{h}");
    for (size_t i = 0; i < sizeof(domains) / sizeof(domains[0]); i++) {
        snprintf(sender, sizeof(sender), "bob@%s", domains[i]);
        struct spf_verdict verdict = verify("192.0.2.9", domains[i], sender);
        assert_int_equal(verdict.mailfrom.result, AUTH_FAIL);
        assert_string_equal(verdict.mailfrom.domain, "xn--mnchen-3ya.example");
        assert_string_equal(verdict.mailfrom.explanation,
                            "xn--mnchen-3ya.example not by xn--mnchen-3ya.example");
        assert_int_equal(verdict.helo.result, AUTH_FAIL);
        assert_string_equal(verdict.helo.domain, "xn--mnchen-3ya.example");
        assert_false(verdict.mailfrom.is_unconvertible || verdict.helo.is_unconvertible);
    }
    fake_dns_add(&fake, "xn--mnchen-3ya.example.h.example", DNS_TYPE_A, "127.0.0.2");
    assert_int_equal(verify("192.0.2.9", "münchen.example", "b@münchen.example").mailfrom.result,
                     AUTH_PASS);
    assert_int_equal(verify("192.0.2.9", "h.example", "b@münchen.example").mailfrom.result,
                     AUTH_FAIL);
}

/* None, as RFC 7208 4.3 has it; and whoever acts is told that it is none of the usual kind. */
static void test_domains_without_a_labels(void **state)
{
    static const struct {
        const char *sender;
        bool is_unconvertible;
    } cases[] = {
        {"b@\xe2\x98\x95.example", true},
        {"b@m\xfcnchen.example", true},
        {"b@ü-.example", true},
        {"b@ü..example", true},
        {"b@a\xe2\x84\x80.example", true},
        {"ü@d..example", false},
        {"b@ü", false},
        {"b@[ü]", false},
        {"ü@", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct spf_check got = verify("192.0.2.9", "h.example", cases[i].sender).mailfrom;
        assert_int_equal(got.result, AUTH_NONE);
        assert_false(got.ran);
        assert_int_equal(got.is_unconvertible, cases[i].is_unconvertible);
    }
    assert_true(verify("192.0.2.9", "m\xfcnchen.example", "").mailfrom.is_unconvertible);
}

/* RFC 8616 4: terms with s or l match nothing then, and there is nothing to ask. */
static void test_local_part_that_is_not_ascii(void **state)
{
    static const struct {
        const char *record;
        enum auth_result ascii, not_ascii;
    } cases[] = {
        {"v=spf1 exists:%{l}.a.example -all", AUTH_PASS, AUTH_FAIL},
        {"v=spf1 -exists:%{L}.a.example +all", AUTH_FAIL, AUTH_PASS},
        {"v=spf1 a:%{s}.a.example -all", AUTH_PASS, AUTH_FAIL},
        {"v=spf1 a:x%%.%{d}.%{l}.a.example -all", AUTH_PASS, AUTH_FAIL},
        {"v=spf1 mx:%{S}.a.example -all", AUTH_PASS, AUTH_FAIL},
        {"v=spf1 include:%{l}.pass.example ~all", AUTH_PASS, AUTH_SOFTFAIL},
        {"v=spf1 redirect=%{l}.pass.example", AUTH_PASS, AUTH_PERMERROR},
        {"v=spf1 exists:%{o}.a.example -all", AUTH_PASS, AUTH_PASS},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        check(cases[i].record);
        const char *const names[] = {"bob.a.example",
                                     "d.example.a.example",
                                     "bob@d.example.a.example",
                                     "bob%40d.example.a.example",
                                     "x%.d.example.bob.a.example",
                                     "\\195\\188.a.example",
                                     "\\195\\188@d.example.a.example",
                                     "%C3%BC%40d.example.a.example",
                                     "x%.d.example.\\195\\188.a.example"};
        for (size_t n = 0; n < sizeof(names) / sizeof(names[0]); n++) {
            fake_dns_add(&fake, names[n], DNS_TYPE_A, "192.0.2.9");
            fake_dns_add(&fake, names[n], DNS_TYPE_MX, "10 bob.a.example");
        }
        fake_dns_add(&fake, "bob.pass.example", DNS_TYPE_TXT, "v=spf1 +all");
        fake_dns_add(&fake, "\\195\\188.pass.example", DNS_TYPE_TXT, "v=spf1 +all");
        struct spf_check ascii = verify("192.0.2.9", "", "bob@d.example").mailfrom;
        CASE(cases[i].record, ascii.result == cases[i].ascii);
        unsigned asked = fake.asked;
        struct spf_check got = verify("192.0.2.9", "", "ü@d.example").mailfrom;
        CASE(cases[i].record, got.result == cases[i].not_ascii);
        CASE(cases[i].record, got.result == ascii.result || fake.asked - asked == 1);
    }
    fake_dns_add(&fake, "x.example", DNS_TYPE_TXT, "v=spf1 -all exp=%{l}.e.example");
    fake_dns_add(&fake, "\\195\\188.e.example", DNS_TYPE_TXT, "why");
    fake_dns_add(&fake, "bob.e.example", DNS_TYPE_TXT, "why");
    assert_string_equal(verify("192.0.2.9", "", "bob@x.example").mailfrom.explanation, "why");
    assert_string_equal(verify("192.0.2.9", "", "ü@x.example").mailfrom.explanation, "");
}

static void *verify_many(void *ctx)
{
    struct spf_request request = {.helo = "h.example", .sender = "b@d.example", .receiver = "r"};
    struct fake_dns own;
    uintptr_t failed = 0;

    (void)ctx;
    fake_dns_init(&own);
    fake_dns_add(&own, "d.example", DNS_TYPE_TXT,
                 "v=spf1 mx ptr exists:%{i}.%{l}.%{h} -all exp=e.example");
    fake_dns_add(&own, "d.example", DNS_TYPE_MX, "10 m.example");
    fake_dns_add(&own, "m.example", DNS_TYPE_A, "192.0.2.1");
    fake_dns_add(&own, "e.example", DNS_TYPE_TXT, "%{i} %{S} %{p}");
    for (int i = 0; i < 50; i++) {
        struct dns_budget budget = {1000};
        struct spf_verdict verdict;
        request.client = addr_from_ipv4((const uint8_t[]){198, 51, 100, (uint8_t)i});
        spf_verify(spf_engine_find(ENGINE), &request, &own.dns, &budget, &verdict);
        failed += verdict.mailfrom.result == AUTH_FAIL;
    }
    fake_dns_fini(&own);
    return (void *)failed;
}

static void test_threads(void **state)
{
    pthread_t threads[8];

    (void)state;
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, verify_many, NULL), 0);
    for (size_t i = 0; i < 8; i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        assert_int_equal((uintptr_t)failed, 50);
    }
}

/* The client's own name servers are silent: what forbids it is still found. */
static void test_silent_names_use_up_their_part_alone(void **state)
{
    static const char *const records[] = {
        "v=spf1 ptr include:i.example -all",
        "v=spf1 exists:%{p}.none.example include:i.example -all",
    };

    (void)state;
    if (strcmp(ENGINE, "rfc7208") != 0)
        return; /* libspf2 has one time for all */
    for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++) {
        fake_dns_fini(&fake);
        fake_dns_init(&fake);
        fake_dns_add(&fake, "d.example", DNS_TYPE_TXT, records[i]);
        fake_dns_add(&fake, "i.example", DNS_TYPE_TXT, "v=spf1 ip4:192.0.2.1 -all");
        fake_dns_fail(&fake, "9.2.0.192.in-addr.arpa", 0, DNS_TIMEOUT);
        assert_int_equal(verify("192.0.2.9", "h.example", "bob@d.example").mailfrom.result,
                         AUTH_FAIL);
    }
}

/* A label with a dot in it is no name below that domain. */
static void test_escaped_names_are_not_below(void **state)
{
    (void)state;
    fake_dns_add(&fake, "d.example", DNS_TYPE_TXT, "v=spf1 ptr:bank.example -all");
    fake_dns_add(&fake, "9.2.0.192.in-addr.arpa", DNS_TYPE_PTR, "x\\.bank.example");
    fake_dns_add(&fake, "x\\.bank.example", DNS_TYPE_A, "192.0.2.9");
    assert_int_equal(verify("192.0.2.9", "h.example", "bob@d.example").mailfrom.result, AUTH_FAIL);
}

static void test_long_explanations_are_none(void **state)
{
    char text[1200];

    (void)state;
    for (size_t len = 1024; len <= 1025; len++) {
        fake_dns_fini(&fake);
        fake_dns_init(&fake);
        memset(text, 'x', sizeof(text));
        text[len] = 0;
        fake_dns_add(&fake, "d.example", DNS_TYPE_TXT, "v=spf1 -all exp=e.example");
        fake_dns_add(&fake, "e.example", DNS_TYPE_TXT, text);
        struct spf_check found = verify("192.0.2.9", "h.example", "bob@d.example").mailfrom;
        assert_int_equal(found.result, AUTH_FAIL);
        /* libspf2's own limit is below. */
        assert_true((found.explanation[0] != 0) == (len == 1024 && strcmp(ENGINE, "rfc7208") == 0));
    }
}

static void test_engines(void **state)
{
    (void)state;
    assert_string_equal(spf_engine_find(NULL)->name, "rfc7208");
    assert_ptr_equal(spf_engine_find("rfc7208"), spf_engine_find(NULL));
    assert_string_equal(spf_engine_find(ENGINE)->name, ENGINE);
    assert_null(spf_engine_find("nothing"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_never_judged, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_identities, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_helo_that_is_no_domain, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_sender_without_policy, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_counts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_eleventh_is_not_asked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_long_records, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_macros_that_fill_its_buffer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_explanations_of_all_lengths, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_explanation, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_errors_are_told_apart, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_record_selection, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_ptr_of_a_hostile_client, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_senders_with_odd_bytes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_u_labels, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_domains_without_a_labels, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_local_part_that_is_not_ascii, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_threads, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_silent_names_use_up_their_part_alone, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_escaped_names_are_not_below, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_long_explanations_are_none, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_engines, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
