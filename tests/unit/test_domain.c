/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/mailauth/domain.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/unit.h"

#define L63 "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk"
#define L61 "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghi"
#define U20 "üüüüüüüüüüüüüüüüüüüü"

static const struct {
    const char *name, *text;
    enum domain_status status;
    const char *domain;
} texts[] = {
    {"plain", "example.org", DOMAIN_OK, "example.org"},
    {"lower-cased", "EXAMPLE.Org", DOMAIN_OK, "example.org"},
    {"a dot at its end", "example.org.", DOMAIN_OK, "example.org"},
    {"one label", "localhost", DOMAIN_OK, "localhost"},
    {"underscores", "_dmarc.a_b.example", DOMAIN_OK, "_dmarc.a_b.example"},
    {"hyphens where there are some", "-a.b-.c--d.example", DOMAIN_OK, "-a.b-.c--d.example"},
    {"a label of digits", "163.com", DOMAIN_OK, "163.com"},
    {"the longest label", L63 ".example", DOMAIN_OK, L63 ".example"},
    {"a byte more", L63 "a.example", DOMAIN_BAD, ""},
    {"the longest name", L63 "." L63 "." L63 "." L61, DOMAIN_OK, L63 "." L63 "." L63 "." L61},
    {"with a dot", L63 "." L63 "." L63 "." L61 ".", DOMAIN_OK, L63 "." L63 "." L63 "." L61},
    {"a byte more", L63 "." L63 "." L63 "." L61 "j", DOMAIN_BAD, ""},
    {"two bytes more", L63 "." L63 "." L63 "." L61 "jk", DOMAIN_BAD, ""},
    {"far too long", L63 "." L63 "." L63 "." L63 "." L63, DOMAIN_BAD, ""},

    {"empty", "", DOMAIN_EMPTY, ""},
    {"the root", ".", DOMAIN_BAD, ""},
    {"two dots at its end", "example.org..", DOMAIN_BAD, ""},
    {"a dot at its start", ".example.org", DOMAIN_BAD, ""},
    {"an empty label", "a..example", DOMAIN_BAD, ""},
    {"a space", "a b.example", DOMAIN_BAD, ""},
    {"a space behind", "a.example ", DOMAIN_BAD, ""},
    {"a control character", "a\tb.example", DOMAIN_BAD, ""},
    {"delete", "a\177b.example", DOMAIN_BAD, ""},
    {"an at sign", "a@b.example", DOMAIN_BAD, ""},
    {"a backslash", "a\\.b.example", DOMAIN_BAD, ""},
    {"a bracket behind", "a.example>", DOMAIN_BAD, ""},
    {"a slash", "a/b.example", DOMAIN_BAD, ""},
    {"IPv4", "192.0.2.1", DOMAIN_ADDRESS, ""},
    {"IPv4 with a dot", "192.0.2.1.", DOMAIN_ADDRESS, ""},
    {"a number", "1", DOMAIN_ADDRESS, ""},
    {"a number as top-level domain", "example.7", DOMAIN_ADDRESS, ""},
    {"IPv4 in a literal", "[192.0.2.1]", DOMAIN_LITERAL, ""},
    {"IPv6 in a literal", "[IPv6:2001:db8::1]", DOMAIN_LITERAL, ""},
    {"a bracket alone", "[", DOMAIN_LITERAL, ""},
    {"IPv6", "2001:db8::1", DOMAIN_BAD, ""},

    {"a U-label", "münchen.example", DOMAIN_OK, "xn--mnchen-3ya.example"},
    {"in upper case", "MÜNCHEN.EXAMPLE", DOMAIN_OK, "xn--mnchen-3ya.example"},
    {"not composed", "mu\xcc\x88nchen.example", DOMAIN_OK, "xn--mnchen-3ya.example"},
    {"its A-label", "XN--Mnchen-3YA.example", DOMAIN_OK, "xn--mnchen-3ya.example"},
    {"not transitional", "straße.example", DOMAIN_OK, "xn--strae-oqa.example"},
    {"U-labels alone", "例え.テスト", DOMAIN_OK, "xn--r8jz45g.xn--zckzah"},
    {"ideographic dots", "例え。テスト。", DOMAIN_OK, "xn--r8jz45g.xn--zckzah"},
    {"an ideographic dot too many", "例え.テスト。.", DOMAIN_BAD, ""},
    {"full-width letters", "ｅｘａｍｐｌｅ．org", DOMAIN_OK, "example.org"},
    {"full-width digits", "１９２.0.2.１", DOMAIN_ADDRESS, ""},
    {"a full-width at sign", "a＠b.example", DOMAIN_BAD, ""},
    {"a letter that becomes a slash", "a℀.example", DOMAIN_BAD, ""},
    {"a dot leader", "a․b.example", DOMAIN_BAD, ""},
    {"a no-break space",
     "a\xc2\xa0"
     "b.example",
     DOMAIN_BAD, ""},
    {"a soft hyphen",
     "exam\xc2\xad"
     "ple.org",
     DOMAIN_OK, "example.org"},
    {"a soft hyphen alone", "\xc2\xad.example", DOMAIN_BAD, ""},
    {"nothing but a soft hyphen", "\xc2\xad", DOMAIN_BAD, ""},
    {"ASCII labels beside a U-label", "_x.a--b.ü", DOMAIN_OK, "_x.a--b.xn--tda"},
    {"an A-label that is none", "xn--99999999.example", DOMAIN_OK, "xn--99999999.example"},
    {"a U-label that starts as an A-label", "xn--ü.example", DOMAIN_BAD, ""},
    {"a U-label with a hyphen at its end", "ü-.example", DOMAIN_BAD, ""},
    {"a joiner out of place",
     "a\xe2\x80\x8d"
     "b.example",
     DOMAIN_BAD, ""},
    {"right to left mixed with left to right", "אa.example", DOMAIN_BAD, ""},
    {"a symbol", "☕.example", DOMAIN_BAD, ""},
    {"U-label longer than an A-label may be", U20 U20 U20 U20 ".example", DOMAIN_BAD, ""},
    {"no UTF-8", "m\xfcnchen.example", DOMAIN_BAD, ""},
    {"cut UTF-8", "m\xc3", DOMAIN_BAD, ""},
    {"a surrogate", "a\xed\xa0\x80.example", DOMAIN_BAD, ""},
    {"overlong UTF-8", "a\xc0\xae.example", DOMAIN_BAD, ""},
};

static void test_texts(void **state)
{
    char domain[DNS_NAME_MAX], again[DNS_NAME_MAX];

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        enum domain_status status = domain_normalize(texts[i].text, strlen(texts[i].text), domain);
        if (status != texts[i].status || strcmp(domain, texts[i].domain) != 0)
            fail_msg("%s: %s, \"%s\"", texts[i].name, domain_strstatus(status), domain);
        if (status != DOMAIN_OK)
            continue;
        assert_int_equal(domain_normalize(domain, strlen(domain), again), DOMAIN_OK);
        assert_string_equal(again, domain);
    }
}

static void test_length_counts(void **state)
{
    static const char text[] = "a.example\0.org";
    char domain[DNS_NAME_MAX];

    (void)state;
    assert_int_equal(domain_normalize(text, sizeof(text) - 1, domain), DOMAIN_BAD);
    assert_string_equal(domain, "");
    assert_int_equal(domain_normalize(text, 10, domain), DOMAIN_BAD);
    assert_int_equal(domain_normalize(text, 9, domain), DOMAIN_OK);
    assert_string_equal(domain, "a.example");
    assert_int_equal(domain_normalize(text, 0, domain), DOMAIN_EMPTY);
}

static void test_labels(void **state)
{
    static const struct {
        const char *domain;
        size_t count;
        const char *last;
    } cases[] = {
        {"a.b.example", 0, ""},
        {"a.b.example", 1, "example"},
        {"a.b.example", 2, "b.example"},
        {"a.b.example", 3, "a.b.example"},
        {"a.b.example", 4, "a.b.example"},
        {"example", 1, "example"},
        {"example", SIZE_MAX, "example"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_string_equal(domain_last_labels(cases[i].domain, cases[i].count), cases[i].last);
    assert_int_equal(domain_label_count("example"), 1);
    assert_int_equal(domain_label_count("a.b.example"), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_length_counts),
        cmocka_unit_test(test_labels),

    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
