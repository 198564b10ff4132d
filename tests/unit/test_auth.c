/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/auth.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/buf.h"
#include "common/base/str.h"
#include "tests/unit/unit.h"

static enum auth_status parse(const char *text, struct auth_request *request_r)
{
    return auth_parse((const uint8_t *)text, strlen(text), request_r);
}

static void a_report_of_dovecot_is_read(void **state)
{
    struct auth_request request;

    (void)state;
    assert_int_equal(
        parse("{\"device_id\":\"\",\"login\":\"alice@example.com\",\"protocol\":\"imap\","
              "\"pwhash\":\"08b2\",\"remote\":\"203.0.113.7\",\"session_id\":\"A9R\","
              "\"success\":false,\"policy_reject\":false,\"tls\":false}",
              &request),
        AUTH_OK);
    assert_string_equal(request.login, "alice@example.com");
    assert_string_equal(request.protocol, "imap");
    assert_string_equal(request.remote, "203.0.113.7");
    assert_string_equal(request.session, "A9R");
    assert_string_equal(request.pwhash, "08b2");
    assert_true(auth_is_failure(&request));
    auth_request_fini(&request);
}

static void only_a_wrong_password_is_a_failure(void **state)
{
    static const struct {
        const char *json;
        bool is_failure;
    } cases[] = {
        {"{\"success\":false}", true},
        {"{\"success\":false,\"policy_reject\":false}", true},
        {"{\"success\":false,\"policy_reject\":true}", false},
        {"{\"success\":true,\"policy_reject\":false}", false},
        {"{}", false},
        {"{\"success\":false,\"fail_type\":\"internal\"}", false},
        {"{\"success\":false,\"fail_type\":\"policy\"}", false},
        {"{\"success\":false,\"fail_type\":\"credentials\"}", true},
        {"{\"success\":false,\"fail_type\":\"account\"}", true},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct auth_request request;
        CASE(cases[i].json, parse(cases[i].json, &request) == AUTH_OK);
        CASE(cases[i].json, auth_is_failure(&request) == cases[i].is_failure);
        auth_request_fini(&request);
    }
}

static void what_is_not_understood_is_told_apart(void **state)
{
    static const struct {
        const char *json;
        enum auth_status status;
    } cases[] = {
        {"", AUTH_BAD_JSON},
        {"{", AUTH_BAD_JSON},
        {"{}x", AUTH_BAD_JSON},
        {"{\"login\":\"a\",\"login\":\"b\"}", AUTH_BAD_JSON},
        {"{'a':1}", AUTH_BAD_JSON},
        {"[]", AUTH_BAD_TYPE},
        {"{\"login\":1}", AUTH_BAD_TYPE},
        {"{\"remote\":[\"203.0.113.7\"]}", AUTH_BAD_TYPE},
        {"{\"success\":\"false\"}", AUTH_BAD_TYPE},
        {"{\"success\":0}", AUTH_BAD_TYPE},
        {"{\"success\":null}", AUTH_BAD_TYPE},
        {"{\"policy_reject\":\"no\",\"success\":false}", AUTH_BAD_TYPE},
        {"{\"pwhash\":null,\"login\":null}", AUTH_OK},
        {"{\"attrs\":{\"a\":[1,{\"b\":2}]},\"tls\":\"anything\"}", AUTH_OK},
        {"[[[[[[[[[1]]]]]]]]]", AUTH_BAD_DEPTH},
        {"{\"a\":\"[[[[[[[[[[[[[[[[[\\\"[[[[\"}", AUTH_OK},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct auth_request request;
        enum auth_status status = parse(cases[i].json, &request);
        CASE(cases[i].json, status == cases[i].status);
        CASE(cases[i].json, *auth_strstatus(status));
        if (status == AUTH_OK)
            auth_request_fini(&request);
    }
}

static void depth_is_limited_before_the_parser_sees_it(void **state)
{
    const size_t len = 65536; /* the most that max_request of http allows */
    uint8_t *body = malloc(len);
    struct auth_request request;

    (void)state;
    memset(body, '[', len);
    assert_int_equal(auth_parse(body, len, &request), AUTH_BAD_DEPTH);
    free(body);
}

static void bytes_that_are_no_text_do_not_hide_a_failure(void **state)
{
    static const struct {
        const char *name, *json, *login;
    } cases[] = {
        {"bytes", "{\"login\":\"a\xff\xc3z\",\"success\":false}", "a??z"},
        {"utf-8", "{\"login\":\"\xc3\xa4\",\"success\":false}", "\xc3\xa4"},
        {"nul", "{\"login\":\"a\\u0000b\",\"success\":false}", "a"},
        {"surrogate", "{\"login\":\"\\ud83d\\ude00\",\"success\":false}", "\xf0\x9f\x98\x80"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct auth_request request;
        CASE(cases[i].name, parse(cases[i].json, &request) == AUTH_OK);
        CASE(cases[i].name, auth_is_failure(&request));
        assert_string_equal(request.login, cases[i].login);
        auth_request_fini(&request);
    }
}

static void every_truncation_is_refused_and_nothing_breaks(void **state)
{
    static const char json[] = "{\"login\":\"a\\\"\",\"remote\":\"::1\",\"success\":false,"
                               "\"attrs\":{\"x\":[1,2.5e3,null]}}";
    struct auth_request request;

    (void)state;
    for (size_t len = 0; len < sizeof(json) - 1; len++)
        assert_int_equal(auth_parse((const uint8_t *)json, len, &request), AUTH_BAD_JSON);
    assert_int_equal(auth_parse((const uint8_t *)json, sizeof(json) - 1, &request), AUTH_OK);
    auth_request_fini(&request);
    assert_int_equal(auth_parse((const uint8_t *)json, sizeof(json), &request), AUTH_BAD_JSON);
}

/* Dovecot lets a login pass when status is no integer or msg no string. */
static void answers_have_the_one_form_that_dovecot_takes(void **state)
{
    struct judgement judgement = {.verdict = VERDICT_GO_ON};
    char *json = auth_format(&judgement, 0);

    (void)state;
    assert_string_equal(json, "{\"status\":0,\"msg\":\"\"}");
    free(json);
    json = auth_format(&judgement, 30);
    assert_string_equal(json, "{\"status\":30,\"msg\":\"\"}");
    free(json);
    judgement.verdict = VERDICT_BANNED;
    judgement.seconds = 90;
    assert_int_equal(addr_parse("203.0.113.7", &judgement.origin.addr), 0);
    json = auth_format(&judgement, 0);
    assert_string_equal(
        json, "{\"status\":-1,\"msg\":\"203.0.113.7 is banned here; try again in 1m 30s\"}");
    free(json);
    judgement.verdict = VERDICT_REFUSED;
    json = auth_format(&judgement, 0);
    assert_string_equal(
        json, "{\"status\":-1,\"msg\":\"203.0.113.7 cannot be a client of this gateway\"}");
    free(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_report_of_dovecot_is_read),
        cmocka_unit_test(only_a_wrong_password_is_a_failure),
        cmocka_unit_test(what_is_not_understood_is_told_apart),
        cmocka_unit_test(depth_is_limited_before_the_parser_sees_it),
        cmocka_unit_test(bytes_that_are_no_text_do_not_hide_a_failure),
        cmocka_unit_test(every_truncation_is_refused_and_nothing_breaks),
        cmocka_unit_test(answers_have_the_one_form_that_dovecot_takes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
