/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "ctl/message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "tests/unit/unit.h"

static void test_to_wire(void **state)
{
    (void)state;
    static const struct {
        const char *name, *from, *to;
    } cases[] = {
        {"nothing", "", ""},
        {"LF", "a\nb\n", "a\r\nb\r\n"},
        {"CRLF", "a\r\nb\r\n", "a\r\nb\r\n"},
        {"mixed", "a\r\nb\nc", "a\r\nb\r\nc\r\n"},
        {"no end", "a", "a\r\n"},
        {"half an end", "a\r", "a\r\r\n"},
        {"LF first", "\na", "\r\na\r\n"},
        {"empty lines", "\n\n\r\n", "\r\n\r\n\r\n"},
        {"bare CR stays", "a\rb\r\r\n", "a\rb\r\r\n"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct buf out = {0};
        message_to_wire((const uint8_t *)cases[i].from, strlen(cases[i].from), &out);
        CASE(cases[i].name, strcmp(buf_str(&out), cases[i].to) == 0);
        buf_fini(&out);
    }
}

/* The header as "name|value;…" and the body behind "#". */
static char *show(const char *bytes, size_t len)
{
    uint8_t *copy = x_malloc(len);
    struct message_field field;
    struct buf out = {0};
    size_t at = 0;

    memcpy(copy, bytes, len);
    while (message_next_field(copy, len, &at, &field)) {
        buf_put(&out, field.name, field.name_len);
        buf_putc(&out, '|');
        buf_put(&out, field.value, field.value_len);
        buf_putc(&out, ';');
    }
    buf_putc(&out, '#');
    buf_put(&out, copy + at, len - at);
    free(copy);
    return buf_steal(&out);
}

static void test_fields(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text, *want;
    } cases[] = {
        {"plain", "A: b\r\nC:d\r\n\r\nbody\r\n", "A| b;C|d;#body\r\n"},
        {"folded", "A: b\r\n\tc\r\n d\r\nE: f\r\n\r\n", "A| b\r\n\tc\r\n d;E| f;#"},
        {"empty value", "A:\r\nB: \r\n\r\n", "A|;B| ;#"},
        {"blank before the colon", "A \t: b\r\n\r\n", "A| b;#"},
        {"colons in the value", "A: b:c\r\n\r\n", "A| b:c;#"},
        {"no body", "A: b\r\n", "A| b;#"},
        {"cut in the value", "A: b", "A| b;#"},
        {"cut in the line end", "A: b\r", "A| b;#"},
        {"cut in the name", "Ab", "#Ab"},
        {"no header", "\r\nbody", "#body"},
        {"a line that is no field ends it", "A: b\r\nno field\r\nC: d\r\n\r\nx",
         "A| b;#no field\r\nC: d\r\n\r\nx"},
        {"fold first", " a: b\r\n\r\n", "# a: b\r\n\r\n"},
        {"no name", ": b\r\n\r\n", "#: b\r\n\r\n"},
        {"8-bit name", "\303\244: b\r\n\r\n", "#\303\244: b\r\n\r\n"},
        {"mailbox line", "From a Fri\r\nA: b\r\n\r\nx", "A| b;#x"},
        {"mailbox line alone", "From a Fri\r\n", "#"},
        {"a field From", "From: a\r\n\r\n", "From| a;#"},
        {"nothing", "", "#"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char *got = show(cases[i].text, strlen(cases[i].text));
        CASE(cases[i].name, strcmp(got, cases[i].want) == 0);
        free(got);
    }
}

static void test_no_bytes(void **state)
{
    (void)state;
    struct message_field field;
    struct buf out = {0};
    size_t at = 0;

    assert_false(message_next_field(NULL, 0, &at, &field));
    assert_int_equal(at, 0);
    message_to_wire(NULL, 0, &out);
    assert_int_equal(out.len, 0);
}

/* However a message is cut, a value has no line end at its end and nothing is read past it. */
static void test_split(void **state)
{
    (void)state;
    static const char text[] = "From a Fri\r\nA: b\r\n\tc\r\nD :e\r\n\r\nbody\r\n";
    static const char whole[] = "A| b\r\n\tc;D|e;#body\r\n";

    for (size_t len = 0; len < strlen(text); len++) {
        char *got = show(text, len);
        size_t fields = strcspn(got, "#");
        if (len >= strlen(text) - 8)
            assert_int_equal(strncmp(got, whole, fields), 0);
        free(got);
    }
    char *got = show(text, strlen(text));
    assert_string_equal(got, whole);
    free(got);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_to_wire),
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_no_bytes),
        cmocka_unit_test(test_split),
    };
    return cmocka_run_group_tests_name("ctl_message", tests, NULL, NULL);
}
