/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/config/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "common/base/str.h"
#include "tests/unit/config_fixture.h"
#include "tests/unit/unit.h"

static void test_defaults(void **state)
{
    struct config *config = load("hostname = \"MX.Example.com\"\njail \"j\" { }\n"
                                 "http \"h\" { }\nrelay \"r\" { preset = mailgun-eu }\n"
                                 "gateway \"g\" { public_addresses = \"192.0.2.1\" "
                                 "tunnel_addresses = \"10.8.0.1\" }");

    (void)state;
    assert_string_equal(config->hostname, "mx.example.com");
    assert_int_equal(config->dns_timeout_ms, 10000);
    assert_true(config->enforce);
    assert_false(config->dnssec);
    assert_string_equal(config->user, "postern");
    assert_string_equal(config->store.path, PN_LOCALSTATEDIR "/lib/postern");
    assert_string_equal(config->milter.listen, "unix:" PN_RUNSTATEDIR "/postern/milter");
    assert_int_equal(config->milter.max_signatures, 8);
    assert_string_equal(config->milter.report, "unix:" PN_RUNSTATEDIR "/postern/control");
    assert_int_equal(config->policyd.policy.count, 1);
    assert_string_equal(config->policyd.policy.items[0], "unix:" PN_RUNSTATEDIR "/postern/policy");
    assert_null(config->policyd.control_group);
    assert_string_equal(config->jails[0].name, "j");
    assert_int_equal(config->jails[0].events, CONFIG_EVENT_AUTH_FAIL);
    assert_true(config->jails[0].distinct_password);
    assert_int_equal(config->jails[0].acts, CONFIG_ACTS_ALL);
    assert_int_equal(config->jails[0].findtime_sec, 600);
    assert_int_equal(config->jails[0].prefix6, 64);
    assert_null(config->https[0].listen);
    assert_int_equal(config->https[0].serve, CONFIG_SERVE_AUTH);
    assert_string_equal(config->relays[0].host, "smtp.eu.mailgun.org");
    assert_int_equal(config->gateways[0].header_destinations.count, 1);
    config_free(&config);
    assert_null(config);
}

/* No header, so nothing by which one would be known. */
static void test_gateways_without_header(void **state)
{
    static const char *const types[] = {"nginx", "haproxy", "nftables", "nftables-masquerade",
                                        "pf"};

    (void)state;
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        char text[200];
        bool has_header = i < 2, keeps_client = i == 2 || i == 4;

        snprintf(text, sizeof(text),
                 "hostname = mx.example.com\ngateway \"g\" { type = %s public_addresses = "
                 "192.0.2.1 tunnel_addresses = 10.8.0.1 }\n",
                 types[i]);
        struct config *config = load(text);
        assert_int_equal(gateway_sends_header(&config->gateways[0]), has_header);
        assert_int_equal(gateway_keeps_client(&config->gateways[0]), keeps_client);
        assert_int_equal(config->gateways[0].header_destinations.count, has_header);
        assert_int_equal(config->gateways[0].daemon_names.count, has_header);
        assert_int_equal(config->gateways[0].mta_daemon_names.count, 0);
        config_free(&config);
    }
}

static void test_values(void **state)
{
    struct config *config =
        load("hostname = mx.example.com\nuser = \"a\"\nenforce = OFF\ndnssec = yes\n"
             "milter { listen = \"\" }\npolicyd { policy = {} control = \"\" }\n"
             "jail \"j\" { distinct = \"\" bantime = 2w }\n"
             "relay \"r\" { host = R.example login = \"a\\\"b\\\\c${HOME}\" "
             "password_file = \"@/secret\" }\n"
             "relay \"s\" { preset = brevo }\n"
             "route { from = \"Bob@Example.com\" relays = {\"s\", \"r\"} }\n");

    (void)state;
    assert_false(config->enforce);
    assert_true(config->dnssec);
    assert_null(config->milter.listen);
    assert_int_equal(config->policyd.policy.count, 0);
    assert_null(config->policyd.control);
    assert_null(config->milter.report);
    assert_false(config->jails[0].distinct_password);
    assert_int_equal(config->jails[0].bantime_sec, 14 * 86400);
    assert_string_equal(config->relays[0].host, "r.example");
    assert_string_equal(config->relays[0].login, "a\"b\\c${HOME}");
    assert_string_equal(config->relays[0].password, "s3cret");
    assert_string_equal(config->routes[0].from, "bob@example.com");
    assert_int_equal(config->routes[0].relay_count, 2);
    assert_ptr_equal(config->routes[0].relays[0], &config->relays[1]);
    assert_ptr_equal(config->routes[0].relays[1], &config->relays[0]);
    config_free(&config);
}

static void test_milter_reports_where_policyd_listens(void **state)
{
    static const struct {
        const char *text, *report;
    } cases[] = {
        {"", "unix:" PN_RUNSTATEDIR "/postern/control"},
        {"policyd { control = \"unix:/c\" }\n", "unix:/c"},
        {"policyd { control = \"\" }\n", NULL},
        {"policyd { control = \"\" }\nmilter { report = \"unix:/r\" }\n", "unix:/r"},
        {"milter { report = \"unix:/r\" }\n", "unix:/r"},
        {"milter { report = \"\" }\n", NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[256];
        snprintf(text, sizeof(text), "hostname = mx.example.com\n%s", cases[i].text);
        struct config *config = load(text);
        CASE(text, (config->milter.report == NULL) == (cases[i].report == NULL));
        CASE(text, cases[i].report == NULL || str_eq(config->milter.report, cases[i].report));
        config_free(&config);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_gateways_without_header),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_milter_reports_where_policyd_listens),
    };

    return cmocka_run_group_tests_name("config values", tests, config_fixture_setup,
                                       config_fixture_teardown);
}
