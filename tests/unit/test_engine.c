/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/engine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

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

static void guess(struct fixture *fixture, const char *client, unsigned count, struct told *told)
{
    char fingerprint[16];
    for (unsigned i = 0; i < count; i++) {
        snprintf(fingerprint, sizeof(fingerprint), "%04x", i);
        fixture_fail(fixture, client, fingerprint, told);
    }
}

static void the_report_is_answered_when_its_ban_is_durable(void **state)
{
    struct fixture *fixture = *state;
    struct told told;

    guess(fixture, CLIENT, 4, &told);
    assert_int_equal(told.times, 1);
    assert_int_equal(fixture_verdict(fixture, CLIENT), VERDICT_GO_ON);
    fixture_fail(fixture, CLIENT, "last", &told);
    assert_int_equal(told.times, 0);
    assert_int_equal(engine_pending(fixture->engine), 1);
    /* The question does not wait for the disk. */
    assert_int_equal(fixture_verdict(fixture, CLIENT), VERDICT_BANNED);
    fixture_commit(fixture);
    assert_int_equal(told.times, 1);
    assert_int_equal(told.status, ENGINE_OK);
    assert_int_equal(fixture->record_count, 1);
    assert_true(fixture_logged(fixture, "S1 ban ban=203.0.113.7 jail=logins seconds=3600"));
}

static void the_ban_ends_when_its_time_is_over(void **state)
{
    struct fixture *fixture = *state;
    struct told told;

    guess(fixture, CLIENT, 5, &told);
    fixture_commit(fixture);
    fixture_pass(fixture, 3599999);
    assert_int_equal(fixture_verdict(fixture, CLIENT), VERDICT_BANNED);
    fixture_pass(fixture, 1);
    assert_int_equal(fixture_verdict(fixture, CLIENT), VERDICT_GO_ON);
    assert_int_equal(fixture->record_count, 0);
    assert_true(fixture_logged(fixture, "ban-expired ban=203.0.113.7"));
    /* It starts anew. */
    guess(fixture, CLIENT, 4, &told);
    assert_int_equal(fixture_verdict(fixture, CLIENT), VERDICT_GO_ON);
}

static void a_wall_clock_that_jumps_moves_no_ban(void **state)
{
    struct fixture *fixture = *state;
    struct told told;

    guess(fixture, CLIENT, 5, &told);
    fixture_commit(fixture);
    fixture->wall_ms += INT64_C(100) * 86400000;
    engine_tick(fixture->engine);
    assert_int_equal(fixture_verdict(fixture, CLIENT), VERDICT_BANNED);
    fixture->wall_ms -= INT64_C(300) * 86400000;
    fixture->mono_ms += 3600000;
    assert_int_equal(fixture_verdict(fixture, CLIENT), VERDICT_GO_ON);
}

static void a_restart_leaves_what_is_left(void **state)
{
    struct fixture *fixture = *state;
    struct told told;
    struct origin_peer peer = fixture_peer(CLIENT);

    guess(fixture, CLIENT, 5, &told);
    fixture_restart(fixture, 1800000);
    struct judgement judgement = engine_judge(fixture->engine, &peer, "", CONFIG_ACTS_SMTP);
    assert_int_equal(judgement.verdict, VERDICT_BANNED);
    assert_int_equal(judgement.seconds, 1800);
    assert_true(judgement.ban->stored);
    fixture_restart(fixture, 1800000);
    assert_int_equal(fixture_verdict(fixture, CLIENT), VERDICT_GO_ON);
    fixture_commit(fixture);
    assert_int_equal(fixture->record_count, 0);
}

static void a_clock_set_back_during_a_restart_makes_no_ban_longer(void **state)
{
    struct fixture *fixture = *state;
    struct told told;
    struct origin_peer peer = fixture_peer(CLIENT);

    guess(fixture, CLIENT, 5, &told);
    fixture_restart(fixture, INT64_C(-50) * 365 * 86400000);
    assert_int_equal(engine_judge(fixture->engine, &peer, "", CONFIG_ACTS_SMTP).seconds, 3600);
}

static void a_stored_ban_of_what_became_a_gateway_is_dropped(void **state)
{
    struct fixture *fixture = *state;
    struct told told;

    guess(fixture, CLIENT, 5, &told);
    fixture_commit(fixture);
    fixture->tunnel = fixture_prefix(CLIENT);
    fixture_restart(fixture, 0);
    assert_int_equal(engine_bans(fixture->engine)->count, 0);
    fixture_commit(fixture);
    assert_int_equal(fixture->record_count, 0);
    assert_true(fixture_logged(fixture, "ban-dropped"));
}

static void masked_and_local_clients_are_not_counted(void **state)
{
    static const char *const clients[] = {"10.8.0.1", "127.0.0.1", "::1"};
    struct fixture *fixture = *state;
    struct told told;

    for (size_t i = 0; i < COUNT(clients); i++) {
        guess(fixture, clients[i], 20, &told);
        assert_int_equal(told.status, ENGINE_OK);
        CASE(clients[i], fixture_verdict(fixture, clients[i]) == VERDICT_GO_ON);
    }
    assert_int_equal(engine_bans(fixture->engine)->count, 0);
    assert_int_equal(engine_key_count(fixture->engine), 0);
    assert_true(fixture_logged(fixture, "event-uncounted"));
}

static void a_banned_client_is_not_counted(void **state)
{
    struct fixture *fixture = *state;
    struct told told;

    guess(fixture, CLIENT, 5, &told);
    guess(fixture, CLIENT, 50, &told);
    assert_int_equal(told.times, 1);
    assert_int_equal(engine_key_count(fixture->engine), 0);
    assert_int_equal(engine_stats(fixture->engine)->count[STAT_BAN_SET], 1);
    fixture_commit(fixture); /* told ends with this function */
}

static void without_enforce_nothing_is_done(void **state)
{
    struct fixture *fixture = *state;
    struct told told;
    struct prefix prefix = fixture_prefix(CLIENT);
    struct origin_peer peer = fixture_peer(CLIENT);

    fixture->config.enforce = false;
    guess(fixture, CLIENT, 5, &told);
    assert_int_equal(told.times, 1);
    assert_int_equal(engine_bans(fixture->engine)->count, 0);
    assert_true(fixture_logged(fixture, "would ban ban=203.0.113.7"));
    engine_ban(fixture->engine, &prefix, 60, fixture_told, &told);
    struct judgement judgement = engine_judge(fixture->engine, &peer, "", CONFIG_ACTS_SMTP);
    assert_int_equal(judgement.verdict, VERDICT_GO_ON);
    assert_int_equal(judgement.unforced, VERDICT_BANNED);
    fixture_commit(fixture); /* told ends with this function */
}

static void a_failing_disk_leaves_the_ban_in_memory_and_is_asked_again(void **state)
{
    struct fixture *fixture = *state;
    struct told told;

    fixture->store_fault = "No space left on device";
    guess(fixture, CLIENT, 5, &told);
    fixture_commit(fixture);
    assert_int_equal(told.status, ENGINE_UNSTORED);
    assert_string_equal(told.reason, "No space left on device");
    assert_string_equal(engine_store_health(fixture->engine).error, "No space left on device");
    assert_int_equal(fixture_verdict(fixture, CLIENT), VERDICT_BANNED);
    assert_true(fixture_logged(fixture, "store-failed error=\"No space left on device\""));
    fixture_pass(fixture, 60000);
    engine_tick(fixture->engine);
    fixture_commit(fixture);
    assert_non_null(engine_store_health(fixture->engine).error);
    fixture->store_fault = NULL;
    fixture_pass(fixture, 29000);
    engine_tick(fixture->engine);
    assert_int_equal(engine_pending(fixture->engine), 0);
    fixture_pass(fixture, 1000);
    engine_tick(fixture->engine);
    fixture_commit(fixture);
    assert_null(engine_store_health(fixture->engine).error);
    assert_int_equal(fixture->record_count, 1);
    assert_true(fixture_logged(fixture, "store-recovered"));
    /* The end on disk is the ban's own, not one counted from the second try. */
    assert_int_equal(fixture->records[0].until_wall_ms, fixture->wall_ms + 3600000 - 90000);
}

static void the_operator_bans_lifts_and_is_refused(void **state)
{
    static const char *const protected[] = {"10.8.0.1", "10.8.0.0/24", "0.0.0.0/0", "127.0.0.1"};
    struct fixture *fixture = *state;
    struct prefix net = fixture_prefix("203.0.113.0/24"), one = fixture_prefix(CLIENT);
    struct told told = {0};

    for (size_t i = 0; i < COUNT(protected); i++) {
        struct prefix prefix = fixture_prefix(protected[i]);
        engine_ban(fixture->engine, &prefix, 60, fixture_told, &told);
        CASE(protected[i], told.status == ENGINE_PROTECTED && *told.reason);
    }
    told.times = 0;
    engine_ban(fixture->engine, &net, 60, fixture_told, &told);
    assert_int_equal(told.times, 0);
    fixture_commit(fixture);
    assert_int_equal(told.status, ENGINE_OK);
    engine_unban(fixture->engine, &one, fixture_told, &told);
    assert_int_equal(told.status, ENGINE_NOT_BANNED);
    assert_string_equal(told.reason, "203.0.113.0/24");
    told.times = 0;
    engine_unban(fixture->engine, &net, fixture_told, &told);
    assert_int_equal(told.times, 0);
    fixture_commit(fixture);
    assert_int_equal(told.status, ENGINE_OK);
    assert_int_equal(fixture->record_count, 0);
}

static void lifting_a_ban_forgets_what_was_counted(void **state)
{
    struct fixture *fixture = *state;
    struct prefix prefix = fixture_prefix(CLIENT);
    struct told told;

    guess(fixture, CLIENT, 4, &told);
    engine_ban(fixture->engine, &prefix, 60, fixture_told, &told);
    engine_unban(fixture->engine, &prefix, fixture_told, &told);
    assert_int_equal(engine_key_count(fixture->engine), 0);
    guess(fixture, CLIENT, 4, &told);
    assert_int_equal(fixture_verdict(fixture, CLIENT), VERDICT_GO_ON);
    fixture_commit(fixture); /* told ends with this function */
}

static void of_two_jails_the_longer_ban_holds(void **state)
{
    struct fixture *fixture = *state;
    struct config_jail jails[3] = {fixture->jail, fixture->jail, fixture->jail};
    struct prefix prefix = fixture_prefix(CLIENT);
    struct told told;

    jails[0].bantime_sec = 60;
    jails[2].bantime_sec = 60;
    engine_free(&fixture->engine);
    fixture->config.jails = jails;
    fixture->config.jail_count = COUNT(jails);
    fixture_start(fixture);
    guess(fixture, CLIENT, 5, &told);
    const struct ban *ban = bans_find(engine_bans(fixture->engine), &prefix);
    assert_int_equal(bans_seconds_left(ban, fixture->mono_ms), 3600);
    assert_int_equal(told.times, 0);
    fixture_commit(fixture);
    assert_int_equal(told.times, 1);
    assert_int_equal(fixture->records[0].until_wall_ms, fixture->wall_ms + 3600000);
    engine_free(&fixture->engine);
    fixture->config.jail_count = 0;
    fixture_start(fixture);
}

static void a_store_that_cannot_be_read_is_an_error(void **state)
{
    struct fixture *fixture = *state;
    struct error error;

    fixture->store_fault = "cannot read";
    assert_int_equal(engine_restore(fixture->engine, &error), -1);
    assert_string_equal(error.text, "cannot read");
    fixture->store_fault = NULL;
}

static void tell(struct fixture *fixture, struct event event, int64_t age_ms, struct told *told)
{
    struct origin_peer peer = fixture_peer(CLIENT);

    event.login = event.fingerprint = "";
    event.session = "S1";
    event.at_wall_ms = age_ms ? fixture->wall_ms - age_ms : 0;
    *told = (struct told){0};
    engine_report(fixture->engine, &peer, &event, fixture_told, told);
    assert_int_equal(told->status, ENGINE_OK);
}

static void an_event_counts_at_the_time_when_it_was(void **state)
{
    struct fixture *fixture = *state;
    struct event event = {.kind = CONFIG_EVENT_AUTH_FAIL, .weight = 1};
    struct told told;

    for (int i = 0; i < 10; i++)
        tell(fixture, event, 600000, &told);
    assert_int_equal(engine_key_count(fixture->engine), 0);
    assert_true(fixture_logged(fixture, "older than findtime"));
    for (int i = 0; i < 4; i++)
        tell(fixture, event, 599999 - i, &told);
    assert_int_equal(fixture_verdict(fixture, CLIENT), VERDICT_GO_ON);
    /* Two findtimes behind the first of them nothing of them is left. */
    fixture_pass(fixture, 600001);
    tell(fixture, event, 0, &told);
    assert_int_equal(fixture_verdict(fixture, CLIENT), VERDICT_GO_ON);
    /* One that says it comes from tomorrow is of now. */
    for (int i = 0; i < 4; i++)
        tell(fixture, event, -86400000, &told);
    assert_int_equal(fixture_verdict(fixture, CLIENT), VERDICT_BANNED);
    fixture_commit(fixture);
}

static void each_kind_has_a_counter_and_no_jail_asks_for_it_unless_it_does(void **state)
{
    static const struct {
        unsigned kind;
        enum stat stat;
    } cases[] = {
        {CONFIG_EVENT_RCPT_UNKNOWN, STAT_EVENT_RCPT_UNKNOWN},
        {CONFIG_EVENT_RELAY_DENIED, STAT_EVENT_RELAY_DENIED},
        {CONFIG_EVENT_RCPT_REJECTED, STAT_EVENT_RCPT_REJECTED},
        {CONFIG_EVENT_SPF_FAIL, STAT_EVENT_SPF_FAIL},
        {CONFIG_EVENT_DKIM_FAIL, STAT_EVENT_DKIM_FAIL},
        {CONFIG_EVENT_DMARC_FAIL, STAT_EVENT_DMARC_FAIL},
    };
    struct fixture *fixture = *state;
    struct told told;

    for (size_t i = 0; i < COUNT(cases); i++) {
        for (unsigned n = 0; n < 10 + i; n++)
            tell(fixture, (struct event){.kind = cases[i].kind, .weight = 1}, 0, &told);
        assert_int_equal(engine_stats(fixture->engine)->count[cases[i].stat], 10 + i);
    }
    assert_int_equal(engine_stats(fixture->engine)->count[STAT_EVENT_AUTH_FAIL], 0);
    assert_int_equal(engine_key_count(fixture->engine), 0);
    assert_int_equal(fixture_verdict(fixture, CLIENT), VERDICT_GO_ON);
}

static enum verdict verdict_at(struct fixture *fixture, unsigned act)
{
    struct origin_peer peer = fixture_peer(CLIENT);

    return engine_judge(fixture->engine, &peer, "", act).verdict;
}

static void a_ban_by_mail_shuts_no_mailbox(void **state)
{
    struct fixture *fixture = *state;
    static char mail_name[] = "mail";
    struct config_jail jails[2] = {fixture->jail, fixture->jail};
    struct told told;

    jails[1].name = mail_name;
    jails[1].events = CONFIG_EVENTS_OF_MAIL;
    jails[1].acts = CONFIG_ACTS_SMTP;
    jails[1].bantime_sec = 7200;
    engine_free(&fixture->engine);
    fixture->config.jails = jails;
    fixture->config.jail_count = COUNT(jails);
    fixture_start(fixture);
    for (int i = 0; i < 5; i++)
        tell(fixture, (struct event){.kind = CONFIG_EVENT_SPF_FAIL, .weight = 1}, 0, &told);
    assert_int_equal(verdict_at(fixture, CONFIG_ACTS_SMTP), VERDICT_BANNED);
    assert_int_equal(verdict_at(fixture, CONFIG_ACTS_AUTH), VERDICT_GO_ON);
    fixture_restart(fixture, 0);
    assert_int_equal(verdict_at(fixture, CONFIG_ACTS_SMTP), VERDICT_BANNED);
    assert_int_equal(verdict_at(fixture, CONFIG_ACTS_AUTH), VERDICT_GO_ON);
    /* What it does at logins is counted still; the two bans become one, as long as that. */
    guess(fixture, CLIENT, 5, &told);
    assert_int_equal(verdict_at(fixture, CONFIG_ACTS_AUTH), VERDICT_BANNED);
    fixture_commit(fixture);
    fixture_pass(fixture, 3599000);
    assert_int_equal(verdict_at(fixture, CONFIG_ACTS_AUTH), VERDICT_BANNED);
    assert_int_equal(verdict_at(fixture, CONFIG_ACTS_SMTP), VERDICT_BANNED);
    fixture_pass(fixture, 1000);
    assert_int_equal(verdict_at(fixture, CONFIG_ACTS_SMTP), VERDICT_GO_ON);
    fixture_commit(fixture);
    engine_free(&fixture->engine);
    fixture->config.jail_count = 0;
    fixture_start(fixture);
}

/* Seconds that this login of the client must wait. */
static unsigned delay(struct fixture *fixture, const char *client, const char *login)
{
    struct origin_peer peer = fixture_peer(client);
    struct origin origin = origin_find(&fixture->rules, &peer);
    const struct config_jail *jail = NULL;
    unsigned seconds = engine_delay(fixture->engine, &origin, login, &jail);

    assert_true((jail != NULL) == (seconds > 0));
    return seconds;
}

static void count_by_login(struct fixture *fixture)
{
    fixture->jail.count_by = COUNT_BY_LOGIN;
    fixture->jail.action = JAIL_ACTION_DELAY;
    fixture->jail.delay_sec = 7;
}

static void whoever_guesses_behind_a_gateway_is_slowed_down_by_the_login(void **state)
{
    struct fixture *fixture = *state;
    struct told told;

    count_by_login(fixture);
    guess(fixture, "10.8.0.1", 4, &told);
    for (int i = 0; i < 20; i++)
        fixture_fail(fixture, "10.8.0.1", "0001", &told); /* a telephone with an old password */
    assert_int_equal(delay(fixture, "10.8.0.1", "alice"), 0);
    fixture_fail(fixture, CLIENT, "another", &told); /* of a known client counts as well */
    assert_int_equal(told.times, 1);
    assert_int_equal(delay(fixture, "10.8.0.1", "Alice"), 7);
    assert_int_equal(delay(fixture, CLIENT, "alice"), 7);
    assert_int_equal(delay(fixture, "10.8.0.1", "bob"), 0);
    assert_int_equal(delay(fixture, "10.8.0.1", ""), 0);
    assert_int_equal(delay(fixture, "127.0.0.1", "alice"), 0);
    assert_true(fixture_logged(fixture, "S1 jail-reached jail=logins key=alice count=5"));
    guess(fixture, "10.8.0.1", 20, &told);
    assert_false(fixture_logged(fixture, "jail-reached jail=logins key=alice count=6"));
    assert_int_equal(engine_bans(fixture->engine)->count, 0);
    assert_int_equal(fixture_verdict(fixture, CLIENT), VERDICT_GO_ON);
    fixture_pass(fixture, 2 * (int64_t)fixture->jail.findtime_sec * 1000 + 1);
    assert_int_equal(delay(fixture, "10.8.0.1", "alice"), 0);
}

static void a_local_client_is_not_slowed_down_nor_counted(void **state)
{
    struct fixture *fixture = *state;
    struct told told;

    count_by_login(fixture);
    guess(fixture, "127.0.0.1", 20, &told);
    assert_int_equal(delay(fixture, CLIENT, "alice"), 0);
    assert_true(fixture_logged(fixture, "event-uncounted"));
    assert_int_equal(engine_key_count(fixture->engine), 0);
}

static void a_jail_that_only_logs_bans_nobody(void **state)
{
    struct fixture *fixture = *state;
    struct told told;

    fixture->jail.action = JAIL_ACTION_LOG;
    guess(fixture, CLIENT, 20, &told);
    assert_int_equal(fixture_verdict(fixture, CLIENT), VERDICT_GO_ON);
    assert_int_equal(delay(fixture, CLIENT, "alice"), 0);
    assert_true(fixture_logged(fixture, "jail-reached jail=logins key=203.0.113.7 count=5"));
}

static void a_count_that_passes_the_limit_by_is_logged_once(void **state)
{
    struct fixture *fixture = *state;
    struct told told;

    fixture->jail.action = JAIL_ACTION_LOG;
    fixture->jail.weights[__builtin_ctz(CONFIG_EVENT_AUTH_FAIL)] = 3;
    guess(fixture, CLIENT, 3, &told);
    assert_false(fixture_logged(fixture, "jail-reached jail=logins key=203.0.113.7 count=3"));
    assert_true(fixture_logged(fixture, "jail-reached jail=logins key=203.0.113.7 count=6"));
    assert_false(fixture_logged(fixture, "jail-reached jail=logins key=203.0.113.7 count=9"));
}

/* Another configuration whose only jail is this one. */
static void reload(struct fixture *fixture, const struct config_jail *jail)
{
    static struct config configs[2];
    static struct config_jail jails[2];
    static unsigned turn;

    turn = !turn;
    jails[turn] = *jail;
    configs[turn] = fixture->config;
    configs[turn].jails = &jails[turn];
    engine_reconfigure(fixture->engine, &configs[turn], &fixture->rules);
}

static void a_reload_keeps_counts_whatever_they_lead_to(void **state)
{
    struct fixture *fixture = *state;
    struct config_jail jail = fixture->jail;
    struct told told;

    jail.maxretry = 100;
    reload(fixture, &jail);
    guess(fixture, CLIENT, 50, &told);
    jail.maxretry = 60;
    jail.events |= CONFIG_EVENT_SPF_FAIL;
    jail.bantime_sec++;
    reload(fixture, &jail);
    assert_int_equal(engine_key_count(fixture->engine), 1);
    assert_int_equal(fixture_verdict(fixture, CLIENT), VERDICT_GO_ON);
    jail.maxretry = 5;
    reload(fixture, &jail);
    fixture_fail(fixture, CLIENT, "another", &told); /* too many by now */
    assert_int_equal(fixture_verdict(fixture, CLIENT), VERDICT_BANNED);
    fixture_commit(fixture);
}

static void a_reload_forgets_what_would_be_counted_otherwise(void **state)
{
    struct fixture *fixture = *state;
    struct config_jail changed[5];
    static char name[] = "other";
    struct told told;

    for (size_t i = 0; i < COUNT(changed); i++)
        changed[i] = fixture->jail;
    changed[0].findtime_sec++;
    changed[1].prefix4--;
    changed[2].prefix6--;
    changed[3].distinct_password = false;
    changed[4].name = name;
    for (size_t i = 0; i < COUNT(changed); i++) {
        reload(fixture, &fixture->jail);
        guess(fixture, CLIENT, 2, &told);
        assert_int_equal(engine_key_count(fixture->engine), 1);
        reload(fixture, &changed[i]);
        assert_int_equal(engine_key_count(fixture->engine), 0);
    }
}

#define ENGINE_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ENGINE_TEST(the_report_is_answered_when_its_ban_is_durable),
        ENGINE_TEST(the_ban_ends_when_its_time_is_over),
        ENGINE_TEST(a_wall_clock_that_jumps_moves_no_ban),
        ENGINE_TEST(a_restart_leaves_what_is_left),
        ENGINE_TEST(a_clock_set_back_during_a_restart_makes_no_ban_longer),
        ENGINE_TEST(a_stored_ban_of_what_became_a_gateway_is_dropped),
        ENGINE_TEST(masked_and_local_clients_are_not_counted),
        ENGINE_TEST(whoever_guesses_behind_a_gateway_is_slowed_down_by_the_login),
        ENGINE_TEST(a_local_client_is_not_slowed_down_nor_counted),
        ENGINE_TEST(a_jail_that_only_logs_bans_nobody),
        ENGINE_TEST(a_count_that_passes_the_limit_by_is_logged_once),
        ENGINE_TEST(a_banned_client_is_not_counted),
        ENGINE_TEST(without_enforce_nothing_is_done),
        ENGINE_TEST(a_failing_disk_leaves_the_ban_in_memory_and_is_asked_again),
        ENGINE_TEST(the_operator_bans_lifts_and_is_refused),
        ENGINE_TEST(lifting_a_ban_forgets_what_was_counted),
        ENGINE_TEST(of_two_jails_the_longer_ban_holds),
        ENGINE_TEST(a_store_that_cannot_be_read_is_an_error),
        ENGINE_TEST(an_event_counts_at_the_time_when_it_was),
        ENGINE_TEST(a_reload_keeps_counts_whatever_they_lead_to),
        ENGINE_TEST(a_reload_forgets_what_would_be_counted_otherwise),
        ENGINE_TEST(a_ban_by_mail_shuts_no_mailbox),
        ENGINE_TEST(each_kind_has_a_counter_and_no_jail_asks_for_it_unless_it_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
