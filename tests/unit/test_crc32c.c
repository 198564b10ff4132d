/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/wire/crc32c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/unit.h"

static uint32_t crc_of(const char *bytes, size_t len)
{
    return crc32c_add(0, (const uint8_t *)bytes, len);
}

/* The check value of the algorithm's catalogues, and the examples of RFC 3720 B.4. */
static void test_known(void **state)
{
    (void)state;
    char bytes[32];

    assert_int_equal(crc_of("123456789", 9), 0xe3069283);
    assert_int_equal(crc32c_add(0, NULL, 0), 0);
    memset(bytes, 0, sizeof(bytes));
    assert_int_equal(crc_of(bytes, sizeof(bytes)), 0x8a9136aa);
    memset(bytes, 0xff, sizeof(bytes));
    assert_int_equal(crc_of(bytes, sizeof(bytes)), 0x62a8ab43);
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (char)i;
    assert_int_equal(crc_of(bytes, sizeof(bytes)), 0x46dd794e);
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (char)(31 - i);
    assert_int_equal(crc_of(bytes, sizeof(bytes)), 0x113fdb5c);
}

static void test_parts(void **state)
{
    (void)state;
    const uint8_t *bytes = (const uint8_t *)"123456789";

    for (size_t at = 0; at <= 9; at++)
        assert_int_equal(crc32c_add(crc32c_add(0, bytes, at), bytes + at, 9 - at), 0xe3069283);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_known), cmocka_unit_test(test_parts)};
    return cmocka_run_group_tests_name("crc32c", tests, NULL, NULL);
}
