/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/wire/taglist.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "tests/unit/unit.h"

/* Each piece as "name|value", "!" for a bad one; from a block of exactly len bytes. */
static void read_list(const void *bytes, size_t len, struct buf *out)
{
    uint8_t *copy = x_malloc(len);
    struct taglist list;
    enum taglist_status status;
    struct tag tag;

    if (len)
        memcpy(copy, bytes, len);
    list = taglist_of(copy, len);
    while ((status = taglist_next(&list, &tag)) != TAGLIST_END) {
        if (out->len)
            buf_putc(out, ' ');
        if (status == TAGLIST_BAD) {
            buf_putc(out, '!');
            continue;
        }
        buf_put(out, tag.name, tag.name_len);
        buf_putc(out, '|');
        buf_put(out, tag.value, tag.value_len);
    }
    assert_int_equal(taglist_next(&list, &tag), TAGLIST_END);
    free(copy);
}

static void test_cases(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text, *wanted;
    } cases[] = {
        {"nothing", "", ""},
        {"only blanks", " \t\r\n ", ""},
        {"one", "v=1", "v|1"},
        {"one and a semicolon", "v=1;", "v|1"},
        {"blanks behind the last semicolon", "v=1; \r\n\t", "v|1"},
        {"two", "v=DMARC1;p=reject", "v|DMARC1 p|reject"},
        {"blanks everywhere", " v \t= 1 ; p\t=\tnone\t;", "v|1 p|none"},
        {"folds", "v=1;\r\n\ta=rsa-sha256;\r\n b\r\n =\r\n x", "v|1 a|rsa-sha256 b|x"},
        {"a fold within a value", "h=from:\r\n to", "h|from:\r\n to"},
        {"an empty value", "g=;p=", "g| p|"},
        {"an empty value of blanks", "g= \t;p=x", "g| p|x"},
        {"equals in the value", "b=AbC==;x==", "b|AbC== x|="},
        {"punctuation in a name", "a_1=x;z9_=y", "a_1|x z9_|y"},
        {"case is kept", "P=Reject", "P|Reject"},
        {"twice", "p=none;p=none", "p|none p|none"},
        {"an empty piece", "v=1;;p=none", "v|1 ! p|none"},
        {"blanks as a piece", "v=1; ;p=none", "v|1 ! p|none"},
        {"only semicolons", ";;", "! !"},
        {"a semicolon first", ";v=1", "! v|1"},
        {"no equals", "v=1;reject;p=none", "v|1 ! p|none"},
        {"no equals, last", "v=1;reject", "v|1 !"},
        {"no name", "=1;p=none", "! p|none"},
        {"blanks for a name", " =1", "!"},
        {"a blank within a name", "a b=1", "!"},
        {"a name that begins with a digit", "1a=x", "!"},
        {"a name that begins with an underscore", "_a=x", "!"},
        {"a hyphen in a name", "a-b=x", "!"},
        {"eight bits in a name", "\303\244=x", "!"},
        {"eight bits in a value", "n=\303\244", "n|\303\244"},
        {"a comma is no separator", "v=1,p=none", "v|1,p=none"},
        {"a vertical tab is no blank", "a\v=1;b=\v2", "! b|\v2"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct buf out = {0};
        read_list(cases[i].text, strlen(cases[i].text), &out);
        CASE(cases[i].name, strcmp(buf_str(&out), cases[i].wanted) == 0);
        buf_fini(&out);
    }
}

static void test_nul(void **state)
{
    (void)state;
    static const char text[] = "a=x\0y;b\0=z;\0;c=1";
    struct taglist list = taglist_of((const uint8_t *)text, sizeof(text) - 1);
    struct tag tag;

    assert_int_equal(taglist_next(&list, &tag), TAGLIST_TAG);
    assert_int_equal(tag.value_len, 3);
    assert_false(tag_has(&tag, "x"));
    assert_int_equal(taglist_next(&list, &tag), TAGLIST_BAD);
    assert_int_equal(taglist_next(&list, &tag), TAGLIST_BAD);
    assert_int_equal(taglist_next(&list, &tag), TAGLIST_TAG);
    assert_true(tag_is(&tag, "c"));
    assert_int_equal(taglist_next(&list, &tag), TAGLIST_END);
    list = taglist_of(NULL, 0);
    assert_int_equal(taglist_next(&list, &tag), TAGLIST_END);
}

/* Every beginning of a list is the tags before it, and what is left of the last one. */
static void test_every_beginning(void **state)
{
    (void)state;
    static const char text[] = "v=DMARC1; p = reject;\r\n\trua=mailto:a@b.example ;";
    struct buf whole = {0};

    read_list(text, sizeof(text) - 1, &whole);
    assert_string_equal(buf_str(&whole), "v|DMARC1 p|reject rua|mailto:a@b.example");
    for (size_t len = 0; len < sizeof(text); len++) {
        struct buf out = {0};
        read_list(text, len, &out);
        size_t same = out.len && buf_str(&out)[out.len - 1] == '!' ? out.len - 1 : out.len;
        assert_memory_equal(buf_str(&out), buf_str(&whole), same);
        buf_fini(&out);
    }
    buf_fini(&whole);
}

static void test_long(void **state)
{
    (void)state;
    enum { TAGS = 20000, VALUE = 65536 };
    struct buf text = {0};
    struct tag tag;

    for (int i = 0; i < TAGS; i++)
        buf_puts(&text, "a=;");
    buf_puts(&text, "b=");
    for (int i = 0; i < VALUE; i++)
        buf_putc(&text, 'x');
    struct taglist list = taglist_of(text.data, text.len);
    for (int i = 0; i < TAGS; i++) {
        assert_int_equal(taglist_next(&list, &tag), TAGLIST_TAG);
        assert_true(tag_is(&tag, "a") && tag_has(&tag, ""));
    }
    assert_int_equal(taglist_next(&list, &tag), TAGLIST_TAG);
    assert_int_equal(tag.value_len, VALUE);
    assert_int_equal(taglist_next(&list, &tag), TAGLIST_END);
    buf_fini(&text);
}

static void test_comparing(void **state)
{
    (void)state;
    struct tag tag = {(const uint8_t *)"adkim", 5, (const uint8_t *)"Strict", 6};

    assert_true(tag_is(&tag, "adkim"));
    assert_false(tag_is(&tag, "Adkim"));
    assert_false(tag_is(&tag, "adki"));
    assert_false(tag_is(&tag, "adkim2"));
    assert_true(tag_has(&tag, "sTRICT"));
    assert_false(tag_has(&tag, "stric"));
    assert_false(tag_has(&tag, "strict2"));
    assert_false(tag_has(&tag, ""));
}

static void test_whole_lists(void **state)
{
    static const struct {
        const char *text;
        enum tags_status status;
        size_t count;
    } cases[] = {
        {"", TAGS_OK, 0},           {" a = 1 ; b=2;", TAGS_OK, 2},    {"a=1; junk", TAGS_BAD, 1},
        {"a=1;; b=2", TAGS_BAD, 1}, {"a=1; b=2; a=1", TAGS_TWICE, 2}, {"d=x; D=y", TAGS_TWICE, 1},
        {"a=1; ab=2", TAGS_OK, 2},
    };
    struct tags tags;

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *text = cases[i].text;
        CASE(text, tags_read((const uint8_t *)text, strlen(text), &tags) == cases[i].status);
        CASE(text, tags.count == cases[i].count);
    }
    const struct tag *b = tags_find(&tags, "ab");
    assert_non_null(b);
    assert_true(tag_has(b, "2"));
    assert_null(tags_find(&tags, "b"));
    assert_null(tags_find(&tags, "AB"));
}

static void test_too_many_tags(void **state)
{
    struct tags tags;
    struct buf text = {0};

    (void)state;
    for (int i = 0; i < TAGS_MAX; i++)
        buf_printf(&text, "t%d=;", i);
    assert_int_equal(tags_read(text.data, text.len, &tags), TAGS_OK);
    assert_int_equal(tags.count, TAGS_MAX);
    buf_puts(&text, "more=");
    assert_int_equal(tags_read(text.data, text.len, &tags), TAGS_BAD);
    buf_fini(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),           cmocka_unit_test(test_nul),
        cmocka_unit_test(test_every_beginning), cmocka_unit_test(test_long),
        cmocka_unit_test(test_comparing),       cmocka_unit_test(test_whole_lists),
        cmocka_unit_test(test_too_many_tags),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
