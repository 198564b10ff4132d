/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/net/origin.h"

static struct config_gateway gateways[2];
static struct config config = {.gateways = gateways, .gateway_count = 2};
static struct origin_rules rules;

static void add(struct prefixlist *list, const char *text)
{
    struct prefix prefix;

    assert_int_equal(prefix_parse(text, &prefix), 0);
    prefixlist_add(list, &prefix);
}

static int set_up(void **state)
{
    static char vps1[] = "vps1", frp[] = "frp";

    (void)state;
    gateways[0].name = vps1;
    add(&gateways[0].public_addresses, "203.0.113.1");
    add(&gateways[0].public_addresses, "2001:db8::1");
    add(&gateways[0].header_destinations, "203.0.113.1");
    add(&gateways[0].header_destinations, "10.0.0.5"); /* the cloud's own mapping */
    add(&gateways[0].tunnel_addresses, "10.8.0.1");
    gateways[1].name = frp;
    add(&gateways[1].public_addresses, "203.0.113.2");
    add(&gateways[1].header_destinations, "203.0.113.2");
    add(&gateways[1].tunnel_addresses, "127.0.0.2");
    add(&config.trusted, "192.168.1.0/24");
    add(&config.trusted, "198.51.100.128/25");
    add(&config.ignoreip, "198.51.100.7");
    rules.config = &config;
    add(&rules.own, "10.8.0.2");
    add(&rules.own, "198.51.100.1");
    add(&rules.nets, "10.8.0.0/24");
    add(&rules.nets, "198.51.100.0/26");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        prefixlist_fini(&gateways[i].public_addresses);
        prefixlist_fini(&gateways[i].header_destinations);
        prefixlist_fini(&gateways[i].tunnel_addresses);
    }
    prefixlist_fini(&config.trusted);
    prefixlist_fini(&config.ignoreip);
    origin_rules_fini(&rules);
    return 0;
}

static void test_find(void **state)
{
    static const struct {
        const char *addr, *destination;
        enum origin_kind kind;
        enum origin_source source;
        int gateway; /* -1: none */
    } cases[] = {
        /* straight to us */
        {"192.0.2.1", "", ORIGIN_KNOWN, ORIGIN_SOURCE_DIRECT, -1},
        {"192.0.2.1", "10.8.0.2", ORIGIN_KNOWN, ORIGIN_SOURCE_DIRECT, -1},
        {"172.16.0.1", "", ORIGIN_KNOWN, ORIGIN_SOURCE_DIRECT, -1},
        {"203.0.113.1", "", ORIGIN_KNOWN, ORIGIN_SOURCE_DIRECT, -1},
        /* from a gateway without a header */
        {"10.8.0.1", "", ORIGIN_MASKED, ORIGIN_SOURCE_NONE, 0},
        {"10.8.0.1", "10.8.0.2", ORIGIN_MASKED, ORIGIN_SOURCE_NONE, 0},
        {"127.0.0.2", "127.0.0.1", ORIGIN_MASKED, ORIGIN_SOURCE_NONE, 1},
        /* nobody's business */
        {"", "", ORIGIN_LOCAL, ORIGIN_SOURCE_NONE, -1},
        {"", "203.0.113.1", ORIGIN_LOCAL, ORIGIN_SOURCE_NONE, -1},
        {"127.0.0.1", "", ORIGIN_LOCAL, ORIGIN_SOURCE_NONE, -1},
        {"::1", "::1", ORIGIN_LOCAL, ORIGIN_SOURCE_NONE, -1},
        {"192.168.1.7", "192.168.1.2", ORIGIN_LOCAL, ORIGIN_SOURCE_NONE, -1},
        {"198.51.100.200", "", ORIGIN_LOCAL, ORIGIN_SOURCE_NONE, -1},
        /* named by a header */
        {"192.0.2.1", "203.0.113.1", ORIGIN_KNOWN, ORIGIN_SOURCE_PROXY, 0},
        {"192.0.2.1", "10.0.0.5", ORIGIN_KNOWN, ORIGIN_SOURCE_PROXY, 0},
        {"2001:db8::9", "203.0.113.2", ORIGIN_KNOWN, ORIGIN_SOURCE_PROXY, 1},
        {"192.0.2.1", "2001:db8::1", ORIGIN_KNOWN, ORIGIN_SOURCE_DIRECT, -1},
        /* claims that cannot be */
        {"127.0.0.1", "203.0.113.1", ORIGIN_REFUSED, ORIGIN_SOURCE_PROXY, 0},
        {"127.0.0.2", "203.0.113.2", ORIGIN_REFUSED, ORIGIN_SOURCE_PROXY, 1},
        {"::1", "203.0.113.1", ORIGIN_REFUSED, ORIGIN_SOURCE_PROXY, 0},
        {"::ffff:127.0.0.1", "203.0.113.1", ORIGIN_REFUSED, ORIGIN_SOURCE_PROXY, 0},
        {"192.168.1.7", "203.0.113.1", ORIGIN_REFUSED, ORIGIN_SOURCE_PROXY, 0},
        {"10.9.9.9", "203.0.113.1", ORIGIN_REFUSED, ORIGIN_SOURCE_PROXY, 0},
        {"100.64.1.1", "203.0.113.1", ORIGIN_REFUSED, ORIGIN_SOURCE_PROXY, 0},
        {"fe80::1", "203.0.113.1", ORIGIN_REFUSED, ORIGIN_SOURCE_PROXY, 0},
        {"0.0.0.0", "203.0.113.1", ORIGIN_REFUSED, ORIGIN_SOURCE_PROXY, 0},
        {"198.51.100.1", "203.0.113.1", ORIGIN_REFUSED, ORIGIN_SOURCE_PROXY, 0},
        {"198.51.100.200", "203.0.113.1", ORIGIN_REFUSED, ORIGIN_SOURCE_PROXY, 0},
        {"203.0.113.2", "203.0.113.1", ORIGIN_REFUSED, ORIGIN_SOURCE_PROXY, 0},
        {"2001:db8::1", "203.0.113.1", ORIGIN_REFUSED, ORIGIN_SOURCE_PROXY, 0},
        {"10.8.0.1", "203.0.113.1", ORIGIN_REFUSED, ORIGIN_SOURCE_PROXY, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct origin_peer peer = {.port = 4321};
        if (cases[i].addr[0])
            assert_int_equal(addr_parse(cases[i].addr, &peer.addr), 0);
        if (cases[i].destination[0])
            assert_int_equal(addr_parse(cases[i].destination, &peer.destination), 0);
        struct origin origin = origin_find(&rules, &peer);
        if (origin.kind != cases[i].kind || origin.source != cases[i].source)
            fail_msg("%s to %s: %s, %s", cases[i].addr, cases[i].destination,
                     origin_kind_name(origin.kind), origin_source_name(origin.source));
        assert_ptr_equal(origin.gateway, cases[i].gateway < 0 ? NULL : &gateways[cases[i].gateway]);
        assert_int_equal(origin.port, 4321);
        if (origin.kind == ORIGIN_MASKED)
            assert_int_equal(origin.addr.family, ADDR_NONE);
        else
            assert_true(addr_eq(&origin.addr, &peer.addr));
    }
}

static void test_find_by_daemon(void **state)
{
    static const struct {
        const char *addr, *destination, *daemon_name;
        enum origin_kind kind;
    } cases[] = {
        {"192.0.2.1", "10.8.0.2", "door", ORIGIN_KNOWN},
        {"127.0.0.1", "127.0.0.1", "door", ORIGIN_REFUSED},
        {"192.168.1.7", "192.0.2.77", "door", ORIGIN_REFUSED},
        {"", "127.0.0.1", "door", ORIGIN_REFUSED},
        {"10.8.0.1", "10.8.0.2", "door", ORIGIN_MASKED},
        {"10.8.0.1", "203.0.113.1", "door", ORIGIN_REFUSED},
        {"127.0.0.1", "127.0.0.1", "Door", ORIGIN_LOCAL},
        {"127.0.0.1", "127.0.0.1", "mail.example.com", ORIGIN_LOCAL},
    };
    static char door[] = "door";
    static char *names[] = {door};

    (void)state;
    gateways[0].daemon_names = (struct config_strings){names, 1};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct origin_peer peer = {.port = 4321, .daemon_name = cases[i].daemon_name};
        if (cases[i].addr[0])
            assert_int_equal(addr_parse(cases[i].addr, &peer.addr), 0);
        assert_int_equal(addr_parse(cases[i].destination, &peer.destination), 0);
        struct origin origin = origin_find(&rules, &peer);
        if (origin.kind != cases[i].kind)
            fail_msg("%s to %s: %s", cases[i].addr, cases[i].destination,
                     origin_kind_name(origin.kind));
        if (origin.kind == ORIGIN_KNOWN)
            assert_int_equal(origin.source, ORIGIN_SOURCE_PROXY);
        assert_ptr_equal(origin.gateway, origin.kind == ORIGIN_LOCAL ? NULL : &gateways[0]);
    }
    /* Of two that share the name it may have been either. */
    gateways[1].daemon_names = gateways[0].daemon_names;
    struct origin_peer peer = {.port = 4321, .daemon_name = "door"};
    assert_int_equal(addr_parse("192.0.2.1", &peer.addr), 0);
    assert_int_equal(addr_parse("127.0.0.1", &peer.destination), 0);
    struct origin origin = origin_find(&rules, &peer);
    assert_int_equal(origin.kind, ORIGIN_KNOWN);
    assert_null(origin.gateway);
    assert_int_equal(addr_parse("203.0.113.2", &peer.destination), 0);
    assert_ptr_equal(origin_find(&rules, &peer).gateway, &gateways[1]);
    gateways[1].daemon_names = (struct config_strings){0};
    gateways[0].daemon_names = (struct config_strings){0};
}

/* The smtpd of the gateway's MTA: masked, until its Received field names a client. */
static void test_relayed(void **state)
{
    static const struct {
        const char *addr, *destination, *daemon_name;
        enum origin_kind kind;
        bool is_relayed;
    } cases[] = {
        {"10.8.0.1", "10.8.0.2", "mta", ORIGIN_MASKED, true},
        {"10.8.0.1", "10.8.0.2", "Mta", ORIGIN_MASKED, false},
        {"10.8.0.1", "10.8.0.2", "smtpd", ORIGIN_MASKED, false},
        {"10.8.0.1", "10.8.0.2", NULL, ORIGIN_MASKED, false},
        {"127.0.0.2", "10.8.0.2", "mta", ORIGIN_MASKED, false}, /* of the other gateway */
        {"192.0.2.1", "10.8.0.2", "mta", ORIGIN_KNOWN, false},
        {"192.168.1.7", "10.8.0.2", "mta", ORIGIN_LOCAL, false},
        {"127.0.0.1", "127.0.0.1", "mta", ORIGIN_LOCAL, false},
        {"192.0.2.1", "203.0.113.1", "mta", ORIGIN_KNOWN, false},
        {"10.8.0.1", "203.0.113.1", "mta", ORIGIN_REFUSED, false},
    };
    static char mta[] = "mta";
    static char *names[] = {mta};

    (void)state;
    gateways[0].mta_daemon_names = (struct config_strings){names, 1};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct origin_peer peer = {.port = 4321, .daemon_name = cases[i].daemon_name};
        assert_int_equal(addr_parse(cases[i].addr, &peer.addr), 0);
        assert_int_equal(addr_parse(cases[i].destination, &peer.destination), 0);
        struct origin origin = origin_find(&rules, &peer);
        if (origin.kind != cases[i].kind || origin.is_relayed != cases[i].is_relayed)
            fail_msg("%zu: %s, relayed: %d", i, origin_kind_name(origin.kind), origin.is_relayed);
    }
    gateways[0].mta_daemon_names = (struct config_strings){0};
}

static void test_restore(void **state)
{
    static const struct {
        enum config_mta mta;
        const char *client, *reason; /* NULL: believed */
    } cases[] = {
        {CONFIG_MTA_POSTFIX, "192.0.2.9", NULL},
        {CONFIG_MTA_POSTFIX, "IPv6:2001:db8:1::9", NULL},
        {CONFIG_MTA_EXIM, "192.0.2.9", "is not what this MTA writes for an SMTP client"},
        {CONFIG_MTA_POSTFIX, "127.0.0.1", "names a client that cannot come through it"},
        {CONFIG_MTA_POSTFIX, "IPv6:::1", "names a client that cannot come through it"},
        {CONFIG_MTA_POSTFIX, "IPv6:::ffff:127.0.0.1", "names a client that cannot come through it"},
        {CONFIG_MTA_POSTFIX, "192.168.1.7", "names a client that cannot come through it"},
        {CONFIG_MTA_POSTFIX, "10.9.9.9", "names a client that cannot come through it"},
        {CONFIG_MTA_POSTFIX, "100.64.1.1", "names a client that cannot come through it"},
        {CONFIG_MTA_POSTFIX, "198.51.100.1", "names a client that cannot come through it"},
        {CONFIG_MTA_POSTFIX, "198.51.100.200", "names a client that cannot come through it"},
        {CONFIG_MTA_POSTFIX, "203.0.113.1", "names a client that cannot come through it"},
        {CONFIG_MTA_POSTFIX, "203.0.113.2", "names a client that cannot come through it"},
        {CONFIG_MTA_POSTFIX, "10.8.0.1", "names a client that cannot come through it"},
    };
    static char name[] = "mx.example.com";
    const struct origin session = {
        .kind = ORIGIN_MASKED, .gateway = &gateways[0], .is_relayed = true};

    (void)state;
    gateways[0].mta_name = name;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct origin origin;
        struct received field;
        char value[256], text[ADDR_TEXT_MAX];

        gateways[0].mta = cases[i].mta;
        snprintf(
            value, sizeof(value),
            "from helo.example (a.example [%s])\n\tby mx.example.com (Postfix) with ESMTP id 4",
            cases[i].client);
        const char *reason = origin_restore(&rules, &session, value, &field, &origin);
        if (cases[i].reason) {
            assert_non_null(reason);
            assert_string_equal(reason, cases[i].reason);
            continue;
        }
        assert_null(reason);
        assert_int_equal(origin.kind, ORIGIN_KNOWN);
        assert_int_equal(origin.source, ORIGIN_SOURCE_RECEIVED);
        assert_string_equal(origin_source_name(origin.source), "received");
        assert_ptr_equal(origin.gateway, &gateways[0]);
        assert_false(origin.is_relayed);
        assert_non_null(strstr(cases[i].client, addr_format(&origin.addr, text)));
        assert_int_equal(field.helo_len, strlen("helo.example"));
    }
    gateways[0].mta_name = NULL;
    gateways[0].mta = CONFIG_MTA_NONE;
}

static void test_protects(void **state)
{
    static const struct {
        const char *prefix, *reason;
    } cases[] = {
        {"192.0.2.1", NULL},
        {"192.0.2.0/24", NULL},
        {"2001:db8:1::/64", NULL},
        {"198.51.100.2", NULL},
        {"203.0.113.3", NULL},
        {"172.16.0.1", NULL},
        {"100.64.0.1", NULL},
        {"203.0.113.1", "gateway vps1"},
        {"203.0.113.2", "gateway frp"},
        {"203.0.113.0/24", "gateway vps1"},
        {"2001:db8::/64", "gateway vps1"},
        {"10.8.0.1", "gateway vps1"},
        {"10.8.0.77", "the tunnel of gateway vps1"},
        {"10.8.0.2", "the tunnel of gateway vps1"},
        {"198.51.100.1", "this host"},
        {"198.51.100.0/26", "this host"},
        {"192.168.1.9", "a trusted net"},
        {"192.168.0.0/16", "a trusted net"},
        {"198.51.100.7", "ignoreip"},
        {"198.51.100.4/30", "ignoreip"},
        {"127.0.0.1", "a loopback address"},
        {"::1", "a loopback address"},
        {"169.254.0.0/24", "a link-local address"},
        {"fe80::/64", "a link-local address"},
        {"0.0.0.0", "a special-purpose address"},
        {"224.0.0.1", "a special-purpose address"},
        {"ff02::1", "a special-purpose address"},
        {"0.0.0.0/0", "gateway vps1"},
        {"::/0", "gateway vps1"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char out[ORIGIN_REASON_MAX];
        struct prefix prefix;
        assert_int_equal(prefix_parse(cases[i].prefix, &prefix), 0);
        const char *reason = origin_protects(&rules, &prefix, out);
        if (!cases[i].reason && reason)
            fail_msg("%s: %s", cases[i].prefix, reason);
        if (cases[i].reason) {
            assert_non_null(reason);
            assert_string_equal(reason, cases[i].reason);
        }
    }
}

static void test_long_gateway_name(void **state)
{
    static char name[500];
    char *short_name = gateways[0].name, out[ORIGIN_REASON_MAX];
    struct prefix prefix;

    (void)state;
    memset(name, 'x', sizeof(name) - 1);
    gateways[0].name = name;
    assert_int_equal(prefix_parse("10.8.0.1", &prefix), 0);
    assert_int_equal(strlen(origin_protects(&rules, &prefix, out)), ORIGIN_REASON_MAX - 1);
    gateways[0].name = short_name;
}

/* Read from the system: loopback is always there. */
static void test_own_addresses(void **state)
{
    struct origin_rules own;
    struct addr loopback;

    (void)state;
    assert_int_equal(addr_parse("127.0.0.1", &loopback), 0);
    origin_rules_init(&own, &config);
    assert_true(prefixlist_contains(&own.own, &loopback));
    assert_false(prefixlist_contains(&own.nets, &loopback));
    origin_rules_fini(&own);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find),          cmocka_unit_test(test_find_by_daemon),
        cmocka_unit_test(test_relayed),       cmocka_unit_test(test_restore),
        cmocka_unit_test(test_protects),      cmocka_unit_test(test_long_gateway_name),
        cmocka_unit_test(test_own_addresses),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
