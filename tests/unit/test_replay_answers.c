/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/replay_events.h"
#include "policyd/replay_tally.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/policyd_fixture.h"
#include "tests/unit/unit.h"

#define AT(time)   "2026-09-21T" time "Z " /* 1790000000 is 14:13:20 */
#define SUBMITTING " client=203.0.113.7 login=alice@example.com "

static char jail_names[][9] = {"logins", "tarpit", "probes", "hourly", "messages"};

/* Five wrong passwords ban, three delay; three unknown recipients defer, as three recipients do. */
static int set_up(void **state)
{
    static struct config_jail jails[COUNT(jail_names)];
    struct fixture *fixture = fixture_new();

    for (size_t i = 0; i < COUNT(jails); i++) {
        jails[i] = fixture->jail;
        jails[i].name = jail_names[i];
    }
    jails[1].action = JAIL_ACTION_DELAY;
    jails[1].maxretry = 3;
    jails[1].delay_sec = 7;
    for (size_t i = 2; i < COUNT(jails); i++) {
        jails[i].action = JAIL_ACTION_DEFER;
        jails[i].distinct_password = false;
        jails[i].maxretry = 3;
    }
    jails[2].events = CONFIG_EVENT_RCPT_UNKNOWN;
    jails[3].events = CONFIG_EVENT_RECIPIENT;
    jails[4].events = CONFIG_EVENT_MESSAGE;
    jails[3].count_by = COUNT_BY_LOGIN;
    jails[4].count_by = COUNT_BY_DOMAIN;
    jails[3].findtime_sec = jails[4].findtime_sec = 3600;
    fixture->config.jails = jails;
    fixture->config.jail_count = COUNT(jails);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    fixture_free(*state);
    return 0;
}

static unsigned times(const char *text, const char *part)
{
    unsigned count = 0;

    for (; (text = strstr(text, part)); text += strlen(part))
        count++;
    return count;
}

/* Each of these parts is printed once. */
static void prints(struct fixture *fixture, const char *events, const char *const parts[])
{
    char *text = fixture_replay(fixture, events, NULL);

    for (; *parts; parts++) {
        if (times(text, *parts) != 1)
            fail_msg("%u times: %s\nin\n%s", times(text, *parts), *parts, text);
    }
    free(text);
}

static const char guesses[] = "1790000000 auth_fail client=203.0.113.7 login=alice fingerprint=1\n"
                              "+1 auth_fail client=203.0.113.7 login=alice fingerprint=1\n"
                              "+1 auth_fail client=203.0.113.7 login=alice fingerprint=2\n"
                              "+1 auth_fail client=203.0.113.7 login=alice fingerprint=3\n"
                              "+1 auth_ok client=203.0.113.7 login=bob\n"
                              "+1 auth_fail client=203.0.113.7 login=alice fingerprint=4 weight=2\n"
                              "+1 auth_fail client=203.0.113.7 login=alice fingerprint=5\n"
                              "+1 recipient client=203.0.113.7 recipient=x@example.org\n"
                              "+1h auth_ok client=203.0.113.7 login=alice\n";

static void logins_wait_and_are_refused(void **state)
{
    prints(*state, guesses,
           (const char *const[]){
               AT("14:13:24") "- delay client=203.0.113.7 origin=known",
               "jail=tarpit seconds=7 protocol=- login=bob\n",
               AT("14:13:25") "- delay client=203.0.113.7 origin=known",
               "jail=tarpit seconds=7 protocol=- login=alice\n",
               AT("14:13:25") "- ban ban=203.0.113.7 jail=logins seconds=3600\n",
               AT("14:13:26") "- auth action=refuse client=203.0.113.7",
               "ban=203.0.113.7 jail=logins seconds=3599 protocol=- login=alice\n",
               AT("14:13:27") "line.8 policy action=421 client=203.0.113.7",
               AT("15:13:25") "- ban-expired ban=203.0.113.7",
               AT("15:13:27") "- jail-total jail=logins hits=4 bans=1 deferrals=0 delays=0\n",
               AT("15:13:27") "- jail-total jail=tarpit hits=4 bans=0 deferrals=0 delays=2\n",
               "jail-total jail=hourly hits=0 bans=0 deferrals=0 delays=0\n",
               NULL,
           });
}

static void what_is_refused_does_not_happen(void **state)
{
    char *text = fixture_replay(*state, guesses, NULL);

    assert_int_equal(times(text, " event event=auth_fail"), 10); /* five of them, in two jails */
    assert_null(strstr(text, "banned already"));
    free(text);
}

static void a_prober_is_deferred_and_counts_no_more(void **state)
{
    prints(
        *state,
        "1790000000 rcpt_unknown client=203.0.113.7 recipient=a@example.org instance=1.2\n"
        "+1 rcpt_unknown client=203.0.113.7 recipient=b@example.org weight=2\n"
        "+1 rcpt_unknown client=203.0.113.7 recipient=c@example.org\n"
        "+1 spf_fail client=203.0.113.8\n",
        (const char *const[]){
            AT("14:13:20") "1.2 event event=rcpt_unknown",
            AT("14:13:21") "- jail-reached jail=probes key=203.0.113.7 count=3\n",
            AT("14:13:22") "- defer client=203.0.113.7 origin=known",
            "jail=probes login=\"\" answer=\"450 4.7.0 too much came from 203.0.113.7; try again "
            "later\"\n",
            "jail-total jail=probes hits=2 bans=0 deferrals=1 delays=0\n",
            "jail-total jail=hourly hits=0 bans=0 deferrals=0 delays=0\n",
            NULL,
        });
}

static void one_message_counts_once(void **state)
{
    prints(*state,
           "1790000000 recipient" SUBMITTING "recipient=a@example.org instance=1.1\n"
           "+1 recipient" SUBMITTING "recipient=a@example.org instance=1.1\n"
           "+1 recipient" SUBMITTING "recipient=b@example.org instance=1.1\n"
           "+1 message" SUBMITTING "instance=1.1 recipients=2\n"
           "+1 message" SUBMITTING "instance=1.1 recipients=2\n"
           "+1 message" SUBMITTING "instance=1.2\n"
           "+1 message" SUBMITTING "recipients=1\n"
           "+1 recipient" SUBMITTING "recipient=c@example.org instance=1.4\n"
           "+1 recipient" SUBMITTING "recipient=b@example.org instance=1.1\n",
           (const char *const[]){
               AT("14:13:26") "line.7 jail-reached jail=hourly",
               " defer ",
               AT("14:13:27") "1.4 defer client=203.0.113.7",
               "login=alice@example.com answer=\"450 4.7.1 more than 3 ",
               "jail-total jail=hourly hits=3 ",
               "jail-total jail=messages hits=3 ",
               NULL,
           });
}

static void a_limit_is_told_until_it_is_over(void **state)
{
    prints(*state,
           "1790000000 message" SUBMITTING "recipients=3\n"
           "+10m message" SUBMITTING "\n"
           "+1m message client=203.0.113.7 login=bob@example.com\n"
           "+1m message" SUBMITTING "recipients=1\n"
           "+2h message" SUBMITTING "recipients=1\n"
           "+0 message client=203.0.113.7 login=bob@example.net\n",
           (const char *const[]){
               AT("14:25:20") "line.4 defer",
               "jail=hourly login=alice@example.com answer=\"450 4.7.1 more than 3 recipients an "
               "hour from alice@example.com; try again in 1h 8m\"\n",
               "jail-total jail=hourly hits=2 bans=0 deferrals=1 delays=0\n",
               "jail-total jail=messages hits=5 bans=0 deferrals=0 delays=0\n",
               NULL,
           });
}

static void a_ban_for_what_is_handed_in_is_its_own_answer(void **state)
{
    struct fixture *fixture = *state;

    fixture->config.jails[3].action = JAIL_ACTION_BAN;
    fixture->config.jails[3].acts = CONFIG_ACTS_ALL;
    prints(fixture,
           "1790000000 message" SUBMITTING "recipients=3\n"
           "+1 auth_ok client=203.0.113.9 login=alice@example.com\n",
           (const char *const[]){
               AT("14:13:20") "line.1 ban login=alice@example.com jail=hourly seconds=3600\n",
               AT("14:13:20") "line.1 policy action=421 ",
               AT("14:13:21") "- auth action=refuse client=203.0.113.9",
               "jail-total jail=hourly hits=1 bans=1 deferrals=0 delays=0\n",
               NULL,
           });
}

static void each_connection_counts(void **state)
{
    struct fixture *fixture = *state;

    fixture->config.jails[0].events = CONFIG_EVENT_CONNECT;
    prints(fixture,
           "1790000000 connect client=203.0.113.7\n+1 connect client=203.0.113.7\n"
           "+1 connect client=203.0.113.7\n+1 connect client=203.0.113.7\n"
           "+1 connect client=203.0.113.7\n+1 connect client=203.0.113.7\n",
           (const char *const[]){
               AT("14:13:24") "- ban ban=203.0.113.7 jail=logins",
               AT("14:13:24") "- policy action=421",
               AT("14:13:25") "- policy action=421",
               "jail-total jail=logins hits=5 bans=1 ",
               NULL,
           });
}

static void without_enforce_it_tells_what_would_have_been(void **state)
{
    struct fixture *fixture = *state;

    fixture->config.enforce = false;
    prints(fixture, guesses,
           (const char *const[]){
               AT("14:13:25") "- would ban ban=203.0.113.7 jail=logins seconds=3600\n",
               AT("14:13:24") "- would delay ",
               "jail-total jail=logins hits=5 bans=1 deferrals=0 delays=0\n",
               "jail-total jail=tarpit hits=5 bans=0 deferrals=0 delays=3\n",
               NULL,
           });
    prints(fixture,
           "1790000000 message" SUBMITTING "recipients=3\n+1 message" SUBMITTING "\n"
           "+1 recipient" SUBMITTING "\n",
           (const char *const[]){
               "line.3 would defer client=203.0.113.7",
               "jail-total jail=hourly hits=1 bans=0 deferrals=1 delays=0\n",
               NULL,
           });
}

static void a_wrong_line_has_no_totals(void **state)
{
    char *text = fixture_replay(*state, "1790000000 auth_fail client=203.0.113.7\n+1 fly\n",
                                "line 2: there is no such event");

    assert_null(strstr(text, "jail-total"));
    free(text);
}

static void what_a_value_holds_is_no_field(void **state)
{
    struct fixture *fixture = *state;
    struct replay_tally *tally = replay_tally_new(&fixture->config);

    replay_tally_take(tally,
                      "\"x ban \\\" y\" event login=\"a jail=hourly new=yes\" jail=logins new=no");
    replay_tally_take(tally, "- event login=\"a new=no jail=hourly\" jail=logins new=yes");
    replay_tally_take(tally, "- ban");
    replay_tally_take(tally, "");
    fixture->log[0] = '\0';
    replay_tally_log(tally);
    assert_true(fixture_logged(fixture, "jail=logins hits=1 bans=0"));
    assert_true(fixture_logged(fixture, "jail=hourly hits=0 bans=0"));
    replay_tally_free(&tally);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(logins_wait_and_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_refused_does_not_happen, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_prober_is_deferred_and_counts_no_more, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_message_counts_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_limit_is_told_until_it_is_over, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_ban_for_what_is_handed_in_is_its_own_answer, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(each_connection_counts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_enforce_it_tells_what_would_have_been, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_wrong_line_has_no_totals, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_a_value_holds_is_no_field, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
