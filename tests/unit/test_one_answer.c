/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/str.h"
#include "tests/unit/stores_fixture.h"

/*
 * Where a file store and one that several share have differed, each in a few events; what
 * happens by chance is in test_two_stores.c.
 */
static const char configuration[] =
    "policyd { honeypots = {\"admin\", \"trap@example.com\"} aggregate = true }\n"
    "jail \"traps\" { events = {\"honeypot\"} maxretry = 1 bantime = \"1h\" bantime_factor = 3\n"
    "  bantime_max = \"1d\" }\n"
    "jail \"logins\" { maxretry = 3 findtime = \"10m\" action = \"defer\" distinct = \"\" }\n"
    "jail \"wide\" { events = {\"spf_fail\"} prefix6 = 48 findtime = \"1d\" maxretry = 9\n"
    "  action = \"log\" }\n"
    "jail \"stolen\" { events = {\"recipient\"} count_by = \"login\" maxretry = 5\n"
    "  bantime = \"10m\" }\n"
    "jail \"burst\" { events = {\"message\"} count_by = \"login\" maxretry = 2\n"
    "  bantime = \"1h\" }\n";

enum { TRAPS, LOGINS, WIDE, STOLEN, BURST }; /* the jails */

#define MINUTE INT64_C(60000)
#define HOUR   (60 * MINUTE)

static struct stores *stores;
static unsigned done, messages;

static int setup(void **state)
{
    (void)state;
    stores = stores_new(configuration);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    stores_free(stores);
    return 0;
}

static struct origin_peer peer_of(const char *client)
{
    struct origin_peer peer = {0};

    assert_int_equal(addr_parse(client, &peer.addr), 0);
    return peer;
}

static void on_done(enum engine_status status, const char *reason, void *ctx)
{
    (void)reason;
    (void)ctx;
    assert_int_equal(status, ENGINE_OK);
    done++;
}

static void settle(unsigned count)
{
    SCENE_TURN_UNTIL(stores->scene, done == count && stores_are_settled(stores));
    done = 0;
}

/* To both stores; of those that share, to this one. */
static void happen(size_t taker, unsigned kind, const char *client, int64_t age_ms)
{
    struct origin_peer peer = peer_of(client);

    for (size_t i = 0; i < ENGINES; i++) {
        struct event event = {
            .kind = kind,
            .login = kind == CONFIG_EVENT_AUTH_FAIL ? "alice" : "",
            .fingerprint = "",
            .weight = 1,
            .is_of_mail = kind != CONFIG_EVENT_AUTH_FAIL,
            .at_wall_ms = age_ms ? stores->wall_ms - age_ms : 0,
        };
        if (i == FILE_STORE || i == taker)
            engine_report(stores->engines[i], &peer, &event, on_done, NULL);
    }
    settle(2);
}

static void operate(const char *net, bool is_unban)
{
    struct prefix prefix;

    assert_int_equal(prefix_parse(net, &prefix), 0);
    for (size_t i = FILE_STORE; i <= SHARED_A; i++) {
        if (is_unban)
            engine_unban(stores->engines[i], &prefix, on_done, NULL);
        else
            engine_ban(stores->engines[i], &prefix, 600, on_done, NULL);
    }
    settle(2);
}

static uint64_t count(size_t i, size_t jail, const char *client, const char *login)
{
    const struct jails *all = engine_jails(stores->engines[i]);
    struct origin_peer peer = peer_of(client);
    const struct event event = {.client = peer.addr, .login = login};
    struct prefix key = jail_key(&all->config->jails[jail], &event);
    const struct window *window = counters_look(&all->counters[jail], &key);

    return window ? window_count(window, all->counters[jail].findtime_ms, stores->mono_ms) : 0;
}

static void counts(size_t jail, const char *client, const char *login, uint64_t expected)
{
    assert_int_equal(count(FILE_STORE, jail, client, login), expected);
    assert_int_equal(count(SHARED_A, jail, client, login), expected);
}

static bool defers(size_t i, const char *client)
{
    struct origin_peer peer = peer_of(client);
    struct origin origin = origin_find(&stores->rules, &peer);

    return engine_defers(stores->engines[i], &origin) != NULL;
}

static const char *ask_postfix(const char *client, const char *state, const char *recipient,
                               const char *login)
{
    struct buf request = {0};
    char instance[16];

    snprintf(instance, sizeof(instance), "%u.1", ++messages);
    attr_put(&request, "request", "smtpd_access_policy");
    attr_put(&request, "protocol_state", state);
    attr_put(&request, "client_address", client);
    attr_put(&request, "sender", "a@example.net");
    attr_put(&request, "recipient", recipient);
    attr_put(&request, "instance", instance);
    attr_put(&request, "sasl_username", login);
    attr_put(&request, "recipient_count", "5");
    attr_end(&request);
    stores_ask_policy(stores, FILE_STORE, &request);
    stores_ask_policy(stores, SHARED_A, &request);
    STORES_SETTLE(stores);
    buf_fini(&request);
    assert_string_equal(stores_answer(stores, FILE_STORE), stores_answer(stores, SHARED_A));
    return stores_answer(stores, FILE_STORE);
}

#define NEEDS_REDIS                                                                                \
    (void)state;                                                                                   \
    if (!stores->scene)                                                                            \
    skip()

/* --- what one request tells ---------------------------------------------------------------- */

static void a_recipient_that_nobody_has_is_answered_by_its_ban(void **state)
{
    NEEDS_REDIS;
    assert_string_equal(ask_postfix("203.0.113.1", "RCPT", "trap@example.com", ""),
                        "action=421 4.7.0 203.0.113.1 is banned here; try again in 1h\n\n");
}

static void a_login_that_nobody_has_is_a_failure_as_well(void **state)
{
    static const char json[] = "{\"login\":\"admin\",\"remote\":\"203.0.113.2\",\"pwhash\":\"1\","
                               "\"success\":false}";

    NEEDS_REDIS;
    stores_ask_auth(stores, FILE_STORE, "report", json);
    stores_ask_auth(stores, SHARED_A, "report", json);
    STORES_SETTLE(stores);
    counts(LOGINS, "203.0.113.2", "admin", 1);
}

/* At the end of the data its recipients and the message itself are told together. */
static void a_message_whose_recipients_ban_its_login_is_counted(void **state)
{
    NEEDS_REDIS;
    assert_non_null(strstr(ask_postfix("203.0.113.3", "END-OF-MESSAGE", "", "bob"),
                           "421 4.7.0 bob is banned here"));
    counts(BURST, "203.0.113.3", "bob", 1);
}

/* The answer waits for both. */
static void a_message_too_many_is_answered_by_its_ban(void **state)
{
    NEEDS_REDIS;
    assert_string_equal(ask_postfix("203.0.113.4", "DATA", "", "eve"),
                        "action=421 4.7.0 eve is banned here; try again in 10m\n\n");
    stores_pass(stores, 11 * MINUTE);
    assert_string_equal(ask_postfix("203.0.113.4", "DATA", "", "eve"),
                        "action=421 4.7.0 eve is banned here; try again in 1h\n\n");
}

/* --- what others are told -------------------------------------------------------------------- */

static void a_friend_of_ours_is_deferred_by_others(void **state)
{
    static const char client[] = "203.0.113.5";
    struct origin_peer peer = peer_of(client);

    NEEDS_REDIS;
    engine_note_login(stores->engines[FILE_STORE], &peer, "alice");
    engine_note_login(stores->engines[SHARED_A], &peer, "alice");
    for (unsigned i = 0; i < 3; i++)
        happen(SHARED_A, CONFIG_EVENT_AUTH_FAIL, client, 0);
    assert_true(defers(FILE_STORE, client));
    SCENE_TURN_UNTIL(stores->scene, defers(SHARED_B, client));
}

static void what_is_more_than_too_many_is_told(void **state)
{
    static const char client[] = "203.0.113.6";

    NEEDS_REDIS;
    for (uint64_t i = 1; i <= 8; i++) {
        happen(SHARED_A, CONFIG_EVENT_AUTH_FAIL, client, 0);
        SCENE_TURN_UNTIL(stores->scene, i < 3 || count(SHARED_B, LOGINS, client, "") == i);
    }
    stores_pass(stores, 16 * MINUTE); /* four are left of eight, of three none too many */
    assert_true(defers(FILE_STORE, client));
    assert_true(defers(SHARED_A, client));
    assert_true(defers(SHARED_B, client));
}

/* --- what is forgotten ------------------------------------------------------------------------ */

static void a_lift_is_known_as_long_as_anything_counts(void **state)
{
    NEEDS_REDIS;
    happen(SHARED_A, CONFIG_EVENT_HONEYPOT, "203.0.113.7", 0);
    stores_pass(stores, 1000);
    operate("203.0.113.7", true);
    stores_pass(stores, 30 * HOUR);
    for (size_t i = 0; i < ENGINES; i++)
        engine_tick(stores->engines[i]);
    happen(SHARED_A, CONFIG_EVENT_HONEYPOT, "203.0.113.7", 0); /* an hour, not three */
}

static void a_ban_that_becomes_a_wider_one_is_no_lift(void **state)
{
    char client[ADDR_TEXT_MAX];

    NEEDS_REDIS;
    happen(SHARED_A, CONFIG_EVENT_SPF_FAIL, "2001:db8:5:100::1", 0);
    stores_pass(stores, 1000);
    operate("2001:db8:5::/64", false);
    operate("2001:db8:5::/64", true);
    stores_pass(stores, 1000);
    for (unsigned i = 0; i < 16; i++) {
        snprintf(client, sizeof(client), "2001:db8:5:%x::1", i);
        happen(SHARED_A, CONFIG_EVENT_HONEYPOT, client, 0);
    }
    happen(SHARED_A, CONFIG_EVENT_SPF_FAIL, "2001:db8:5:100::1", 0);
    counts(WIDE, "2001:db8:5:100::1", "", 1);
}

/* Whether it was swept out before: the window of ten minutes was not over when the event was. */
static void an_event_of_before_meets_no_window_that_is_over(void **state)
{
    static const char client[] = "203.0.113.9";

    NEEDS_REDIS;
    happen(SHARED_A, CONFIG_EVENT_AUTH_FAIL, client, 0);
    stores_pass(stores, 25 * MINUTE);
    for (size_t i = 0; i < ENGINES; i++)
        engine_tick(stores->engines[i]);
    for (unsigned i = 1; i <= 4; i++) {
        happen(SHARED_A, CONFIG_EVENT_AUTH_FAIL, client, 6 * MINUTE);
        counts(LOGINS, client, "", i);
    }
}

/* --- a clock that is set back, of Redis and the hosts alike --------------------------------- */

static void a_window_does_not_wait_for_a_clock_that_went_back(void **state)
{
    static const char client[] = "203.0.113.60";

    NEEDS_REDIS;
    happen(SHARED_A, CONFIG_EVENT_AUTH_FAIL, client, 0);
    happen(SHARED_A, CONFIG_EVENT_AUTH_FAIL, client, 0);
    stores->wall_ms -= HOUR;
    stores_pass(stores, HOUR / 2);
    happen(SHARED_A, CONFIG_EVENT_AUTH_FAIL, client, 0);
    counts(LOGINS, client, "", 1);
}

/* As it does a little where a replica takes over. */
static void what_counts_still_does_so_after_a_small_step_back(void **state)
{
    static const char client[] = "203.0.113.61";

    NEEDS_REDIS;
    happen(SHARED_A, CONFIG_EVENT_AUTH_FAIL, client, 0);
    happen(SHARED_A, CONFIG_EVENT_AUTH_FAIL, client, 0);
    stores->wall_ms -= 5000;
    stores_pass(stores, 1000);
    happen(SHARED_A, CONFIG_EVENT_AUTH_FAIL, client, 0);
    counts(LOGINS, client, "", 3);
    stores_pass(stores, 20 * MINUTE);
    counts(LOGINS, client, "", 0);
}

static void a_ban_is_no_longer_for_a_clock_that_went_back(void **state)
{
    struct prefix net;

    NEEDS_REDIS;
    assert_int_equal(prefix_parse("203.0.113.62", &net), 0);
    operate("203.0.113.62", false);
    stores->wall_ms -= HOUR;
    stores_restart(stores, SHARED_B);
    const struct ban *ban = bans_find(engine_bans(stores->engines[SHARED_B]), &net);
    assert_non_null(ban);
    assert_int_equal(ban->until_mono_ms, stores->mono_ms + 10 * MINUTE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_recipient_that_nobody_has_is_answered_by_its_ban),
        cmocka_unit_test(a_login_that_nobody_has_is_a_failure_as_well),
        cmocka_unit_test(a_message_whose_recipients_ban_its_login_is_counted),
        cmocka_unit_test(a_message_too_many_is_answered_by_its_ban),
        cmocka_unit_test(a_friend_of_ours_is_deferred_by_others),
        cmocka_unit_test(what_is_more_than_too_many_is_told),
        cmocka_unit_test(a_lift_is_known_as_long_as_anything_counts),
        cmocka_unit_test(a_ban_that_becomes_a_wider_one_is_no_lift),
        cmocka_unit_test(an_event_of_before_meets_no_window_that_is_over),
        cmocka_unit_test(a_window_does_not_wait_for_a_clock_that_went_back),
        cmocka_unit_test(what_counts_still_does_so_after_a_small_step_back),
        cmocka_unit_test(a_ban_is_no_longer_for_a_clock_that_went_back),
    };

    return cmocka_run_group_tests_name("one_answer", tests, setup, teardown);
}
