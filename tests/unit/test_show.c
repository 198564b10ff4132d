/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/show.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/policyd_fixture.h"
#include "tests/unit/unit.h"

#define CLIENT "203.0.113.7"

static int setup(void **state)
{
    *state = fixture_new();
    return 0;
}

static int teardown(void **state)
{
    fixture_free(*state);
    return 0;
}

static void guess(struct fixture *fixture, const char *client, unsigned count)
{
    static struct told told;
    char fingerprint[16];

    for (unsigned i = 0; i < count; i++) {
        snprintf(fingerprint, sizeof(fingerprint), "%04x", i);
        fixture_fail(fixture, client, fingerprint, &told);
    }
    fixture_commit(fixture);
}

/* What request=why answers, without the counters. */
static const char *why(struct fixture *fixture, const char *text)
{
    static char answer[8192];
    struct prefix prefix = fixture_prefix(text);
    struct buf out = {0};

    show_why_events(fixture->engine, &prefix, &out);
    show_why(fixture->engine, &prefix, &out);
    snprintf(answer, sizeof(answer), "%s", buf_str(&out));
    buf_fini(&out);
    return answer;
}

static const char *counters(struct fixture *fixture, const char *login, const char *net)
{
    static char answer[8192];
    struct show_cursor cursor = {.login = login};
    struct buf out = {0};

    if (net)
        cursor.within = fixture_prefix(net);
    while (show_counter(fixture->engine, &cursor, &out))
        ;
    snprintf(answer, sizeof(answer), "%s", buf_str(&out));
    buf_fini(&out);
    return answer;
}

static const char *jail(struct fixture *fixture, size_t index)
{
    static char answer[1024];
    struct buf out = {0};

    bool is_there = show_jail(fixture->engine, index, &out);
    snprintf(answer, sizeof(answer), "%s", is_there ? buf_str(&out) : "none");
    buf_fini(&out);
    return answer;
}

#define HAS(text, part) CASE(part, strstr(text, part) != NULL)
#define NOT(text, part) CASE(part, strstr(text, part) == NULL)

static void a_ban_is_told_until_its_end_and_its_events_longer(void **state)
{
    struct fixture *fixture = *state;

    guess(fixture, CLIENT, 4);
    HAS(why(fixture, CLIENT), "banned=no\n");
    NOT(why(fixture, CLIENT), "led_to=");
    guess(fixture, CLIENT, 5);
    HAS(why(fixture, CLIENT), "banned=yes\nban=203.0.113.7\nseconds=3600\njail=logins\nacts=all\n"
                              "since=1790000000\nstored=yes\n");
    guess(fixture, "203.0.113.8", 5);
    HAS(why(fixture, "203.0.113.8/31"), "banned=no\n"); /* not all of it is */
    fixture_pass(fixture, 3599999);
    HAS(why(fixture, CLIENT), "banned=yes\n");
    fixture_pass(fixture, 1); /* and nobody has looked yet */
    HAS(why(fixture, CLIENT), "banned=no\n");
    NOT(why(fixture, CLIENT), "ban=203");
    HAS(why(fixture, CLIENT), "jails=logins\nled_to=ban\n\n");
    HAS(why(fixture, CLIENT), "started=1790000000\n\n");
    fixture_restart(fixture, 5000);
    NOT(why(fixture, CLIENT), "event=");
    HAS(why(fixture, CLIENT), "started=1790003605\n\n");
}

static void an_event_stands_at_the_time_when_it_was(void **state)
{
    struct fixture *fixture = *state;
    struct origin_peer peer = fixture_peer(CLIENT);
    struct event event = {
        .kind = CONFIG_EVENT_RCPT_UNKNOWN,
        .login = "",
        .fingerprint = "",
        .weight = 2,
        .at_wall_ms = fixture->wall_ms - 100000,
        .recipient = "nobody@example.com",
        .session = "c1",
    };
    struct told told;

    engine_report(fixture->engine, &peer, &event, fixture_told, &told);
    HAS(why(fixture, CLIENT), "event=rcpt_unknown\nat=1789999900\nclient_address=203.0.113.7\n"
                              "recipient=nobody@example.com\nsession=c1\nweight=2\njails=\n\n");
    event.at_wall_ms = fixture->wall_ms + 100000; /* a clock set back */
    engine_report(fixture->engine, &peer, &event, fixture_told, &told);
    HAS(why(fixture, CLIENT), "event=rcpt_unknown\nat=1790000000\n");
}

static void a_ban_by_mail_is_told_with_where_it_acts(void **state)
{
    struct fixture *fixture = *state;

    fixture->jail.acts = CONFIG_ACTS_SMTP;
    fixture->jail.prefix4 = 24;
    guess(fixture, CLIENT, 5);
    HAS(why(fixture, CLIENT), "ban=203.0.113.0/24\nseconds=3600\njail=logins\nacts=smtp\n");
    fixture->jail.acts = CONFIG_ACTS_AUTH;
    guess(fixture, "198.51.100.7", 5);
    HAS(why(fixture, "198.51.100.8"),
        "ban=198.51.100.0/24\nseconds=3600\njail=logins\nacts=auth\n");
    HAS(why(fixture, "198.51.100.8"), "client_address=198.51.100.7\n");
}

static void without_enforce_nothing_has_led_to_a_ban(void **state)
{
    struct fixture *fixture = *state;

    fixture->config.enforce = false;
    guess(fixture, CLIENT, 6);
    HAS(why(fixture, CLIENT), "banned=no\nenforce=no\n");
    HAS(why(fixture, CLIENT), "jails=logins\n");
    NOT(why(fixture, CLIENT), "led_to=");
    HAS(jail(fixture, 0), "bans=0\n");
}

static void of_a_masked_client_the_gateway_is_known(void **state)
{
    struct fixture *fixture = *state;

    fixture->jail.count_by = COUNT_BY_LOGIN;
    fixture->jail.action = JAIL_ACTION_DELAY;
    fixture->jail.delay_sec = 5;
    guess(fixture, "10.8.0.1", 3);
    HAS(why(fixture, "10.8.0.1"), "client_address=10.8.0.1\n");
    HAS(why(fixture, "10.8.0.1"), "protected=");
    HAS(why(fixture, "10.8.0.1"), "banned=no\n");
    assert_string_equal(counters(fixture, NULL, "10.8.0.1"), "");
    HAS(counters(fixture, "ALICE", NULL),
        "jail=logins\nkey=ALICE\ncount_by=login\ncount=3\nmaxretry=5\nfindtime=600\n"
        "seconds=1200\naction=delay\ndelay=5\n\n");
    assert_string_equal(counters(fixture, "bob", NULL), "");
}

static void a_counter_is_told_until_it_counts_nothing(void **state)
{
    struct fixture *fixture = *state;

    guess(fixture, CLIENT, 2);
    fixture_pass(fixture, 100001);
    HAS(counters(fixture, NULL, CLIENT),
        "jail=logins\nkey=203.0.113.7\ncount_by=client\ncount=2\nmaxretry=5\nfindtime=600\n"
        "seconds=1100\naction=ban\nbantime=3600\nacts=all\n\n");
    guess(fixture, "2001:db8::7", 1);
    HAS(counters(fixture, NULL, "2001:db8::1"), "key=2001:db8::/64\n");
    HAS(counters(fixture, NULL, "::/0"), "key=2001:db8::/64\n");
    NOT(counters(fixture, NULL, "::/0"), "key=203");
    HAS(counters(fixture, NULL, "0.0.0.0/0"), "key=203.0.113.7\n");
    assert_string_equal(counters(fixture, NULL, "198.51.100.0/24"), "");
    assert_string_equal(counters(fixture, CLIENT, NULL), "");
    fixture_pass(fixture, 1099998);
    HAS(counters(fixture, NULL, CLIENT), "count=1\n");
    HAS(counters(fixture, NULL, CLIENT), "seconds=1\n");
    fixture_pass(fixture, 1);
    assert_string_equal(counters(fixture, NULL, CLIENT), "");
    assert_string_equal(counters(fixture, NULL, "203.0.0.0/8"), "");
}

static void a_jail_tells_what_it_counts_and_has_done(void **state)
{
    struct fixture *fixture = *state;
    struct config other = fixture->config;

    guess(fixture, CLIENT, 5);
    guess(fixture, "203.0.113.8", 5);
    guess(fixture, "203.0.113.9", 1);
    assert_string_equal(jail(fixture, 0),
                        "jail=logins\nevents=auth_fail\ncount_by=client\nprefix4=32\nprefix6=64\n"
                        "distinct=password\nmaxretry=5\nfindtime=600\naction=ban\nbantime=3600\n"
                        "acts=all\nkeys=1\nbans=2\n\n");
    assert_string_equal(jail(fixture, 1), "none");
    struct config_jail jails[] = {fixture->jail, fixture->jail};
    static char name[] = "other";
    jails[0].name = name;
    jails[0].action = JAIL_ACTION_LOG;
    jails[0].events = CONFIG_EVENT_AUTH_FAIL | CONFIG_EVENT_RELAY_DENIED;
    jails[0].weights[__builtin_ctz(CONFIG_EVENT_RELAY_DENIED)] = 3;
    jails[0].acts = CONFIG_ACTS_SMTP;
    jails[1].maxretry = 7;
    other.jails = jails;
    other.jail_count = 2;
    engine_reconfigure(fixture->engine, &other, &fixture->rules);
    HAS(jail(fixture, 0), "jail=other\nevents=auth_fail, relay_denied=3\n");
    HAS(jail(fixture, 0), "action=log\nkeys=0\nbans=0\n\n");
    HAS(jail(fixture, 1), "jail=logins\n");
    HAS(jail(fixture, 1), "maxretry=7\n");
    HAS(jail(fixture, 1), "keys=1\nbans=2\n\n");
    engine_reconfigure(fixture->engine, &fixture->config, &fixture->rules);
}

#define SHOW_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        SHOW_TEST(a_ban_is_told_until_its_end_and_its_events_longer),
        SHOW_TEST(an_event_stands_at_the_time_when_it_was),
        SHOW_TEST(a_ban_by_mail_is_told_with_where_it_acts),
        SHOW_TEST(without_enforce_nothing_has_led_to_a_ban),
        SHOW_TEST(of_a_masked_client_the_gateway_is_known),
        SHOW_TEST(a_counter_is_told_until_it_counts_nothing),
        SHOW_TEST(a_jail_tells_what_it_counts_and_has_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
