/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/wire/pp_tlv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/buf.h"
#include "common/wire/crc32c.h"
#include "tests/unit/pp_laws.h"
#include "tests/unit/unit.h"

#define FIXED_LEN 28 /* up to the TLVs of a TCP4 header */

/* The literal and its length, NULs included. */
#define BYTES(text) text, sizeof(text) - 1

static void begin(struct buf *out)
{
    buf_reset(out);
    buf_put(out, BYTES("\r\n\r\n\0\r\nQUIT\n\x21\x11\0\0\xcb\0\x71\x09\xc6\x33\x64\x19\1\2\0\x19"));
}

static void put_tlv(struct buf *out, uint8_t type, const void *value, size_t len)
{
    buf_putc(out, (char)type);
    buf_putc(out, (char)(len >> 8));
    buf_putc(out, (char)len);
    buf_put(out, value, len);
}

/* A TLV of len times 'x'. */
static void put_xs(struct buf *out, uint8_t type, size_t len)
{
    put_tlv(out, type, NULL, 0);
    out->data[out->len - 2] = (uint8_t)(len >> 8);
    out->data[out->len - 1] = (uint8_t)len;
    memset(buf_reserve(out, len), 'x', len);
    buf_commit(out, len);
}

static void finish(struct buf *out)
{
    size_t len = out->len - 16;

    out->data[14] = (uint8_t)(len >> 8);
    out->data[15] = (uint8_t)len;
}

static enum pp_status parse(struct buf *bytes)
{
    struct pp_header header;
    size_t consumed = 0;

    finish(bytes);
    enum pp_status status = pp_laws_parse(bytes->data, bytes->len, &header, &consumed);
    if (status == PP_OK)
        assert_int_equal(consumed, bytes->len);
    pp_laws_check(bytes->data, bytes->len);
    return status;
}

static void test_areas(void **state)
{
    (void)state;
    static const struct {
        const char *name, *area;
        size_t len;
        enum pp_status want;
    } cases[] = {
        {"none", "", 0, PP_OK},
        {"empty value", BYTES("\xe0\0\0"), PP_OK},
        {"one", BYTES("\x02\0\3abc"), PP_OK},
        {"unknown types", BYTES("\0\0\1x\x7f\0\0\xff\0\2yz"), PP_OK},
        {"the same twice", BYTES("\x05\0\1a\x05\0\1b"), PP_OK},
        {"one zero byte behind", BYTES("\x04\0\0\0"), PP_OK},
        {"two zero bytes behind", BYTES("\x04\0\0\0\0"), PP_OK},
        {"three zero bytes", BYTES("\0\0\0"), PP_OK},
        {"one other byte behind", BYTES("\x04\0\0\x04"), PP_BAD_TLV},
        {"two other bytes behind", BYTES("\x04\0\0\0\1"), PP_BAD_TLV},
        {"type alone", BYTES("\xe2"), PP_BAD_TLV},
        {"type and half a length", BYTES("\xe2\0"), PP_BAD_TLV},
        {"one byte too long", BYTES("\xe2\0\3ab"), PP_BAD_TLV},
        {"much too long", BYTES("\xe2\xff\xff"), PP_BAD_TLV},
        {"second too long", BYTES("\xe2\0\1a\xe2\0\1"), PP_BAD_TLV},
        {"checksum of 3", BYTES("\x03\0\3abc"), PP_BAD_CRC_FORM},
        {"checksum of 5", BYTES("\x03\0\5abcde"), PP_BAD_CRC_FORM},
        {"checksum of 260", BYTES("\x03\1\4abcd"), PP_BAD_CRC_FORM},
        {"checksum without room", BYTES("\x03\0\4abc"), PP_BAD_CRC_FORM},
        {"two checksums", BYTES("\x03\0\4abcd\x03\0\4abcd"), PP_BAD_CRC_FORM},
        {"wrong checksum", BYTES("\x03\0\4abcd"), PP_BAD_CRC},
        {"SSL without parts", BYTES("\x20\0\5\1\0\0\0\0"), PP_OK},
        {"SSL", BYTES("\x20\0\x0f\1\0\0\0\1\x21\0\7TLSv1.3"), PP_OK},
        {"SSL, empty part", BYTES("\x20\0\x08\1\0\0\0\1\x21\0\0"), PP_OK},
        {"SSL of 4", BYTES("\x20\0\4\1\0\0\0"), PP_BAD_SSL},
        {"SSL without room", BYTES("\x20\0\5\1\0\0\0"), PP_BAD_SSL},
        {"SSL, one byte behind", BYTES("\x20\0\6\1\0\0\0\0\0"), PP_BAD_SSL},
        {"SSL, two bytes behind", BYTES("\x20\0\7\1\0\0\0\0\0\0"), PP_BAD_SSL},
        {"SSL, part too long", BYTES("\x20\0\x09\1\0\0\0\1\x21\0\2x"), PP_BAD_SSL},
        {"SSL, part reaches the next", BYTES("\x20\0\x08\1\0\0\0\1\x21\0\1\4\0\0"), PP_BAD_SSL},
    };
    struct buf bytes = {0};

    for (size_t i = 0; i < COUNT(cases); i++) {
        begin(&bytes);
        buf_put(&bytes, cases[i].area, cases[i].len);
        enum pp_status status = parse(&bytes);
        if (status != cases[i].want)
            fail_msg("%s: %s", cases[i].name, pp_strstatus(status));
    }
    buf_fini(&bytes);
}

/* Each refusal comes with the byte that makes it certain: bytes are those of the area. */
static void test_early(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint8_t len; /* that the header says */
        const char *area;
        size_t decided_at;
    } cases[] = {
        {"no room for a checksum", 6, "\x03\0\3", 1},
        {"checksum too long", 50, "\x03\1\4", 2},
        {"checksum too short", 50, "\x03\0\3", 3},
        {"second checksum", 50, "\x03\0\4abcd\x03", 8},
        {"unique ID", 200, "\x05\0\x81", 3},
        {"unique ID by its first byte", 200, "\x05\1", 2},
        {"past the header", 20, "\xe0\0\x12", 3},
        {"past the header by its first byte", 20, "\xe0\1", 2},
        {"no room for SSL", 7, "\x20\0\4", 1},
        {"SSL too short", 50, "\x20\0\4", 3},
        {"SSL leaves one byte", 50, "\x20\0\6", 3},
        {"SSL part too long", 50, "\x20\0\x10\1\0\0\0\0\x21\0\x09", 11},
        {"SSL part leaves two bytes", 50, "\x20\0\x10\1\0\0\0\0\x21\0\6", 11},
        {"not padding", 5, "\xe0\0\0\0\1", 5},
    };
    struct buf bytes = {0};
    struct pp_header header;
    size_t consumed;

    for (size_t i = 0; i < COUNT(cases); i++) {
        begin(&bytes);
        buf_put(&bytes, cases[i].area, cases[i].decided_at);
        bytes.data[15] = (uint8_t)(12 + cases[i].len);
        CASE(cases[i].name, pp_laws_parse(bytes.data, bytes.len, &header, &consumed) > PP_MORE);
        CASE(cases[i].name,
             pp_laws_parse(bytes.data, bytes.len - 1, &header, &consumed) == PP_MORE);
    }
    buf_fini(&bytes);
}

static void test_limits(void **state)
{
    (void)state;
    struct buf bytes = {0};

    begin(&bytes);
    put_xs(&bytes, PP_TLV_UNIQUE_ID, PP_UNIQUE_ID_MAX);
    assert_int_equal(parse(&bytes), PP_OK);
    begin(&bytes);
    put_xs(&bytes, PP_TLV_UNIQUE_ID, PP_UNIQUE_ID_MAX + 1);
    assert_int_equal(parse(&bytes), PP_BAD_UNIQUE_ID);
    begin(&bytes);
    put_xs(&bytes, 0xe0, PP_HEADER_MAX - FIXED_LEN - 3);
    assert_int_equal(parse(&bytes), PP_OK);
    begin(&bytes);
    put_xs(&bytes, 0xe0, PP_HEADER_MAX - FIXED_LEN - 2);
    assert_int_equal(parse(&bytes), PP_TOO_LONG);
    buf_fini(&bytes);
}

/* The checksum of the whole, at crc_at, big-endian. */
static void put_crc(struct buf *bytes, size_t crc_at)
{
    memset(bytes->data + crc_at, 0, 4);
    uint32_t crc = crc32c_add(0, bytes->data, bytes->len);
    for (size_t i = 0; i < 4; i++)
        bytes->data[crc_at + i] = (uint8_t)(crc >> (24 - 8 * i));
}

/* A bit that changes anywhere behind the length is noticed, or was no checksum any more. */
static void test_checksum(void **state)
{
    (void)state;
    struct buf bytes = {0};
    struct pp_header header;
    size_t consumed;

    begin(&bytes);
    put_tlv(&bytes, 0xea, BYTES("vpce"));
    put_tlv(&bytes, PP_TLV_CRC32C, "0000", 4);
    put_tlv(&bytes, 4, BYTES("\0\0\0\0\0"));
    finish(&bytes);
    put_crc(&bytes, FIXED_LEN + 7 + 3);
    assert_int_equal(parse(&bytes), PP_OK);
    for (size_t bit = 16 * 8; bit < bytes.len * 8; bit++) {
        bytes.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        enum pp_status status = pp_laws_parse(bytes.data, bytes.len, &header, &consumed);
        bool is_type = bit / 8 == FIXED_LEN + 7;
        assert_true(status != PP_OK || is_type);
        if (bit / 8 < FIXED_LEN)
            assert_int_equal(status, PP_BAD_CRC);
        bytes.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    buf_fini(&bytes);
}

static void test_walk(void **state)
{
    (void)state;
    struct buf bytes = {0};
    struct pp_header header;
    struct pp_tlv tlv;
    struct pp_ssl ssl;
    size_t consumed, at = 0, sub_at = 0;

    begin(&bytes);
    put_tlv(&bytes, 0x01, "h2", 2);
    put_tlv(&bytes, PP_TLV_SSL, BYTES("\7\1\2\3\4\x21\0\7TLSv1.3\x22\0\0"));
    buf_put(&bytes, "\0\0", 2);
    finish(&bytes);
    assert_int_equal(pp_parse(bytes.data, bytes.len, &header, &consumed), PP_OK);
    assert_true(pp_tlv_next(header.tlvs, header.tlvs_len, &at, &tlv));
    assert_int_equal(tlv.type, 1);
    assert_int_equal(tlv.len, 2);
    assert_memory_equal(tlv.value, "h2", 2);
    assert_false(pp_tlv_ssl(&tlv, &ssl));
    assert_true(pp_tlv_next(header.tlvs, header.tlvs_len, &at, &tlv));
    assert_true(pp_tlv_ssl(&tlv, &ssl));
    assert_int_equal(ssl.client, 7);
    assert_int_equal(ssl.verify, 0x01020304);
    assert_false(pp_tlv_next(header.tlvs, header.tlvs_len, &at, &tlv));
    assert_true(pp_tlv_next(ssl.tlvs, ssl.tlvs_len, &sub_at, &tlv));
    assert_int_equal(tlv.type, 0x21);
    assert_memory_equal(tlv.value, "TLSv1.3", 7);
    assert_true(pp_tlv_next(ssl.tlvs, ssl.tlvs_len, &sub_at, &tlv));
    assert_int_equal(tlv.type, 0x22);
    assert_int_equal(tlv.len, 0);
    assert_false(pp_tlv_next(ssl.tlvs, ssl.tlvs_len, &sub_at, &tlv));
    buf_fini(&bytes);
}

/* Also of bytes that nobody checked. */
/* The first SSL TLV counts, and of its bits the one for TLS. */
static void test_used_tls(void **state)
{
    (void)state;
    static const struct {
        const char *name, *area;
        size_t len;
        bool want;
    } cases[] = {
        {"no TLV", "", 0, false},
        {"no SSL", BYTES("\x02\0\5\1\0\0\0\0"), false},
        {"TLS", BYTES("\x20\0\5\1\0\0\0\0"), true},
        {"TLS with a certificate", BYTES("\x20\0\5\7\0\0\0\0"), true},
        {"SSL, but not used", BYTES("\x20\0\5\0\0\0\0\0"), false},
        {"other bits alone", BYTES("\x20\0\5\xfe\0\0\0\0"), false},
        {"behind another", BYTES("\x04\0\2\0\0\x20\0\5\1\0\0\0\0"), true},
        {"no, then yes", BYTES("\x20\0\5\0\0\0\0\0\x20\0\5\1\0\0\0\0"), false},
        {"yes, then no", BYTES("\x20\0\5\1\0\0\0\0\x20\0\5\0\0\0\0\0"), true},
    };
    struct buf bytes = {0};
    struct pp_header header;
    size_t consumed;

    for (size_t i = 0; i < COUNT(cases); i++) {
        begin(&bytes);
        buf_put(&bytes, cases[i].area, cases[i].len);
        finish(&bytes);
        CASE(cases[i].name, pp_laws_parse(bytes.data, bytes.len, &header, &consumed) == PP_OK);
        CASE(cases[i].name, header.used_tls == cases[i].want);
        bytes.data[12] = 0x20;
        CASE("of LOCAL", pp_laws_parse(bytes.data, bytes.len, &header, &consumed) == PP_OK);
        CASE("of LOCAL", !header.used_tls && !header.is_tcp);
    }
    buf_fini(&bytes);
}

static void test_walk_stays_inside(void **state)
{
    (void)state;
    struct pp_tlv tlv = {PP_TLV_SSL, (const uint8_t *)"\1\0\0\0", 4};
    struct pp_ssl ssl;
    size_t at = 0;

    assert_false(pp_tlv_ssl(&tlv, &ssl));
    tlv = (struct pp_tlv){PP_TLV_SSL, (const uint8_t *)"\1\0\0\0\1", 5};
    assert_true(pp_tlv_ssl(&tlv, &ssl));
    assert_int_equal(ssl.tlvs_len, 0);
    assert_false(pp_tlv_next((const uint8_t *)"\1\0\2x", 4, &at, &tlv));
    assert_false(pp_tlv_next((const uint8_t *)"\1\0", 2, &at, &tlv));
    assert_false(pp_tlv_next(NULL, 0, &at, &tlv));
    assert_int_equal(at, 0);
    at = 9;
    assert_false(pp_tlv_next((const uint8_t *)"\1\0\1x", 4, &at, &tlv));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_areas),    cmocka_unit_test(test_early),
        cmocka_unit_test(test_limits),   cmocka_unit_test(test_checksum),
        cmocka_unit_test(test_walk),     cmocka_unit_test(test_walk_stays_inside),
        cmocka_unit_test(test_used_tls),
    };
    return cmocka_run_group_tests_name("pp_tlv", tests, NULL, NULL);
}
