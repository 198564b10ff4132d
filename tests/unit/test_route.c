/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/route.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

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

static void the_most_specific_route_wins(void **state)
{
    static const struct {
        const char *sender, *from;
    } cases[] = {
        {"alice@example.net", "*"},
        {"alice@example.com", "@example.com"},
        {"Alice@EXAMPLE.Com", "@example.com"},
        {"bob@example.com", "bob@example.com"},
        {"BOB@example.com", "bob@example.com"},
        {"bob+tag@example.com", "@example.com"},
        {"bob@sub.example.com", "*"},
        {"x@notexample.com", "*"},
        {"\"a@b\"@example.com", "@example.com"},
        {"<>", "*"},
        {"\"<>\"", "*"},
        {"", "*"},
        {"root", "*"},
        {"@", "*"},
    };
    struct fixture *fixture = *state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct config_route *route = route_find(&fixture->config, cases[i].sender);
        assert_non_null(route);
        assert_string_equal(route->from, cases[i].from);
    }
}

static void the_null_sender_has_its_own_pattern(void **state)
{
    static char null_sender[] = "<>";
    struct fixture *fixture = *state;

    fixture->routes[1].from = null_sender;
    assert_ptr_equal(route_find(&fixture->config, "<>"), &fixture->routes[1]);
    assert_ptr_equal(route_find(&fixture->config, "\"<>\""), &fixture->routes[1]);
    assert_ptr_equal(route_find(&fixture->config, "a@example.com"), &fixture->routes[0]);
}

static void without_a_pattern_there_is_no_route(void **state)
{
    struct fixture *fixture = *state;

    fixture->config.routes++;
    fixture->config.route_count = 2;
    assert_null(route_find(&fixture->config, "alice@example.net"));
    assert_null(route_find(&fixture->config, "<>"));
    fixture->config.route_count = 0;
    assert_null(route_find(&fixture->config, "bob@example.com"));
}

static void the_list_holds_one_transport_only(void **state)
{
    static const struct {
        size_t route;
        const char *nexthop;
    } cases[] = {
        {0, "smtp:[relay.example.net]:587, [other.example.net]:2525"},
        {1, "smtp:[other.example.net]:2525"},
        {2, "smtps:[relay.example.net]:465"},
    };
    struct fixture *fixture = *state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct buf out = {0};
        route_put_nexthop(&fixture->routes[cases[i].route], &out);
        assert_string_equal(buf_str(&out), cases[i].nexthop);
        buf_fini(&out);
    }
    assert_true(route_uses(&fixture->routes[0], 1));
    assert_false(route_uses(&fixture->routes[0], 2));
}

static void keys_of_postfix_name_relays(void **state)
{
    static const struct {
        const char *key;
        bool names, names_host;
    } cases[] = {
        {"[relay.example.net]:587", true, true},
        {"[RELAY.example.NET]:587", true, true},
        {"[relay.example.net]", true, true},
        {"relay.example.net:587", true, true},
        {"relay.example.net", true, true},
        {"[relay.example.net]:25", false, true},
        {"[relay.example.net]:submission", false, true},
        {"[relay.example.net]:0587x", false, true},
        {"[relay.example.net", false, false},
        {"[relay.example.net]x", false, false},
        {"relay.example.ne", false, false},
        {"relay.example.nett", false, false},
        {"x.relay.example.net", false, false},
        {"a@relay.example.net", false, false},
        {"[]", false, false},
        {"", false, false},
        {":", false, false},
        {"[2001:db8::1]:587", false, false},
    };
    struct fixture *fixture = *state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        CASE(cases[i].key, route_key_names(cases[i].key, &fixture->relays[0]) == cases[i].names);
        CASE(cases[i].key,
             route_key_names_host(cases[i].key, &fixture->relays[0]) == cases[i].names_host);
    }
}

static void a_relay_by_ipv6_address_is_named_in_brackets(void **state)
{
    static char address[] = "2001:db8::1";
    struct fixture *fixture = *state;

    fixture->relays[0].host = address;
    assert_true(route_key_names("[2001:db8::1]:587", &fixture->relays[0]));
    assert_true(route_key_names("2001:db8::1", &fixture->relays[0]));
    assert_false(route_key_names("[2001:db8::1]:25", &fixture->relays[0]));
}

static void a_key_that_fits_two_logins_tells_none(void **state)
{
    struct fixture *fixture = *state;
    bool ambiguous;

    /* One login on two ports of a host. */
    assert_non_null(route_credentials(&fixture->config, NULL, "relay.example.net", &ambiguous));
    assert_false(ambiguous);
    static char another[] = "another";
    fixture->relays[2].login = another;
    assert_null(route_credentials(&fixture->config, NULL, "relay.example.net", &ambiguous));
    assert_true(ambiguous);
    assert_ptr_equal(
        route_credentials(&fixture->config, NULL, "[relay.example.net]:465", &ambiguous),
        &fixture->relays[2]);
    /* Both on one port: only by name. */
    fixture->relays[2].port = 587;
    assert_null(route_credentials(&fixture->config, NULL, "[relay.example.net]:587", &ambiguous));
    assert_ptr_equal(
        route_credentials(&fixture->config, "smtps", "[relay.example.net]:587", &ambiguous),
        &fixture->relays[2]);
    assert_null(route_credentials(&fixture->config, "two", "[relay.example.net]:587", &ambiguous));
    assert_false(ambiguous);
}

static void a_relay_without_login_has_no_credentials(void **state)
{
    struct fixture *fixture = *state;
    bool ambiguous;

    assert_null(route_credentials(&fixture->config, NULL, "[other.example.net]:587", &ambiguous));
    assert_ptr_equal(route_credentials(&fixture->config, NULL, "other.example.net", &ambiguous),
                     &fixture->relays[1]);
}

#define ROUTE_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROUTE_TEST(the_most_specific_route_wins),
        ROUTE_TEST(the_null_sender_has_its_own_pattern),
        ROUTE_TEST(without_a_pattern_there_is_no_route),
        ROUTE_TEST(the_list_holds_one_transport_only),
        ROUTE_TEST(keys_of_postfix_name_relays),
        ROUTE_TEST(a_relay_by_ipv6_address_is_named_in_brackets),
        ROUTE_TEST(a_key_that_fits_two_logins_tells_none),
        ROUTE_TEST(a_relay_without_login_has_no_credentials),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
