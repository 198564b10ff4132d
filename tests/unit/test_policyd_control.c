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
#include "policyd/metrics.h"
#include "policyd/status.h"
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

static bool two_listeners(void *ctx, size_t index, struct status_listener *listener_r)
{
    static const struct status_listener listeners[] = {
        {"policy", "unix:/run/postern/policy", 5, 3},
        {"auth,status", "127.0.0.1:8893", 2, 0},
    };

    (void)ctx;
    if (index < COUNT(listeners))
        *listener_r = listeners[index];
    return index < COUNT(listeners);
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
    struct status_source source = {.engine = fixture->engine, .listener = two_listeners};
    struct buf out = {0};

    fixture_pass(fixture, 61500);
    engine_stats(fixture->engine)->count[STAT_POLICY_BANNED] = 42;
    status_put(&source, &out);
    const struct attr_list *list = last_list(&out);
    assert_string_equal(attr_get(list, "status"), "ok");
    assert_string_equal(attr_get(list, "version"), PACKAGE_VERSION);
    assert_string_equal(attr_get(list, "uptime"), "61");
    assert_string_equal(attr_get(list, "store"), "ok");
    assert_string_equal(attr_get(list, "store_reading"), "no");
    assert_string_equal(attr_get(list, "connections"), "7");
    assert_string_equal(attr_get(list, "connections_closed"), "3");
    assert_string_equal(attr_get(list, "policy_banned"), "42");
    assert_string_equal(attr_get(list, "listener"), "policy 5 3 unix:/run/postern/policy");
    assert_null(attr_get(list, "last_ban"));
    for (enum stat stat = 0; stat < STAT_COUNT; stat++)
        CASE(stat_name(stat), attr_get(list, stat_name(stat)) != NULL);
    buf_fini(&out);
}

static void status_says_when_the_store_fails(void **state)
{
    struct fixture *fixture = *state;
    struct status_source source = {.engine = fixture->engine, .listener = two_listeners};
    struct prefix prefix = fixture_prefix("203.0.113.7");
    struct told told;
    struct buf out = {0};

    fixture->store_fault = "disk on fire";
    engine_ban(fixture->engine, &prefix, 60, fixture_told, &told);
    fixture_commit(fixture);
    status_put(&source, &out);
    assert_string_equal(attr_get(last_list(&out), "store"), "degraded");
    assert_string_equal(attr_get(last_list(&out), "store_error"), "disk on fire");
    buf_fini(&out);
}

static void status_remembers_the_last_ban(void **state)
{
    struct fixture *fixture = *state;
    struct status_source source = {.engine = fixture->engine, .listener = two_listeners};
    struct prefix prefix = fixture_prefix("203.0.113.7");
    struct told told = {0};
    struct buf out = {0};

    engine_ban(fixture->engine, &prefix, 60, fixture_told, &told);
    fixture_commit(fixture);
    fixture_pass(fixture, 20000);
    status_put(&source, &out);
    const struct attr_list *list = last_list(&out);
    assert_string_equal(attr_get(list, "last_ban"), "203.0.113.7");
    assert_string_equal(attr_get(list, "last_ban_jail"), "operator");
    assert_string_equal(attr_get(list, "last_ban_since"), "1790000000");
    assert_string_equal(attr_get(list, "last_ban_seconds"), "40");
    fixture_restart(fixture, 1000);
    source.engine = fixture->engine;
    buf_reset(&out);
    status_put(&source, &out);
    assert_string_equal(attr_get(last_list(&out), "last_ban"), "203.0.113.7");
    fixture_pass(fixture, 60000);
    engine_tick(fixture->engine);
    buf_reset(&out);
    status_put(&source, &out);
    assert_string_equal(attr_get(last_list(&out), "last_ban_seconds"), "0");
    assert_string_equal(attr_get(last_list(&out), "bans"), "0");
    buf_fini(&out);
}

static bool has(const struct buf *text, const char *line)
{
    return strstr(buf_str(text), line) != NULL;
}

static void every_counter_is_a_sample(void **state)
{
    struct fixture *fixture = *state;
    struct status_source source = {.engine = fixture->engine,
                                   .listener = two_listeners,
                                   .http = {.items = {{200, 8}, {401, 9}}, .count = 2}};
    struct buf out = {0};

    for (enum stat stat = 0; stat < STAT_COUNT; stat++)
        engine_stats(fixture->engine)->count[stat] = 1000 + stat;
    metrics_put(&source, &out);
    for (enum stat stat = 0; stat < STAT_COUNT; stat++) {
        char value[16];
        snprintf(value, sizeof(value), " %u\n", 1000 + (unsigned)stat);
        CASE(stat_name(stat), has(&out, value));
    }
    assert_true(has(&out, "\npostern_policyd_policy_requests_total{verdict=\"banned\"} 1001\n"));
    assert_true(has(&out, "\npostern_policyd_connections{serves=\"auth,status\","
                          "listener=\"127.0.0.1:8893\"} 2\n"));
    assert_true(has(&out, "\npostern_policyd_http_requests_total{code=\"401\"} 9\n"));
    buf_fini(&out);
}

static void a_commit_is_timed_and_a_refusal_counted(void **state)
{
    struct fixture *fixture = *state;
    struct status_source source = {.engine = fixture->engine, .listener = two_listeners};
    struct prefix prefix = fixture_prefix("203.0.113.7");
    struct told told = {0};
    struct buf out = {0};

    engine_ban(fixture->engine, &prefix, 60, fixture_told, &told);
    fixture_pass(fixture, 30);
    fixture_commit(fixture);
    fixture->store_fault = "disk on fire";
    engine_ban(fixture->engine, &prefix, 90, fixture_told, &told);
    fixture_commit(fixture);
    metrics_put(&source, &out);
    assert_true(has(&out, "\npostern_policyd_store_commit_seconds_bucket{le=\"0.025\"} 0\n"));
    assert_true(has(&out, "\npostern_policyd_store_commit_seconds_bucket{le=\"0.05\"} 1\n"));
    assert_true(has(&out, "\npostern_policyd_store_commit_seconds_sum 0.030\n"));
    assert_true(has(&out, "\npostern_policyd_store_errors_total 1\n"));
    assert_true(has(&out, "\npostern_policyd_store_up 0\n"));
    buf_fini(&out);
}

static void a_ban_is_shown_whole(void **state)
{
    struct ban ban = {.jail = "logins", .until_mono_ms = 61000, .since_wall_ms = 1790000000999};
    struct buf out = {0};

    (void)state;
    ban.node.prefix = fixture_prefix("2001:db8:1:2::/64");
    control_put_ban(&ban, 1000, &out);
    assert_string_equal(buf_str(&out), "ban=2001:db8:1:2::/64\nseconds=60\njail=logins\nacts=all\n"
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
        CONTROL_TEST(status_has_every_counter),
        CONTROL_TEST(status_says_when_the_store_fails),
        CONTROL_TEST(status_remembers_the_last_ban),
        CONTROL_TEST(every_counter_is_a_sample),
        CONTROL_TEST(a_commit_is_timed_and_a_refusal_counted),
        CONTROL_TEST(a_ban_is_shown_whole),
        CONTROL_TEST(a_route_is_shown_with_its_relays),
        CONTROL_TEST(no_route_is_no_error),
        CONTROL_TEST(prefixes_and_seconds_are_checked),
        CONTROL_TEST(an_event_is_read_whole_or_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
