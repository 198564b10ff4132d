/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "policyd/auth.h"
#include "policyd/policy.h"
#include "policyd/store_record.h"
#include "policyd/store_redis_text.h"
#include "tests/unit/policyd_fixture.h"
#include "tests/unit/unit.h"

#define CLIENT "203.0.113.7"
#define ALICE  "alice@example.com"

static int setup(void **state)
{
    struct fixture *fixture = fixture_new();

    fixture->jail.events = CONFIG_EVENT_RECIPIENT;
    fixture->jail.count_by = COUNT_BY_LOGIN;
    fixture->jail.maxretry = 3;
    engine_reconfigure(fixture->engine, &fixture->config, &fixture->rules);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    fixture_free(*state);
    return 0;
}

static enum verdict judge(struct fixture *fixture, const char *client, const char *login,
                          unsigned act)
{
    struct origin_peer peer = fixture_peer(client);
    return engine_judge(fixture->engine, &peer, login, act).verdict;
}

static const char *rcpt(struct fixture *fixture, const char *login, unsigned number)
{
    char recipient[32];

    snprintf(recipient, sizeof(recipient), "u%u@c.example", number);
    return fixture_answer(fixture,
                          fixture_list("request", "smtpd_access_policy", "protocol_state", "RCPT",
                                       "client_address", CLIENT, "instance", "1.2.3.0",
                                       "sasl_username", login, "recipient", recipient, NULL));
}

static void send_three(struct fixture *fixture)
{
    for (unsigned i = 0; i < 2; i++)
        assert_string_equal(rcpt(fixture, ALICE, i), "action=DUNNO\n\n");
    assert_string_equal(rcpt(fixture, ALICE, 2),
                        "action=421 4.7.0 alice@example.com is banned here; try again in 1h\n\n");
    assert_int_equal(fixture->record_count, 1); /* before the answer */
}

static void is_banned_everywhere(struct fixture *fixture)
{
    static const char *const clients[] = {CLIENT, "2001:db8::9", "127.0.0.1", "10.8.0.1"};

    for (size_t i = 0; i < COUNT(clients); i++) {
        CASE(clients[i],
             judge(fixture, clients[i], "Alice@EXAMPLE.com", CONFIG_ACTS_AUTH) == VERDICT_BANNED);
        CASE(clients[i], judge(fixture, clients[i], ALICE, CONFIG_ACTS_SMTP) == VERDICT_BANNED);
        CASE(clients[i],
             judge(fixture, clients[i], "bob@example.com", CONFIG_ACTS_ALL) == VERDICT_GO_ON);
        CASE(clients[i], judge(fixture, clients[i], "", CONFIG_ACTS_ALL) == VERDICT_GO_ON);
    }
}

static void who_sends_too_much_is_cut_off_by_the_login(void **state)
{
    struct fixture *fixture = *state;

    send_three(fixture);
    is_banned_everywhere(fixture);
    assert_int_equal(engine_bans(fixture->engine)->count, 0);
    assert_int_equal(engine_logins(fixture->engine)->count, 1);
    assert_true(fixture_logged(fixture, "1.2.3.0 ban login=alice@example.com jail=logins "
                                        "seconds=3600"));
    assert_true(fixture_logged(fixture, "policy action=421 client=203.0.113.7 origin=known "
                                        "source=direct gateway=- ban=alice@example.com"));
    /* Those who are refused make it no longer. */
    fixture_pass(fixture, 1800000);
    for (unsigned i = 3; i < 20; i++)
        assert_string_equal(
            rcpt(fixture, ALICE, i),
            "action=421 4.7.0 alice@example.com is banned here; try again in 30m\n\n");
    fixture_pass(fixture, 1800000);
    assert_string_equal(rcpt(fixture, ALICE, 20), "action=DUNNO\n\n");
    assert_true(fixture_logged(fixture, "ban-expired login=alice@example.com jail=logins"));
}

static void it_outlives_a_restart(void **state)
{
    struct fixture *fixture = *state;

    send_three(fixture);
    assert_int_equal(fixture->record_count, 1);
    assert_string_equal(fixture->records[0].login, ALICE);
    fixture_restart(fixture, 600000);
    is_banned_everywhere(fixture);
    fixture_restart(fixture, 3000000);
    assert_int_equal(judge(fixture, CLIENT, ALICE, CONFIG_ACTS_ALL), VERDICT_GO_ON);
    fixture_commit(fixture);
    assert_int_equal(fixture->record_count, 0);
}

static void it_acts_where_the_jail_says(void **state)
{
    struct fixture *fixture = *state;

    fixture->jail.acts = CONFIG_ACTS_SMTP;
    send_three(fixture);
    assert_int_equal(judge(fixture, CLIENT, ALICE, CONFIG_ACTS_AUTH), VERDICT_GO_ON);
    assert_int_equal(judge(fixture, CLIENT, ALICE, CONFIG_ACTS_SMTP), VERDICT_BANNED);
}

static void without_enforce_it_is_only_said(void **state)
{
    struct fixture *fixture = *state;

    fixture->config.enforce = false;
    for (unsigned i = 0; i < 3; i++)
        assert_string_equal(rcpt(fixture, ALICE, i), "action=DUNNO\n\n");
    assert_true(fixture_logged(fixture, "would ban login=alice@example.com jail=logins"));
    assert_int_equal(engine_logins(fixture->engine)->count, 0);
}

static void by_hand_and_lifted(void **state)
{
    struct fixture *fixture = *state;
    struct told told = {0};

    engine_unban_login(fixture->engine, ALICE, fixture_told, &told);
    assert_int_equal(told.status, ENGINE_NOT_BANNED);
    engine_ban_login(fixture->engine, ALICE, 60, fixture_told, &told);
    fixture_commit(fixture);
    assert_int_equal(told.status, ENGINE_OK);
    is_banned_everywhere(fixture);
    engine_unban_login(fixture->engine, "ALICE@example.com", fixture_told, &told);
    fixture_commit(fixture);
    assert_int_equal(told.status, ENGINE_OK);
    assert_int_equal(told.times, 3);
    assert_int_equal(judge(fixture, CLIENT, ALICE, CONFIG_ACTS_ALL), VERDICT_GO_ON);
    assert_int_equal(fixture->record_count, 0);
    assert_true(fixture_logged(fixture, "unban login=alice@example.com jail=operator"));
}

/* What was counted of others is not forgotten with it. */
static void lifting_one_forgets_no_other(void **state)
{
    struct fixture *fixture = *state;
    struct told told = {0};

    fixture->jail.action = JAIL_ACTION_DEFER;
    for (unsigned i = 0; i < 3; i++) {
        rcpt(fixture, ALICE, i);
        rcpt(fixture, "bob@example.com", 10 + i);
    }
    engine_ban_login(fixture->engine, ALICE, 60, fixture_told, &told);
    engine_unban_login(fixture->engine, ALICE, fixture_told, &told);
    fixture_commit(fixture);
    assert_string_equal(rcpt(fixture, ALICE, 20), "action=DUNNO\n\n");
    assert_non_null(strstr(rcpt(fixture, "bob@example.com", 21), "450 4.7.1 more than 3"));
}

static void a_client_is_told_no_more_than_that(void **state)
{
    struct fixture *fixture = *state;
    struct told told = {0};
    struct origin_peer peer = fixture_peer(CLIENT);

    engine_ban_login(fixture->engine, "a\"b\\c\n", 60, fixture_told, &told);
    struct judgement judgement =
        engine_judge(fixture->engine, &peer, "a\"b\\c\n", CONFIG_ACTS_AUTH);
    char *json = auth_format(&judgement, 0);
    fixture_commit(fixture);
    assert_string_equal(json,
                        "{\"status\":-1,\"msg\":\"this login is banned here; try again in 1m\"}");
    free(json);
}

/* --- as bytes -------------------------------------------------------------------------- */

static void fill(struct store_ban *ban, const char *login, unsigned acts)
{
    *ban = (struct store_ban){.prefix = jail_key_of_login(login),
                              .acts = acts,
                              .since_wall_ms = 1000,
                              .until_wall_ms = 2000,
                              .version = 7};
    snprintf(ban->login, sizeof(ban->login), "%s", login);
    snprintf(ban->jail, sizeof(ban->jail), "a jail");
}

static void is_same(const struct store_ban *a, const struct store_ban *b)
{
    assert_true(prefix_eq(&a->prefix, &b->prefix));
    assert_string_equal(a->login, b->login);
    assert_string_equal(a->jail, b->jail);
    assert_int_equal(a->acts, b->acts);
    assert_int_equal(a->until_wall_ms, b->until_wall_ms);
    assert_int_equal(a->since_wall_ms, b->since_wall_ms);
}

static void a_record_of_the_file_is_read_as_it_was_written(void **state)
{
    static const unsigned acts[] = {CONFIG_ACTS_ALL, CONFIG_ACTS_SMTP, CONFIG_ACTS_AUTH};
    uint8_t key[STORE_KEY_LEN], value[STORE_VALUE_MAX];
    struct store_ban ban, again;

    (void)state;
    for (size_t i = 0; i < COUNT(acts); i++) {
        fill(&ban, "b\366rn @example.com", acts[i]);
        store_record_key(&ban.prefix, key);
        size_t len = store_record_value(&ban, value);
        assert_int_equal(store_record_read(key, sizeof(key), value, len, &again), 0);
        is_same(&ban, &again);
        key[0] = ADDR_IPV4;
        assert_int_equal(store_record_read(key, sizeof(key), value, len, &again), -1);
        store_record_key(&ban.prefix, key);
        value[len - 1] = '\0';
        assert_int_equal(store_record_read(key, sizeof(key), value, len, &again), -1);
    }
}

static void the_longest_record_is_read(void **state)
{
    uint8_t key[STORE_KEY_LEN], value[STORE_VALUE_MAX];
    struct store_ban ban, again;
    char login[BANS_LOGIN_MAX];

    (void)state;
    memset(login, 'a', sizeof(login) - 1);
    login[sizeof(login) - 1] = '\0';
    fill(&ban, login, CONFIG_ACTS_SMTP);
    memset(ban.jail, 'j', sizeof(ban.jail) - 1);
    store_record_key(&ban.prefix, key);
    size_t len = store_record_value(&ban, value);
    assert_int_equal(len, STORE_VALUE_MAX);
    assert_int_equal(store_record_read(key, sizeof(key), value, len, &again), 0);
    is_same(&ban, &again);
}

static int read_value(const char *net, const char *acts, struct store_ban *ban_r)
{
    struct buf value = {0};

    /* While it holds: one that began later than now would begin now. */
    buf_printf(&value, "7 2000 1000 %s %s a jail", acts, net);
    int rc = store_redis_read_ban(buf_str(&value), value.len, 1500, 1500, ban_r);
    buf_fini(&value);
    return rc;
}

static void a_value_of_redis_is_read_as_it_was_written(void **state)
{
    struct store_ban ban, again;
    struct buf net = {0};

    (void)state;
    fill(&ban, "b\366rn @example.com", CONFIG_ACTS_ALL);
    store_redis_put_ban_net(&net, &ban);
    assert_int_equal(read_value(buf_str(&net), "3", &again), 0);
    is_same(&ban, &again);
    buf_reset(&net);
    ban.login[0] = '\0';
    store_redis_put_ban_net(&net, &ban);
    assert_int_equal(read_value(buf_str(&net), "0", &again), 0); /* lifted */
    assert_true(again.is_lifted && prefix_eq(&ban.prefix, &again.prefix));
    assert_int_equal(read_value(buf_str(&net), "3", &again), -1);
    buf_fini(&net);
}

static void what_nobody_writes_into_redis_is_no_ban(void **state)
{
#define HASH "login:00112233445566778899aabbccddeeff"
    static const char *const nets[] = {
        "login:",        "login:61",           HASH,          HASH "61",
        HASH ":6",       HASH ":6g",           HASH ":6100",  HASH ":00",
        "login:0011:61", "client+" HASH ":61", HASH ":61:61",
    };
    struct store_ban ban;

    (void)state;
    assert_int_equal(read_value(HASH ":61", "3", &ban), 0);
    for (size_t i = 0; i < COUNT(nets); i++)
        CASE(nets[i], read_value(nets[i], "3", &ban) == -1);
}

#define LOGIN_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LOGIN_TEST(who_sends_too_much_is_cut_off_by_the_login),
        LOGIN_TEST(it_outlives_a_restart),
        LOGIN_TEST(it_acts_where_the_jail_says),
        LOGIN_TEST(without_enforce_it_is_only_said),
        LOGIN_TEST(by_hand_and_lifted),
        LOGIN_TEST(lifting_one_forgets_no_other),
        LOGIN_TEST(a_client_is_told_no_more_than_that),
        cmocka_unit_test(a_record_of_the_file_is_read_as_it_was_written),
        cmocka_unit_test(the_longest_record_is_read),
        cmocka_unit_test(a_value_of_redis_is_read_as_it_was_written),
        cmocka_unit_test(what_nobody_writes_into_redis_is_no_ban),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
