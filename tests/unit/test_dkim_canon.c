/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/mailauth/dkim_canon.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/str.h"
#include "tests/unit/unit.h"

static void test_field(void **state)
{
    static const struct {
        const char *name, *value, *canonical;
    } cases[] = {
        /* RFC 6376 3.4.5 */
        {"A", " X", "a:X"},
        {"B ", " Y\t\r\n\tZ  ", "b:Y Z"},
        /* as milters get them */
        {"Subject", " one\n  two\n\tthree  four ", "subject:one two three four"},
        {"Subject\t ", "", "subject:"},
        {"SUBJECT", " \t\n ", "subject:"},
        {"X-Tight", "no space", "x-tight:no space"},
        {"To", " a\n\n b", "to:a b"},
        {"To", " a\nb", "to:ab"},
        {"To", " a\rb", "to:a\rb"},
        {"To", " a:b ; c", "to:a:b ; c"},
        {"Subject", " gr\xc3\xbc\xc3\x9f \xff", "subject:gr\xc3\xbc\xc3\x9f \xff"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct buf out = {0};
        dkim_canon_field(&out, cases[i].name, cases[i].value);
        CASE(cases[i].canonical, str_eq(buf_str(&out), cases[i].canonical));
        buf_fini(&out);
    }
}

static char *hash_of(struct dkim_hash *hash)
{
    unsigned char bytes[DKIM_HASH_LEN];
    struct buf text = {0};

    dkim_hash_finish(hash, bytes);
    dkim_base64(bytes, sizeof(bytes), &text);
    return buf_steal(&text);
}

/* In two parts, split there. */
static char *hash_body(const char *bytes, size_t len, size_t split)
{
    struct dkim_hash *hash = dkim_hash_new();
    struct dkim_canon_body body;

    dkim_canon_body_init(&body, hash);
    dkim_canon_body_put(&body, (const uint8_t *)bytes, split);
    dkim_canon_body_put(&body, (const uint8_t *)bytes + split, len - split);
    dkim_canon_body_finish(&body);
    char *text = hash_of(hash);
    dkim_hash_free(&hash);
    return text;
}

static char *hash_plain(const char *bytes, size_t len)
{
    struct dkim_hash *hash = dkim_hash_new();

    dkim_hash_put(hash, bytes, len);
    char *text = hash_of(hash);
    dkim_hash_free(&hash);
    return text;
}

static void check_body(const char *bytes, size_t len, const char *canonical, size_t canonical_len)
{
    char *wanted = hash_plain(canonical, canonical_len);

    for (size_t split = 0; split <= len; split++) {
        char *found = hash_body(bytes, len, split);
        if (!str_eq(found, wanted))
            fail_msg("\"%s\", split at %zu", bytes, split);
        free(found);
    }
    free(wanted);
}

static void test_body(void **state)
{
    static const struct {
        const char *body, *canonical;
    } cases[] = {
        /* RFC 6376 3.4.5 */
        {" C \r\nD \t E\r\n\r\n\r\n", " C\r\nD E\r\n"},
        {"", ""},
        {"\r\n", ""},
        {"\r\n\r\n \t\r\n", ""},
        {" ", ""},
        {"text", "text\r\n"},
        {"text\r\n ", "text\r\n"},
        {"text  ", "text\r\n"},
        {"\r\n\r\ntext\r\n", "\r\n\r\ntext\r\n"},
        {"a\r\n \r\n\t\r\nb\r\n\r\n", "a\r\n\r\n\r\nb\r\n"},
        {"\t a\t \tb \t\r\n", " a b\r\n"},
        /* line ends that are none */
        {"a\nb\n", "a\nb\n\r\n"},
        {"a \nb", "a \nb\r\n"},
        {"a\rb", "a\rb\r\n"},
        {"a \rb", "a \rb\r\n"},
        {"a\r", "a\r\r\n"},
        {"a\r\r\nb", "a\r\r\nb\r\n"},
        {"\r \r\n", "\r\r\n"},
        {"\n", "\n\r\n"},
        {"a\r\n\nb", "a\r\n\nb\r\n"},
        /* any byte */
        {"gr\xc3\xbc\xc3\x9f\xff\x01\x7f\r\n", "gr\xc3\xbc\xc3\x9f\xff\x01\x7f\r\n"},
        {".\r\n..\r\n", ".\r\n..\r\n"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        check_body(cases[i].body, strlen(cases[i].body), cases[i].canonical,
                   strlen(cases[i].canonical));
    check_body("a\0 b\0\r\n", 7, "a\0 b\0\r\n", 7);
}

/* The figure that RFC 6376 3.4.4 gives. */
static void test_empty(void **state)
{
    char *text = hash_body("", 0, 0);

    (void)state;
    assert_string_equal(text, "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
    free(text);
}

/* Around the size of what is staged, and long beyond it. */
static void test_long(void **state)
{
    static char body[5000], canonical[5000];
    static const size_t lens[] = {509, 510, 511, 512, 513, 1023, 1024, 1025, 4000};

    (void)state;
    for (size_t i = 0; i < COUNT(lens); i++) {
        memset(body, 'x', sizeof(body));
        memcpy(canonical, body, sizeof(body));
        memcpy(body + lens[i], "  y \r\n\r\n", 8);
        memcpy(canonical + lens[i], " y\r\n", 4);
        check_body(body, lens[i] + 8, canonical, lens[i] + 4);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_field),
        cmocka_unit_test(test_body),
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_long),
    };

    return cmocka_run_group_tests_name("dkim_canon", tests, NULL, NULL);
}
