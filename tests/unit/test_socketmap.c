/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/socketmap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/str.h"
#include "common/wire/netstring.h"
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

/* The answer without its netstring; it lives until the next call. */
static const char *ask(struct fixture *fixture, bool with_credentials, const char *request)
{
    static char text[1024];
    struct buf out = {0};
    const uint8_t *payload;
    size_t len, consumed;

    assert_true(socketmap_answer(&fixture->config, with_credentials, "unix",
                                 (const uint8_t *)request, strlen(request),
                                 engine_stats(fixture->engine), &out));
    assert_int_equal(netstring_parse(out.data, out.len, 1000, &payload, &len, &consumed),
                     NETSTRING_OK);
    assert_int_equal(consumed, out.len);
    snprintf(text, sizeof(text), "%.*s", (int)len, (const char *)payload);
    buf_fini(&out);
    return text;
}

static void maps_answer(void **state)
{
    static const struct {
        const char *request, *answer;
    } cases[] = {
        {"transport a@example.net", "OK smtp:[relay.example.net]:587, [other.example.net]:2525"},
        {"transport a@example.com", "OK smtp:[other.example.net]:2525"},
        {"transport bob@example.com", "OK smtps:[relay.example.net]:465"},
        {"transport \"<>\"", "OK smtp:[relay.example.net]:587, [other.example.net]:2525"},
        {"transport <>", "OK smtp:[relay.example.net]:587, [other.example.net]:2525"},
        {"transport a b@example.com", "OK smtp:[other.example.net]:2525"},
        {"credentials [relay.example.net]:587", "OK me@example.net:pass:word=1"},
        {"credentials relay.example.net", "OK me@example.net:pass:word=1"},
        {"credentials me@example.net", "NOTFOUND "},
        {"credentials [other.example.net]:587", "NOTFOUND "},
        {"credentials [unknown.example.net]:587", "NOTFOUND "},
        {"credentials ", "NOTFOUND "},
        {"credentials.two [other.example.net]:2525", "OK you@example.net:pass:word=1"},
        {"credentials.one [other.example.net]:2525", "NOTFOUND "},
        {"credentials.none [other.example.net]:2525", "NOTFOUND "},
        {"tls [relay.example.net]:587", "OK secure"},
        {"tls [relay.example.net]:25", "OK secure"},
        {"tls RELAY.example.net", "OK secure"},
        {"tls example.net", "NOTFOUND "},
        {"tls .example.net", "NOTFOUND "},
    };
    struct fixture *fixture = *state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        if (!str_eq(ask(fixture, true, cases[i].request), cases[i].answer))
            fail_msg("%s: %s", cases[i].request, ask(fixture, true, cases[i].request));
    }
}

static void without_a_route_nothing_is_found(void **state)
{
    struct fixture *fixture = *state;

    fixture->config.route_count = fixture->config.relay_count = 0;
    assert_string_equal(ask(fixture, true, "transport a@example.com"), "NOTFOUND ");
    assert_string_equal(ask(fixture, true, "credentials relay.example.net"), "NOTFOUND ");
    assert_string_equal(ask(fixture, true, "tls relay.example.net"), "NOTFOUND ");
}

/* "OK " without data is an error to Postfix. */
static void a_route_without_relays_is_not_found(void **state)
{
    struct fixture *fixture = *state;

    fixture->routes[0].relay_count = 0;
    assert_string_equal(ask(fixture, true, "transport a@example.net"), "NOTFOUND ");
}

static void credentials_are_told_to_nobody_else(void **state)
{
    struct fixture *fixture = *state;

    assert_non_null(strstr(ask(fixture, false, "credentials relay.example.net"), "PERM "));
    assert_non_null(strstr(ask(fixture, false, "credentials.one relay.example.net"), "PERM "));
    assert_string_equal(ask(fixture, false, "tls relay.example.net"), "OK secure");
}

static void a_password_never_reaches_the_log(void **state)
{
    struct fixture *fixture = *state;

    ask(fixture, true, "credentials relay.example.net");
    assert_true(fixture_logged(fixture, "socketmap map=credentials key=relay.example.net"));
    assert_false(fixture_logged(fixture, "pass:word"));
}

static void an_unknown_map_is_a_permanent_error(void **state)
{
    static const char *const requests[] = {"other key", " key", "credential x", "TRANSPORT a@b",
                                           "credentialsx y"};
    struct fixture *fixture = *state;

    for (size_t i = 0; i < COUNT(requests); i++)
        CASE(requests[i], str_has_prefix(ask(fixture, true, requests[i]), "PERM no such map"));
    assert_int_equal(engine_stats(fixture->engine)->count[STAT_SOCKETMAP_PERM], COUNT(requests));
}

static void what_is_no_request_gets_no_answer(void **state)
{
    struct fixture *fixture = *state;
    struct stats *stats = engine_stats(fixture->engine);
    struct buf out = {0};

    assert_false(
        socketmap_answer(&fixture->config, true, "unix", (const uint8_t *)"tls", 3, stats, &out));
    assert_false(
        socketmap_answer(&fixture->config, true, "unix", (const uint8_t *)"", 0, stats, &out));
    assert_false(socketmap_answer(&fixture->config, true, "unix", (const uint8_t *)"tls a\0b", 7,
                                  stats, &out));
    assert_int_equal(out.len, 0);
}

#define SOCKETMAP_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SOCKETMAP_TEST(maps_answer),
        SOCKETMAP_TEST(without_a_route_nothing_is_found),
        SOCKETMAP_TEST(a_route_without_relays_is_not_found),
        SOCKETMAP_TEST(credentials_are_told_to_nobody_else),
        SOCKETMAP_TEST(a_password_never_reaches_the_log),
        SOCKETMAP_TEST(an_unknown_map_is_a_permanent_error),
        SOCKETMAP_TEST(what_is_no_request_gets_no_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
