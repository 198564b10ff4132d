/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/control.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/str.h"
#include "tests/unit/policyd_fixture.h"
#include "tests/unit/unit.h"

static int setup(void **state)
{
    struct fixture *fixture = fixture_new();
    fixture_add_routes(fixture);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    fixture_free(*state);
    return 0;
}

static struct connection_counts seven(void *ctx)
{
    (void)ctx;
    return (struct connection_counts){.open = 7, .closed = 3};
}

/* The last list of an answer. */
static const struct attr_list *last_list(const struct buf *out)
{
    static struct attr_list list;
    size_t at = 0, consumed;

    while (at < out->len) {
        assert_int_equal(attr_parse(out->data + at, out->len - at, &list, &consumed), ATTR_OK);
        at += consumed;
    }
    return &list;
}

static void status_has_every_counter(void **state)
{
    struct fixture *fixture = *state;
    struct control_server server = {.engine = fixture->engine, .connection_counts = seven};
    struct buf out = {0};

    fixture_pass(fixture, 61500);
    engine_stats(fixture->engine)->count[STAT_POLICY_BANNED] = 42;
    control_put_status(&server, &out);
    const struct attr_list *list = last_list(&out);
    assert_string_equal(attr_get(list, "status"), "ok");
    assert_string_equal(attr_get(list, "version"), PACKAGE_VERSION);
    assert_string_equal(attr_get(list, "uptime"), "61");
    assert_string_equal(attr_get(list, "store"), "ok");
    assert_string_equal(attr_get(list, "connections"), "7");
    assert_string_equal(attr_get(list, "connections_closed"), "3");
    assert_string_equal(attr_get(list, "policy_banned"), "42");
    for (enum stat stat = 0; stat < STAT_COUNT; stat++)
        CASE(stat_name(stat), attr_get(list, stat_name(stat)) != NULL);
    buf_fini(&out);
}

static void status_says_when_the_store_fails(void **state)
{
    struct fixture *fixture = *state;
    struct control_server server = {.engine = fixture->engine, .connection_counts = seven};
    struct prefix prefix = fixture_prefix("203.0.113.7");
    struct told told;
    struct buf out = {0};

    fixture->store_fault = "disk on fire";
    engine_ban(fixture->engine, &prefix, 60, fixture_told, &told);
    fixture_commit(fixture);
    control_put_status(&server, &out);
    assert_string_equal(attr_get(last_list(&out), "store"), "degraded");
    assert_string_equal(attr_get(last_list(&out), "store_error"), "disk on fire");
    buf_fini(&out);
}

static void a_ban_is_shown_whole(void **state)
{
    struct ban ban = {.jail = "logins", .until_mono_ms = 61000, .since_wall_ms = 1790000000999};
    struct buf out = {0};

    (void)state;
    ban.node.prefix = fixture_prefix("2001:db8:1:2::/64");
    control_put_ban(&ban, 1000, &out);
    assert_string_equal(buf_str(&out), "ban=2001:db8:1:2::/64\nseconds=60\njail=logins\n"
                                       "since=1790000000\nstored=no\n\n");
    buf_fini(&out);
}

static void a_route_is_shown_with_its_relays(void **state)
{
    struct fixture *fixture = *state;
    struct buf out = {0};

    control_put_route(&fixture->config, fixture_list("sender", "bob@example.com", NULL), &out);
    assert_string_equal(
        buf_str(&out),
        "relay=smtps\nhost=relay.example.net\nport=465\ntransport=smtps\nlogin=me@example.net\n"
        "used=yes\n\n"
        "relay=plain\nhost=other.example.net\nport=587\ntransport=smtp\nused=no\n\n"
        "status=ok\nroute=bob@example.com\nnexthop=smtps:[relay.example.net]:465\n\n");
    assert_null(strstr(buf_str(&out), "pass:word"));
    buf_fini(&out);
}

static void no_route_is_no_error(void **state)
{
    struct fixture *fixture = *state;
    struct buf out = {0};

    fixture->config.route_count = 0;
    control_put_route(&fixture->config, fixture_list("sender", "a@b", NULL), &out);
    assert_string_equal(buf_str(&out), "status=ok\n\n");
    buf_fini(&out);
}

static void prefixes_and_seconds_are_checked(void **state)
{
    static const struct {
        const char *prefix, *seconds;
        bool prefix_ok, seconds_ok;
    } cases[] = {
        {"203.0.113.7", "1", true, true},
        {"203.0.113.0/24", "315360000", true, true},
        {"2001:db8::/32", "315360001", true, false},
        {"203.0.113.7/24", "0", false, false},
        {"example.com", "-1", false, false},
        {"", "", false, false},
        {"203.0.113.7 ", "1 ", false, false},
        {"203.0.113.7/33", "18446744073709551617", false, false},
        {"fe80::1%eth0", "0x10", false, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct prefix prefix;
        uint64_t seconds;
        const struct attr_list *list =
            fixture_list("prefix", cases[i].prefix, "seconds", cases[i].seconds, NULL);
        CASE(cases[i].prefix, (control_take_prefix(list, &prefix) == NULL) == cases[i].prefix_ok);
        CASE(cases[i].seconds,
             (control_take_seconds(list, &seconds) == NULL) == cases[i].seconds_ok);
    }
}

static void an_event_is_read_whole_or_not(void **state)
{
    static const struct {
        const char *name, *value, *wrong;
    } cases[] = {
        {"x", "y", NULL},
        {"event", "", "event is none of"},
        {"event", "AUTH_FAIL", "event is none of"},
        {"client_address", "", "client_address"},
        {"client_address", "203.0.113.0/24", "client_address"},
        {"weight", "100", NULL},
        {"weight", "101", "weight"},
        {"weight", "-1", "weight"},
        {"weight", "", "weight"},
        {"at", "1790000000", NULL},
        {"at", "0", "at is not"},
        {"at", "1e9", "at is not"},
        {"at", "253402300800", "at is not"},
    };
    struct origin_peer peer;
    struct event event;

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *wrong =
            control_take_event(fixture_list(cases[i].name, cases[i].value, "event", "dkim_fail",
                                            "client_address", "203.0.113.7", NULL),
                               &peer, &event);
        CASE(cases[i].value, !cases[i].wrong == !wrong);
        CASE(cases[i].value, !wrong || strstr(wrong, cases[i].wrong));
    }
    assert_null(control_take_event(fixture_list("event", "spf_fail", "client_address",
                                                "2001:db8::7", "at", "1790000000", "weight", "0",
                                                "recipient", "bob@example.com", NULL),
                                   &peer, &event));
    assert_int_equal(event.kind, CONFIG_EVENT_SPF_FAIL);
    assert_int_equal(event.at_wall_ms, 1790000000000);
    assert_int_equal(event.weight, 0);
    assert_string_equal(event.recipient, "bob@example.com");
    assert_string_equal(event.login, "");
    assert_null(event.session);
    assert_null(control_take_event(
        fixture_list("event", "auth_fail", "client_address", "203.0.113.7", NULL), &peer, &event));
    assert_int_equal(event.weight, 1);
    assert_int_equal(event.at_wall_ms, 0);
}

#define CONTROL_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CONTROL_TEST(status_has_every_counter),      CONTROL_TEST(status_says_when_the_store_fails),
        CONTROL_TEST(a_ban_is_shown_whole),          CONTROL_TEST(a_route_is_shown_with_its_relays),
        CONTROL_TEST(no_route_is_no_error),          CONTROL_TEST(prefixes_and_seconds_are_checked),
        CONTROL_TEST(an_event_is_read_whole_or_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
