/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/mailauth/spf_macro.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/unit.h"

static const char *validated(void *ctx)
{
    return ctx;
}

static char *expand(const char *text, const char *client)
{
    static char name[] = "mx.example.org";
    struct addr addr;
    struct spf_macro_values values = {
        .sender = "strong-bad@email.example.com",
        .domain = "email.example.com",
        .helo = "mx.example.org",
        .receiver = "mail.example.net",
        .client = &addr,
        .now_sec = 1790000000,
        .validated_name = validated,
        .ctx = name,
    };
    struct buf out = {0};

    assert_int_equal(addr_parse(client, &addr), 0);
    assert_int_equal(spf_macro_expand(text, &values, &out), 0);
    if (!out.len)
        buf_putc(&out, '\0');
    return buf_steal(&out);
}

/* The first block is the example of RFC 7208 7.4. */
static void test_expansions(void **state)
{
    static const struct {
        const char *text, *client, *expanded;
    } cases[] = {
        {"%{s}", "192.0.2.3", "strong-bad@email.example.com"},
        {"%{o}", "192.0.2.3", "email.example.com"},
        {"%{d}", "192.0.2.3", "email.example.com"},
        {"%{d4}", "192.0.2.3", "email.example.com"},
        {"%{d3}", "192.0.2.3", "email.example.com"},
        {"%{d2}", "192.0.2.3", "example.com"},
        {"%{d1}", "192.0.2.3", "com"},
        {"%{dr}", "192.0.2.3", "com.example.email"},
        {"%{d2r}", "192.0.2.3", "example.email"},
        {"%{l}", "192.0.2.3", "strong-bad"},
        {"%{l-}", "192.0.2.3", "strong.bad"},
        {"%{lr}", "192.0.2.3", "strong-bad"},
        {"%{lr-}", "192.0.2.3", "bad.strong"},
        {"%{l1r-}", "192.0.2.3", "strong"},
        {"%{ir}.%{v}._spf.%{d2}", "192.0.2.3", "3.2.0.192.in-addr._spf.example.com"},
        {"%{lr-}.lp._spf.%{d2}", "192.0.2.3", "bad.strong.lp._spf.example.com"},
        {"%{lr-}.lp.%{ir}.%{v}._spf.%{d2}", "192.0.2.3",
         "bad.strong.lp.3.2.0.192.in-addr._spf.example.com"},
        {"%{ir}.%{v}.%{l1r-}.lp._spf.%{d2}", "192.0.2.3",
         "3.2.0.192.in-addr.strong.lp._spf.example.com"},
        {"%{d2}.trusted-domains.example.net", "192.0.2.3",
         "example.com.trusted-domains.example.net"},
        {"%{ir}.%{v}._spf.%{d2}", "2001:db8::cb01",
         "1.0.b.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6._spf.example.com"},
        /* the rest of it */
        {"", "192.0.2.3", ""},
        {"a%%b%_c%-d", "192.0.2.3", "a%b c%20d"},
        {"%{h}/%{p}/%{r}/%{t}/%{c}", "2001:db8::1",
         "mx.example.org/mx.example.org/mail.example.net/1790000000/2001:db8::1"},
        {"%{S}", "192.0.2.3", "strong-bad%40email.example.com"},
        {"%{L-}", "192.0.2.3", "strong.bad"},
        {"%{s2r@.}", "192.0.2.3", "email.strong-bad"},
        {"%{d128}", "192.0.2.3", "email.example.com"},
        {"%{i1}", "192.0.2.3", "3"},
        {"%{i3r}", "192.0.2.3", "2.0.192"},
        {"%{dr.-+,/_=}", "192.0.2.3", "com.example.email"},
        {"%{l0-}", "192.0.2.3", "strong.bad"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char *text = expand(cases[i].text, cases[i].client);
        if (strcmp(text, cases[i].expanded) != 0)
            fail_msg("%s: %s, not %s", cases[i].text, text, cases[i].expanded);
        free(text);
    }
}

static void test_empty_parts(void **state)
{
    struct addr addr;
    struct spf_macro_values values = {.sender = "..a.@d",
                                      .domain = ".",
                                      .helo = "",
                                      .receiver = "",
                                      .client = &addr,
                                      .validated_name = validated};
    static const struct {
        const char *text, *expanded;
    } cases[] = {
        {"%{l}", "..a."}, {"%{lr}", ".a.."}, {"%{l1}", ""}, {"%{l2}", "a."}, {"%{l2r}", "."},
        {"%{d}", "."},    {"%{dr}", "."},    {"%{h}", ""},  {"%{hr}", ""},
    };

    (void)state;
    assert_int_equal(addr_parse("192.0.2.3", &addr), 0);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct buf out = {0};
        assert_int_equal(spf_macro_expand(cases[i].text, &values, &out), 0);
        if (strcmp(buf_str(&out), cases[i].expanded) != 0)
            fail_msg("%s: \"%s\"", cases[i].text, buf_str(&out));
        buf_fini(&out);
    }
}

/* The name that leads back may not be asked for any more. */
static void test_no_name(void **state)
{
    struct addr addr;
    struct spf_macro_values values = {.sender = "a@d",
                                      .domain = "d",
                                      .helo = "h",
                                      .receiver = "r",
                                      .client = &addr,
                                      .validated_name = validated};
    struct buf out = {0};

    (void)state;
    assert_int_equal(addr_parse("192.0.2.3", &addr), 0);
    assert_int_equal(spf_macro_expand("%{p}.x", &values, &out), -1);
    buf_fini(&out);
}

static void test_local_part(void **state)
{
    static const char *const with[] = {"%{s}", "a.%{l}", "%%%{L1r-}.b", "%{d}%{S}", "%_%-%{l}"};
    static const char *const without[] = {"",        "l",          "%{d}", "%%{l}",
                                          "%%%%{s}", "%{ir}.%{v}", "%-{l}"};

    (void)state;
    for (size_t i = 0; i < COUNT(with); i++)
        CASE(with[i], spf_macro_has_local_part(with[i]));
    for (size_t i = 0; i < COUNT(without); i++)
        CASE(without[i], !spf_macro_has_local_part(without[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_expansions),
        cmocka_unit_test(test_local_part),
        cmocka_unit_test(test_empty_parts),
        cmocka_unit_test(test_no_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
