/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/wire/pp_write.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/pp_laws.h"
#include "tests/unit/unit.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
/* The literal and its length, NULs included. */
#define BYTES(text) text, sizeof(text) - 1

static struct pp_tcp tcp_of(const char *src, const char *dst, uint16_t src_port, uint16_t dst_port)
{
    struct pp_tcp tcp = {.src_port = src_port, .dst_port = dst_port};

    assert_int_equal(addr_parse(src, &tcp.src), 0);
    assert_int_equal(addr_parse(dst, &tcp.dst), 0);
    return tcp;
}

static void test_cases(void **state)
{
    (void)state;
    static const struct {
        const char *name, *src, *dst;
        uint16_t src_port, dst_port;
        const char *line, *binary;
        size_t binary_len;
    } cases[] = {
        {"IPv4", "203.0.113.9", "198.51.100.25", 54321, 25,
         "PROXY TCP4 203.0.113.9 198.51.100.25 54321 25\r\n",
         BYTES(SIGNATURE "\x21\x11\0\x0c\xcb\0\x71\x09\xc6\x33\x64\x19\xd4\x31\0\x19")},
        {"mapped is IPv4", "::ffff:203.0.113.9", "198.51.100.25", 1, 2,
         "PROXY TCP4 203.0.113.9 198.51.100.25 1 2\r\n",
         BYTES(SIGNATURE "\x21\x11\0\x0c\xcb\0\x71\x09\xc6\x33\x64\x19\0\1\0\2")},
        {"IPv6", "2001:DB8:0::1", "::1", 65535, 0, "PROXY TCP6 2001:db8::1 ::1 65535 0\r\n",
         BYTES(SIGNATURE "\x21\x21\0\x24 \x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1"
                         "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\xff\xff\0\0")},
        {"IPv4 to IPv6", "203.0.113.9", "::1", 1, 2, "PROXY TCP6 ::ffff:203.0.113.9 ::1 1 2\r\n",
         BYTES(SIGNATURE "\x21\x21\0\x24\0\0\0\0\0\0\0\0\0\0\xff\xff\xcb\0\x71\x09"
                         "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\1\0\2")},
        {"IPv6 to IPv4", "::2", "203.0.113.9", 1, 2, "PROXY TCP6 ::2 ::ffff:203.0.113.9 1 2\r\n",
         BYTES(SIGNATURE "\x21\x21\0\x24\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\2"
                         "\0\0\0\0\0\0\0\0\0\0\xff\xff\xcb\0\x71\x09\0\1\0\2")},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct pp_tcp tcp =
            tcp_of(cases[i].src, cases[i].dst, cases[i].src_port, cases[i].dst_port);
        struct buf out = {0};
        pp_write_v1(&out, &tcp);
        CASE(cases[i].name, strcmp(buf_str(&out), cases[i].line) == 0);
        pp_laws_check(out.data, out.len);
        buf_reset(&out);
        pp_write_v2(&out, &tcp);
        CASE(cases[i].name, out.len == cases[i].binary_len);
        CASE(cases[i].name, memcmp(out.data, cases[i].binary, out.len) == 0);
        pp_laws_check(out.data, out.len);
        buf_fini(&out);
    }
}

/* What every receiver takes: nginx before 1.23.3 reads no more than a line of version 1. */
static void test_longest(void **state)
{
    (void)state;
    static const char longest[] = "1111:2222:3333:4444:5555:6666:7777:8888";
    struct pp_tcp tcp = tcp_of(longest, longest, 65535, 65535);
    struct buf out = {0};

    pp_write_v1(&out, &tcp);
    assert_int_equal(out.len, 104);
    pp_laws_check(out.data, out.len);
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_longest),
    };
    return cmocka_run_group_tests_name("pp_write", tests, NULL, NULL);
}
