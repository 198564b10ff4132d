/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/engine.h"

#include <endian.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/policyd_fixture.h"
#include "tests/unit/unit.h"

/* How long, how many and how wide the bans of jails are, and where they act. */

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

static void guess(struct fixture *fixture, const char *client, unsigned count, struct told *told)
{
    char fingerprint[16];
    for (unsigned i = 0; i < count; i++) {
        snprintf(fingerprint, sizeof(fingerprint), "%04x", i);
        fixture_fail(fixture, client, fingerprint, told);
    }
}

static void tell_of(struct fixture *fixture, const char *client, struct event event)
{
    struct origin_peer peer = fixture_peer(client);
    struct told told = {0};

    event.login = event.fingerprint = "";
    engine_report(fixture->engine, &peer, &event, fixture_told, &told);
    fixture_commit(fixture);
    assert_int_equal(told.times, 1);
}

static void tell(struct fixture *fixture, struct event event)
{
    tell_of(fixture, CLIENT, event);
}

static struct judgement judge(struct fixture *fixture, const char *client, unsigned act)
{
    struct origin_peer peer = fixture_peer(client);

    return engine_judge(fixture->engine, &peer, "", act);
}

static enum verdict verdict_at(struct fixture *fixture, unsigned act)
{
    return judge(fixture, CLIENT, act).verdict;
}

static uint32_t always_seven(void)
{
    return 7;
}

static void a_ban_is_a_little_longer_by_chance(void **state)
{
    struct fixture *fixture = *state;
    struct origin_peer peer = fixture_peer(CLIENT);
    struct told told;

    engine_free(&fixture->engine);
    fixture->jail.bantime_jitter_sec = 10;
    fixture->engine = engine_new(&(struct engine_options){.config = &fixture->config,
                                                          .rules = &fixture->rules,
                                                          .clock = &fixture->clock,
                                                          .store = &fixture->store,
                                                          .random = always_seven});
    guess(fixture, CLIENT, 5, &told);
    assert_int_equal(engine_judge(fixture->engine, &peer, "", CONFIG_ACTS_ALL).seconds, 3607);
    fixture_commit(fixture);
}

/* One guess each is a ban. The digits are read as hexadecimal in IPv6. */
static void ban_each(struct fixture *fixture, const char *head, const char *tail, unsigned from,
                     unsigned to)
{
    struct buf client = {0};
    struct told told;

    for (unsigned i = from; i < to; i++) {
        buf_printf(&client, "%s%u%s", head, i, tail);
        fixture->log[0] = '\0';
        fixture_fail(fixture, buf_str(&client), "1", &told);
        fixture_commit(fixture);
        assert_int_equal(told.times, 1);
        buf_fini(&client);
    }
}

static void too_many_bans_in_a_minute_are_held_back(void **state)
{
    struct fixture *fixture = *state;

    fixture->jail.maxretry = 1;
    fixture->config.policyd.max_bans_per_minute = 10;
    ban_each(fixture, "203.0.113.", "", 1, 11);
    assert_false(engine_holds_back(fixture->engine));
    ban_each(fixture, "203.0.113.", "", 11, 12);
    assert_true(engine_holds_back(fixture->engine));
    assert_true(fixture_logged(fixture, "too-many-bans bans=11 max_bans_per_minute=10"));
    /* It is said once, and here each ban holds. */
    ban_each(fixture, "203.0.113.", "", 12, 20);
    assert_false(fixture_logged(fixture, "too-many-bans"));
    assert_int_equal(fixture_verdict(fixture, "203.0.113.19"), VERDICT_BANNED);
    fixture_pass(fixture, 60000);
    engine_tick(fixture->engine);
    assert_true(engine_holds_back(fixture->engine)); /* all of the minute before */
    fixture_pass(fixture, 60000);
    engine_tick(fixture->engine);
    assert_false(engine_holds_back(fixture->engine));
    assert_true(fixture_logged(fixture, "bans-told-again"));
}

static void an_operator_may_ban_as_many_as_he_likes(void **state)
{
    struct fixture *fixture = *state;
    struct told told;

    fixture->config.policyd.max_bans_per_minute = 1;
    for (int i = 0; i < 5; i++) {
        struct prefix prefix = fixture_prefix(CLIENT);
        engine_ban(fixture->engine, &prefix, 60, fixture_told, &told);
    }
    fixture_commit(fixture);
    assert_false(engine_holds_back(fixture->engine));
}

static size_t ban_count(struct fixture *fixture)
{
    return engine_bans(fixture->engine)->count;
}

static void many_nets_become_the_one_around_them(void **state)
{
    struct fixture *fixture = *state;
    char head[64];

    fixture->jail.maxretry = 1;
    ban_each(fixture, "2001:db8:1:", "::1", 0, 20);
    assert_int_equal(ban_count(fixture), 20); /* not unless it is asked for */
    fixture_pass(fixture, 3600000);
    engine_tick(fixture->engine);
    fixture_commit(fixture);
    fixture->config.policyd.aggregate = true;
    ban_each(fixture, "2001:db8:1:", "::1", 0, 15);
    assert_int_equal(ban_count(fixture), 15);
    assert_int_equal(fixture_verdict(fixture, "2001:db8:1:ff::1"), VERDICT_GO_ON);
    ban_each(fixture, "2001:db8:1:", "::1", 15, 16);
    assert_int_equal(ban_count(fixture), 1);
    assert_int_equal(fixture->record_count, 1);
    assert_true(fixture_logged(fixture, "ban ban=2001:db8:1::/56 jail=logins"));
    assert_int_equal(fixture_verdict(fixture, "2001:db8:1:ff::1"), VERDICT_BANNED);
    assert_int_equal(fixture_verdict(fixture, "2001:db8:1:100::1"), VERDICT_GO_ON);
    for (unsigned net = 1; net < 16; net++) {
        snprintf(head, sizeof(head), "2001:db8:1:%u", net);
        ban_each(fixture, head, "::1", 10, 26);
    }
    assert_int_equal(ban_count(fixture), 1);
    assert_int_equal(fixture->record_count, 1);
    assert_true(fixture_logged(fixture, "ban ban=2001:db8:1::/48 jail=logins"));
    assert_int_equal(fixture_verdict(fixture, "2001:db8:1:ffff::1"), VERDICT_BANNED);
    assert_int_equal(fixture_verdict(fixture, "2001:db8:2::1"), VERDICT_GO_ON);
}

static void what_the_operator_banned_stays_as_it_is(void **state)
{
    struct fixture *fixture = *state;
    struct prefix prefix = fixture_prefix("2001:db8:1:ff::/64");
    struct told told;

    engine_ban(fixture->engine, &prefix, 86400, fixture_told, &told);
    fixture_commit(fixture);
    fixture->jail.maxretry = 1;
    fixture->config.policyd.aggregate = true;
    ban_each(fixture, "2001:db8:1:", "::1", 0, 15);
    assert_int_equal(ban_count(fixture), 2);
    assert_non_null(bans_find(engine_bans(fixture->engine), &prefix));
    /* How long he meant is of his net alone. */
    assert_int_equal(judge(fixture, "2001:db8:1:aa::1", CONFIG_ACTS_ALL).seconds,
                     fixture->jail.bantime_sec);
}

static void what_a_firewall_was_told_stays_until_it_can_be_told_more(void **state)
{
    struct fixture *fixture = *state;
    struct prefix first = fixture_prefix("2001:db8:1::/64"),
                  wide = fixture_prefix("2001:db8:1::/56");
    const struct bans *bans = engine_bans(fixture->engine);

    fixture->jail.maxretry = 1;
    fixture->config.policyd.aggregate = true;
    fixture->config.policyd.max_bans_per_minute = 10;
    ban_each(fixture, "2001:db8:1:", "::1", 0, 16);
    assert_true(engine_holds_back(fixture->engine));
    assert_non_null(bans_find(bans, &wide));
    assert_false(engine_may_tell(fixture->engine, bans_find(bans, &wide)));
    assert_non_null(bans_find(bans, &first));
    assert_true(engine_may_tell(fixture->engine, bans_find(bans, &first)));
}

static void put_ban(struct fixture *fixture, const char *text, unsigned acts, int64_t seconds)
{
    struct prefix prefix = fixture_prefix(text);

    assert_non_null(bans_put(engine_bans(fixture->engine), &prefix, "other", acts, 1,
                             engine_now_mono_ms(fixture->engine) + seconds * 1000));
}

static void the_net_around_them_is_banned_wherever_it_was(void **state)
{
    struct fixture *fixture = *state;

    fixture->jail.maxretry = 1;
    fixture->jail.acts = CONFIG_ACTS_AUTH;
    fixture->config.policyd.aggregate = true;
    put_ban(fixture, "2001:db8:1::/56", CONFIG_ACTS_SMTP, 7200);
    ban_each(fixture, "2001:db8:1:", "::1", 0, 16);
    assert_int_equal(ban_count(fixture), 1);
    assert_int_equal(judge(fixture, "2001:db8:1:ff::1", CONFIG_ACTS_AUTH).seconds, 3600);
    assert_int_equal(judge(fixture, "2001:db8:1:ff::1", CONFIG_ACTS_SMTP).seconds, 3600);
}

static void those_that_last_longer_than_the_net_around_them_stay(void **state)
{
    struct fixture *fixture = *state;
    struct event event = {.kind = CONFIG_EVENT_SPF_FAIL, .weight = 1, .is_of_mail = true};
    char client[64];

    fixture->jail.events = event.kind;
    fixture->jail.maxretry = 1;
    fixture->config.policyd.aggregate = true;
    put_ban(fixture, "2001:db8:1::/56", CONFIG_ACTS_AUTH, 60);
    put_ban(fixture, "2001:db8:1:1::/64", CONFIG_ACTS_SMTP, 60);
    for (unsigned i = 2; i <= 16; i++) {
        snprintf(client, sizeof(client), "2001:db8:1:%x::1", i);
        tell_of(fixture, client, event);
    }
    assert_int_equal(ban_count(fixture), 1 + 15);
    assert_int_equal(judge(fixture, "2001:db8:1:ff::1", CONFIG_ACTS_SMTP).seconds, 60);
    fixture_pass(fixture, 60000);
    assert_int_equal(judge(fixture, "2001:db8:1:2::1", CONFIG_ACTS_SMTP).verdict, VERDICT_BANNED);
    assert_int_equal(judge(fixture, "2001:db8:1:2::1", CONFIG_ACTS_AUTH).verdict, VERDICT_GO_ON);
}

static void where_the_net_around_them_finds_no_place_they_stay(void **state)
{
    struct fixture *fixture = *state;
    struct prefix prefix = fixture_prefix("10.0.0.0/32");
    struct bans *bans = engine_bans(fixture->engine);

    fixture->jail.maxretry = 1;
    fixture->config.policyd.aggregate = true;
    ban_each(fixture, "2001:db8:1:", "::1", 0, 15);
    for (uint32_t i = 0; bans->count < BANS_MAX - 1; i++) {
        memcpy(prefix.addr.bytes + 1, &(uint32_t){htobe32(i << 8)}, 3);
        assert_non_null(bans_put(bans, &prefix, "other", CONFIG_ACTS_ALL, 1, INT64_MAX));
    }
    ban_each(fixture, "2001:db8:1:", "::1", 15, 16);
    assert_true(fixture_logged(fixture, "ban-table-full"));
    assert_int_equal(ban_count(fixture), BANS_MAX);
    assert_int_equal(fixture_verdict(fixture, "2001:db8:1:5::1"), VERDICT_BANNED);
}

static void two_jails_that_act_elsewhere_make_one_ban(void **state)
{
    struct fixture *fixture = *state;
    static char mail_name[] = "mail";
    struct config_jail jails[2] = {fixture->jail, fixture->jail};
    struct told told;

    jails[0].acts = CONFIG_ACTS_AUTH;
    jails[1].name = mail_name;
    jails[1].events = CONFIG_EVENT_SPF_FAIL;
    jails[1].acts = CONFIG_ACTS_SMTP;
    engine_free(&fixture->engine);
    fixture->config.jails = jails;
    fixture->config.jail_count = COUNT(jails);
    fixture_start(fixture);
    guess(fixture, CLIENT, 5, &told);
    fixture_commit(fixture);
    assert_int_equal(verdict_at(fixture, CONFIG_ACTS_AUTH), VERDICT_BANNED);
    assert_int_equal(verdict_at(fixture, CONFIG_ACTS_SMTP), VERDICT_GO_ON);
    for (int i = 0; i < 5; i++)
        tell(fixture, (struct event){.kind = CONFIG_EVENT_SPF_FAIL, .weight = 1});
    assert_int_equal(verdict_at(fixture, CONFIG_ACTS_SMTP), VERDICT_BANNED);
    assert_int_equal(verdict_at(fixture, CONFIG_ACTS_AUTH), VERDICT_BANNED);
    engine_free(&fixture->engine);
    fixture->config.jail_count = 0;
    fixture_start(fixture);
}

static void no_net_around_a_protected_one_is_banned(void **state)
{
    struct fixture *fixture = *state;

    fixture->tunnel = fixture_prefix("2001:db8:1:ff::/64");
    fixture->jail.maxretry = 1;
    fixture->config.policyd.aggregate = true;
    ban_each(fixture, "2001:db8:1:", "::1", 0, 20);
    assert_int_equal(ban_count(fixture), 20);
    assert_int_equal(fixture_verdict(fixture, "2001:db8:1:ff::1"), VERDICT_GO_ON);
}

static void by_client_and_login_the_client_is_banned(void **state)
{
    struct fixture *fixture = *state;
    struct told told;

    fixture->jail.count_by = COUNT_BY_CLIENT_LOGIN;
    guess(fixture, "10.8.0.1", 5, &told); /* masked: nobody */
    guess(fixture, CLIENT, 4, &told);
    assert_int_equal(fixture_verdict(fixture, CLIENT), VERDICT_GO_ON);
    fixture_fail(fixture, CLIENT, "last", &told);
    fixture_commit(fixture);
    assert_int_equal(fixture_verdict(fixture, CLIENT), VERDICT_BANNED);
    assert_int_equal(fixture_verdict(fixture, "203.0.113.8"), VERDICT_GO_ON);
    assert_int_equal(ban_count(fixture), 1);
}

static void a_honeypot_that_is_a_recipient_shuts_no_mailbox(void **state)
{
    struct fixture *fixture = *state;
    struct event event = {.kind = CONFIG_EVENT_HONEYPOT, .weight = 1, .is_of_mail = true};

    fixture->jail.events = CONFIG_EVENT_HONEYPOT;
    fixture->jail.maxretry = 1;
    tell(fixture, event);
    assert_int_equal(verdict_at(fixture, CONFIG_ACTS_SMTP), VERDICT_BANNED);
    assert_int_equal(verdict_at(fixture, CONFIG_ACTS_AUTH), VERDICT_GO_ON);
    event.is_of_mail = false; /* a login is the client's own doing */
    tell(fixture, event);
    assert_int_equal(verdict_at(fixture, CONFIG_ACTS_AUTH), VERDICT_BANNED);
}

#define BAN_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BAN_TEST(a_ban_is_a_little_longer_by_chance),
        BAN_TEST(too_many_bans_in_a_minute_are_held_back),
        BAN_TEST(an_operator_may_ban_as_many_as_he_likes),
        BAN_TEST(many_nets_become_the_one_around_them),
        BAN_TEST(what_the_operator_banned_stays_as_it_is),
        BAN_TEST(what_a_firewall_was_told_stays_until_it_can_be_told_more),
        BAN_TEST(the_net_around_them_is_banned_wherever_it_was),
        BAN_TEST(those_that_last_longer_than_the_net_around_them_stay),
        BAN_TEST(where_the_net_around_them_finds_no_place_they_stay),
        BAN_TEST(two_jails_that_act_elsewhere_make_one_ban),
        BAN_TEST(no_net_around_a_protected_one_is_banned),
        BAN_TEST(by_client_and_login_the_client_is_banned),
        BAN_TEST(a_honeypot_that_is_a_recipient_shuts_no_mailbox),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
