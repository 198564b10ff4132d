/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/net/dns.h"
#include "common/net/dns_packet.h"

static void test_names(void **state)
{
    char name[300];
    static const char *const good[] = {
        "a", "a.", "a.b", "_dmarc.a.b.", "a\\.b.c", "\\000\\255.x", "*.a", "a b.c", "\\\\"};
    static const char *const bad[] = {"",    ".",   "..",    ".a",     "a..b",
                                      "a..", "a\\", "a\\25", "a\\256", "a\\2x5"};

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_true(dns_name_is_valid(good[i]));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(dns_name_is_valid(bad[i]));

    memset(name, 'x', sizeof(name));
    name[63] = 0;
    assert_true(dns_name_is_valid(name));
    name[63] = 'x';
    name[64] = 0;
    assert_false(dns_name_is_valid(name));
    /* 253 octets, with and without the dot behind; and one more */
    memset(name, 'x', sizeof(name));
    name[63] = name[127] = name[191] = '.';
    name[253] = 0;
    assert_true(dns_name_is_valid(name));
    name[253] = '.';
    name[254] = 0;
    assert_true(dns_name_is_valid(name));
    name[253] = 'x';
    assert_false(dns_name_is_valid(name));
}

static void test_words(void **state)
{
    (void)state;
    for (enum dns_status status = DNS_FOUND; status <= DNS_BOGUS; status++)
        assert_non_null(dns_strstatus(status));
}

/*
 * x.d, type ANY: CNAME y.d, and there A 192.0.2.1, AAAA 2001:db8::1, MX 10 m.d, PTR m.d,
 * TXT "ab" "\0c", TXT "", and an A of three bytes.
 */
static const uint8_t packet[] =
    "\x12\x34\x81\x80\x00\x01\x00\x08\x00\x00\x00\x00"
    "\x01x\x01"
    "d\x00\x00\xff\x00\x01"
    "\xc0\x0c\x00\x05\x00\x01\x00\x00\x00\x3c\x00\x04\x01y\xc0\x0e"
    "\xc0\x1f\x00\x01\x00\x01\x00\x00\x01\x00\x00\x04\xc0\x00\x02\x01"
    "\xc0\x1f\x00\x1c\x00\x01\x00\x00\x01\x00\x00\x10\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"
    "\xc0\x1f\x00\x0f\x00\x01\x00\x00\x01\x00\x00\x06\x00\x0a\x01m\xc0\x0e"
    "\xc0\x1f\x00\x0c\x00\x01\x00\x00\x01\x00\x00\x04\x01m\xc0\x0e"
    "\xc0\x1f\x00\x10\x00\x01\x00\x00\x01\x00\x00\x06\x02"
    "ab\x02\x00"
    "c"
    "\xc0\x1f\x00\x10\x00\x01\x00\x00\x01\x00\x00\x01\x00"
    "\xc0\x1f\x00\x01\x00\x01\x00\x00\x01\x00\x00\x03\xc0\x00\x02";
#define PACKET_LEN (sizeof(packet) - 1)

static struct dns_answer parse(uint16_t type)
{
    struct dns_answer answer;

    dns_packet_parse(packet, PACKET_LEN, type, &answer);
    assert_int_equal(answer.status, DNS_FOUND);
    assert_int_equal(answer.ttl_sec, 60);
    return answer;
}

static void test_packet(void **state)
{
    static const uint8_t ipv6[16] = {0x20, 1, 0xd, 0xb8, [15] = 1}, ipv4[4] = {192, 0, 2, 1};
    struct dns_answer answer = parse(DNS_TYPE_A);

    (void)state;
    assert_int_equal(answer.count, 1);
    assert_memory_equal(answer.records[0].addr, ipv4, 4);
    dns_answer_fini(&answer);
    answer = parse(DNS_TYPE_AAAA);
    assert_int_equal(answer.count, 1);
    assert_memory_equal(answer.records[0].addr, ipv6, 16);
    dns_answer_fini(&answer);
    answer = parse(DNS_TYPE_MX);
    assert_int_equal(answer.records[0].preference, 10);
    assert_string_equal(answer.records[0].name, "m.d");
    dns_answer_fini(&answer);
    answer = parse(DNS_TYPE_PTR);
    assert_string_equal(answer.records[0].name, "m.d");
    dns_answer_fini(&answer);
    answer = parse(DNS_TYPE_TXT);
    assert_int_equal(answer.count, 2);
    assert_int_equal(answer.records[0].txt_len, 4);
    assert_memory_equal(answer.records[0].txt, "ab\0c", 5);
    assert_int_equal(answer.records[1].txt_len, 0);
    dns_answer_fini(&answer);
    dns_answer_fini(&answer);
}

static void test_no_records(void **state)
{
    static const uint8_t negative[] =
        "\x12\x34\x81\x83\x00\x01\x00\x00\x00\x01\x00\x00\x01x\x01"
        "d\x00\x00\x01\x00\x01"
        "\xc0\x0e\x00\x06\x00\x01\x00\x00\x0e\x10\x00\x18\xc0\x0e\xc0\x0e"
        "\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0\x2a";
    uint8_t changed[sizeof(negative)];
    struct dns_answer answer;

    (void)state;
    memcpy(changed, negative, sizeof(changed));
    dns_packet_parse(changed, sizeof(changed) - 1, DNS_TYPE_A, &answer);
    assert_int_equal(answer.status, DNS_NXDOMAIN);
    assert_int_equal(answer.ttl_sec, 42);
    changed[3] = 0x80;
    dns_packet_parse(changed, sizeof(changed) - 1, DNS_TYPE_A, &answer);
    assert_int_equal(answer.status, DNS_NODATA);
    assert_null(answer.records);
    for (uint8_t rcode = 1; rcode < 16; rcode++) {
        changed[3] = 0x80 | rcode;
        dns_packet_parse(changed, sizeof(changed) - 1, DNS_TYPE_A, &answer);
        assert_int_equal(answer.status, rcode == 3 ? DNS_NXDOMAIN : DNS_SERVFAIL);
    }
}

/* Cut at every byte, and every byte changed: any answer, but no harm. */
static void test_damage(void **state)
{
    static const uint16_t types[] = {DNS_TYPE_A, DNS_TYPE_AAAA, DNS_TYPE_MX, DNS_TYPE_PTR,
                                     DNS_TYPE_TXT};
    struct dns_answer answer;

    (void)state;
    for (size_t t = 0; t < sizeof(types) / sizeof(types[0]); t++) {
        for (size_t len = 0; len < PACKET_LEN; len++) {
            uint8_t *cut = malloc(len ? len : 1);
            memcpy(cut, packet, len);
            dns_packet_parse(cut, len, types[t], &answer);
            dns_answer_fini(&answer);
            free(cut);
        }
        for (size_t at = 0; at < PACKET_LEN; at++) {
            for (unsigned value = 0; value < 256; value += 5) {
                uint8_t changed[PACKET_LEN];
                memcpy(changed, packet, PACKET_LEN);
                changed[at] = (uint8_t)value;
                dns_packet_parse(changed, PACKET_LEN, types[t], &answer);
                dns_answer_fini(&answer);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),  cmocka_unit_test(test_words),
        cmocka_unit_test(test_packet), cmocka_unit_test(test_no_records),
        cmocka_unit_test(test_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
