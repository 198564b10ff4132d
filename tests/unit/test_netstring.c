/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/wire/netstring.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "tests/unit/unit.h"

struct result {
    enum netstring_status status;
    size_t payload_at, payload_len, consumed;
};

/* From a block of exactly len bytes, so that a sanitizer sees a read past it. */
static struct result parse(const void *bytes, size_t len, size_t max)
{
    struct result result = {0};
    uint8_t *copy = x_malloc(len);
    const uint8_t *payload = copy;

    memcpy(copy, bytes, len);
    result.status =
        netstring_parse(copy, len, max, &payload, &result.payload_len, &result.consumed);
    result.payload_at = (size_t)(payload - copy);
    free(copy);
    return result;
}

static void test_cases(void **state)
{
    (void)state;
    static const struct {
        const char *name, *bytes;
        size_t max;
        enum netstring_status want;
        size_t payload_len, consumed;
    } cases[] = {
        {"nothing", "", 100, NETSTRING_MORE, 0, 0},
        {"empty", "0:,", 100, NETSTRING_OK, 0, 3},
        {"empty where nothing may be", "0:,", 0, NETSTRING_OK, 0, 3},
        {"one", "5:hello,", 100, NETSTRING_OK, 5, 8},
        {"comma inside", "3:a,b,", 100, NETSTRING_OK, 3, 6},
        {"two", "1:a,1:b,", 100, NETSTRING_OK, 1, 4},
        {"ten", "10:0123456789,", 100, NETSTRING_OK, 10, 14},
        {"leading zero", "05:hello,", 100, NETSTRING_BAD_LEN, 0, 0},
        {"two zeroes", "00:,", 100, NETSTRING_BAD_LEN, 0, 0},
        {"no length", ":,", 100, NETSTRING_BAD_LEN, 0, 0},
        {"sign", "+5:hello,", 100, NETSTRING_BAD_LEN, 0, 0},
        {"negative", "-1:", 100, NETSTRING_BAD_LEN, 0, 0},
        {"space", " 5:hello,", 100, NETSTRING_BAD_LEN, 0, 0},
        {"space behind", "5 :hello,", 100, NETSTRING_BAD_LEN, 0, 0},
        {"letters", "GET / HTTP/1.0", 100, NETSTRING_BAD_LEN, 0, 0},
        {"no comma", "5:helloo", 100, NETSTRING_BAD_END, 0, 0},
        {"line feed for the comma", "5:hello\n", 100, NETSTRING_BAD_END, 0, 0},
        {"at the limit", "5:hello,", 5, NETSTRING_OK, 5, 8},
        {"past the limit", "5:hello,", 4, NETSTRING_TOO_LONG, 0, 0},
        {"past the limit, early", "101", 100, NETSTRING_TOO_LONG, 0, 0},
        {"wraps 64 bits", "18446744073709551617:a,", 100, NETSTRING_TOO_LONG, 0, 0},
        {"many digits", "99999999999999999999999999", 1000000, NETSTRING_TOO_LONG, 0, 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct result got = parse(cases[i].bytes, strlen(cases[i].bytes), cases[i].max);
        CASE(cases[i].name, got.status == cases[i].want);
        if (cases[i].want != NETSTRING_OK)
            continue;
        CASE(cases[i].name, got.payload_len == cases[i].payload_len);
        CASE(cases[i].name, got.consumed == cases[i].consumed);
        CASE(cases[i].name, got.payload_at + got.payload_len + 1 == got.consumed);
    }
}

static void test_split(void **state)
{
    (void)state;
    char bytes[] = "24:transport alice@\0xample.,#";
    size_t len = sizeof(bytes) - 2;

    for (size_t at = 0; at < len; at++)
        assert_int_equal(parse(bytes, at, 24).status, NETSTRING_MORE);
    for (int byte = 0; byte < 256; byte++) {
        bytes[len] = (char)byte;
        struct result got = parse(bytes, len + 1, 24);
        assert_int_equal(got.status, NETSTRING_OK);
        assert_int_equal(got.consumed, len);
        assert_int_equal(got.payload_at, 3);
        assert_int_equal(got.payload_len, 24);
    }
}

static void test_put(void **state)
{
    (void)state;
    static const size_t lengths[] = {0, 1, 9, 10, 99, 100, 99999, 100000};

    for (size_t i = 0; i < COUNT(lengths); i++) {
        char *payload = x_calloc(lengths[i], 1);
        struct buf buf = {0};
        netstring_put(&buf, payload, lengths[i]);
        struct result got = parse(buf.data, buf.len, lengths[i]);
        assert_int_equal(got.status, NETSTRING_OK);
        assert_int_equal(got.payload_len, lengths[i]);
        assert_int_equal(got.consumed, buf.len);
        buf_fini(&buf);
        free(payload);
    }
}

static void test_words(void **state)
{
    (void)state;
    for (int status = NETSTRING_OK; status <= NETSTRING_BAD_END; status++)
        assert_non_null(netstring_strstatus((enum netstring_status)status));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_split),
        cmocka_unit_test(test_put),
        cmocka_unit_test(test_words),
    };
    return cmocka_run_group_tests_name("netstring", tests, NULL, NULL);
}
