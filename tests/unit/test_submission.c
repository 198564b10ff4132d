/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/policyd_fixture.h"
#include "tests/unit/unit.h"

#define CLIENT "203.0.113.7"
#define ALICE  "alice@example.com"
#define GO_ON  "action=DUNNO\n\n"
#define DEFERRED                                                                                   \
    "action=450 4.7.1 more than 3 recipients an hour from alice@example.com; try again in "

static int setup(void **state)
{
    struct fixture *fixture = fixture_new();

    fixture->jail.events = CONFIG_EVENT_RECIPIENT;
    fixture->jail.count_by = COUNT_BY_LOGIN;
    fixture->jail.action = JAIL_ACTION_DEFER;
    fixture->jail.maxretry = 3;
    fixture->jail.findtime_sec = 3600;
    engine_reconfigure(fixture->engine, &fixture->config, &fixture->rules);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    fixture_free(*state);
    return 0;
}

/* One request about a message; the recipient is "" but at RCPT. */
struct ask {
    const char *client, *state, *instance, *login, *recipient, *recipient_count;
};

static const char *ask(struct fixture *fixture, struct ask ask)
{
    return fixture_answer(
        fixture, fixture_list("request", "smtpd_access_policy", "protocol_state", ask.state,
                              "client_address", ask.client ? ask.client : CLIENT, "sender",
                              "a@b.example", "recipient", ask.recipient ? ask.recipient : "",
                              "recipient_count", ask.recipient_count ? ask.recipient_count : "0",
                              "instance", ask.instance, "sasl_username", ask.login, NULL));
}

static const char *rcpt(struct fixture *fixture, const char *instance, const char *recipient)
{
    return ask(fixture,
               (struct ask){
                   .state = "RCPT", .instance = instance, .login = ALICE, .recipient = recipient});
}

static const char *end(struct fixture *fixture, const char *state, const char *instance,
                       const char *recipient_count)
{
    return ask(fixture, (struct ask){.state = state,
                                     .instance = instance,
                                     .login = ALICE,
                                     .recipient_count = recipient_count});
}

static uint64_t counted(const struct fixture *fixture, enum stat stat)
{
    return engine_stats(fixture->engine)->count[stat];
}

/* --- once ------------------------------------------------------------------------------ */

static void ten_requests_are_one_message_of_two_recipients(void **state)
{
    struct fixture *fixture = *state;

    fixture->jail.events = CONFIG_EVENTS_OF_SUBMISSION;
    fixture->jail.maxretry = 100;
    for (unsigned hook = 0; hook < 4; hook++)
        assert_string_equal(rcpt(fixture, "1.2.3.0", "b@c.example"), GO_ON);
    for (unsigned hook = 0; hook < 4; hook++)
        assert_string_equal(rcpt(fixture, "1.2.3.0", "d@e.example"), GO_ON);
    assert_string_equal(end(fixture, "DATA", "1.2.3.0", "2"), GO_ON);
    assert_string_equal(end(fixture, "END-OF-MESSAGE", "1.2.3.0", "2"), GO_ON);
    assert_int_equal(counted(fixture, STAT_EVENT_RECIPIENT), 2);
    assert_int_equal(counted(fixture, STAT_EVENT_MESSAGE), 1);
    assert_int_equal(counted(fixture, STAT_POLICY_GO_ON), 10);
    rcpt(fixture, "1.2.3.1", "b@c.example"); /* the next one to the same */
    end(fixture, "END-OF-MESSAGE", "1.2.3.1", "1");
    assert_int_equal(counted(fixture, STAT_EVENT_RECIPIENT), 3);
    assert_int_equal(counted(fixture, STAT_EVENT_MESSAGE), 2);
}

/* As where only smtpd_end_of_data_restrictions asks. */
static void recipients_that_nobody_told_of_count_at_the_end(void **state)
{
    struct fixture *fixture = *state;

    assert_string_equal(end(fixture, "END-OF-MESSAGE", "1.2.3.0", "2"), GO_ON);
    assert_string_equal(end(fixture, "END-OF-MESSAGE", "1.2.3.0", "2"), GO_ON);
    assert_string_equal(rcpt(fixture, "1.2.3.1", "b@c.example"), GO_ON); /* the third */
    assert_string_equal(end(fixture, "END-OF-MESSAGE", "1.2.3.1", "1"), GO_ON);
    assert_string_equal(end(fixture, "END-OF-MESSAGE", "1.2.3.2", "1"), DEFERRED "1h 20m\n\n");
    assert_int_equal(counted(fixture, STAT_EVENT_RECIPIENT), 2); /* one of them as two */
}

static void without_a_jail_that_asks_nothing_is_counted(void **state)
{
    struct fixture *fixture = *state;

    fixture->jail.events = CONFIG_EVENT_CONNECT;
    rcpt(fixture, "1.2.3.0", "b@c.example");
    end(fixture, "DATA", "1.2.3.0", "1");
    assert_int_equal(counted(fixture, STAT_EVENT_RECIPIENT), 0);
    assert_int_equal(counted(fixture, STAT_EVENT_MESSAGE), 0);
    assert_int_equal(counted(fixture, STAT_EVENT_UNCOUNTED), 0);
}

static void what_cannot_be_told_apart_is_not_counted(void **state)
{
    struct fixture *fixture = *state;

    for (unsigned i = 0; i < 10; i++)
        assert_string_equal(rcpt(fixture, "", "b@c.example"), GO_ON);
    assert_int_equal(counted(fixture, STAT_EVENT_RECIPIENT), 0);
    for (unsigned i = 0; i < 10; i++)
        assert_string_equal(ask(fixture, (struct ask){.state = "VRFY",
                                                      .instance = "1.2.3.0",
                                                      .login = ALICE,
                                                      .recipient = "b@c.example"}),
                            GO_ON);
    assert_int_equal(counted(fixture, STAT_EVENT_RECIPIENT), 0);
}

static void a_count_of_recipients_that_is_none_counts_none(void **state)
{
    static const char *const counts[] = {"", "-1", "x", "0", "99999999999999999999"};
    struct fixture *fixture = *state;
    char instance[16];

    for (size_t i = 0; i < COUNT(counts); i++) {
        snprintf(instance, sizeof(instance), "1.2.3.%zu", i);
        CASE(counts[i], strcmp(end(fixture, "DATA", instance, counts[i]), GO_ON) == 0);
    }
    assert_int_equal(counted(fixture, STAT_EVENT_RECIPIENT), 0);
    assert_string_equal(end(fixture, "DATA", "1.2.4.0", "18446744073709551615"), GO_ON);
    assert_int_equal(counted(fixture, STAT_EVENT_RECIPIENT), 1);
    assert_true(fixture_logged(fixture, "count=10000 "));
}

/* --- limits ----------------------------------------------------------------------------- */

static void three_recipients_and_no_more(struct fixture *fixture)
{
    assert_string_equal(rcpt(fixture, "1.2.3.0", "b@c.example"), GO_ON);
    assert_string_equal(rcpt(fixture, "1.2.3.0", "d@c.example"), GO_ON);
    assert_string_equal(rcpt(fixture, "1.2.3.1", "e@c.example"), GO_ON);
    assert_string_equal(rcpt(fixture, "1.2.3.1", "f@c.example"), DEFERRED "1h 20m\n\n");
}

static void a_login_over_its_limit_is_deferred_until_it_is_not(void **state)
{
    struct fixture *fixture = *state;

    three_recipients_and_no_more(fixture);
    assert_true(fixture_logged(fixture, "1.2.3.1 defer client=203.0.113.7"));
    assert_true(fixture_logged(fixture, "login=alice@example.com answer=\"450 4.7.1 more than 3 "));
    assert_true(fixture_logged(fixture, "jail-reached jail=logins key=alice@example.com count=3"));
    assert_int_equal(counted(fixture, STAT_POLICY_DEFERRED), 1);
    /* What was let in stays so at the hooks behind, and at the end. */
    assert_string_equal(rcpt(fixture, "1.2.3.1", "e@c.example"), GO_ON);
    assert_string_equal(end(fixture, "END-OF-MESSAGE", "1.2.3.1", "1"), GO_ON);
    /* Trying again and again makes it no longer. */
    for (unsigned i = 0; i < 80; i++) {
        fixture_pass(fixture, 59000);
        assert_string_not_equal(rcpt(fixture, "1.2.3.2", "f@c.example"), GO_ON);
    }
    fixture_pass(fixture, 80000);
    assert_string_equal(rcpt(fixture, "1.2.3.3", "f@c.example"), GO_ON);
    assert_int_equal(counted(fixture, STAT_EVENT_RECIPIENT), 4);
}

static void the_time_that_is_told_is_enough(void **state)
{
    struct fixture *fixture = *state;

    three_recipients_and_no_more(fixture);
    fixture_pass(fixture, 80 * 60 * 1000 - 1);
    assert_string_equal(rcpt(fixture, "1.2.3.1", "f@c.example"), DEFERRED "1s\n\n");
    fixture_pass(fixture, 1);
    assert_string_equal(rcpt(fixture, "1.2.3.1", "f@c.example"), GO_ON);
}

static void it_is_the_login_wherever_it_comes_from(void **state)
{
    static const char *const clients[] = {"203.0.113.8", "2001:db8::1", "10.8.0.1", "127.0.0.1",
                                          "unknown"};
    struct fixture *fixture = *state;

    three_recipients_and_no_more(fixture);
    for (size_t i = 0; i < COUNT(clients); i++)
        CASE(clients[i], strncmp(ask(fixture, (struct ask){.client = clients[i],
                                                           .state = "RCPT",
                                                           .instance = "1.2.3.9",
                                                           .login = "Alice@Example.COM",
                                                           .recipient = "b@c.example"}),
                                 "action=450 4.7.1 more than 3 ", 29) == 0);
    CASE("another login", strcmp(ask(fixture, (struct ask){.state = "RCPT",
                                                           .instance = "1.2.3.9",
                                                           .login = "bob@example.com",
                                                           .recipient = "b@c.example"}),
                                 GO_ON) == 0);
    CASE("nobody", strcmp(ask(fixture, (struct ask){.state = "RCPT",
                                                    .instance = "1.2.3.8",
                                                    .login = "",
                                                    .recipient = "b@c.example"}),
                          GO_ON) == 0);
}

static void what_comes_by_local_and_masked_clients_counts_too(void **state)
{
    static const char *const clients[] = {"10.8.0.1", "127.0.0.1", "unknown"};
    struct fixture *fixture = *state;
    char instance[16];

    for (size_t i = 0; i < COUNT(clients); i++) {
        snprintf(instance, sizeof(instance), "1.2.3.%zu", i);
        CASE(clients[i], strcmp(ask(fixture, (struct ask){.client = clients[i],
                                                          .state = "RCPT",
                                                          .instance = instance,
                                                          .login = ALICE,
                                                          .recipient = "b@c.example"}),
                                GO_ON) == 0);
    }
    assert_string_equal(rcpt(fixture, "1.2.3.9", "b@c.example"), DEFERRED "1h 20m\n\n");
}

/* The login succeeded from there, as of every client that submits: that buys no more mail. */
static void a_client_that_is_known_has_the_same_limit(void **state)
{
    struct fixture *fixture = *state;
    struct origin_peer peer = fixture_peer(CLIENT);

    engine_note_login(fixture->engine, &peer, ALICE);
    three_recipients_and_no_more(fixture);
}

static void a_limit_of_messages_is_checked_before_they_are_taken(void **state)
{
    struct fixture *fixture = *state;
    const char *too_many = "action=450 4.7.1 more than 1 messages an hour from "
                           "alice@example.com; try again in 2h\n\n";

    fixture->jail.events = CONFIG_EVENT_MESSAGE;
    fixture->jail.maxretry = 1;
    for (unsigned i = 0; i < 5; i++) {
        char recipient[32];
        snprintf(recipient, sizeof(recipient), "u%u@c.example", i);
        assert_string_equal(rcpt(fixture, "1.2.3.0", recipient), GO_ON);
    }
    assert_string_equal(rcpt(fixture, "1.2.4.0", "b@c.example"), GO_ON); /* beside the first */
    assert_string_equal(end(fixture, "DATA", "1.2.3.0", "5"), GO_ON);
    assert_string_equal(end(fixture, "END-OF-MESSAGE", "1.2.3.0", "5"), GO_ON);
    assert_string_equal(end(fixture, "DATA", "1.2.4.0", "1"), too_many);
    assert_string_equal(rcpt(fixture, "1.2.3.1", "b@c.example"), too_many);
    assert_int_equal(counted(fixture, STAT_EVENT_MESSAGE), 1);
    assert_int_equal(counted(fixture, STAT_EVENT_RECIPIENT), 0);
}

static void a_domain_has_one_limit_for_all_its_logins(void **state)
{
    struct fixture *fixture = *state;
    static const char *const logins[] = {"alice@example.com", "bob@EXAMPLE.com",
                                         "carol@example.com", "dave@example.com"};
    const char *last = NULL;

    fixture->jail.count_by = COUNT_BY_DOMAIN;
    engine_reconfigure(fixture->engine, &fixture->config, &fixture->rules);
    for (size_t i = 0; i < COUNT(logins); i++)
        last = ask(fixture, (struct ask){.state = "RCPT",
                                         .instance = logins[i],
                                         .login = logins[i],
                                         .recipient = "b@c.example"});
    assert_string_equal(last, "action=450 4.7.1 more than 3 recipients an hour from example.com; "
                              "try again in 1h 20m\n\n");
    assert_string_equal(ask(fixture, (struct ask){.state = "RCPT",
                                                  .instance = "1.2.3.0",
                                                  .login = "example.com",
                                                  .recipient = "b@c.example"}),
                        GO_ON);
}

static void of_two_limits_the_longer_wait_is_told(void **state)
{
    struct fixture *fixture = *state;
    static char day[] = "day";
    struct config_jail jails[2] = {fixture->jail, fixture->jail};

    jails[1].name = day;
    jails[1].findtime_sec = 86400;
    fixture->config.jails = jails;
    fixture->config.jail_count = 2;
    engine_reconfigure(fixture->engine, &fixture->config, &fixture->rules);
    for (unsigned i = 0; i < 3; i++) {
        char recipient[32];
        snprintf(recipient, sizeof(recipient), "u%u@c.example", i);
        assert_string_equal(rcpt(fixture, "1.2.3.0", recipient), GO_ON);
    }
    assert_string_equal(rcpt(fixture, "1.2.3.0", "b@c.example"),
                        "action=450 4.7.1 more than 3 recipients a day from alice@example.com; "
                        "try again in 1d 8h\n\n");
    fixture_restart(fixture, 1);
}

static void without_enforce_a_line_says_so_once(void **state)
{
    struct fixture *fixture = *state;

    fixture->config.enforce = false;
    for (unsigned i = 0; i < 3; i++) {
        char recipient[32];
        snprintf(recipient, sizeof(recipient), "u%u@c.example", i);
        assert_string_equal(rcpt(fixture, "1.2.3.0", recipient), GO_ON);
    }
    for (unsigned hook = 0; hook < 4; hook++)
        assert_string_equal(rcpt(fixture, "1.2.3.0", "b@c.example"), GO_ON);
    const char *line = strstr(fixture->log, "would defer client=203.0.113.7");
    assert_non_null(line);
    assert_null(strstr(line + 1, "would defer"));
    assert_int_equal(counted(fixture, STAT_EVENT_RECIPIENT), 3);
    assert_int_equal(counted(fixture, STAT_POLICY_DEFERRED), 0);
}

static void who_is_banned_is_told_that(void **state)
{
    struct fixture *fixture = *state;
    struct prefix prefix = fixture_prefix(CLIENT);
    struct told told = {0};

    three_recipients_and_no_more(fixture);
    engine_ban(fixture->engine, &prefix, 60, fixture_told, &told);
    fixture_commit(fixture);
    assert_string_equal(rcpt(fixture, "1.2.3.1", "f@c.example"),
                        "action=421 4.7.0 203.0.113.7 is banned here; try again in 1m\n\n");
    fixture->config.policyd.ban_reply = 521;
    assert_string_equal(rcpt(fixture, "1.2.3.1", "f@c.example"),
                        "action=521 5.7.1 203.0.113.7 is banned here for 1m\n\n");
    assert_true(fixture_logged(fixture, "policy action=521 client=203.0.113.7"));
}

/* --- by client ----------------------------------------------------------------------------- */

static void a_client_may_be_banned_for_what_it_hands_in(void **state)
{
    struct fixture *fixture = *state;
    const char *last = NULL;

    fixture->jail.count_by = COUNT_BY_CLIENT;
    fixture->jail.action = JAIL_ACTION_BAN;
    fixture->jail.acts = CONFIG_ACTS_SMTP;
    for (unsigned i = 0; i < 3; i++) {
        char recipient[32];
        snprintf(recipient, sizeof(recipient), "u%u@c.example", i);
        last =
            ask(fixture,
                (struct ask){
                    .state = "RCPT", .instance = "1.2.3.0", .login = "", .recipient = recipient});
    }
    assert_string_equal(last, "action=421 4.7.0 203.0.113.7 is banned here; try again in 1h\n\n");
    fixture_commit(fixture);
    assert_int_equal(fixture->record_count, 1);
}

#define SUBMISSION_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SUBMISSION_TEST(ten_requests_are_one_message_of_two_recipients),
        SUBMISSION_TEST(recipients_that_nobody_told_of_count_at_the_end),
        SUBMISSION_TEST(without_a_jail_that_asks_nothing_is_counted),
        SUBMISSION_TEST(what_cannot_be_told_apart_is_not_counted),
        SUBMISSION_TEST(a_count_of_recipients_that_is_none_counts_none),
        SUBMISSION_TEST(a_login_over_its_limit_is_deferred_until_it_is_not),
        SUBMISSION_TEST(the_time_that_is_told_is_enough),
        SUBMISSION_TEST(it_is_the_login_wherever_it_comes_from),
        SUBMISSION_TEST(what_comes_by_local_and_masked_clients_counts_too),
        SUBMISSION_TEST(a_client_that_is_known_has_the_same_limit),
        SUBMISSION_TEST(a_limit_of_messages_is_checked_before_they_are_taken),
        SUBMISSION_TEST(a_domain_has_one_limit_for_all_its_logins),
        SUBMISSION_TEST(of_two_limits_the_longer_wait_is_told),
        SUBMISSION_TEST(without_enforce_a_line_says_so_once),
        SUBMISSION_TEST(who_is_banned_is_told_that),
        SUBMISSION_TEST(a_client_may_be_banned_for_what_it_hands_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
