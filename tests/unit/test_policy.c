/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/str.h"
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

/* The whole answer; it lives until the next call. */
static const char *answer(struct fixture *fixture, const struct attr_list *list)
{
    static char text[512];
    struct origin origin;
    struct buf out = {0};

    assert_int_equal(policy_answer(fixture->engine, list, fixture_told, NULL, &origin, &out),
                     POLICY_NOW);
    assert_true(out.len < sizeof(text));
    assert_true(str_is_utf8(buf_str(&out)));
    snprintf(text, sizeof(text), "%s", buf_str(&out));
    buf_fini(&out);
    return text;
}

static const struct attr_list *request_of(const char *client)
{
    return fixture_list("request", "smtpd_access_policy", "protocol_state", "RCPT",
                        "client_address", client, "client_port", "40000", "server_address",
                        "192.0.2.1", "instance", "1.2.3.0", "sasl_username", "alice", NULL);
}

static void ban(struct fixture *fixture, const char *text, uint64_t seconds)
{
    struct prefix prefix = fixture_prefix(text);
    struct told told;

    engine_ban(fixture->engine, &prefix, seconds, fixture_told, &told);
    fixture_commit(fixture);
}

static void a_client_that_nobody_banned_goes_on(void **state)
{
    struct fixture *fixture = *state;

    assert_string_equal(answer(fixture, request_of(CLIENT)), "action=DUNNO\n\n");
    assert_string_equal(answer(fixture, request_of("2001:db8::1")), "action=DUNNO\n\n");
    assert_int_equal(engine_stats(fixture->engine)->count[STAT_POLICY_GO_ON], 2);
}

/* Each of these from a client that has not logged in. */
static const struct attr_list *recipient_of(const char *state, const char *sender,
                                            const char *recipient, const char *login)
{
    return fixture_list("request", "smtpd_access_policy", "protocol_state", state, "client_address",
                        CLIENT, "sender", sender, "recipient", recipient, "instance", "1.2.3.0",
                        "sasl_username", login, NULL);
}

static void a_honeypot_bans_who_writes_to_it(void **state)
{
    static char trap[] = "Trap@example.com";
    static const struct {
        const char *state, *sender, *recipient, *login;
    } innocent[] = {
        {"RCPT", "", "trap@example.com", ""}, /* a bounce */
        {"RCPT", "a@b.example", "alice@example.com", ""},
        {"MAIL", "a@b.example", "trap@example.com", ""},
        {"RCPT", "a@b.example", "trap@example.com", "alice"},
    };
    struct fixture *fixture = *state;
    char *traps[] = {trap};

    fixture->jail.events = CONFIG_EVENT_HONEYPOT;
    fixture->jail.maxretry = 1;
    fixture->config.policyd.honeypots = (struct config_strings){traps, 1};
    for (size_t i = 0; i < COUNT(innocent); i++)
        assert_string_equal(answer(fixture, recipient_of(innocent[i].state, innocent[i].sender,
                                                         innocent[i].recipient, innocent[i].login)),
                            "action=DUNNO\n\n");
    assert_string_equal(
        fixture_answer(fixture, recipient_of("RCPT", "a@b.example", "trap@EXAMPLE.com", "")),
        "action=421 4.7.0 203.0.113.7 is banned here; try again in 1h\n\n");
    assert_int_equal(engine_stats(fixture->engine)->count[STAT_EVENT_HONEYPOT], 1);
}

static void a_jail_may_defer(void **state)
{
    struct fixture *fixture = *state;
    struct told told;

    fixture->jail.action = JAIL_ACTION_DEFER;
    for (unsigned i = 0; i < 5; i++) {
        char fingerprint[] = {(char)('a' + i), '\0'};
        assert_string_equal(answer(fixture, recipient_of("RCPT", "a@b.example", "c@d.example", "")),
                            "action=DUNNO\n\n");
        fixture_fail(fixture, CLIENT, fingerprint, &told);
    }
    assert_string_equal(answer(fixture, recipient_of("RCPT", "a@b.example", "c@d.example", "")),
                        "action=450 4.7.0 too much came from 203.0.113.7; try again later\n\n");
    assert_true(fixture_logged(fixture, "1.2.3.0 defer client=203.0.113.7"));
    assert_true(fixture_logged(
        fixture, "answer=\"450 4.7.0 too much came from 203.0.113.7; try again later\""));
    assert_string_equal(
        answer(fixture, recipient_of("RCPT", "a@b.example", "c@d.example", "alice")),
        "action=DUNNO\n\n");
    fixture->config.enforce = false;
    assert_string_equal(answer(fixture, recipient_of("RCPT", "a@b.example", "c@d.example", "")),
                        "action=DUNNO\n\n");
    assert_true(fixture_logged(fixture, "1.2.3.0 \"would defer\" client=203.0.113.7") ||
                fixture_logged(fixture, "1.2.3.0 would defer client=203.0.113.7"));
    fixture->config.enforce = true;
    fixture_pass(fixture, 1200001);
    assert_string_equal(answer(fixture, recipient_of("RCPT", "a@b.example", "c@d.example", "")),
                        "action=DUNNO\n\n");
}

static void a_banned_client_is_told_and_disconnected(void **state)
{
    struct fixture *fixture = *state;

    ban(fixture, CLIENT, 3600);
    assert_string_equal(answer(fixture, request_of(CLIENT)),
                        "action=421 4.7.0 203.0.113.7 is banned here; try again in 1h\n\n");
    fixture_pass(fixture, 3550000);
    assert_string_equal(answer(fixture, request_of(CLIENT)),
                        "action=421 4.7.0 203.0.113.7 is banned here; try again in 50s\n\n");
    assert_true(fixture_logged(fixture, "1.2.3.0 policy action=421 client=203.0.113.7 "
                                        "origin=known source=direct gateway=- "
                                        "ban=203.0.113.7 jail=operator seconds=3600 "
                                        "login=alice state=RCPT"));
    fixture_pass(fixture, 50000);
    assert_string_equal(answer(fixture, request_of(CLIENT)), "action=DUNNO\n\n");
}

static void the_prefix_is_banned_the_address_is_named(void **state)
{
    struct fixture *fixture = *state;

    ban(fixture, "2001:db8:1:2::/64", 60);
    assert_string_equal(answer(fixture, request_of("2001:db8:1:2::9")),
                        "action=421 4.7.0 2001:db8:1:2::9 is banned here; try again in 1m\n\n");
}

static void masked_local_and_unknown_clients_go_on(void **state)
{
    static const char *const clients[] = {"10.8.0.1", "127.0.0.1", "::1",         "unknown",
                                          "",         "999.1.1.1", "::ffff:0:0:0"};
    struct fixture *fixture = *state;

    ban(fixture, CLIENT, 60);
    for (size_t i = 0; i < COUNT(clients); i++)
        CASE(clients[i], str_eq(answer(fixture, request_of(clients[i])), "action=DUNNO\n\n"));
    assert_string_equal(answer(fixture, fixture_list("request", "smtpd_access_policy", NULL)),
                        "action=DUNNO\n\n");
}

static void a_private_client_through_the_gateway_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct prefix destination = fixture_prefix("198.51.100.25");

    fixture->gateway.header_destinations = (struct prefixlist){&destination, 1};
    const struct attr_list *list =
        fixture_list("request", "smtpd_access_policy", "client_address", "192.168.7.7",
                     "server_address", "198.51.100.25", NULL);
    assert_string_equal(answer(fixture, list),
                        "action=554 5.7.1 192.168.7.7 cannot be a client of this gateway\n\n");
    fixture->config.enforce = false;
    assert_string_equal(answer(fixture, list), "action=DUNNO\n\n");
    assert_true(fixture_logged(fixture, "would reject action=554 client=192.168.7.7"));
}

static void without_enforce_a_banned_client_goes_on_with_a_line(void **state)
{
    struct fixture *fixture = *state;

    fixture->config.enforce = false;
    ban(fixture, CLIENT, 60);
    assert_string_equal(answer(fixture, request_of(CLIENT)), "action=DUNNO\n\n");
    assert_true(fixture_logged(fixture, "would reject action=421 client=203.0.113.7"));
    assert_int_equal(engine_stats(fixture->engine)->count[STAT_POLICY_BANNED], 0);
}

static const struct attr_list *connection_of(const char *client)
{
    return fixture_list("request", "smtpd_access_policy", "protocol_state", "CONNECT",
                        "client_address", client, "client_port", "40000", NULL);
}

#define BANNED "action=421 4.7.0 203.0.113.7 is banned here; try again in 1h\n\n"

/* The answer to the connection that leads to a ban waits for the store, and nobody else's. */
static enum engine_status answer_later(struct fixture *fixture)
{
    struct told told = {0};
    struct origin origin;
    struct buf out = {0};

    assert_int_equal(
        policy_answer(fixture->engine, connection_of(CLIENT), fixture_told, &told, &origin, &out),
        POLICY_LATER);
    assert_string_equal(buf_str(&out), "");
    assert_string_equal(answer(fixture, connection_of(CLIENT)), BANNED);
    assert_string_equal(answer(fixture, request_of(CLIENT)), BANNED);
    assert_string_equal(answer(fixture, request_of("203.0.113.8")), "action=DUNNO\n\n");
    assert_int_equal(told.times, 0);
    fixture_commit(fixture);
    assert_int_equal(told.times, 1);
    policy_conclude(fixture->engine, connection_of(CLIENT), &origin, &out);
    assert_string_equal(buf_str(&out), BANNED);
    buf_fini(&out);
    return told.status;
}

static void a_jail_may_count_connections(void **state)
{
    struct fixture *fixture = *state;
    struct stats *stats = engine_stats(fixture->engine);

    fixture->jail.events = CONFIG_EVENT_CONNECT;
    for (unsigned i = 1; i < fixture->jail.maxretry; i++)
        assert_string_equal(answer(fixture, connection_of(CLIENT)), "action=DUNNO\n\n");
    for (int i = 0; i < 10; i++)
        assert_string_equal(answer(fixture, request_of(CLIENT)), "action=DUNNO\n\n");
    assert_int_equal(stats->count[STAT_EVENT_CONNECT], fixture->jail.maxretry - 1);
    answer_later(fixture);
    assert_true(fixture_logged(fixture, "ban ban=203.0.113.7 jail=logins seconds=3600"));
    assert_int_equal(fixture->record_count, 1);
}

static void the_ban_of_a_connection_holds_though_the_disk_refuses(void **state)
{
    struct fixture *fixture = *state;

    fixture->jail.events = CONFIG_EVENT_CONNECT;
    fixture->jail.maxretry = 1;
    fixture->store_fault = "No space left on device";
    assert_int_equal(answer_later(fixture), ENGINE_UNSTORED);
    assert_string_equal(answer(fixture, connection_of(CLIENT)), BANNED);
}

static void connections_that_no_jail_counts_leave_no_trace(void **state)
{
    struct fixture *fixture = *state;

    for (unsigned i = 0; i < 2 * fixture->jail.maxretry; i++)
        assert_string_equal(answer(fixture, connection_of(CLIENT)), "action=DUNNO\n\n");
    assert_int_equal(engine_key_count(fixture->engine), 0);
    assert_int_equal(engine_stats(fixture->engine)->count[STAT_EVENT_CONNECT], 0);
}

static void local_connections_are_not_counted(void **state)
{
    struct fixture *fixture = *state;

    fixture->jail.events = CONFIG_EVENT_CONNECT;
    for (unsigned i = 0; i < 2 * fixture->jail.maxretry; i++)
        assert_string_equal(answer(fixture, connection_of("127.0.0.1")), "action=DUNNO\n\n");
    assert_string_equal(answer(fixture, connection_of("unknown")), "action=DUNNO\n\n");
    assert_int_equal(engine_key_count(fixture->engine), 0);
    assert_int_equal(engine_stats(fixture->engine)->count[STAT_EVENT_UNCOUNTED],
                     2 * fixture->jail.maxretry + 1);
}

static void what_is_no_policy_request_gets_no_answer(void **state)
{
    struct fixture *fixture = *state;
    struct origin origin;
    struct buf out = {0};

    assert_int_equal(
        policy_answer(fixture->engine, fixture_list("a", "b", NULL), NULL, NULL, &origin, &out),
        POLICY_NO_REQUEST);
    assert_int_equal(policy_answer(fixture->engine, fixture_list("request", "bans", NULL), NULL,
                                   NULL, &origin, &out),
                     POLICY_NO_REQUEST);
    assert_int_equal(out.len, 0);
}

/* What a real Postfix sent, in one piece; NULL where the data is not there. */
static char *captured(size_t *len_r)
{
    const char *folder = getenv("POSTERN_TEST_DATA");
    char path[1024];

    snprintf(path, sizeof(path), "%s/captured/postfix-3.7.11-policy-requests.txt",
             folder ? folder : "");
    FILE *file = fopen(path, "r");
    if (!file)
        return NULL;
    char *text = calloc(1, 1 << 20);
    *len_r = fread(text, 1, (1 << 20) - 1, file);
    fclose(file);
    return text;
}

static void captured_requests_are_answered(void **state)
{
    static struct attr_list list;
    struct fixture *fixture = *state;
    size_t len = 0, at = 0, consumed, count = 0;
    char *text = captured(&len);

    if (!text)
        skip();
    while (attr_parse((uint8_t *)text + at, len - at, &list, &consumed) == ATTR_OK) {
        assert_string_equal(answer(fixture, &list), "action=DUNNO\n\n");
        at += consumed;
        count++;
    }
    assert_true(count > 50);
    free(text);
}

#define POLICY_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        POLICY_TEST(a_client_that_nobody_banned_goes_on),
        POLICY_TEST(a_honeypot_bans_who_writes_to_it),
        POLICY_TEST(a_jail_may_defer),
        POLICY_TEST(a_banned_client_is_told_and_disconnected),
        POLICY_TEST(the_prefix_is_banned_the_address_is_named),
        POLICY_TEST(masked_local_and_unknown_clients_go_on),
        POLICY_TEST(a_private_client_through_the_gateway_is_refused),
        POLICY_TEST(without_enforce_a_banned_client_goes_on_with_a_line),
        POLICY_TEST(a_jail_may_count_connections),
        POLICY_TEST(the_ban_of_a_connection_holds_though_the_disk_refuses),
        POLICY_TEST(connections_that_no_jail_counts_leave_no_trace),
        POLICY_TEST(local_connections_are_not_counted),
        POLICY_TEST(what_is_no_policy_request_gets_no_answer),
        POLICY_TEST(captured_requests_are_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
