/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "common/mailauth/spf_record.h"

static const char *parse(const char *text, struct spf_record *record)
{
    const char *reason;

    if (spf_record_parse((const uint8_t *)text, strlen(text), record, &reason) == 0)
        return NULL;
    assert_non_null(reason);
    assert_null(record->terms);
    return reason;
}

static void test_is(void **state)
{
    static const struct {
        const char *text;
        bool is;
    } cases[] = {
        {"v=spf1", true},        {"v=spf1 ", true}, {"V=SPF1 -all", true}, {"v=spf10 -all", false},
        {"v=spf1\t-all", false}, {"v=spf", false},  {" v=spf1", false},    {"", false}};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(spf_record_is((const uint8_t *)cases[i].text, strlen(cases[i].text)),
                         cases[i].is);
}

static void test_good(void **state)
{
    static const char *const cases[] = {
        "v=spf1",
        "v=spf1  -all ",
        "v=spf1 +a ~mx ?ptr -exists:%{i}.x.org",
        "v=spf1 a/24 a//64 a/0//0 mx:x.org/32//128",
        "v=spf1 a:%{d}/24 a:x-y.org. a:%{l1r-+_/=,}.%{o}.x.org",
        "v=spf1 ip4:192.0.2.0/24 ip4:0.0.0.0/0 ip6:::/0 ip6:2001:db8::1",
        "v=spf1 include:%{d2} redirect=x.org exp=e.x.org moo.x_-=%{h}abc=",
        "v=spf1 IP4:192.0.2.1 INCLUDE:x.org REDIRECT=x.org",
        "v=spf1 a:x.1-2",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct spf_record record;
        if (parse(cases[i], &record))
            fail_msg("refused: %s", cases[i]);
        spf_record_fini(&record);
    }
}

static void test_bad(void **state)
{
    static const char *const cases[] = {
        "v=spf1 al",
        "v=spf1 all:x.org",
        "v=spf1 all/8",
        "v=spf1 a:",
        "v=spf1 a:/24",
        "v=spf1 a/33",
        "v=spf1 a//129",
        "v=spf1 a/08",
        "v=spf1 a/",
        "v=spf1 a/24/64",
        "v=spf1 a//64/24",
        "v=spf1 ip4",
        "v=spf1 ip4:",
        "v=spf1 ip4:1.2.3",
        "v=spf1 ip4:1.2.3.4/33",
        "v=spf1 ip4:1.2.3.4//8",
        "v=spf1 ip4:::1",
        "v=spf1 ip6:1.2.3.4",
        "v=spf1 ip6:::1/129",
        "v=spf1 include",
        "v=spf1 include:",
        "v=spf1 exists:x.org/24",
        "v=spf1 a:x",
        "v=spf1 a:x.123",
        "v=spf1 a:x.-y",
        "v=spf1 a:x.y-",
        "v=spf1 a:x.y..",
        "v=spf1 a:%{d}com",
        "v=spf1 a:%(d).x.org",
        "v=spf1 a:%{z}.x.org",
        "v=spf1 a:%{c}.x.org",
        "v=spf1 a:%{d0}",
        "v=spf1 a:%{d129}",
        "v=spf1 a:%{d1s}",
        "v=spf1 a:%{d",
        "v=spf1 a:x.org%",
        "v=spf1 ==",
        "v=spf1 exp=",
        "v=spf1 redirect=",
        "v=spf1 exp=x.org exp=x.org",
        "v=spf1 redirect=x.org redirect=x.org",
        "v=spf1 -exp=x.org",
        "v=spf1 moo=%{",
        "v=spf1 a\tmx",
        "v=spf1 a:x\x80.org",
        "v=spf1 moo=\xc3\xa4",
        "v=spf1 --all",
        "v=spf1 -",
        "v=spf1 :x.org",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct spf_record record;
        if (!parse(cases[i], &record))
            fail_msg("taken: %s", cases[i]);
    }
}

static void test_terms(void **state)
{
    struct spf_record record;

    (void)state;
    assert_null(parse(
        "v=spf1 ~a:x.org/24//64 MX//0 -ip6:::ffff:1.2.3.4/96 exp=e.org redirect=r.org", &record));
    assert_int_equal(record.count, 3);
    assert_int_equal(record.terms[0].type, SPF_TERM_A);
    assert_int_equal(record.terms[0].qualifier, AUTH_SOFTFAIL);
    assert_string_equal(record.terms[0].text, "~a:x.org/24//64");
    assert_string_equal(record.terms[0].domain, "x.org");
    assert_int_equal(record.terms[0].bits4, 24);
    assert_int_equal(record.terms[0].bits6, 64);
    assert_int_equal(record.terms[1].type, SPF_TERM_MX);
    assert_string_equal(record.terms[1].domain, "");
    assert_int_equal(record.terms[1].bits4, 32);
    assert_int_equal(record.terms[1].bits6, 0);
    struct addr client;
    assert_int_equal(addr_parse("1.2.3.4", &client), 0);
    assert_false(prefix_contains(&record.terms[2].net, &client));
    assert_string_equal(record.redirect, "r.org");
    assert_string_equal(record.exp, "e.org");
    spf_record_fini(&record);

    assert_null(parse("v=spf1 redirect=r.org -all", &record));
    assert_null(record.redirect);
    spf_record_fini(&record);
}

static void test_limits(void **state)
{
    struct spf_record record;
    char text[SPF_RECORD_MAX + 2];
    size_t len = 6;

    (void)state;
    /* one term at the limit, and past it */
    memcpy(text, "v=spf1 a:", 9);
    memset(text + 9, 'x', SPF_TERM_MAX);
    memcpy(text + 7 + SPF_TERM_MAX - 2, ".y", 3);
    assert_null(parse(text, &record));
    spf_record_fini(&record);
    memcpy(text + 7 + SPF_TERM_MAX - 2, "x.y", 4);
    assert_non_null(parse(text, &record));

    /* as many terms as fit, and one byte more */
    while (len + 3 <= SPF_RECORD_MAX) {
        memcpy(text + len, " mx", 3);
        len += 3;
    }
    while (len < SPF_RECORD_MAX)
        text[len++] = ' ';
    text[len] = 0;
    assert_null(parse(text, &record));
    assert_int_equal(record.count, (SPF_RECORD_MAX - 6) / 3);
    spf_record_fini(&record);
    text[len++] = ' ';
    text[len] = 0;
    assert_non_null(parse(text, &record));
}

static void test_every_prefix(void **state)
{
    static const char whole[] =
        "v=spf1 -a:%{l1r-}.x.org/24//64 ip4:1.2.3.4/24 ip6:1::/3 exists:%{i}.y.org exp=e.%{d}";

    (void)state;
    for (size_t len = 0; len < sizeof(whole); len++) {
        char *text = x_strndup(whole, len);
        struct spf_record record;
        if (!parse(text, &record))
            spf_record_fini(&record);
        free(text);
    }
}

static void test_explanation(void **state)
{
    (void)state;
    assert_true(spf_explanation_is_valid("See %{d}, %{c} %{R} %{t}: 100%% %-%_"));
    assert_true(spf_explanation_is_valid(""));
    assert_false(spf_explanation_is_valid("100%"));
    assert_false(spf_explanation_is_valid("%{x}"));
    assert_false(spf_explanation_is_valid("a\nb"));
    assert_false(spf_explanation_is_valid("\xc3\xa4"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_is),          cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),         cmocka_unit_test(test_terms),
        cmocka_unit_test(test_limits),      cmocka_unit_test(test_every_prefix),
        cmocka_unit_test(test_explanation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
