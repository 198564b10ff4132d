/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/wire/pp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/buf.h"
#include "tests/unit/pp_laws.h"
#include "tests/unit/unit.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define TCP4      "\x21\x11\0\x0c"
#define ENDS4     "\xcb\0\x71\x09\xc6\x33\x64\x19\xd4\x31\0\x19"

/* The literal and its length, NULs included. */
#define BYTES(text) text, sizeof(text) - 1

static void check_ends(const char *name, const struct pp_header *header, const char *src,
                       const char *dst, unsigned sport, unsigned dport)
{
    char text[PP_TEXT_MAX];

    if (strcmp(pp_format(header, &header->src, text), src) != 0)
        fail_msg("%s: source %s, not %s", name, text, src);
    if (strcmp(pp_format(header, &header->dst, text), dst) != 0)
        fail_msg("%s: destination %s, not %s", name, text, dst);
    CASE(name, header->src.port == sport && header->dst.port == dport);
}

static void test_lines(void **state)
{
    (void)state;
    static const struct {
        const char *name, *line, *src, *dst;
        unsigned sport, dport;
    } cases[] = {
        {"IPv4", "PROXY TCP4 203.0.113.9 198.51.100.25 54321 25\r\n", "203.0.113.9",
         "198.51.100.25", 54321, 25},
        {"IPv6", "PROXY TCP6 2001:db8::1 ::1 1 65535\r\n", "2001:db8::1", "::1", 1, 65535},
        {"upper case", "PROXY TCP6 2001:DB8::A ::FFFF 1 2\r\n", "2001:db8::a", "::ffff", 1, 2},
        {"mapped stays as sent", "PROXY TCP6 ::ffff:1.2.3.4 ::FFFF:0102:0304 1 2\r\n",
         "::ffff:1.2.3.4", "::ffff:1.2.3.4", 1, 2},
        {"leading zeroes in groups", "PROXY TCP6 0001:00::2 :: 1 2\r\n", "1::2", "::", 1, 2},
        {"every digit", "PROXY TCP4 198.76.54.30 1.2.3.4 12345 6789\r\n", "198.76.54.30", "1.2.3.4",
         12345, 6789},
        {"port 0", "PROXY TCP4 0.0.0.0 1.1.1.1 0 0\r\n", "0.0.0.0", "1.1.1.1", 0, 0},
        {"longest IPv4", "PROXY TCP4 255.255.255.255 255.255.255.254 65535 65534\r\n",
         "255.255.255.255", "255.255.255.254", 65535, 65534},
        {"longest IPv6",
         "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
         "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe 65535 65535\r\n",
         "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe",
         65535, 65535},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const uint8_t *bytes = (const uint8_t *)cases[i].line;
        size_t len = strlen(cases[i].line), consumed = 0;
        struct pp_header header;
        CASE(cases[i].name, pp_laws_parse(bytes, len, &header, &consumed) == PP_OK);
        CASE(cases[i].name, consumed == len && header.version == 1);
        CASE(cases[i].name, header.kind == PP_KIND_PROXY && header.transport == PP_STREAM);
        check_ends(cases[i].name, &header, cases[i].src, cases[i].dst, cases[i].sport,
                   cases[i].dport);
        pp_laws_check(bytes, len);
    }
}

/* What is no line, and how many bytes it takes to know. */
struct bad_line {
    const char *name, *bytes;
    size_t len;
    enum pp_status want;
    size_t decided_at;
};

static void expect_bad(const struct bad_line *line)
{
    const uint8_t *bytes = (const uint8_t *)line->bytes;
    size_t consumed, at = 0;
    struct pp_header header;

    while (at <= line->len && pp_laws_parse(bytes, at, &header, &consumed) == PP_MORE)
        at++;
    if (at != line->decided_at)
        fail_msg("%s: decided at %zu, not %zu", line->name, at, line->decided_at);
    CASE(line->name, pp_laws_parse(bytes, line->len, &header, &consumed) == line->want);
    CASE(line->name, header.version == (line->want != PP_BAD_SIGNATURE));
    pp_laws_check(bytes, line->len);
}

static void test_bad_words(void **state)
{
    (void)state;
    static const struct bad_line cases[] = {
        {"SMTP", BYTES("EHLO x\r\n"), PP_BAD_SIGNATURE, 1},
        {"POST", BYTES("POST / HTTP/1.1\r\n"), PP_BAD_SIGNATURE, 2},
        {"TLS", BYTES("\x16\x03\x01"), PP_BAD_SIGNATURE, 1},
        {"NUL", BYTES("\0"), PP_BAD_SIGNATURE, 1},
        {"lower case", BYTES("proxy TCP4 "), PP_BAD_SIGNATURE, 1},
        {"nothing behind PROXY", BYTES("PROXY\r\n"), PP_BAD_SEPARATOR, 6},
        {"PROXYX", BYTES("PROXYX TCP4"), PP_BAD_SEPARATOR, 6},
        {"tab", BYTES("PROXY\tTCP4 "), PP_BAD_SEPARATOR, 6},
        {"two spaces", BYTES("PROXY  TCP4"), PP_BAD_PROTOCOL, 7},
        {"no protocol", BYTES("PROXY \r\n"), PP_BAD_PROTOCOL, 7},
        {"tcp4", BYTES("PROXY tcp4 "), PP_BAD_PROTOCOL, 7},
        {"TCP5", BYTES("PROXY TCP5 "), PP_BAD_PROTOCOL, 10},
        {"UDP4", BYTES("PROXY UDP4 "), PP_BAD_PROTOCOL, 8},
        {"TCP44", BYTES("PROXY TCP44 "), PP_BAD_SEPARATOR, 11},
        {"no addresses", BYTES("PROXY TCP4\r\n"), PP_BAD_SEPARATOR, 11},
        {"UNKNOWNX", BYTES("PROXY UNKNOWNX\r\n"), PP_BAD_SEPARATOR, 14},
        {"UNKNOWN and LF", BYTES("PROXY UNKNOWN\n"), PP_BAD_SEPARATOR, 14},
        {"UNKNOWN and lone CR", BYTES("PROXY UNKNOWN\rEHLO x\r\n"), PP_BAD_SEPARATOR, 15},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        expect_bad(&cases[i]);
}

static void test_bad_fields(void **state)
{
    (void)state;
    static const struct bad_line cases[] = {
        {"empty address", BYTES("PROXY TCP4  1.1.1.1 1 1\r\n"), PP_BAD_ADDRESS, 12},
        {"NUL in an address", BYTES("PROXY TCP4 1.2.3.4\0 "), PP_BAD_SEPARATOR, 19},
        {"octet 256", BYTES("PROXY TCP4 1.2.256.4 "), PP_BAD_ADDRESS, 18},
        {"leading zero", BYTES("PROXY TCP4 1.02.3.4 "), PP_BAD_ADDRESS, 15},
        {"three octets", BYTES("PROXY TCP4 1.2.3 "), PP_BAD_ADDRESS, 17},
        {"five octets", BYTES("PROXY TCP4 1.2.3.4.5 "), PP_BAD_ADDRESS, 19},
        {"IPv6 as TCP4", BYTES("PROXY TCP4 ::1 "), PP_BAD_ADDRESS, 12},
        {"IPv4 as TCP6", BYTES("PROXY TCP6 1.2.3.4 "), PP_BAD_ADDRESS, 13},
        {"nine groups", BYTES("PROXY TCP6 1:2:3:4:5:6:7:8:9 "), PP_BAD_ADDRESS, 27},
        {"seven groups", BYTES("PROXY TCP6 1:2:3:4:5:6:7 "), PP_BAD_ADDRESS, 25},
        {"two double colons", BYTES("PROXY TCP6 1::2:: "), PP_BAD_ADDRESS, 17},
        {"five digits", BYTES("PROXY TCP6 00001:: "), PP_BAD_ADDRESS, 16},
        {"zone", BYTES("PROXY TCP6 fe80::1%eth0 "), PP_BAD_SEPARATOR, 19},
        {"brackets", BYTES("PROXY TCP6 [::1] "), PP_BAD_ADDRESS, 12},
        {"IPv6 of more than 39 bytes",
         BYTES("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.0 "), PP_BAD_ADDRESS, 47},
        {"one address", BYTES("PROXY TCP4 1.2.3.4\r\n"), PP_BAD_SEPARATOR, 19},
        {"no ports", BYTES("PROXY TCP4 1.2.3.4 1.2.3.4\r\n"), PP_BAD_SEPARATOR, 27},
        {"two spaces before a port", BYTES("PROXY TCP4 1.2.3.4 1.2.3.4  1 1"), PP_BAD_PORT, 28},
        {"one port", BYTES("PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n"), PP_BAD_SEPARATOR, 29},
        {"port 65536", BYTES("PROXY TCP4 1.2.3.4 1.2.3.4 65536 1"), PP_BAD_PORT, 32},
        {"six digits", BYTES("PROXY TCP4 1.2.3.4 1.2.3.4 123456 1"), PP_BAD_PORT, 33},
        {"port 01", BYTES("PROXY TCP4 1.2.3.4 1.2.3.4 01 1"), PP_BAD_PORT, 29},
        {"port 00", BYTES("PROXY TCP4 1.2.3.4 1.2.3.4 00 1"), PP_BAD_PORT, 29},
        {"port +1", BYTES("PROXY TCP4 1.2.3.4 1.2.3.4 +1 1"), PP_BAD_PORT, 28},
        {"port -1", BYTES("PROXY TCP4 1.2.3.4 1.2.3.4 1 -1"), PP_BAD_PORT, 30},
        {"port of letters", BYTES("PROXY TCP4 1.2.3.4 1.2.3.4 1 x\r\n"), PP_BAD_PORT, 30},
        {"LF", BYTES("PROXY TCP4 1.2.3.4 1.2.3.4 1 1\n"), PP_BAD_LINE_END, 31},
        {"lone CR", BYTES("PROXY TCP4 1.2.3.4 1.2.3.4 1 1\rEHLO"), PP_BAD_LINE_END, 32},
        {"space at the end", BYTES("PROXY TCP4 1.2.3.4 1.2.3.4 1 1 \r\n"), PP_BAD_LINE_END, 31},
        {"one more field", BYTES("PROXY TCP4 1.2.3.4 1.2.3.4 1 1 x\r\n"), PP_BAD_LINE_END, 31},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        expect_bad(&cases[i]);
}

/* "PROXY UNKNOWN", then bytes up to a line of len with its CR LF. */
static enum pp_status parse_unknown(size_t len, const char *end, size_t *consumed_r)
{
    struct buf line = {0};
    struct pp_header header;

    buf_puts(&line, "PROXY UNKNOWN ");
    while (line.len + strlen(end) < len)
        buf_putc(&line, "\xff\n\rx\0"[line.len % 5]);
    buf_puts(&line, end);
    enum pp_status status = pp_laws_parse(line.data, line.len, &header, consumed_r);
    if (status == PP_OK)
        assert_int_equal(header.kind, PP_KIND_UNKNOWN);
    pp_laws_check(line.data, line.len);
    buf_fini(&line);
    return status;
}

static void test_unknown(void **state)
{
    (void)state;
    struct pp_header header;
    size_t consumed = 0;

    assert_int_equal(
        pp_laws_parse((const uint8_t *)"PROXY UNKNOWN\r\nEHLO", 19, &header, &consumed), PP_OK);
    assert_int_equal(consumed, 15);
    assert_int_equal(header.kind, PP_KIND_UNKNOWN);
    check_ends("unknown", &header, "none", "none", 0, 0);
    for (size_t len = 16; len <= PP_V1_MAX; len++) {
        assert_int_equal(parse_unknown(len, "\r\n", &consumed), PP_OK);
        assert_int_equal(consumed, len);
    }
    assert_int_equal(parse_unknown(PP_V1_MAX + 1, "\r\n", &consumed), PP_BAD_LINE_LEN);
    assert_int_equal(parse_unknown(PP_V1_MAX - 2, "x", &consumed), PP_MORE);
    assert_int_equal(parse_unknown(PP_V1_MAX - 1, "x", &consumed), PP_BAD_LINE_LEN);
    assert_int_equal(parse_unknown(PP_V1_MAX - 1, "\r", &consumed), PP_MORE);
    assert_int_equal(parse_unknown(PP_V1_MAX, "\r", &consumed), PP_BAD_LINE_LEN);
}

/* Behind the signature: what the fixed part and the addresses make of it. */
static void test_binary(void **state)
{
    (void)state;
    static const struct {
        const char *name, *bytes;
        size_t len;
        enum pp_status want;
        enum pp_kind kind;
        size_t consumed; /* or where it was decided */
    } cases[] = {
        {"signature alone", BYTES(SIGNATURE), PP_MORE, 0, 0},
        {"TCP4", BYTES(SIGNATURE TCP4 ENDS4), PP_OK, PP_KIND_PROXY, 28},
        {"TCP4 and mail", BYTES(SIGNATURE TCP4 ENDS4 "EHLO"), PP_OK, PP_KIND_PROXY, 28},
        {"one byte short", BYTES(SIGNATURE TCP4 "\1\2\3\4\5\6\7\1\2\3\4"), PP_MORE, 0, 0},
        {"LOCAL", BYTES(SIGNATURE "\x20\0\0\0"), PP_OK, PP_KIND_LOCAL, 16},
        {"LOCAL with a short block", BYTES(SIGNATURE "\x20\x31\0\1x"), PP_OK, PP_KIND_LOCAL, 17},
        {"LOCAL, undefined family", BYTES(SIGNATURE "\x20\xff\0\1x"), PP_OK, PP_KIND_LOCAL, 17},
        {"LOCAL with a broken TLV", BYTES(SIGNATURE "\x20\0\0\3\3\xff\xff"), PP_OK, PP_KIND_LOCAL,
         19},
        {"LOCAL cut", BYTES(SIGNATURE "\x20\0\0\3xx"), PP_MORE, 0, 0},
        {"UNSPEC", BYTES(SIGNATURE "\x21\0\0\0"), PP_OK, PP_KIND_UNSPEC, 16},
        {"UNSPEC with bytes", BYTES(SIGNATURE "\x21\0\0\2xx"), PP_OK, PP_KIND_UNSPEC, 18},
        {"UNSPEC stream", BYTES(SIGNATURE "\x21\1\0\0"), PP_OK, PP_KIND_UNSPEC, 16},
        {"IPv4 UNSPEC", BYTES(SIGNATURE "\x21\x10\0\2xx"), PP_OK, PP_KIND_UNSPEC, 18},
        {"Unix UNSPEC", BYTES(SIGNATURE "\x21\x30\0\0"), PP_OK, PP_KIND_UNSPEC, 16},
        {"wrong signature", BYTES("\r\n\r\n\0\r\nQUIT\r"), PP_BAD_SIGNATURE, 0, 12},
        {"signature as text", BYTES("\r\n\r\n\r\nQUIT\n"), PP_BAD_SIGNATURE, 0, 5},
        {"version 1", BYTES(SIGNATURE "\x11"), PP_BAD_VERSION, 0, 13},
        {"version 3", BYTES(SIGNATURE "\x31"), PP_BAD_VERSION, 0, 13},
        {"command 2", BYTES(SIGNATURE "\x22\x11"), PP_BAD_COMMAND, 0, 13},
        {"family 4", BYTES(SIGNATURE "\x21\x41"), PP_BAD_FAMILY, 0, 14},
        {"transport 3", BYTES(SIGNATURE "\x21\x13"), PP_BAD_TRANSPORT, 0, 14},
        {"transport 3 of UNSPEC", BYTES(SIGNATURE "\x21\x03"), PP_BAD_TRANSPORT, 0, 14},
        {"TCP4 of 11", BYTES(SIGNATURE "\x21\x11\0\x0b"), PP_BAD_LEN, 0, 16},
        {"UDP4 of 11", BYTES(SIGNATURE "\x21\x12\0\x0b"), PP_BAD_LEN, 0, 16},
        {"TCP6 of 35", BYTES(SIGNATURE "\x21\x21\0\x23"), PP_BAD_LEN, 0, 16},
        {"TCP6 of 36", BYTES(SIGNATURE "\x21\x21\0\x24"), PP_MORE, 0, 0},
        {"Unix of 215", BYTES(SIGNATURE "\x21\x31\0\xd7"), PP_BAD_LEN, 0, 16},
        {"Unix of 216", BYTES(SIGNATURE "\x21\x31\0\xd8"), PP_MORE, 0, 0},
        {"longest", BYTES(SIGNATURE "\x21\x11\x0f\xf0"), PP_MORE, 0, 0},
        {"one longer", BYTES(SIGNATURE "\x21\x11\x0f\xf1"), PP_TOO_LONG, 0, 16},
        {"much longer", BYTES(SIGNATURE "\x21\x11\x10"), PP_TOO_LONG, 0, 15},
        {"LOCAL, one longer", BYTES(SIGNATURE "\x20\0\x0f\xf1"), PP_TOO_LONG, 0, 16},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const uint8_t *bytes = (const uint8_t *)cases[i].bytes;
        size_t consumed = 0, at = 0;
        struct pp_header header;
        CASE(cases[i].name,
             pp_laws_parse(bytes, cases[i].len, &header, &consumed) == cases[i].want);
        CASE(cases[i].name, header.version == (cases[i].want == PP_BAD_SIGNATURE ? 0 : 2));
        pp_laws_check(bytes, cases[i].len);
        if (cases[i].want == PP_MORE)
            continue;
        while (pp_laws_parse(bytes, at, &header, &consumed) == PP_MORE)
            at++;
        CASE(cases[i].name, at == cases[i].consumed);
        if (cases[i].want == PP_OK)
            CASE(cases[i].name, header.kind == cases[i].kind && consumed == at);
    }
}

static void put_block(struct buf *out, uint8_t family, const void *block, size_t len)
{
    buf_reset(out);
    buf_put(out, BYTES(SIGNATURE "\x21"));
    buf_putc(out, (char)family);
    buf_putc(out, 0);
    buf_putc(out, (char)len);
    buf_put(out, block, len);
}

static void expect_ends(struct buf *bytes, enum pp_family family, enum pp_transport transport,
                        const char *src, const char *dst, unsigned sport, unsigned dport)
{
    struct pp_header header;
    size_t consumed = 0;

    assert_int_equal(pp_laws_parse(bytes->data, bytes->len, &header, &consumed), PP_OK);
    assert_int_equal(consumed, bytes->len);
    assert_int_equal(header.kind, PP_KIND_PROXY);
    assert_int_equal(header.family, family);
    assert_int_equal(header.transport, transport);
    assert_int_equal(header.is_tcp, transport == PP_STREAM && family != PP_UNIX);
    check_ends(src, &header, src, dst, sport, dport);
    pp_laws_check(bytes->data, bytes->len);
}

static void test_addresses(void **state)
{
    (void)state;
    static const char ipv6[] = " \x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1"
                               "\0\0\0\0\0\0\0\0\0\0\xff\xff\1\2\3\4\xff\xff\0\0";
    char paths[2 * PP_UNIX_LEN] = "/run/client", longest[6 + PP_UNIX_LEN] = "unix:";
    struct buf bytes = {0};

    put_block(&bytes, 0x11, BYTES(ENDS4));
    expect_ends(&bytes, PP_IPV4, PP_STREAM, "203.0.113.9", "198.51.100.25", 54321, 25);
    put_block(&bytes, 0x12, BYTES(ENDS4));
    expect_ends(&bytes, PP_IPV4, PP_DGRAM, "203.0.113.9", "198.51.100.25", 54321, 25);
    put_block(&bytes, 0x21, BYTES(ipv6));
    expect_ends(&bytes, PP_IPV6, PP_STREAM, "2001:db8::1", "::ffff:1.2.3.4", 65535, 0);
    put_block(&bytes, 0x22, BYTES(ipv6));
    expect_ends(&bytes, PP_IPV6, PP_DGRAM, "2001:db8::1", "::ffff:1.2.3.4", 65535, 0);
    put_block(&bytes, 0x31, paths, sizeof(paths));
    expect_ends(&bytes, PP_UNIX, PP_STREAM, "unix:/run/client", "unix:", 0, 0);
    memset(paths, 'x', PP_UNIX_LEN);
    memset(longest + 5, 'x', PP_UNIX_LEN);
    memcpy(paths + PP_UNIX_LEN, "\0abstract", 9);
    put_block(&bytes, 0x32, paths, sizeof(paths));
    expect_ends(&bytes, PP_UNIX, PP_DGRAM, longest, "unix:@abstract", 0, 0);
    buf_fini(&bytes);
}

/* The edge: what the rest of Postern compares is IPv4. */
static void test_folding(void **state)
{
    (void)state;
    static const char line[] = "PROXY TCP6 ::ffff:203.0.113.9 2001:db8::1 1 2\r\n";
    struct addr wanted, found;
    struct pp_header header;
    size_t consumed;

    assert_int_equal(pp_laws_parse((const uint8_t *)BYTES(line), &header, &consumed), PP_OK);
    assert_int_equal(header.family, PP_IPV6);
    assert_int_equal(addr_parse("203.0.113.9", &wanted), 0);
    found = pp_addr(&header, &header.src);
    assert_true(addr_eq(&found, &wanted));
    assert_int_equal(addr_parse("2001:db8::1", &wanted), 0);
    found = pp_addr(&header, &header.dst);
    assert_true(addr_eq(&found, &wanted));
    header.family = PP_UNIX;
    assert_int_equal(pp_addr(&header, &header.src).family, ADDR_NONE);
}

static void test_words(void **state)
{
    (void)state;
    for (int status = PP_OK; status <= PP_BAD_CRC; status++)
        assert_non_null(pp_strstatus((enum pp_status)status));
    for (int kind = PP_KIND_PROXY; kind <= PP_KIND_UNSPEC; kind++)
        assert_non_null(pp_strkind((enum pp_kind)kind));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),      cmocka_unit_test(test_bad_words),
        cmocka_unit_test(test_bad_fields), cmocka_unit_test(test_unknown),
        cmocka_unit_test(test_binary),     cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_folding),    cmocka_unit_test(test_words),
    };
    return cmocka_run_group_tests_name("pp", tests, NULL, NULL);
}
