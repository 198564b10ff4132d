/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/replay_events.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "policyd/replay_line.h"
#include "tests/unit/policyd_fixture.h"
#include "tests/unit/unit.h"

#define BEFORE_MS INT64_C(1790000000000)

static const char *parse(const char *text, struct replay_line *line_r)
{
    static char copy[REPLAY_LINE_MAX];

    snprintf(copy, sizeof(copy), "%s", text);
    return replay_line_parse(copy, BEFORE_MS, line_r);
}

static void a_line_is_an_event(void **state)
{
    static const struct {
        const char *text;
        int64_t at_ms;
        unsigned kind, weight;
        const char *login, *fingerprint;
        bool is_of_mail;
        const char *instance;
        unsigned recipient_count;
    } cases[] = {
        {"1790000001 auth_fail client=203.0.113.7\n", BEFORE_MS + 1000, CONFIG_EVENT_AUTH_FAIL, 1,
         "", "", false, NULL, 0},
        {"  +0s\tauth_fail  login=alice client=203.0.113.7 fingerprint=0abc", BEFORE_MS,
         CONFIG_EVENT_AUTH_FAIL, 1, "alice", "0abc", false, NULL, 0},
        {"+10m rcpt_unknown client=::ffff:203.0.113.7 recipient=x@y weight=0 # why\r\n",
         BEFORE_MS + 600000, CONFIG_EVENT_RCPT_UNKNOWN, 0, "", "", true, NULL, 0},
        {"+1w auth_ok client=203.0.113.7 login=a=b", BEFORE_MS + 604800000, 0, 1, "a=b", "", false,
         NULL, 0},
        {"+0s recipient client=203.0.113.7 recipient=x@y instance=1.2", BEFORE_MS,
         CONFIG_EVENT_RECIPIENT, 1, "", "", true, "1.2", 0},
        {"+0s message client=203.0.113.7 instance= recipients=10000 weight=1", BEFORE_MS,
         CONFIG_EVENT_MESSAGE, 1, "", "", false, NULL, 10000},
    };
    struct replay_line line;
    char text[ADDR_TEXT_MAX];

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        CASE(cases[i].text, parse(cases[i].text, &line) == NULL);
        CASE(cases[i].text, line.at_ms == cases[i].at_ms && line.event.kind == cases[i].kind);
        CASE(cases[i].text, line.is_auth_ok == !cases[i].kind && !line.is_empty);
        CASE(cases[i].text, line.event.weight == cases[i].weight);
        CASE(cases[i].text, line.event.is_of_mail == cases[i].is_of_mail);
        CASE(cases[i].text, line.recipient_count == cases[i].recipient_count);
        CASE(cases[i].text, !line.event.session == !cases[i].instance);
        if (cases[i].instance)
            assert_string_equal(line.event.session, cases[i].instance);
        assert_string_equal(line.event.login, cases[i].login);
        assert_string_equal(line.event.fingerprint, cases[i].fingerprint);
        assert_string_equal(addr_format(&line.peer.addr, text), "203.0.113.7");
    }
}

static void an_empty_line_is_none(void **state)
{
    static const char *const texts[] = {"", "\n", " \t\r\n", "# +1 auth_fail", "   # x\n"};
    struct replay_line line;

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        CASE(texts[i], parse(texts[i], &line) == NULL);
        CASE(texts[i], line.is_empty && line.at_ms == BEFORE_MS);
    }
}

static void a_wrong_line_says_why(void **state)
{
    static const struct {
        const char *text, *why;
    } cases[] = {
        {"soon auth_fail client=203.0.113.7", "the time is neither"},
        {"-1 auth_fail client=203.0.113.7", "the time is neither"},
        {"+ auth_fail client=203.0.113.7", "the time is neither"},
        {"0 auth_fail client=203.0.113.7", "the time is neither"},
        {"99999999999999999999 auth_fail client=203.0.113.7", "the time is neither"},
        {"+253402300799 auth_fail client=203.0.113.7", "the time is neither"},
        {"1789999999 auth_fail client=203.0.113.7", "the time is before"},
        {"+1", "the event is missing"},
        {"+1 auth_failed client=203.0.113.7", "there is no such event"},
        {"+1 auth_fail", "client is missing"},
        {"+1 auth_fail client=gw.example", "client is not an address"},
        {"+1 auth_fail client=203.0.113.7 weight=101", "weight is not"},
        {"+1 auth_fail client=203.0.113.7 weight=-1", "weight is not"},
        {"+1 connect client=203.0.113.7 weight=2", "connect, recipient and message have no weight"},
        {"+1 message client=203.0.113.7 weight=0", "connect, recipient and message have no weight"},
        {"+1 message client=203.0.113.7 recipients=0", "recipients is not"},
        {"+1 message client=203.0.113.7 recipients=10001", "recipients is not"},
        {"+1 recipient client=203.0.113.7 recipients=2", "recipients= is for message"},
        {"+1 auth_fail client=203.0.113.7 x=1", "a word is none of"},
        {"+1 auth_fail client=203.0.113.7 x", "a word is none of"},
    };
    struct replay_line line;

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *why = parse(cases[i].text, &line);
        CASE(cases[i].text, why && strncmp(why, cases[i].why, strlen(cases[i].why)) == 0);
    }
}

static void bans_begin_and_end_at_their_times(void **state)
{
    static const char events[] = "1790000000 auth_fail client=203.0.113.7 login=a fingerprint=1\n"
                                 "+1 auth_fail client=203.0.113.7 login=a fingerprint=2 weight=4\n"
                                 "+2h auth_fail client=10.8.0.1 login=a";
    struct fixture *fixture = fixture_new();

    (void)state;
    char *text = fixture_replay(fixture, events, NULL);
    assert_non_null(strstr(text, "2026-09-21T14:13:20Z - event event=auth_fail"));
    assert_non_null(strstr(text, "2026-09-21T14:13:21Z - ban ban=203.0.113.7 jail=logins"));
    assert_non_null(strstr(text, "2026-09-21T15:13:21Z - ban-expired ban=203.0.113.7"));
    assert_non_null(strstr(text, "2026-09-21T16:13:21Z - event-uncounted event=auth_fail "
                                 "client=10.8.0.1 origin=masked"));
    free(text);
    /* The engine that serves knows nothing of it. */
    assert_int_equal(engine_key_count(fixture->engine), 0);
    fixture_free(fixture);
}

static void the_first_wrong_line_ends_it(void **state)
{
    static char longer[REPLAY_LINE_MAX + 16];
    struct fixture *fixture = fixture_new();

    (void)state;
    free(fixture_replay(fixture,
                        "# first\n1 auth_fail client=203.0.113.7\n+1 fly client=203.0.113.7\n",
                        "line 3: there is no such event"));
    memset(longer, '#', sizeof(longer) - 1);
    free(fixture_replay(fixture, longer, "line 1: longer than 4094 bytes"));
    longer[REPLAY_LINE_MAX - 2] = '\n';
    longer[REPLAY_LINE_MAX - 1] = '\0';
    free(fixture_replay(fixture, longer, NULL));
    fixture_free(fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_an_event),
        cmocka_unit_test(an_empty_line_is_none),
        cmocka_unit_test(a_wrong_line_says_why),
        cmocka_unit_test(bans_begin_and_end_at_their_times),
        cmocka_unit_test(the_first_wrong_line_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
