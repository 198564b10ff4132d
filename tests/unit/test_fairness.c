/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/engine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/config_fixture.h"
#include "tests/unit/policyd_fixture.h"
#include "tests/unit/unit.h"

/* The jails as the sample file has them, untouched: whom they hit, and whom they do not. */

#define CLIENT "203.0.113.7"

struct world {
    struct config *config;
    struct fixture *fixture;
};

static char *read_sample(void)
{
    const char *dir = getenv("POSTERN_SRCDIR");
    static char text[65536];
    char path[4096];

    snprintf(path, sizeof(path), "%s/conf/postern.conf", dir ? dir : ".");
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t len = fread(text, 1, sizeof(text) - 1, file);
    fclose(file);
    text[len] = '\0';
    return text;
}

/* Its jails begin and end with a line that names the part. */
static struct config *load_shipped(void)
{
    char *begin = strstr(read_sample(), "- jails\n");
    assert_non_null(begin);
    char *end = strstr(begin, "- outbound mail\n");
    assert_non_null(end);
    *end = '\0';
    char *text = strchr(begin, '\n');
    *strrchr(text, '\n') = '\0';
    struct buf whole = {0};
    buf_printf(&whole, "hostname = \"mx.example.com\"\n%s\n", text);
    struct config *config = load(buf_str(&whole));
    buf_fini(&whole);
    return config;
}

static int setup(void **state)
{
    struct world *world = calloc(1, sizeof(*world));

    assert_non_null(world);
    world->config = load_shipped();
    world->fixture = fixture_new();
    engine_free(&world->fixture->engine);
    world->fixture->config.jails = world->config->jails;
    world->fixture->config.jail_count = world->config->jail_count;
    fixture_start(world->fixture);
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;

    fixture_free(world->fixture);
    config_free(&world->config);
    free(world);
    return 0;
}

/* A second between two events; the store answers, and lines of the log go by. */
static void happens(struct world *world, const char *client, struct event event)
{
    struct fixture *fixture = world->fixture;
    struct origin_peer peer = fixture_peer(client);
    struct told told = {0};

    event.login = event.login ? event.login : "";
    event.fingerprint = event.fingerprint ? event.fingerprint : "";
    fixture->log[0] = '\0';
    fixture_pass(fixture, 1000);
    engine_report(fixture->engine, &peer, &event, fixture_told, &told);
    fixture_commit(fixture);
    assert_int_equal(told.times, 1);
}

static void fails(struct world *world, const char *client, const char *login, unsigned password)
{
    char fingerprint[16];

    snprintf(fingerprint, sizeof(fingerprint), "%04x", password);
    happens(world, client,
            (struct event){.kind = CONFIG_EVENT_AUTH_FAIL,
                           .login = login,
                           .fingerprint = fingerprint,
                           .weight = 1});
}

static void mails(struct world *world, const char *client, unsigned kind, unsigned weight)
{
    happens(world, client, (struct event){.kind = kind, .weight = weight, .recipient = "x"});
}

static bool is_banned(struct world *world, const char *client, unsigned act)
{
    struct origin_peer peer = fixture_peer(client);
    return engine_judge(world->fixture->engine, &peer, "", act).verdict == VERDICT_BANNED;
}

static bool is_banned_anywhere(struct world *world, const char *client)
{
    return is_banned(world, client, CONFIG_ACTS_SMTP) || is_banned(world, client, CONFIG_ACTS_AUTH);
}

static unsigned delay_of(struct world *world, const char *client, const char *login)
{
    struct fixture *fixture = world->fixture;
    struct origin_peer peer = fixture_peer(client);
    struct origin origin = origin_find(&fixture->rules, &peer);
    const struct config_jail *jail;

    return engine_delay(fixture->engine, &origin, login, &jail);
}

static void a_phone_with_one_stale_password_is_not_banned(void **state)
{
    for (int i = 0; i < 1000; i++)
        fails(*state, CLIENT, "alice", 1);
    assert_false(is_banned_anywhere(*state, CLIENT));
    assert_int_equal(delay_of(*state, CLIENT, "alice"), 0);
}

static void a_guesser_is_banned_after_five_different_passwords(void **state)
{
    for (unsigned i = 0; i < 4; i++)
        fails(*state, CLIENT, "alice", i);
    assert_false(is_banned_anywhere(*state, CLIENT));
    fails(*state, CLIENT, "alice", 4);
    assert_true(is_banned(*state, CLIENT, CONFIG_ACTS_SMTP));
    assert_true(is_banned(*state, CLIENT, CONFIG_ACTS_AUTH));
    assert_false(is_banned_anywhere(*state, "203.0.113.8"));
}

static void a_spray_over_many_logins_from_one_net_is_banned(void **state)
{
    char client[64], login[32];

    for (unsigned i = 0; i < 5; i++) {
        assert_false(is_banned_anywhere(*state, "2001:db8:1:2::ffff"));
        snprintf(client, sizeof(client), "2001:db8:1:2:%x::1", i);
        snprintf(login, sizeof(login), "user%u", i);
        fails(*state, client, login, 1);
    }
    assert_true(is_banned(*state, "2001:db8:1:2::ffff", CONFIG_ACTS_AUTH));
    assert_false(is_banned_anywhere(*state, "2001:db8:1:3::ffff"));
}

/* The n-th /64 of a /48. */
static const char *in_net(unsigned n, char client[64])
{
    snprintf(client, 64, "2001:db8:1:%x::1", n);
    return client;
}

static void who_owns_a_48_gets_no_more_guesses_by_a_new_64_for_each(void **state)
{
    char client[64];

    for (unsigned i = 0; i < 50; i++) {
        assert_false(is_banned_anywhere(*state, in_net(i, client)));
        fails(*state, client, "alice", i);
    }
    assert_true(is_banned(*state, in_net(0xffff, client), CONFIG_ACTS_AUTH));
    assert_false(is_banned(*state, client, CONFIG_ACTS_SMTP));
    assert_false(is_banned_anywhere(*state, "2001:db8:2::1"));
    fixture_pass(((struct world *)*state)->fixture, 600000);
    assert_false(is_banned_anywhere(*state, client));
}

static void stale_phones_all_over_a_providers_net_ban_nobody(void **state)
{
    char client[64], login[32];

    for (unsigned i = 0; i < 1000; i++) {
        snprintf(login, sizeof(login), "user%u", i % 20);
        fails(*state, in_net(i, client), login, i % 20);
    }
    assert_false(is_banned_anywhere(*state, in_net(0xffff, client)));
}

static void a_forwarder_or_list_whose_mail_fails_is_not_banned(void **state)
{
    for (int i = 0; i < 500; i++) {
        mails(*state, CLIENT, CONFIG_EVENT_SPF_FAIL, 1);
        mails(*state, CLIENT, CONFIG_EVENT_DKIM_FAIL, 1);
        mails(*state, CLIENT, CONFIG_EVENT_DMARC_FAIL, 1);
        mails(*state, CLIENT, CONFIG_EVENT_RCPT_REJECTED, 0);
    }
    assert_false(is_banned_anywhere(*state, CLIENT));
}

/* As postern-milter tells of a bounce; its own test says that it does. */
static void bounces_to_forged_senders_ban_nobody(void **state)
{
    for (int i = 0; i < 500; i++)
        mails(*state, CLIENT, CONFIG_EVENT_RCPT_UNKNOWN, 0);
    assert_false(is_banned_anywhere(*state, CLIENT));
}

static void a_harvester_is_banned_from_mail_alone(void **state)
{
    for (int i = 0; i < 19; i++)
        mails(*state, CLIENT, CONFIG_EVENT_RCPT_UNKNOWN, 1);
    assert_false(is_banned_anywhere(*state, CLIENT));
    mails(*state, CLIENT, CONFIG_EVENT_RCPT_UNKNOWN, 1);
    assert_true(is_banned(*state, CLIENT, CONFIG_ACTS_SMTP));
    assert_false(is_banned(*state, CLIENT, CONFIG_ACTS_AUTH));
}

static void who_looks_for_a_relay_is_banned_after_ten(void **state)
{
    for (int i = 0; i < 10; i++) {
        assert_false(is_banned_anywhere(*state, CLIENT));
        mails(*state, CLIENT, CONFIG_EVENT_RELAY_DENIED, 1);
    }
    assert_true(is_banned(*state, CLIENT, CONFIG_ACTS_SMTP));
}

static void succeeds(struct world *world, const char *client, const char *login)
{
    struct origin_peer peer = fixture_peer(client);

    engine_note_login(world->fixture->engine, &peer, login);
}

static void who_is_known_may_fail_three_times_as_often(void **state)
{
    struct world *world = *state;

    succeeds(world, CLIENT, "Alice");
    for (unsigned i = 0; i < 14; i++)
        fails(world, CLIENT, "alice", i);
    assert_false(is_banned_anywhere(world, CLIENT));
    succeeds(world, CLIENT, "alice"); /* clears nothing */
    fails(world, CLIENT, "alice", 14);
    assert_true(is_banned(world, CLIENT, CONFIG_ACTS_AUTH));
}

static void whose_login_is_known_guesses_no_other_one(void **state)
{
    succeeds(*state, CLIENT, "mallory");
    for (unsigned i = 0; i < 5; i++)
        fails(*state, CLIENT, "alice", i);
    assert_true(is_banned(*state, CLIENT, CONFIG_ACTS_AUTH));
}

static void a_week_later_nobody_is_known(void **state)
{
    struct world *world = *state;

    succeeds(world, CLIENT, "alice");
    fixture_pass(world->fixture, INT64_C(7) * 86400000);
    for (unsigned i = 0; i < 5; i++)
        fails(world, CLIENT, "alice", i);
    assert_true(is_banned(world, CLIENT, CONFIG_ACTS_AUTH));
}

static void a_masked_client_is_known_by_nothing(void **state)
{
    struct world *world = *state;

    succeeds(world, "10.8.0.1", "alice");
    for (unsigned i = 0; i < 20; i++)
        fails(world, "10.8.0.1", "alice", i);
    assert_false(is_banned_anywhere(world, "10.8.0.1"));
    assert_int_equal(delay_of(world, "10.8.0.1", "alice"), 5);
    assert_int_equal(delay_of(world, "10.8.0.1", "bob"), 0);
}

/* Alice at home does not wait for what strangers try with her name. */
static void who_is_known_waits_for_no_stranger(void **state)
{
    struct world *world = *state;
    char client[64];

    succeeds(world, CLIENT, "alice");
    for (unsigned i = 0; i < 20; i++) {
        snprintf(client, sizeof(client), "198.51.100.%u", i);
        fails(world, client, "alice", i);
    }
    assert_int_equal(delay_of(world, "198.51.100.200", "alice"), 5);
    assert_int_equal(delay_of(world, CLIENT, "alice"), 0);
}

static void who_comes_back_is_banned_for_longer(void **state)
{
    struct world *world = *state;
    struct origin_peer peer = fixture_peer(CLIENT);
    static const uint64_t seconds[] = {3600, 7200, 14400, 28800};

    for (size_t n = 0; n < COUNT(seconds); n++) {
        for (unsigned i = 0; i < 5; i++)
            fails(world, CLIENT, "alice", i);
        struct judgement judgement =
            engine_judge(world->fixture->engine, &peer, "", CONFIG_ACTS_AUTH);
        assert_int_equal(judgement.verdict, VERDICT_BANNED);
        assert_int_equal(judgement.seconds, seconds[n]);
        fixture_pass(world->fixture, (int64_t)seconds[n] * 1000);
        engine_tick(world->fixture->engine);
        fixture_commit(world->fixture);
    }
    /* Twice the longest ban and a day later, nothing is left of it. */
    fixture_pass(world->fixture, INT64_C(1000) * 86400 * 2 * 8);
    for (unsigned i = 0; i < 5; i++)
        fails(world, CLIENT, "alice", i);
    assert_int_equal(engine_judge(world->fixture->engine, &peer, "", CONFIG_ACTS_AUTH).seconds,
                     3600);
}

static void lifting_a_ban_forgets_those_before(void **state)
{
    struct world *world = *state;
    struct fixture *fixture = world->fixture;
    struct origin_peer peer = fixture_peer(CLIENT);
    struct prefix prefix = fixture_prefix(CLIENT);
    struct told told;

    for (unsigned n = 0; n < 2; n++) {
        for (unsigned i = 0; i < 5; i++)
            fails(world, CLIENT, "alice", i);
        assert_int_equal(engine_judge(fixture->engine, &peer, "", CONFIG_ACTS_AUTH).seconds, 3600);
        engine_unban(fixture->engine, &prefix, fixture_told, &told);
        fixture_commit(fixture);
    }
}

/* --- who tries to have another banned ------------------------------------------------------ */

#define ATTACKER  "198.51.100.66"
#define NEIGHBOUR "198.51.100.67"
#define GATEWAY   "10.8.0.1"

static const unsigned every_event[] = {
    CONFIG_EVENT_AUTH_FAIL,     CONFIG_EVENT_RCPT_UNKNOWN, CONFIG_EVENT_RELAY_DENIED,
    CONFIG_EVENT_RCPT_REJECTED, CONFIG_EVENT_SPF_FAIL,     CONFIG_EVENT_DKIM_FAIL,
    CONFIG_EVENT_DMARC_FAIL,    CONFIG_EVENT_CONNECT,      CONFIG_EVENT_HONEYPOT,
    CONFIG_EVENT_MESSAGE,       CONFIG_EVENT_RECIPIENT,
};

/* With the name of whom he means, where he may choose it: what he sends is sent by his own login.
 */
static void attacks(struct world *world, const char *from, unsigned kind, unsigned number)
{
    bool is_submission = kind & CONFIG_EVENTS_OF_SUBMISSION;
    bool has_login = is_submission || kind == CONFIG_EVENT_AUTH_FAIL || number % 2;
    char fingerprint[16];

    snprintf(fingerprint, sizeof(fingerprint), "%04x", number);
    happens(world, from,
            (struct event){.kind = kind,
                           .login = is_submission ? "mallory"
                                    : has_login   ? "alice"
                                                  : "",
                           .fingerprint = kind == CONFIG_EVENT_AUTH_FAIL ? fingerprint : "",
                           .weight = 1,
                           .is_of_mail = kind != CONFIG_EVENT_AUTH_FAIL,
                           .recipient = "alice@example.com"});
}

static bool is_login_banned(struct world *world, const char *client, const char *login)
{
    struct origin_peer peer = fixture_peer(client);
    struct engine *engine = world->fixture->engine;

    return engine_judge(engine, &peer, login, CONFIG_ACTS_SMTP).verdict == VERDICT_BANNED ||
           engine_judge(engine, &peer, login, CONFIG_ACTS_AUTH).verdict == VERDICT_BANNED;
}

static void every_event_hits_him_who_caused_it_or_nobody(void **state)
{
    struct world *world = *state;

    for (size_t i = 0; i < COUNT(every_event); i++) {
        const char *name = event_name(every_event[i]);
        succeeds(world, CLIENT, "alice");
        for (unsigned n = 0; n < 300; n++)
            attacks(world, ATTACKER, every_event[i], n);
        CASE(name, !is_banned_anywhere(world, CLIENT));
        CASE(name, !is_banned_anywhere(world, NEIGHBOUR));
        CASE(name, !is_login_banned(world, CLIENT, "alice"));
        CASE(name, delay_of(world, CLIENT, "alice") == 0);
    }
}

static void no_event_bans_the_gateway_or_who_is_behind_it(void **state)
{
    struct world *world = *state;

    for (size_t i = 0; i < COUNT(every_event); i++) {
        const char *name = event_name(every_event[i]);
        for (unsigned n = 0; n < 300; n++)
            attacks(world, GATEWAY, every_event[i], n);
        CASE(name, !is_banned_anywhere(world, GATEWAY));
        CASE(name, !is_login_banned(world, GATEWAY, "alice"));
        CASE(name, engine_bans(world->fixture->engine)->count == 0);
    }
}

/*
 * What he has a server of somebody else's do: a list, a forwarder, a provider where he has an
 * account, or all those that answer what he forged. weight is what postern-milter tells of it. It
 * shuts no mailbox; mail of who brings twenty unknown recipients, or ten of a domain whose MX he
 * lets lead here, comes an hour late.
 */
static void who_is_made_to_send_it_is_delayed_at_most(void **state)
{
    static const struct {
        const char *what;
        unsigned kind, weight;
        bool is_late;
    } cases[] = {
        {"recipients that nobody has", CONFIG_EVENT_RCPT_UNKNOWN, 1, true},
        {"bounces to those", CONFIG_EVENT_RCPT_UNKNOWN, 0, false},
        {"mail to a domain of his", CONFIG_EVENT_RELAY_DENIED, 1, true},
        {"bounces there", CONFIG_EVENT_RELAY_DENIED, 0, false},
        {"mail to a full mailbox", CONFIG_EVENT_RCPT_REJECTED, 0, false},
        {"forwarded without SRS", CONFIG_EVENT_SPF_FAIL, 1, false},
        {"changed by a list", CONFIG_EVENT_DKIM_FAIL, 1, false},
        {"of a domain with p=reject", CONFIG_EVENT_DMARC_FAIL, 1, false},
        {"many connections", CONFIG_EVENT_CONNECT, 1, false},
        {"mail to an address that is a trap", CONFIG_EVENT_HONEYPOT, 1, false},
        {"messages", CONFIG_EVENT_MESSAGE, 1, false},
        {"recipients", CONFIG_EVENT_RECIPIENT, 1, false},
    };
    struct world *world = *state;
    char client[64];

    for (size_t i = 0; i < COUNT(cases); i++) {
        snprintf(client, sizeof(client), "203.0.113.%zu", 100 + i);
        for (int n = 0; n < 500; n++)
            mails(world, client, cases[i].kind, cases[i].weight);
        CASE(cases[i].what, is_banned(world, client, CONFIG_ACTS_SMTP) == cases[i].is_late);
        CASE(cases[i].what, !is_banned(world, client, CONFIG_ACTS_AUTH));
        struct origin_peer peer = fixture_peer(client);
        struct judgement judgement =
            engine_judge(world->fixture->engine, &peer, "", CONFIG_ACTS_SMTP);
        CASE(cases[i].what, judgement.seconds <= 3600);
    }
}

/* Whoever has her password alone can, and then she is refused what is too much, no more. */
static void what_a_login_sends_shuts_no_mailbox(void **state)
{
    struct world *world = *state;

    for (int n = 0; n < 300; n++) {
        happens(world, ATTACKER,
                (struct event){.kind = CONFIG_EVENT_RECIPIENT,
                               .login = "alice",
                               .weight = 1,
                               .is_of_mail = true,
                               .recipient = "x"});
    }
    assert_false(is_login_banned(world, CLIENT, "alice"));
    assert_false(is_banned_anywhere(world, ATTACKER));
    assert_int_equal(delay_of(world, CLIENT, "alice"), 0);
}

#define FAIRNESS_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FAIRNESS_TEST(a_phone_with_one_stale_password_is_not_banned),
        FAIRNESS_TEST(a_guesser_is_banned_after_five_different_passwords),
        FAIRNESS_TEST(a_spray_over_many_logins_from_one_net_is_banned),
        FAIRNESS_TEST(who_owns_a_48_gets_no_more_guesses_by_a_new_64_for_each),
        FAIRNESS_TEST(stale_phones_all_over_a_providers_net_ban_nobody),
        FAIRNESS_TEST(a_forwarder_or_list_whose_mail_fails_is_not_banned),
        FAIRNESS_TEST(bounces_to_forged_senders_ban_nobody),
        FAIRNESS_TEST(a_harvester_is_banned_from_mail_alone),
        FAIRNESS_TEST(who_looks_for_a_relay_is_banned_after_ten),
        FAIRNESS_TEST(who_is_known_may_fail_three_times_as_often),
        FAIRNESS_TEST(whose_login_is_known_guesses_no_other_one),
        FAIRNESS_TEST(a_week_later_nobody_is_known),
        FAIRNESS_TEST(a_masked_client_is_known_by_nothing),
        FAIRNESS_TEST(who_is_known_waits_for_no_stranger),
        FAIRNESS_TEST(who_comes_back_is_banned_for_longer),
        FAIRNESS_TEST(lifting_a_ban_forgets_those_before),
        FAIRNESS_TEST(every_event_hits_him_who_caused_it_or_nobody),
        FAIRNESS_TEST(no_event_bans_the_gateway_or_who_is_behind_it),
        FAIRNESS_TEST(who_is_made_to_send_it_is_delayed_at_most),
        FAIRNESS_TEST(what_a_login_sends_shuts_no_mailbox),
    };
    return cmocka_run_group_tests(tests, config_fixture_setup, config_fixture_teardown);
}
