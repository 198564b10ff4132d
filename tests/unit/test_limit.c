/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/limit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/str.h"
#include "tests/unit/unit.h"

#define BOTH  CONFIG_EVENTS_OF_SUBMISSION
#define RCPT  CONFIG_EVENT_RECIPIENT
#define MSG   CONFIG_EVENT_MESSAGE
#define LOGIN COUNT_BY_LOGIN

static void says_what_is_too_many_and_when_it_is_not(void **state)
{
    static const struct {
        unsigned events, findtime_sec;
        enum config_count_by by;
        const char *login;
        uint64_t seconds;
        const char *text;
    } cases[] = {
        {RCPT, 3600, LOGIN, "alice@example.com", 720,
         "more than 200 recipients an hour from alice@example.com; try again in 12m"},
        {MSG, 86400, LOGIN, "alice@example.com", 59,
         "more than 200 messages a day from alice@example.com; try again in 59s"},
        {BOTH, 60, LOGIN, "alice", 60,
         "more than 200 messages and recipients a minute from alice; try again in 1m"},
        {RCPT, 604800, COUNT_BY_DOMAIN, "alice@example.com", 3660,
         "more than 200 recipients a week from example.com; try again in 1h 1m"},
        {RCPT, 600, COUNT_BY_DOMAIN, "alice", 3601,
         "more than 200 recipients in 10m from alice; try again in 1h 1m"},
        {RCPT, 3600, LOGIN, "bj\303\266rn@b\303\274cher.example", 86401,
         "more than 200 recipients an hour from bj\303\266rn@b\303\274cher.example; try again in "
         "1d 1h"},
        {RCPT, 3600, LOGIN, "bj\366rn@example.com", 604801,
         "more than 200 recipients an hour from this login; try again in 1w 1d"},
        {RCPT, 3600, LOGIN, "alice\n@example.com", 1,
         "more than 200 recipients an hour from this login; try again in 1s"},
        {RCPT, 3600, COUNT_BY_DOMAIN, "alice@", 1,
         "more than 200 recipients an hour from this login; try again in 1s"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct config_jail jail = {.events = cases[i].events,
                                         .count_by = cases[i].by,
                                         .findtime_sec = cases[i].findtime_sec,
                                         .maxretry = 200};
        struct buf out = {0};
        limit_put_text(&jail, cases[i].login, cases[i].seconds, &out);
        assert_string_equal(buf_str(&out), cases[i].text);
        assert_true(str_is_utf8(buf_str(&out)));
        buf_fini(&out);
    }
}

static void a_long_login_is_not_said(void **state)
{
    const struct config_jail jail = {.events = RCPT, .count_by = LOGIN, .findtime_sec = 3600};
    char login[LIMIT_LOGIN_MAX + 2] = "";
    struct buf out = {0};

    (void)state;
    memset(login, 'a', LIMIT_LOGIN_MAX);
    limit_put_text(&jail, login, 1, &out);
    assert_non_null(strstr(buf_str(&out), login));
    login[LIMIT_LOGIN_MAX] = 'a';
    buf_fini(&out);
    limit_put_text(&jail, login, 1, &out);
    assert_non_null(strstr(buf_str(&out), "from this login;"));
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_what_is_too_many_and_when_it_is_not),
        cmocka_unit_test(a_long_login_is_not_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
