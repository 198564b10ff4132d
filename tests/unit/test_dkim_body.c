/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/mailauth/dkim_body.h"

static const struct {
    const char *body;
    uint64_t simple, relaxed;
} bodies[] = {
    {"", 2, 0},
    {"\r\n", 2, 0},
    {"\r\n\r\n\r\n", 2, 0},
    {"x", 3, 3},
    {"x\r\n", 3, 3},
    {"x\r\n\r\n\r\n", 3, 3},
    {"\r\n\r\nx\r\n", 7, 7},
    {"x\r\n\r\ny", 8, 8},
    {" \r\n", 3, 0},
    {"x\r\n \t\r\n", 7, 3},
    {" C \r\nD \t E\r\n\r\n\r\n", 12, 9}, /* the second example of RFC 6376 3.4.5 */
    {"x  \r\n", 5, 3},
    {"a\rb\r\n", 5, 5},
    {"a\nb\r\n", 5, 5},
    {"a\r\r\n", 4, 4},
    {"a b\r\n \r\nc", 11, 10},
};

static void expect(size_t i, const struct dkim_body *body, size_t split)
{
    if (dkim_body_simple(body) != bodies[i].simple || dkim_body_relaxed(body) != bodies[i].relaxed)
        fail_msg("body %zu, split at %zu: %ju and %ju", i, split, (uintmax_t)dkim_body_simple(body),
                 (uintmax_t)dkim_body_relaxed(body));
}

static void test_bodies(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        const uint8_t *bytes = (const uint8_t *)bodies[i].body;
        size_t len = strlen(bodies[i].body);
        for (size_t split = 0; split <= len; split++) {
            struct dkim_body body = {0};
            dkim_body_add(&body, bytes, split);
            dkim_body_add(&body, bytes + split, len - split);
            expect(i, &body, split);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_bodies)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
