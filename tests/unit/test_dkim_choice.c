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

#include "common/base/buf.h"
#include "common/mailauth/dkim.h"
#include "tests/unit/fake_dns.h"

/* Which signatures are verified, and what is asked for them. None of these is a right one. */

#define HASH "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

static struct dkim_library *library;
static struct fake_dns fake;
static struct dns_budget budget = {1000};

static void give(struct dkim_verifier *verifier, const char *domain, const char *selector,
                 const char *b)
{
    struct buf value = {0};

    buf_printf(&value, " v=1; a=rsa-sha256; d=%s; s=%s; h=from; bh=%s; b=%s", domain, selector,
               HASH, b);
    dkim_verifier_header(verifier, "DKIM-Signature", buf_str(&value));
    buf_fini(&value);
}

/* The selectors of what is verified, in order. */
static char *chosen(const char *signatures, const struct author *author, unsigned max)
{
    struct dkim_verifier *verifier = dkim_verifier_new(library, "s", max, &fake.dns, &budget);
    char selector[2] = "a", *copy = strdup(signatures), *at = copy;
    struct buf out = {0};
    size_t count;

    for (char *domain; (domain = strsep(&at, " ")); selector[0]++)
        give(verifier, domain, selector, "AAAA");
    dkim_verifier_header(verifier, "From", " x@y.example");
    dkim_verifier_select(verifier, author);
    const struct dkim_result *results = dkim_verifier_finish(verifier, &count);
    for (size_t i = 0; i < count; i++)
        buf_puts(&out, results[i].selector);
    dkim_verifier_free(&verifier);
    free(copy);
    return buf_steal(&out);
}

static void test_order(void **state)
{
    static const struct author none = {.status = AUTHOR_MALFORMED, .count = 1, .domains = {"y.z"}};
    static const struct author one = {.status = AUTHOR_OK, .count = 1, .domains = {"m.a.example"}};
    static const struct author two = {
        .status = AUTHOR_OK, .count = 2, .domains = {"a.example", "b.example"}};
    static const struct {
        const char *signatures; /* their domains; a, b, c… are the selectors */
        const struct author *author;
        unsigned max;
        const char *chosen;
    } cases[] = {
        {"x.z y.z m.a.example", NULL, 2, "ab"},
        {"x.z x.z y.z", &none, 2, "ab"},
        {"x.z y.z m.a.example", &one, 0, ""},
        {"x.z y.z m.a.example", &one, 1, "c"},
        {"x.z y.z m.a.example", &one, 2, "ac"},
        {"x.z y.z m.a.example", &one, 3, "abc"},
        {"x.z a.example y.z", &one, 1, "b"},        /* above it */
        {"x.z news.m.a.example y.z", &one, 1, "b"}, /* below it */
        {"x.z b.a.example y.z", &one, 1, "a"},      /* beside it */
        {"x.z bm.a.example y.z", &one, 1, "a"},
        {"x.z b.example y.z a.example", &two, 2, "bd"},
        {"x.z b.example y.z a.example", &two, 3, "abd"},
        {"A.EXAMPLE b.example a.example", &two, 2, "ab"},
        {"[1] x.z [2] y.z a.example", &two, 2, "be"},
        {"[1] x.z [2] y.z a.example", &two, 4, "abde"},
        {"[1] [2]", &two, 1, "a"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *got = chosen(cases[i].signatures, cases[i].author, cases[i].max);
        if (strcmp(got, cases[i].chosen) != 0)
            fail_msg("%s, %u: %s, not %s", cases[i].signatures, cases[i].max, got, cases[i].chosen);
        free(got);
    }
}

static void test_names(void **state)
{
    struct dkim_verifier *verifier = dkim_verifier_new(library, "s", 8, &fake.dns, &budget);
    const char *const *names;
    size_t count;

    (void)state;
    assert_int_equal(dkim_verifier_key_names(verifier, &names), 0);
    give(verifier, "d.example", "one", "AAAA");
    give(verifier, "D.example", "ONE", "BBBB");
    give(verifier, "[192.0.2.1]", "one", "AAAA");
    give(verifier, "d.example", "two", "AAAA");
    dkim_verifier_select(verifier, NULL);
    assert_int_equal(dkim_verifier_key_names(verifier, &names), 2);
    assert_string_equal(names[0], "one._domainkey.d.example");
    assert_string_equal(names[1], "two._domainkey.d.example");

    /* too late */
    give(verifier, "d.example", "three", "AAAA");
    dkim_verifier_select(verifier, NULL);
    assert_int_equal(dkim_verifier_key_names(verifier, &names), 2);
    fake.asked = 0;
    dkim_verifier_end_header(verifier);
    dkim_verifier_end_header(verifier);
    assert_int_equal(fake.asked, 2);
    const struct dkim_result *results = dkim_verifier_finish(verifier, &count);
    assert_int_equal(count, 4);
    assert_string_equal(results[0].reason, "no key");
    assert_string_equal(results[1].reason, "no key");
    assert_string_equal(results[1].domain, "d.example");
    assert_string_equal(results[1].selector, "ONE");
    assert_string_equal(results[2].reason, "d= is no domain");
    assert_string_equal(results[2].domain, "");
    dkim_verifier_free(&verifier);
}

/* RFC 6008: enough of b= to know which one is meant. */
static void test_starts(void **state)
{
    static const struct {
        const char *b, *shown;
    } cases[] = {
        {"ABCD efgh IJKL mnop", "ABCDefghI"},
        {"ABCDefghXXXXXXXX", "ABCDefghX"},
        {"ZBCDefghXXXXXXXX", "ZBCDefgh"},
        {"QQQQ", "QQQQ"},
        {"=garbage", ""},
        {"0123456789012345678901234567890123456789AAAA", "01234567890123456789012345678901"},
        {"0123456789012345678901234567890123456789BBBB", "01234567890123456789012345678901"},
    };
    struct dkim_verifier *verifier = dkim_verifier_new(library, "s", 8, &fake.dns, &budget);
    size_t count;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        give(verifier, "d.example", "s", cases[i].b);
    const struct dkim_result *results = dkim_verifier_finish(verifier, &count);
    assert_int_equal(count, sizeof(cases) / sizeof(cases[0]));
    for (size_t i = 0; i < count; i++)
        assert_string_equal(results[i].signature, cases[i].shown);
    dkim_verifier_free(&verifier);
}

/* A signature that was not kept is not none. */
static void test_too_many_fields(void **state)
{
    (void)state;
    for (unsigned max = 0; max < 2; max++) {
        struct dkim_verifier *verifier = dkim_verifier_new(library, "s", max, &fake.dns, &budget);
        size_t count;
        for (size_t i = 0; i < DKIM_FIELDS_MAX; i++)
            dkim_verifier_header(verifier, "X", "");
        give(verifier, "d.example", "s", "AAAA");
        const struct dkim_result *results = dkim_verifier_finish(verifier, &count);
        assert_int_equal(count, max);
        if (max) {
            assert_int_equal(results[0].result, AUTH_PERMERROR);
            assert_string_equal(results[0].reason, "the header has too many fields");
        }
        dkim_verifier_free(&verifier);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_starts),
        cmocka_unit_test(test_too_many_fields),
    };
    struct error error;

    library = dkim_library_new(&error);
    if (!library)
        return 1;
    fake_dns_init(&fake);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    fake_dns_fini(&fake);
    dkim_library_free(&library);
    return failed;
}
