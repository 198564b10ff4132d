/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/buf.h"
#include "common/mailauth/dkim_key.h"

/* Keys by their form alone: whether there is a private one to them does not matter here. */

static void put_element(struct buf *out, uint8_t type, const struct buf *content)
{
    buf_putc(out, (char)type);
    if (content->len >= 0x80)
        buf_putc(out, content->len > 0xff ? (char)0x82 : (char)0x81);
    if (content->len > 0xff)
        buf_putc(out, (char)(content->len >> 8));
    buf_putc(out, (char)content->len);
    buf_put(out, content->data, content->len);
}

/* A number with its first bit set, and a zero before it as DER wants it. */
static void put_number(struct buf *out, size_t bits)
{
    struct buf number = {0};

    if (bits % 8 == 0)
        buf_putc(&number, 0);
    buf_putc(&number, (char)(1 << ((bits + 7) % 8)));
    for (size_t i = 1; i < (bits + 7) / 8; i++)
        buf_putc(&number, 1);
    put_element(out, 2, &number);
    buf_fini(&number);
}

static struct buf make_key(size_t bits, size_t exponent_bits)
{
    static const uint8_t name[] = {6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 13, 1, 1, 1, 5, 0};
    struct buf numbers = {0}, pair = {0}, all = {0}, out = {0}, algorithm = {0};

    put_number(&numbers, bits);
    put_number(&numbers, exponent_bits);
    buf_putc(&pair, 0);
    put_element(&pair, 0x30, &numbers);
    buf_put(&algorithm, name, sizeof(name));
    put_element(&all, 0x30, &algorithm);
    put_element(&all, 3, &pair);
    put_element(&out, 0x30, &all);
    buf_fini(&numbers);
    buf_fini(&pair);
    buf_fini(&algorithm);
    buf_fini(&all);
    return out;
}

static enum dkim_key_status parse_der(const struct buf *der, size_t len, struct dkim_key *key)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    struct buf record = {0};
    uint32_t bits = 0;

    buf_puts(&record, "v=DKIM1; p=");
    for (size_t i = 0; i < len; i++) {
        bits = bits << 8 | der->data[i];
        buf_putc(&record, digits[bits >> (2 + i % 3 * 2) & 63]);
        if (i % 3 == 2)
            buf_putc(&record, digits[bits & 63]);
    }
    if (len % 3)
        buf_putc(&record, digits[bits << (6 - len % 3 * 2) & 63]);
    enum dkim_key_status status = dkim_key_parse(record.data, record.len, key);
    buf_fini(&record);
    return status;
}

static void test_sizes(void **state)
{
    static const struct {
        size_t bits, exponent_bits;
        enum dkim_key_status status;
    } cases[] = {
        {512, 17, DKIM_KEY_TOO_SMALL},    {1023, 17, DKIM_KEY_TOO_SMALL},
        {1024, 17, DKIM_KEY_OK},          {1536, 17, DKIM_KEY_OK},
        {2048, 2, DKIM_KEY_OK},           {2048, 1, DKIM_KEY_BAD_P},
        {2048, 64, DKIM_KEY_OK},          {2048, 65, DKIM_KEY_TOO_LARGE},
        {2048, 2048, DKIM_KEY_TOO_LARGE}, {4096, 17, DKIM_KEY_OK},
        {4097, 17, DKIM_KEY_TOO_LARGE},   {8192, 17, DKIM_KEY_TOO_LARGE},
        {16384, 17, DKIM_KEY_TOO_LARGE},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct buf der = make_key(cases[i].bits, cases[i].exponent_bits);
        struct dkim_key key;
        enum dkim_key_status status = parse_der(&der, der.len, &key);
        if (status != cases[i].status)
            fail_msg("%zu bits, exponent of %zu: %s", cases[i].bits, cases[i].exponent_bits,
                     dkim_key_strstatus(status));
        if (status == DKIM_KEY_OK)
            assert_int_equal(key.bits, cases[i].bits);
        buf_fini(&der);
    }
}

/* One byte short at every place, and with every byte another. */
static void test_damaged(void **state)
{
    struct buf der = make_key(1024, 17);
    struct dkim_key key;

    (void)state;
    for (size_t len = 0; len < der.len; len++)
        assert_int_not_equal(parse_der(&der, len, &key), DKIM_KEY_OK);
    for (size_t i = 0; i < der.len; i++) {
        for (unsigned change = 1; change < 256; change++) {
            der.data[i] ^= (uint8_t)change;
            if (parse_der(&der, der.len, &key) == DKIM_KEY_OK)
                assert_in_range(key.bits, DKIM_KEY_BITS_MIN, DKIM_KEY_BITS_MAX);
            der.data[i] ^= (uint8_t)change;
        }
    }
    buf_fini(&der);
}

/* What the library is given is the key and nothing else of the record. */
static void test_text(void **state)
{
    static const char record[] = "k=ed25519; p= 11qYAYKxCrfVS/7TyWQH\r\n OG7hcvPapiMlrwIaaPcHURo";
    struct dkim_key key;

    (void)state;
    assert_int_equal(dkim_key_parse((const uint8_t *)record, strlen(record), &key), DKIM_KEY_OK);
    assert_string_equal(key.p, "11qYAYKxCrfVS/7TyWQHOG7hcvPapiMlrwIaaPcHURo=");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
