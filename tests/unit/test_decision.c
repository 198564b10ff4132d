/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/decision.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/unit/unit.h"

static void a_ban_is_a_decision(void **state)
{
    static const struct {
        const char *prefix, *jail;
        uint64_t id, seconds;
        const char *json;
    } cases[] = {
        {"203.0.113.7", "logins", 5, 14400,
         "{\"duration\":\"4h0m0s\",\"id\":5,\"origin\":\"postern\",\"scenario\":\"logins\","
         "\"scope\":\"Ip\",\"type\":\"ban\",\"value\":\"203.0.113.7\"}"},
        {"203.0.113.0/24", "x", 0, 59,
         "{\"duration\":\"0h0m59s\",\"id\":0,\"origin\":\"postern\",\"scenario\":\"x\","
         "\"scope\":\"Range\",\"type\":\"ban\",\"value\":\"203.0.113.0/24\"}"},
        {"2001:db8::5", "", 1, 3661,
         "{\"duration\":\"1h1m1s\",\"id\":1,\"origin\":\"postern\",\"scenario\":\"\","
         "\"scope\":\"Ip\",\"type\":\"ban\",\"value\":\"2001:db8::5\"}"},
        {"2001:db8:1:2::/64", "a\"b\\c\nd\x1f", 1, 0,
         "{\"duration\":\"0h0m0s\",\"id\":1,\"origin\":\"postern\","
         "\"scenario\":\"a\\u0022b\\u005cc\\u000ad\\u001f\","
         "\"scope\":\"Range\",\"type\":\"ban\",\"value\":\"2001:db8:1:2::/64\"}"},
        {"203.0.113.7", "\xc3\xa9", 1, 0,
         "{\"duration\":\"0h0m0s\",\"id\":1,\"origin\":\"postern\",\"scenario\":\"\xc3\xa9\","
         "\"scope\":\"Ip\",\"type\":\"ban\",\"value\":\"203.0.113.7\"}"},
        {"203.0.113.7", "\xe9.", 1, 0,
         "{\"duration\":\"0h0m0s\",\"id\":1,\"origin\":\"postern\",\"scenario\":\"?.\","
         "\"scope\":\"Ip\",\"type\":\"ban\",\"value\":\"203.0.113.7\"}"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct buf out = {0};
        struct prefix prefix;
        assert_int_equal(prefix_parse(cases[i].prefix, &prefix), 0);
        decision_put(&(struct decision){&prefix, cases[i].jail, cases[i].id, cases[i].seconds},
                     &out);
        assert_string_equal(buf_str(&out), cases[i].json);
        buf_fini(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ban_is_a_decision),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
