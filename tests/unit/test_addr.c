/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/base/addr.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/unit.h"

static struct addr must_addr(const char *text)
{
    struct addr addr = {0};
    if (addr_parse(text, &addr) < 0)
        fail_msg("\"%s\" is an address", text);
    return addr;
}

static struct prefix must_prefix(const char *text)
{
    struct prefix prefix = {0};
    if (prefix_parse(text, &prefix) < 0)
        fail_msg("\"%s\" is a prefix", text);
    return prefix;
}

static void test_parse(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text, *want; /* want NULL: refused */
    } cases[] = {
        {"IPv4", "203.0.113.7", "203.0.113.7"},
        {"IPv4 all ones", "255.255.255.255", "255.255.255.255"},
        {"IPv6", "2001:db8::7", "2001:db8::7"},
        {"IPv6 in full becomes short", "2001:0DB8:0:0:0:0:0:0007", "2001:db8::7"},
        {"mapped is folded", "::ffff:203.0.113.7", "203.0.113.7"},
        {"mapped in hex is folded", "::ffff:cb00:7107", "203.0.113.7"},
        {"longest spelling", "0000:0000:0000:0000:0000:ffff:255.255.255.255", "255.255.255.255"},
        {"unspecified", "::", "::"},
        {"empty", "", NULL},
        {"three parts", "203.0.113", NULL},
        {"five parts", "203.0.113.7.1", NULL},
        {"part too large", "203.0.113.256", NULL},
        {"leading zero", "203.0.113.07", NULL},
        {"leading space", " 203.0.113.7", NULL},
        {"trailing space", "203.0.113.7 ", NULL},
        {"brackets", "[2001:db8::7]", NULL},
        {"zone", "fe80::1%eth0", NULL},
        {"prefix", "203.0.113.0/24", NULL},
        {"nine groups", "1:2:3:4:5:6:7:8:9", NULL},
        {"two gaps", "1::2::3", NULL},
        {"name", "localhost", NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct addr addr;
        char out[ADDR_TEXT_MAX];
        int rc = addr_parse(cases[i].text, &addr);
        CASE(cases[i].name, (rc == 0) == (cases[i].want != NULL));
        if (cases[i].want)
            CASE(cases[i].name, strcmp(addr_format(&addr, out), cases[i].want) == 0);
    }
}

static void test_from_sockaddr(void **state)
{
    (void)state;
    struct sockaddr_in sin = {.sin_family = AF_INET, .sin_port = htons(25)};
    struct sockaddr_in6 sin6 = {.sin6_family = AF_INET6, .sin6_port = htons(65535)};
    struct sockaddr local = {.sa_family = AF_UNIX};
    struct addr addr, want = must_addr("203.0.113.7");
    uint16_t port;

    memcpy(&sin.sin_addr, want.bytes, 4);
    assert_int_equal(addr_from_sockaddr((struct sockaddr *)&sin, &addr, &port), 0);
    assert_true(addr_eq(&addr, &want));
    assert_int_equal(port, 25);
    sin6.sin6_addr.s6_addr[10] = sin6.sin6_addr.s6_addr[11] = 0xff;
    memcpy(sin6.sin6_addr.s6_addr + 12, want.bytes, 4);
    assert_int_equal(addr_from_sockaddr((struct sockaddr *)&sin6, &addr, &port), 0);
    assert_true(addr_eq(&addr, &want));
    assert_int_equal(port, 65535);
    assert_int_equal(addr_from_sockaddr((struct sockaddr *)&sin6, &addr, NULL), 0);
    assert_int_equal(addr_from_sockaddr(&local, &addr, &port), -1);
    assert_int_equal(addr_from_sockaddr(NULL, &addr, &port), -1);
}

static void test_format(void **state)
{
    (void)state;
    char out[ADDR_TEXT_MAX], reverse[ADDR_REVERSE_MAX];
    struct addr none = {0}, v4 = must_addr("203.0.113.7"), v6 = must_addr("2001:db8::567:89ab");

    assert_string_equal(addr_format(&none, out), "none");
    assert_int_equal(addr_bits(&none), 0);
    assert_string_equal(addr_format_reverse(&v4, reverse), "7.113.0.203.in-addr.arpa");
    assert_string_equal(addr_format_reverse(&v6, reverse),
                        "b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa");
}

static const struct {
    const char *text;
    enum addr_scope want;
} scopes[] = {
    {"203.0.113.7", ADDR_SCOPE_GLOBAL},
    {"126.255.255.255", ADDR_SCOPE_GLOBAL},
    {"127.0.0.0", ADDR_SCOPE_LOOPBACK},
    {"127.255.255.255", ADDR_SCOPE_LOOPBACK},
    {"128.0.0.0", ADDR_SCOPE_GLOBAL},
    {"9.255.255.255", ADDR_SCOPE_GLOBAL},
    {"10.0.0.0", ADDR_SCOPE_PRIVATE},
    {"10.255.255.255", ADDR_SCOPE_PRIVATE},
    {"11.0.0.0", ADDR_SCOPE_GLOBAL},
    {"172.15.255.255", ADDR_SCOPE_GLOBAL},
    {"172.16.0.0", ADDR_SCOPE_PRIVATE},
    {"172.31.255.255", ADDR_SCOPE_PRIVATE},
    {"172.32.0.0", ADDR_SCOPE_GLOBAL},
    {"192.167.255.255", ADDR_SCOPE_GLOBAL},
    {"192.168.0.0", ADDR_SCOPE_PRIVATE},
    {"192.169.0.0", ADDR_SCOPE_GLOBAL},
    {"169.254.0.0", ADDR_SCOPE_LINK_LOCAL},
    {"169.255.0.0", ADDR_SCOPE_GLOBAL},
    {"100.63.255.255", ADDR_SCOPE_GLOBAL},
    {"100.64.0.0", ADDR_SCOPE_CGNAT},
    {"100.127.255.255", ADDR_SCOPE_CGNAT},
    {"100.128.0.0", ADDR_SCOPE_GLOBAL},
    {"0.0.0.0", ADDR_SCOPE_SPECIAL},
    {"0.255.255.255", ADDR_SCOPE_SPECIAL},
    {"1.0.0.0", ADDR_SCOPE_GLOBAL},
    {"192.0.0.1", ADDR_SCOPE_SPECIAL},
    {"192.0.2.1", ADDR_SCOPE_GLOBAL},
    {"198.17.255.255", ADDR_SCOPE_GLOBAL},
    {"198.18.0.0", ADDR_SCOPE_PRIVATE},
    {"198.19.255.255", ADDR_SCOPE_PRIVATE},
    {"198.20.0.0", ADDR_SCOPE_GLOBAL},
    {"223.255.255.255", ADDR_SCOPE_GLOBAL},
    {"224.0.0.0", ADDR_SCOPE_SPECIAL},
    {"240.0.0.1", ADDR_SCOPE_SPECIAL},
    {"255.255.255.255", ADDR_SCOPE_SPECIAL},
    {"::", ADDR_SCOPE_SPECIAL},
    {"::1", ADDR_SCOPE_LOOPBACK},
    {"::2", ADDR_SCOPE_SPECIAL},
    {"::127.0.0.1", ADDR_SCOPE_SPECIAL},
    {"::1:0:0", ADDR_SCOPE_GLOBAL},
    {"::ffff:10.0.0.1", ADDR_SCOPE_PRIVATE},
    {"64:ff9b::203.0.113.7", ADDR_SCOPE_GLOBAL},
    {"2001:db8::1", ADDR_SCOPE_GLOBAL},
    {"fbff::", ADDR_SCOPE_GLOBAL},
    {"fc00::", ADDR_SCOPE_PRIVATE},
    {"fdff:ffff::1", ADDR_SCOPE_PRIVATE},
    {"fe00::1", ADDR_SCOPE_GLOBAL},
    {"fe80::1", ADDR_SCOPE_LINK_LOCAL},
    {"febf:ffff::1", ADDR_SCOPE_LINK_LOCAL},
    {"fec0::1", ADDR_SCOPE_PRIVATE},
    {"feff:ffff::1", ADDR_SCOPE_PRIVATE},
    {"ff02::1", ADDR_SCOPE_SPECIAL},
};

static void test_scope(void **state)
{
    (void)state;
    struct addr none = {0};
    for (size_t i = 0; i < COUNT(scopes); i++) {
        struct addr addr = must_addr(scopes[i].text);
        CASE(scopes[i].text, addr_scope(&addr) == scopes[i].want);
    }
    assert_int_equal(addr_scope(&none), ADDR_SCOPE_SPECIAL);
    assert_string_equal(addr_scope_name(ADDR_SCOPE_CGNAT), "carrier-grade NAT");
}

static void test_prefix_parse(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want; /* want NULL: refused */
    } cases[] = {
        {"10.0.0.0/8", "10.0.0.0/8"},
        {"0.0.0.0/0", "0.0.0.0/0"},
        {"203.0.113.7", "203.0.113.7"},
        {"203.0.113.7/32", "203.0.113.7"},
        {"203.0.113.6/31", "203.0.113.6/31"},
        {"::/0", "::/0"},
        {"2001:db8::/32", "2001:db8::/32"},
        {"2001:db8::7/128", "2001:db8::7"},
        {"::ffff:10.0.0.0/104", "10.0.0.0/8"},
        {"::ffff:0:0/96", "0.0.0.0/0"},
        {"::ffff:203.0.113.7", "203.0.113.7"},
        {"::ffff:203.0.113.7/128", "203.0.113.7"},
        {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
        {"::ffff:203.0.113.7/32", NULL},
        {"::ffff:0:0/95", NULL},
        {"::ffff:203.0.113.7/129", NULL},
        {"10.0.0.1/8", NULL},
        {"203.0.113.7/31", NULL},
        {"203.0.113.7/33", NULL},
        {"2001:db8::/129", NULL},
        {"2001:db8::1/64", NULL},
        {"10.0.0.0/", NULL},
        {"10.0.0.0/-8", NULL},
        {"10.0.0.0/+8", NULL},
        {"10.0.0.0/ 8", NULL},
        {"10.0.0.0/8 ", NULL},
        {"10.0.0.0/8/8", NULL},
        {"10.0.0.0/255.0.0.0", NULL},
        {"10.0.0.0/18446744073709551624", NULL},
        {"/8", NULL},
        {"", NULL},
        {"0000:0000:0000:0000:0000:ffff:255.255.255.255", "255.255.255.255"},
        {"0000:0000:0000:0000:0000:ffff:255.255.255.2555", NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct prefix prefix;
        char out[PREFIX_TEXT_MAX];
        int rc = prefix_parse(cases[i].text, &prefix);
        CASE(cases[i].text, (rc == 0) == (cases[i].want != NULL));
        if (cases[i].want)
            CASE(cases[i].text, strcmp(prefix_format(&prefix, out), cases[i].want) == 0);
    }
}

static void test_prefix_of(void **state)
{
    (void)state;
    struct addr ones4 = must_addr("255.255.255.255");
    struct addr ones6 = must_addr("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");

    for (unsigned bits = 0; bits <= 130; bits++) {
        struct prefix p4 = prefix_of(&ones4, bits), p6 = prefix_of(&ones6, bits);
        assert_int_equal(p4.bits, bits < 32 ? bits : 32);
        assert_int_equal(p6.bits, bits < 128 ? bits : 128);
        for (unsigned bit = 0; bit < 128; bit++) {
            unsigned mask = 0x80u >> bit % 8;
            assert_int_equal((p4.addr.bytes[bit / 8] & mask) != 0, bit < 32 && bit < bits);
            assert_int_equal((p6.addr.bytes[bit / 8] & mask) != 0, bit < bits);
        }
    }
}

static void test_prefix_contains(void **state)
{
    (void)state;
    static const struct {
        const char *prefix, *addr;
        bool want;
    } cases[] = {
        {"10.0.0.0/8", "10.255.255.255", true},
        {"10.0.0.0/8", "11.0.0.0", false},
        {"0.0.0.0/0", "203.0.113.7", true},
        {"0.0.0.0/0", "2001:db8::1", false},
        {"::/0", "2001:db8::1", true},
        {"::/0", "203.0.113.7", false},
        {"203.0.113.6/31", "203.0.113.7", true},
        {"203.0.113.6/31", "203.0.113.8", false},
        {"203.0.113.7", "203.0.113.7", true},
        {"203.0.113.7", "203.0.113.6", false},
        {"2001:db8::/33", "2001:db8:7fff::1", true},
        {"2001:db8::/33", "2001:db8:8000::1", false},
        {"2001:db8::1", "2001:db8::1", true},
        {"2001:db8::1", "2001:db8::2", false},
    };
    struct addr none = {0};
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct prefix prefix = must_prefix(cases[i].prefix);
        struct addr addr = must_addr(cases[i].addr);
        CASE(cases[i].addr, prefix_contains(&prefix, &addr) == cases[i].want);
        assert_false(prefix_contains(&prefix, &none));
    }
}

static void test_prefix_overlaps(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        bool want;
    } cases[] = {
        {"10.0.0.0/8", "10.1.0.0/16", true},
        {"10.0.0.0/8", "10.0.0.0/8", true},
        {"10.0.0.0/8", "11.0.0.0/8", false},
        {"0.0.0.0/0", "203.0.113.7", true},
        {"0.0.0.0/0", "::/0", false},
        {"2001:db8::/32", "2001:db8:1::/48", true},
        {"2001:db8::/48", "2001:db8:1::/48", false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct prefix a = must_prefix(cases[i].a), b = must_prefix(cases[i].b);
        CASE(cases[i].b, prefix_overlaps(&a, &b) == cases[i].want);
        CASE(cases[i].b, prefix_overlaps(&b, &a) == cases[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),           cmocka_unit_test(test_from_sockaddr),
        cmocka_unit_test(test_format),          cmocka_unit_test(test_scope),
        cmocka_unit_test(test_prefix_parse),    cmocka_unit_test(test_prefix_of),
        cmocka_unit_test(test_prefix_contains), cmocka_unit_test(test_prefix_overlaps),
    };
    return cmocka_run_group_tests_name("addr", tests, NULL, NULL);
}
