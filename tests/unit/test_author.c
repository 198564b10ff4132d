/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/mailauth/author.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/buf.h"
#include "tests/unit/unit.h"

#define OK        AUTHOR_OK
#define MALFORMED AUTHOR_MALFORMED
#define NONE      AUTHOR_NO_ADDRESS

struct field {
    const char *name, *value;
    enum author_status status;
    const char *domains; /* joined by spaces */
};

static void check(const struct field *field)
{
    struct author author = {.status = AUTHOR_NO_FIELD};
    struct buf domains = {0};

    author_field(&author, field->value);
    for (size_t i = 0; i < author.count; i++)
        buf_printf(&domains, "%s%s", i ? " " : "", author.domains[i]);
    if (author.status != field->status || strcmp(buf_str(&domains), field->domains) != 0)
        fail_msg("%s: %s: %s, \"%s\"", field->name, field->value, author_strstatus(author.status),
                 buf_str(&domains));
    buf_fini(&domains);
}

static void check_all(const struct field *fields, size_t count)
{
    for (size_t i = 0; i < count; i++)
        check(&fields[i]);
}

static void test_forms(void **state)
{
    static const struct field fields[] = {
        {"an address", "a@b.example", OK, "b.example"},
        {"in brackets", "<a@b.example>", OK, "b.example"},
        {"with a name", "John Q. Public <a@b.example>", OK, "b.example"},
        {"with a quoted name", "\"Public, John\" <a@b.example>", OK, "b.example"},
        {"a name of both", "\"John\" Q. \"Public\"<a@b.example>", OK, "b.example"},
        {"an empty quoted name", "\"\" <a@b.example>", OK, "b.example"},
        {"quoted pairs", "\"a \\\" \\\\\" <a@b.example>", OK, "b.example"},
        {"a name by a comment", "a@b.example (John Public)", OK, "b.example"},
        {"comments all over", "(x) John (y (z)) <a@b.example> (\\)) (w)", OK, "b.example"},
        {"comments alone between", "(a)(b) (c) a@b.example(d)", OK, "b.example"},
        {"a quote in a comment", "(\") a@b.example (\")", OK, "b.example"},
        {"a bracket in a comment", "(<) a@b.example (>)", OK, "b.example"},
        {"spaces", " \t a@b.example \t ", OK, "b.example"},
        {"spaces in brackets", "< a@b.example\t>", OK, "b.example"},
        {"folded", "John\r\n Public\r\n\t<a@b.example>\r\n ", OK, "b.example"},
        {"folded as libmilter has it", "John\n Public\n\t<a@b.example>", OK, "b.example"},
        {"a fold of nothing but space", "John\r\n \r\n <a@b.example>", OK, "b.example"},
        {"a fold in a quoted string", "\"John\r\n Public\" <a@b.example>", OK, "b.example"},
        {"a fold in a comment", "(John\r\n Public) a@b.example", OK, "b.example"},
        {"upper case", "A@B.Example", OK, "b.example"},
        {"a quoted local part", "\"a b\"@b.example", OK, "b.example"},
        {"a quoted local part in brackets", "x <\"a,<\\\">\"@b.example>", OK, "b.example"},
        {"an empty quoted local part", "\"\"@b.example", OK, "b.example"},
        {"atext", "!#$%&'*+-/?=^_`{|}~.a@b.example", OK, "b.example"},
        {"dots where some have them", ".a..b.@b.example", OK, "b.example"},
        {"a dot behind the domain", "a@b.example.", OK, "b.example"},
        {"one label", "root@localhost", OK, "localhost"},
        {"a percent hack is the domain's own", "a%c.example@b.example", OK, "b.example"},
        {"a bang path likewise", "c.example!a@b.example", OK, "b.example"},
        {"encoded words", "=?utf-8?Q?J=C3=B6rg?= =?utf-8?B?w7Y=?= <a@b.example>", OK, "b.example"},
        {"an encoded address as name", "=?utf-8?Q?c=40c.example?= <a@b.example>", OK, "b.example"},
        {"UTF-8", "Jörg <jörg@bücher.example>", OK, "xn--bcher-kva.example"},
        {"U-label and A-label", "a@bücher.example, b@xn--bcher-kva.example", OK,
         "xn--bcher-kva.example"},
        {"an ideographic dot", "a@b。example", OK, "b.example"},
        {"UTF-8 escaped", "\"\\ö\" (\\ö) <a@b.example>", OK, "b.example"},
    };

    (void)state;
    check_all(fields, COUNT(fields));
}

static void test_lists(void **state)
{
    static const struct field fields[] = {
        {"two", "a@b.example, c@d.example", OK, "b.example d.example"},
        {"two with names", "A <a@b.example>,\r\n \"C, D\" <c@d.example>", OK,
         "b.example d.example"},
        {"each domain once", "a@b.example, c@d.example, e@B.EXAMPLE", OK, "b.example d.example"},
        {"empty members", ",, a@b.example , (x) ,c@d.example,", OK, "b.example d.example"},
        {"a group", "Friends: a@b.example, C <c@d.example>;", OK, "b.example d.example"},
        {"a group among others", "x@y.example, \"F\" r: a@b.example; (c), z@z.example", OK,
         "y.example b.example z.example"},
        {"two groups", "f:a@b.example;,g:c@d.example;", OK, "b.example d.example"},
        {"an empty group", "undisclosed:;", NONE, ""},
        {"an empty group with a comment", "undisclosed (x) : (y) ; (z)", NONE, ""},
        {"empty groups", "a:;, b:,,;", NONE, ""},
        {"an empty group and an address", "a:;, a@b.example", OK, "b.example"},
        {"nothing", "", NONE, ""},
        {"nothing but space", " \r\n ", NONE, ""},
        {"nothing but commas", ",,", NONE, ""},
        {"nothing but a comment", "(a@b.example)", NONE, ""},
        {"a semicolon for a comma", "a@b.example; c@d.example", MALFORMED, ""},
        {"a semicolon at the end", "a@b.example;", MALFORMED, ""},
        {"an open group", "f: a@b.example", MALFORMED, ""},
        {"an open empty group", "f:", MALFORMED, ""},
        {"a group in a group", "f: g: a@b.example;;", MALFORMED, ""},
        {"a group without a name", ": a@b.example;", MALFORMED, ""},
        {"an address as a group's name", "a@b.example: c@d.example;", MALFORMED, ""},
        {"an address in brackets as its name", "<a@b.example>: c@d.example;", MALFORMED, ""},
        {"an address behind a group", "f: a@b.example; c@d.example", MALFORMED, ""},
        {"a name behind a group", "f: a@b.example; x", MALFORMED, ""},
        {"a name alone in a group", "f: x;", MALFORMED, ""},
    };

    (void)state;
    check_all(fields, COUNT(fields));
}

/* Whose address is it? Each of these shows one thing to one program and another to another. */
static const struct field traps[] = {
    {"quoted address as name", "\"c@d.example\" <a@b.example>", OK, "b.example"},
    {"with brackets", "\"x <c@d.example>\" <a@b.example>", OK, "b.example"},
    {"address in a comment", "a@b.example (c@d.example)", OK, "b.example"},
    {"in front of it", "(<c@d.example>,) a@b.example", OK, "b.example"},
    {"in a nested comment", "a@b.example (x (<c@d.example>), y)", OK, "b.example"},
    {"an unquoted address as name", "c@d.example <a@b.example>", MALFORMED, ""},
    {"of the same domain", "c@B.example <a@b.example>", OK, "b.example"},
    {"the very address", "a@b.example <a@b.example>", OK, "b.example"},
    {"of the domain above", "c@example <a@b.example>", MALFORMED, ""},
    {"with a comment between", "c@d.example (x) <a@b.example>", MALFORMED, ""},
    {"with a name before", "C c@b.example <a@b.example>", MALFORMED, ""},
    {"with a name behind", "c@b.example C <a@b.example>", MALFORMED, ""},
    {"an unquoted at sign in a name", "C @ D <a@b.example>", MALFORMED, ""},
    {"two in brackets", "<c@d.example> <a@b.example>", MALFORMED, ""},
    {"one behind the brackets", "<a@b.example> c@d.example", MALFORMED, ""},
    {"words behind the brackets", "<a@b.example> x", MALFORMED, ""},
    {"two without a comma", "a@b.example c@d.example", MALFORMED, ""},
    {"two at signs", "a@b.example@d.example", MALFORMED, ""},
    {"two at signs in brackets", "<a@b.example@d.example>", MALFORMED, ""},
    {"two at signs together", "a@@b.example", MALFORMED, ""},
    {"nested brackets", "<<a@b.example>>", MALFORMED, ""},
    {"nested brackets with text", "<c@d.example <a@b.example>>", MALFORMED, ""},
    {"a bracket behind", "a@b.example>", MALFORMED, ""},
    {"two brackets behind", "<a@b.example>>", MALFORMED, ""},
    {"no bracket behind", "<a@b.example", MALFORMED, ""},
    {"no bracket behind, a comma", "<a@b.example, c@d.example>", MALFORMED, ""},
    {"empty brackets", "x <>", MALFORMED, ""},
    {"no domain", "a@", MALFORMED, ""},
    {"no domain in brackets", "<a@>", MALFORMED, ""},
    {"no local part", "@b.example", MALFORMED, ""},
    {"no local part in brackets", "<@b.example>", MALFORMED, ""},
    {"no at sign", "a", MALFORMED, ""},
    {"no at sign in brackets", "x <b.example>", MALFORMED, ""},
    {"an at sign", "@", MALFORMED, ""},
    {"a quoted string", "\"a@b.example\"", MALFORMED, ""},
    {"a quoted string in brackets", "<\"a@b.example\">", MALFORMED, ""},
    {"a quoted at sign", "\"c@d.example\"@b.example", MALFORMED, ""},
    {"an escaped at sign", "\"c\\@d.example\"@b.example", MALFORMED, ""},
    {"a quoted at sign in brackets", "x <\"c@d.example \"@b.example>", MALFORMED, ""},
    {"an encoded local part", "=?utf-8?q?c=40d.example=3e?=@b.example", MALFORMED, ""},
    {"a quoted encoded local part", "\"=?utf-8?q?c=40d.example?=\"@b.example", MALFORMED, ""},
    {"an encoded domain", "a@=?utf-8?q?b.example?=", MALFORMED, ""},
    {"an at sign in an encoded word", "=?utf-8?q?c@d.example?= <a@b.example>", MALFORMED, ""},
    {"a comma in an encoded word", "=?utf-8?q?c,d?= <a@b.example>", MALFORMED, ""},
    {"a route", "<@d.example:a@b.example>", MALFORMED, ""},
    {"a longer route", "<@d.example,@e.example:a@b.example>", MALFORMED, ""},
    {"a space before the at sign", "a @b.example", MALFORMED, ""},
    {"a space behind the at sign", "a@ b.example", MALFORMED, ""},
    {"spaces around a dot", "a@b . example", MALFORMED, ""},
    {"a space in the local part", "a b@b.example", MALFORMED, ""},
    {"a space in it in brackets", "<a b@b.example>", MALFORMED, ""},
    {"a quoted word in the local part", "a.\"b\"@b.example", MALFORMED, ""},
    {"a comment before the at sign", "a(x)@b.example", MALFORMED, ""},
    {"a comment behind the at sign", "a@(x)b.example", MALFORMED, ""},
    {"a comment in the domain", "a@b(x).example", MALFORMED, ""},
    {"a comment in brackets", "<(c@d.example)a@b.example>", MALFORMED, ""},
    {"a comment in brackets behind", "<c@d.example(@b.example>)>", MALFORMED, ""},
    {"a fold in the domain", "a@b.exam\r\n ple", MALFORMED, ""},
    {"a fold before the at sign", "a\r\n @b.example", MALFORMED, ""},
    {"an open comment", "a@b.example (x", MALFORMED, ""},
    {"an open nested comment", "(x (y) a@b.example", MALFORMED, ""},
    {"a comment that only an escape closes", "a@b.example (x\\)", MALFORMED, ""},
    {"a comment closed twice", "a@b.example (x))", MALFORMED, ""},
    {"a comment ending in an escape", "a@b.example (\\", MALFORMED, ""},
    {"an open quote", "\"John <a@b.example>", MALFORMED, ""},
    {"an open quote behind", "John\" <a@b.example>", MALFORMED, ""},
    {"a quote that only an escape closes", "\"John\\\" <a@b.example>", MALFORMED, ""},
    {"a quote ending in an escape", "\"\\", MALFORMED, ""},
    {"an escaped fold", "\"x\\\r\n y\" <a@b.example>", MALFORMED, ""},
    {"an escape outside of quotes", "J\\ohn <a@b.example>", MALFORMED, ""},
    {"a literal", "a@[192.0.2.1]", MALFORMED, ""},
    {"a literal in brackets", "<a@[IPv6:2001:db8::1]>", MALFORMED, ""},
    {"an address for a domain", "a@192.0.2.1", MALFORMED, ""},
    {"brackets in a name", "[List] John <a@b.example>", MALFORMED, ""},
    {"an empty label", "a@b..example", MALFORMED, ""},
    {"a domain of no letters", "a@b!.example", MALFORMED, ""},
    {"one bad domain of two", "a@b.example, c@d..example", MALFORMED, ""},
    {"a full-width at sign", "c＠d.example", MALFORMED, ""},
    {"a full-width at sign in the domain", "a@d＠b.example", MALFORMED, ""},
    {"no UTF-8", "J\xf6rg <a@b.example>", MALFORMED, ""},
    {"no UTF-8 in a comment", "a@b.example (\x81\x40)", MALFORMED, ""},
    {"an escape character", "\033$B <a@b.example>", MALFORMED, ""},
    {"a bare CR", "a@b.example\rc@d.example", MALFORMED, ""},
    {"a bare CR at the end", "a@b.example\r", MALFORMED, ""},
    {"a line end without a fold", "a@b.example\r\nX: y", MALFORMED, ""},
    {"a line end at the end", "a@b.example\n", MALFORMED, ""},
    {"CR twice", "a@b.example\r\r\n ", MALFORMED, ""},
    {"delete", "\"x\177\" <a@b.example>", MALFORMED, ""},
};

static void test_traps(void **state)
{
    (void)state;
    check_all(traps, COUNT(traps));
}

static void test_more_than_one_field(void **state)
{
    struct author author = {.status = AUTHOR_NO_FIELD};

    (void)state;
    author_field(&author, "a@b.example");
    assert_int_equal(author.status, AUTHOR_OK);
    author_field(&author, "a@b.example");
    assert_int_equal(author.status, AUTHOR_MANY_FIELDS);
    assert_int_equal(author.count, 0);
    author_field(&author, "a@b.example");
    assert_int_equal(author.status, AUTHOR_MANY_FIELDS);

    memset(&author, 0, sizeof(author));
    author_field(&author, "a@@b.example");
    author_field(&author, "a@b.example");
    assert_int_equal(author.status, AUTHOR_MANY_FIELDS);
    assert_int_equal(author.count, 0);
}

static void test_too_many_domains(void **state)
{
    struct buf value = {0};
    struct author author;

    (void)state;
    for (int i = 0; i <= AUTHOR_DOMAINS_MAX; i++) {
        memset(&author, 0, sizeof(author));
        buf_printf(&value, "a@d%d.example, a@D%d.example, ", i, i);
        author_field(&author, buf_str(&value));
        assert_int_equal(author.status, i < AUTHOR_DOMAINS_MAX ? AUTHOR_OK : AUTHOR_TOO_MANY);
        assert_int_equal(author.count, i < AUTHOR_DOMAINS_MAX ? (size_t)i + 1 : 0);
    }
    buf_fini(&value);
}

/* unit, over and over, up to len bytes. */
static void fill(char *text, size_t len, const char *unit)
{
    for (size_t i = 0; i < len; i++)
        text[i] = unit[i % strlen(unit)];
    text[len] = 0;
}

static void test_long_fields(void **state)
{
    char *value = malloc(AUTHOR_FIELD_MAX + 2);
    struct author author = {.status = AUTHOR_NO_FIELD};

    (void)state;
    assert_non_null(value);
    fill(value, AUTHOR_FIELD_MAX / 2, "((((((\n ");
    fill(value + AUTHOR_FIELD_MAX / 2, AUTHOR_FIELD_MAX / 2, "))))))\n ");
    author_field(&author, value);
    assert_int_equal(author.status, AUTHOR_NO_ADDRESS);

    memcpy(value + AUTHOR_FIELD_MAX, ",", 2);
    memset(&author, 0, sizeof(author));
    author_field(&author, value);
    assert_int_equal(author.status, AUTHOR_TOO_MANY);

    fill(value, AUTHOR_FIELD_MAX, "a@\303\274.de,\n       ");
    memset(&author, 0, sizeof(author));
    author_field(&author, value);
    assert_int_equal(author.status, AUTHOR_OK);
    assert_int_equal(author.count, 1);
    free(value);
}

/* Postfix, as LMTP client too, folds a line of more than 998 bytes just there. */
static void test_long_lines(void **state)
{
    static const char *const around[][2] = {{"", ""}, {"a@b.example,\n", "\n ,"}};
    static const char line[] = " (%0*d) a@b.example.d.example";
    struct author author;

    (void)state;
    for (int more = 0; more < 2; more++) {
        for (size_t i = 0; i < COUNT(around); i++) {
            struct buf value = {0};
            buf_puts(&value, around[i][0]);
            buf_printf(&value, line, AUTHOR_LINE_MAX + more - (int)sizeof(line) + 5, 0);
            buf_puts(&value, around[i][1]);
            memset(&author, 0, sizeof(author));
            author_field(&author, buf_str(&value));
            assert_int_equal(author.status, more ? AUTHOR_MALFORMED : AUTHOR_OK);
            buf_fini(&value);
        }
    }
}

/* Cut anywhere, a field names no other domain than the whole or a part of it. */
static void test_cut_anywhere(void **state)
{
    static const char whole[] = "\"J, (P)\" (x (\\)) y) <\"a b\"@b.example>,\r\n F: c@d.example;";

    (void)state;
    for (size_t len = 0; len < sizeof(whole); len++) {
        struct author author = {.status = AUTHOR_NO_FIELD};
        char *value = strndup(whole, len);
        author_field(&author, value);
        if (strchr(value, '>') && !strchr(value, '\r'))
            assert_string_equal(author.domains[0], "b.example");
        else if (len == sizeof(whole) - 1)
            assert_int_equal(author.count, 2);
        assert_int_equal(author.count > 0, author.status == AUTHOR_OK);
        free(value);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_traps),
        cmocka_unit_test(test_more_than_one_field),
        cmocka_unit_test(test_too_many_domains),
        cmocka_unit_test(test_long_fields),
        cmocka_unit_test(test_long_lines),
        cmocka_unit_test(test_cut_anywhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
