/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/unit.h"

static void test_empty(void **state)
{
    (void)state;
    struct buf buf;

    buf_init(&buf);
    assert_string_equal(buf_str(&buf), "");
    buf_reset(&buf);
    buf_consume(&buf, 0);
    buf_put(&buf, NULL, 0);
    assert_int_equal(buf.len, 0);
    assert_string_equal(buf_str(&buf), "");
    buf_fini(&buf);
    buf_fini(&buf);
}

static void test_put_and_consume(void **state)
{
    (void)state;
    struct buf buf = {0};

    buf_puts(&buf, "one");
    buf_putc(&buf, ' ');
    buf_put(&buf, "two\0three", 9);
    assert_int_equal(buf.len, 13);
    assert_memory_equal(buf.data, "one two\0three", 14);
    buf_consume(&buf, 4);
    assert_string_equal(buf_str(&buf), "two");
    buf_consume(&buf, 9);
    assert_int_equal(buf.len, 0);
    assert_string_equal(buf_str(&buf), "");
    buf_fini(&buf);
}

/* The NUL behind the content must hold at every length, also where the memory ends. */
static void test_growth(void **state)
{
    (void)state;
    struct buf buf = {0};

    for (size_t i = 0; i < 3000; i++) {
        buf_putc(&buf, (char)('a' + i % 26));
        assert_int_equal(buf.len, i + 1);
        assert_int_equal(buf.data[buf.len], 0);
        assert_true(buf.len < buf.cap);
    }
    for (size_t i = 0; i < 3000; i++)
        assert_int_equal(buf.data[i], 'a' + i % 26);
    buf_fini(&buf);
}

static void test_printf(void **state)
{
    (void)state;
    static const size_t lengths[] = {0, 1, 254, 255, 256, 257, 5000};

    for (size_t i = 0; i < COUNT(lengths); i++) {
        struct buf buf = {0};
        buf_printf(&buf, "%*s|%d", (int)lengths[i], "", 42);
        assert_int_equal(buf.len, lengths[i] + 3);
        assert_string_equal(buf.data + lengths[i], "|42");
        buf_fini(&buf);
    }
}

static void test_reserve_commit(void **state)
{
    (void)state;
    struct buf buf = {0};

    uint8_t *to = buf_reserve(&buf, 1000);
    memset(to, 'x', 1000);
    buf_commit(&buf, 3);
    assert_string_equal(buf_str(&buf), "xxx");
    buf_reserve(&buf, 0);
    buf_commit(&buf, 0);
    assert_int_equal(buf.len, 3);
    buf_reset(&buf);
    assert_string_equal(buf_str(&buf), "");
    assert_true(buf.cap >= 1001);
    buf_fini(&buf);
}

static void test_steal(void **state)
{
    (void)state;
    struct buf buf = {0};
    char *text = buf_steal(&buf);

    assert_string_equal(text, "");
    free(text);
    buf_puts(&buf, "mine");
    text = buf_steal(&buf);
    assert_string_equal(text, "mine");
    assert_null(buf.data);
    assert_int_equal(buf.len, 0);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),          cmocka_unit_test(test_put_and_consume),
        cmocka_unit_test(test_growth),         cmocka_unit_test(test_printf),
        cmocka_unit_test(test_reserve_commit), cmocka_unit_test(test_steal),
    };
    return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
