/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/wire/attr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "tests/unit/unit.h"

static struct attr_list list;

/* From a block of exactly len bytes, so that a sanitizer sees a read past it. */
static enum attr_status parse(const void *bytes, size_t len, size_t *consumed_r)
{
    uint8_t *copy = x_malloc(len);

    memcpy(copy, bytes, len);
    enum attr_status status = attr_parse(copy, len, &list, consumed_r);
    free(copy);
    return status;
}

static void test_cases(void **state)
{
    (void)state;
    static const struct {
        const char *name, *bytes;
        size_t len; /* 0: strlen */
        enum attr_status want;
        size_t count, consumed;
    } cases[] = {
        {"nothing", "", 0, ATTR_MORE, 0, 0},
        {"empty list", "\n", 0, ATTR_OK, 0, 1},
        {"one", "request=bans\n\n", 0, ATTR_OK, 1, 14},
        {"two", "request=ban\nprefix=::1\n\n", 0, ATTR_OK, 2, 24},
        {"empty value", "sender=\n\n", 0, ATTR_OK, 1, 9},
        {"equals in the value", "a=b=c\n\n", 0, ATTR_OK, 1, 7},
        {"value is equals", "a==\n\n", 0, ATTR_OK, 1, 5},
        {"bytes in the value", "a=\377\t\r \n\n", 0, ATTR_OK, 1, 8},
        {"another list behind", "a=b\n\nc=d\n\n", 0, ATTR_OK, 1, 5},
        {"rubbish behind", "a=b\n\n\0", 6, ATTR_OK, 1, 5},
        {"no empty line", "a=b\n", 0, ATTR_MORE, 0, 0},
        {"half a name", "requ", 0, ATTR_MORE, 0, 0},
        {"no equals", "request\n\n", 0, ATTR_BAD_LINE, 0, 0},
        {"empty name", "=x\n\n", 0, ATTR_BAD_LINE, 0, 0},
        {"empty name, early", "a=b\n=", 0, ATTR_BAD_LINE, 0, 0},
        {"CRLF", "a=b\r\n\r\n", 0, ATTR_BAD_LINE, 0, 0},
        {"NUL in a value", "a=\0b\n\n", 6, ATTR_BAD_NUL, 0, 0},
        {"NUL in a name", "\0=b\n\n", 5, ATTR_BAD_NUL, 0, 0},
        {"NUL, early", "a=\0", 3, ATTR_BAD_NUL, 0, 0},
        {"HTTP", "GET / HTTP/1.1\nHost: x\n\n", 0, ATTR_BAD_LINE, 0, 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t len = cases[i].len ? cases[i].len : strlen(cases[i].bytes), consumed = 0;
        CASE(cases[i].name, parse(cases[i].bytes, len, &consumed) == cases[i].want);
        if (cases[i].want == ATTR_OK)
            CASE(cases[i].name, list.count == cases[i].count && consumed == cases[i].consumed);
    }
}

static const char sample[] = "request=smtpd_access_policy\nprotocol_state=RCPT\nhelo_name=\n"
                             "sender=a=b@example.com\nsender=second\n\n";

static void test_get(void **state)
{
    (void)state;
    size_t consumed;

    assert_int_equal(parse(sample, strlen(sample), &consumed), ATTR_OK);
    assert_string_equal(attr_get(&list, "request"), "smtpd_access_policy");
    assert_string_equal(attr_get(&list, "sender"), "a=b@example.com");
    assert_string_equal(attr_get(&list, "helo_name"), "");
    assert_null(attr_get(&list, "helo"));
    assert_null(attr_get(&list, ""));
    assert_null(attr_get(&list, "REQUEST"));
    assert_string_equal(attr_get_or_empty(&list, "helo"), "");
    assert_string_equal(attr_get_or_empty(&list, "protocol_state"), "RCPT");
}

/* Every beginning wants more, the whole is complete, one byte more is not taken. */
static void test_split(void **state)
{
    (void)state;
    size_t len = strlen(sample), consumed = 0;
    char longer[sizeof(sample) + 1];

    for (size_t at = 0; at < len; at++)
        assert_int_equal(parse(sample, at, &consumed), ATTR_MORE);
    memcpy(longer, sample, len);
    for (int byte = 0; byte < 256; byte++) {
        longer[len] = (char)byte;
        assert_int_equal(parse(longer, len + 1, &consumed), ATTR_OK);
        assert_int_equal(consumed, len);
        assert_int_equal(list.count, 5);
    }
}

/* "n=" and len bytes of value; with the line feed or not, and the empty line. */
static enum attr_status parse_value(size_t value_len, const char *end)
{
    struct buf buf = {0};
    size_t consumed;

    buf_puts(&buf, "n=");
    memset(buf_reserve(&buf, value_len), 'x', value_len);
    buf_commit(&buf, value_len);
    buf_puts(&buf, end);
    enum attr_status status = parse(buf.data, buf.len, &consumed);
    buf_fini(&buf);
    return status;
}

static void test_value_limit(void **state)
{
    (void)state;
    assert_int_equal(parse_value(ATTR_VALUE_MAX, "\n\n"), ATTR_OK);
    assert_int_equal(strlen(attr_get(&list, "n")), ATTR_VALUE_MAX);
    assert_int_equal(parse_value(ATTR_VALUE_MAX + 1, "\n\n"), ATTR_BAD_VALUE_LEN);
    assert_int_equal(parse_value(ATTR_VALUE_MAX, ""), ATTR_MORE);
    assert_int_equal(parse_value(ATTR_VALUE_MAX + 1, ""), ATTR_BAD_VALUE_LEN);
}

static enum attr_status parse_count(size_t count)
{
    struct buf buf = {0};
    size_t consumed;

    for (size_t i = 0; i < count; i++)
        attr_put_uint(&buf, "n", i);
    attr_end(&buf);
    enum attr_status status = parse(buf.data, buf.len, &consumed);
    buf_fini(&buf);
    return status;
}

static void test_count_limit(void **state)
{
    (void)state;
    assert_int_equal(parse_count(ATTR_COUNT_MAX), ATTR_OK);
    assert_int_equal(list.count, ATTR_COUNT_MAX);
    assert_string_equal(list.items[ATTR_COUNT_MAX - 1].value, "255");
    assert_int_equal(parse_count(ATTR_COUNT_MAX + 1), ATTR_BAD_COUNT);
}

/* A list of exactly len bytes, the empty line included. */
static void make_list(struct buf *buf, size_t len)
{
    buf_reset(buf);
    while (buf->len + 2 < len) {
        size_t line = len - 1 - buf->len;
        /* never leave less than "n=\n" for the last line */
        line = line > 1000 + 3 ? 1000 : line;
        buf_puts(buf, "n=");
        for (size_t i = 3; i < line; i++)
            buf_putc(buf, 'x');
        buf_putc(buf, '\n');
    }
    attr_end(buf);
    assert_int_equal(buf->len, len);
}

static void test_list_limit(void **state)
{
    (void)state;
    struct buf buf = {0};
    size_t consumed;

    make_list(&buf, ATTR_LIST_MAX);
    assert_int_equal(parse(buf.data, buf.len, &consumed), ATTR_OK);
    assert_int_equal(consumed, ATTR_LIST_MAX);
    for (size_t at = 0; at < buf.len; at += 1 + at % 97)
        assert_int_equal(parse(buf.data, at, &consumed), ATTR_MORE);
    assert_int_equal(parse(buf.data, buf.len - 1, &consumed), ATTR_MORE);
    make_list(&buf, ATTR_LIST_MAX + 1);
    assert_int_equal(parse(buf.data, buf.len, &consumed), ATTR_BAD_LIST_LEN);
    assert_int_equal(parse(buf.data, buf.len - 1, &consumed), ATTR_BAD_LIST_LEN);
    assert_int_equal(parse(buf.data, buf.len - 2, &consumed), ATTR_MORE);
    buf_reset(&buf);
    for (size_t i = 0; i < ATTR_LIST_MAX; i++)
        buf_putc(&buf, 'x');
    assert_int_equal(parse(buf.data, ATTR_LIST_MAX - 1, &consumed), ATTR_MORE);
    assert_int_equal(parse(buf.data, ATTR_LIST_MAX, &consumed), ATTR_BAD_LIST_LEN);
    buf_fini(&buf);
}

static void test_put(void **state)
{
    (void)state;
    struct buf buf = {0};
    static char longest[ATTR_VALUE_MAX + 2];
    size_t consumed;

    memset(longest, 'x', ATTR_VALUE_MAX + 1);
    attr_put(&buf, "status", "ok");
    attr_put(&buf, "reason", "two\nlines\n\nstatus=error");
    attr_put(&buf, "empty", "");
    attr_put(&buf, "long", longest);
    attr_put_uint(&buf, "seconds", UINT64_MAX);
    attr_end(&buf);
    assert_int_equal(parse(buf.data, buf.len, &consumed), ATTR_OK);
    assert_int_equal(consumed, buf.len);
    assert_int_equal(list.count, 5);
    assert_string_equal(attr_get(&list, "status"), "ok");
    assert_string_equal(attr_get(&list, "reason"), "two lines  status=error");
    assert_string_equal(attr_get(&list, "empty"), "");
    assert_int_equal(strlen(attr_get(&list, "long")), ATTR_VALUE_MAX);
    assert_string_equal(attr_get(&list, "seconds"), "18446744073709551615");
    buf_fini(&buf);
}

static void test_words(void **state)
{
    (void)state;
    for (int status = ATTR_OK; status <= ATTR_BAD_COUNT; status++)
        assert_non_null(attr_strstatus((enum attr_status)status));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),       cmocka_unit_test(test_get),
        cmocka_unit_test(test_split),       cmocka_unit_test(test_value_limit),
        cmocka_unit_test(test_count_limit), cmocka_unit_test(test_list_limit),
        cmocka_unit_test(test_put),         cmocka_unit_test(test_words),
    };
    return cmocka_run_group_tests_name("attr", tests, NULL, NULL);
}
