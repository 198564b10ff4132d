/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/str.h"
#include "tests/unit/config_fixture.h"
#include "tests/unit/unit.h"

/* What belongs together in the sections milter, spf, dkim, dmarc and sign. */

#define HOST    "hostname = \"mx.example.com\"\n"
#define DOMAINS "domains = {\"example.com\", \"a.example.net\"}\n"
#define SIGN(from, more)                                                                           \
    "sign { from = \"" from "\"\nselector = \"s\" key_file = \"@/secret\" " more " }\n"
#define BOTH "take out one of them\n"

static void test_rules(void **state)
{
    static const struct bad_case cases[] = {
        {"milter { preset = \"verify_only\" }\ndkim { fail = \"header\" }",
         "3: dkim: fail acts on mail, which preset \"verify_only\" of the milter rules out; " BOTH},
        {"milter { preset = \"verify_only\" }\nspf { temperror = \"tempfail\" }\n"
         "dmarc { enforcement = \"quarantine\" }",
         "3: spf: temperror acts on mail, which preset \"verify_only\" of the milter rules "
         "out; " BOTH "4: dmarc: enforcement acts on mail, which preset \"verify_only\" of the "
         "milter rules out; " BOTH},
        {DOMAINS "milter { preset = \"verify_only\" }\n" SIGN("example.com", ""),
         "4: sign: signs mail, which preset \"verify_only\" of the milter rules out; " BOTH},
        {"milter { upstream_authserv_ids = {\"MX.example.com\"} }",
         "2: milter: upstream_authserv_ids has \"mx.example.com\", which is this server's own: "
         "results of that name in mail from elsewhere are forged; take it out\n"},
        {"spf { temperror = \"reject\" }",
         "2: spf: temperror \"reject\" is not one of \"accept\", \"tempfail\", \"quarantine\", "
         "\"header\"\n"},
        {SIGN("example.com", ""),
         "2: sign: from \"example.com\" is within none of domains: mail of other people's domains "
         "is not signed; add it to domains\n"},
        {DOMAINS SIGN("example.net", ""),
         "3: sign: from \"example.net\" is within none of domains: mail of other people's domains "
         "is not signed; add it to domains\n"},
        {DOMAINS SIGN("notexample.com", ""),
         "3: sign: from \"notexample.com\" is within none of domains: mail of other people's "
         "domains is not signed; add it to domains\n"},
        {DOMAINS SIGN("example.com", "\ndomain = \"a.example.com\""),
         "5: sign: domain \"a.example.com\" is neither the domain of all mail from "
         "\"example.com\" nor above it: its signature would count for nothing in DMARC\n"},
        {DOMAINS SIGN("*", "\ndomain = \"example.com\""),
         "5: sign: domain \"example.com\" is neither the domain of all mail from \"*\" nor above "
         "it: its signature would count for nothing in DMARC\n"},
        {DOMAINS SIGN("*", "") SIGN("*", ""),
         "6: sign: from \"*\" has the selector \"s\" already, in line 3\n"},
        {DOMAINS "sign { from = \"example.com\"\nselector = \"a b\" key_file = \"@/secret\" }",
         "4: sign: selector \"a b\" is not a selector of letters, digits, \"-\", \"_\" and "
         "\".\"\n"},
        {DOMAINS "sign { from = \"*.*\"\nselector = \"s\" key_file = \"@/secret\" }",
         "3: sign: from \"*.*\" is not a domain like \"example.com\", \"*.example.com\" for those "
         "below it, or \"*\"\n"},
    };

    (void)state;
    check_cases(cases, COUNT(cases));
}

static void test_what_is_right(void **state)
{
    static const char *const texts[] = {
        DOMAINS SIGN("example.com", ""),
        DOMAINS SIGN("sub.example.com", "domain = \"example.com\""),
        DOMAINS SIGN("*.example.com", "domain = \"example.com\""),
        DOMAINS SIGN("*.example.net", ""),
        DOMAINS SIGN("*", ""),
        "domains = {\"example.com\", \"a.example.com\"}\n" SIGN("*", "domain = \"example.com\""),
        DOMAINS "sign { from = \"*\" selector = \"202611.Mail\" key_file = \"@/secret\" }",
        ("milter { preset = \"verify_only\" authserv_id = \"postern.mx.example.com\" "
         "upstream_authserv_ids = {\"other.example\"} }"),
    };

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct buf text = {0};
        buf_printf(&text, HOST "%s", texts[i]);
        char *errors = errors_of(buf_str(&text));
        CASE(texts[i], str_eq(errors, ""));
        free(errors);
        buf_fini(&text);
    }
}

static void test_too_many_keys(void **state)
{
    char *errors =
        errors_of(HOST DOMAINS "sign { from = \"*\" selector = \"1\" key_file = \"@/secret\" }\n"
                               "sign { from = \"*\" selector = \"2\" key_file = \"@/secret\" }\n"
                               "sign { from = \"*\" selector = \"3\" key_file = \"@/secret\" }\n"
                               "sign { from = \"*\" selector = \"4\" key_file = \"@/secret\" }\n"
                               "sign { from = \"*\" selector = \"5\" key_file = \"@/secret\" }\n");

    (void)state;
    assert_string_equal(errors, "7: sign: from \"*\" has 4 keys already: more signatures than that "
                                "are looked at by few\n");
    free(errors);
}

static void test_completion(void **state)
{
    struct config *config = load(HOST "milter { preset = \"verify_only\" }");

    (void)state;
    assert_string_equal(config->milter.authserv_id, "mx.example.com");
    assert_true(config->enforce);
    assert_false(config->milter.enforce);
    config_free(&config);
    config = load(HOST "milter { authserv_id = \"Postern\" }");
    assert_string_equal(config->milter.authserv_id, "postern");
    assert_true(config->milter.enforce);
    config_free(&config);
    config = load(HOST "enforce = false");
    assert_false(config->milter.enforce);
    config_free(&config);
}

/* Who owns a key file could put another key there. */
static void test_owner_of_a_key(void **state)
{
    char *errors;

    (void)state;
    if (geteuid() != 0)
        skip();
    assert_int_equal(chown(in_dir("secret"), 12345, (gid_t)-1), 0);
    errors = errors_of(HOST "user = \"daemon\"\n" DOMAINS SIGN("*", ""));
    assert_non_null(strstr(errors, "5: sign: key_file: "));
    assert_non_null(strstr(errors, "belongs to the user with number 12345: chown it to root or "
                                   "daemon\n"));
    free(errors);
    assert_int_equal(chown(in_dir("secret"), 1, (gid_t)-1), 0); /* daemon's number, everywhere */
    errors = errors_of(HOST "user = \"daemon\"\n" DOMAINS SIGN("*", ""));
    assert_string_equal(errors, "");
    free(errors);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules),          cmocka_unit_test(test_what_is_right),
        cmocka_unit_test(test_completion),     cmocka_unit_test(test_too_many_keys),
        cmocka_unit_test(test_owner_of_a_key),
    };
    return cmocka_run_group_tests_name("config_milter", tests, config_fixture_setup,
                                       config_fixture_teardown);
}
