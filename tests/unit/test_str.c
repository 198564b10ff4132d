/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/unit.h"

static void test_eq(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        bool eq, nocase;
    } cases[] = {
        {"", "", true, true},
        {"a", "a", true, true},
        {"a", "A", false, true},
        {"a", "ab", false, false},
        {"ab", "a", false, false},
        {"[", "{", false, false},
        {"@", "`", false, false},
        {"\303\204", "\303\244", false, false},
        {"Mail.EXAMPLE.com", "mail.example.COM", false, true},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        CASE(cases[i].a, str_eq(cases[i].a, cases[i].b) == cases[i].eq);
        CASE(cases[i].a, str_eq_nocase(cases[i].a, cases[i].b) == cases[i].nocase);
        CASE(cases[i].a, str_eq_secret(cases[i].a, cases[i].b) == cases[i].eq);
    }
}

/* One length is a multiple of the other, one is empty, they differ in one place. */
static void test_eq_secret(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        bool want;
    } cases[] = {
        {"abab", "ab", false}, {"ab", "abab", false},  {"", "x", false},
        {"x", "", false},      {"aaaa", "a", false},   {"abc", "abd", false},
        {"xbc", "abc", false}, {"\377", "\377", true}, {"\377", "\177", false},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        CASE(cases[i].a, str_eq_secret(cases[i].a, cases[i].b) == cases[i].want);
}

static void test_affixes(void **state)
{
    (void)state;
    assert_true(str_has_prefix("unix:/run/x", "unix:"));
    assert_true(str_has_prefix("unix:", "unix:"));
    assert_false(str_has_prefix("unix", "unix:"));
    assert_true(str_has_prefix("x", ""));
    char text[] = "MAIL \303\204 [";
    assert_string_equal(str_lower(text), "mail \303\204 [");
}

static void test_utf8(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text;
        bool want;
    } cases[] = {
        {"empty", "", true},
        {"ASCII", "abc\177", true},
        {"least of two", "\302\200", true},
        {"overlong of two", "\301\277", false},
        {"least of three", "\340\240\200", true},
        {"overlong of three", "\340\237\277", false},
        {"last before the surrogates", "\355\237\277", true},
        {"surrogate", "\355\240\200", false},
        {"after the surrogates", "\356\200\200", true},
        {"least of four", "\360\220\200\200", true},
        {"overlong of four", "\360\217\277\277", false},
        {"U+10FFFF", "\364\217\277\277", true},
        {"past U+10FFFF", "\364\220\200\200", false},
        {"five bytes", "\370\210\200\200\200", false},
        {"lone continuation", "\200", false},
        {"cut in two", "\303", false},
        {"cut in three", "\342\202", false},
        {"cut in four", "\360\237\230", false},
        {"broken in the last place", "\360\237\230a", false},
        {"0xff", "\377", false},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        CASE(cases[i].name, str_is_utf8(cases[i].text) == cases[i].want);
}

static void test_ascii(void **state)
{
    (void)state;
    assert_true(str_is_ascii(""));
    assert_true(str_is_ascii("\001a~\177"));
    assert_false(str_is_ascii("a\200"));
    assert_false(str_is_ascii("\377a"));
}

static void test_take(void **state)
{
    (void)state;
    const uint8_t bytes[] = {'a', 'b', 0, 'c'};
    char *text = str_take(bytes, 2, 2);

    assert_string_equal(text, "ab");
    free(text);
    assert_null(str_take(bytes, 2, 1));
    assert_null(str_take(bytes, 3, 10));
    assert_null(str_take(bytes, 4, 10));
    text = str_take(NULL, 0, 0);
    assert_string_equal(text, "");
    free(text);
}

static void test_parse_u64(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t min, max;
        int rc;
        uint64_t want;
    } cases[] = {
        {"0", 0, 0, 0, 0},
        {"007", 0, 10, 0, 7},
        {"18446744073709551615", 0, UINT64_MAX, 0, UINT64_MAX},
        {"18446744073709551616", 0, UINT64_MAX, -1, 0},
        {"18446744073709551620", 0, UINT64_MAX, -1, 0},
        {"99999999999999999999999", 0, UINT64_MAX, -1, 0},
        {"1", 1, 65535, 0, 1},
        {"0", 1, 65535, -1, 0},
        {"65535", 1, 65535, 0, 65535},
        {"65536", 1, 65535, -1, 0},
        {"", 0, 9, -1, 0},
        {"-1", 0, UINT64_MAX, -1, 0},
        {"+1", 0, 9, -1, 0},
        {" 1", 0, 9, -1, 0},
        {"1 ", 0, 9, -1, 0},
        {"0x1", 0, 9, -1, 0},
        {"1.0", 0, 9, -1, 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint64_t value = 0;
        int rc = str_parse_u64(cases[i].text, cases[i].min, cases[i].max, &value);
        CASE(cases[i].text, rc == cases[i].rc && value == cases[i].want);
    }
}

static void test_parse_duration(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int rc;
        uint64_t want;
    } cases[] = {
        {"600", 0, 600},
        {"10m", 0, 600},
        {"0", 0, 0},
        {"0s", 0, 0},
        {"45s", 0, 45},
        {"1h", 0, 3600},
        {"2d", 0, 172800},
        {"4w", 0, 2419200},
        {"4294967295", 0, 4294967295},
        {"4294967296", -1, 0},
        {"4294967295w", 0, 4294967295 * 604800},
        {"", -1, 0},
        {"m", -1, 0},
        {"10M", -1, 0},
        {"10 m", -1, 0},
        {"10mm", -1, 0},
        {"1h30m", -1, 0},
        {"-1m", -1, 0},
        {"1.5h", -1, 0},
        {"10y", -1, 0},
        {"00000000000600", 0, 600},
        {"0000000000000600", -1, 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint64_t sec = 0;
        int rc = str_parse_duration(cases[i].text, &sec);
        CASE(cases[i].text, rc == cases[i].rc && sec == cases[i].want);
    }
}

static void test_format_duration(void **state)
{
    (void)state;
    static const struct {
        uint64_t sec;
        const char *want;
    } cases[] = {
        {0, "0s"},          {1, "1s"},          {59, "59s"},       {60, "1m"},
        {61, "1m 1s"},      {3552, "59m 12s"},  {3600, "1h"},      {3601, "1h"},
        {5400, "1h 30m"},   {86399, "23h 59m"}, {86400, "1d"},     {90000, "1d 1h"},
        {604799, "6d 23h"}, {604800, "1w"},     {691200, "1w 1d"}, {UINT64_MAX, "30500568904943w"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char out[STR_DURATION_MAX];
        CASE(cases[i].want, strcmp(str_format_duration(cases[i].sec, out), cases[i].want) == 0);
    }
}

static void test_domain_within(void **state)
{
    (void)state;
    assert_true(str_is_domain_within("example.org", "example.org"));
    assert_true(str_is_domain_within("a.example.org", "example.org"));
    assert_true(str_is_domain_within("a.b.example.org", "example.org"));
    assert_false(str_is_domain_within("badexample.org", "example.org"));
    assert_false(str_is_domain_within("example.org", "a.example.org"));
    assert_false(str_is_domain_within("example.com", "example.org"));
    assert_false(str_is_domain_within("example.org.evil.example", "example.org"));
    assert_false(str_is_domain_within("example.org", ""));
    assert_false(str_is_domain_within("", ""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_eq),
        cmocka_unit_test(test_eq_secret),
        cmocka_unit_test(test_affixes),
        cmocka_unit_test(test_domain_within),
        cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_ascii),
        cmocka_unit_test(test_take),
        cmocka_unit_test(test_parse_u64),
        cmocka_unit_test(test_parse_duration),
        cmocka_unit_test(test_format_duration),
    };
    return cmocka_run_group_tests_name("str", tests, NULL, NULL);
}
