/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/origins.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "policyd/metrics.h"
#include "policyd/policy.h"
#include "policyd/status.h"
#include "tests/unit/policyd_fixture.h"
#include "tests/unit/unit.h"

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

/* How often Postfix asked about clients of this kind and source. */
struct count {
    enum origin_kind kind;
    enum origin_source source;
    uint64_t kinds, sources;
};

static void check_counts(const struct origins *origins, const struct count *counts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        CASE(origin_kind_name(counts[i].kind), origins->kinds[counts[i].kind] == counts[i].kinds);
        CASE(origin_source_name(counts[i].source),
             origins->sources[counts[i].source] == counts[i].sources);
    }
}

static void ask(struct fixture *fixture, const char *client, const char *server)
{
    struct origin origin;
    struct buf out = {0};

    assert_int_equal(policy_answer(fixture->engine,
                                   fixture_list("request", "smtpd_access_policy", "client_address",
                                                client, "server_address", server, NULL),
                                   fixture_told, NULL, &origin, &out),
                     POLICY_NOW);
    buf_fini(&out);
}

static void each_request_of_postfix_is_counted_by_its_origin(void **state)
{
    static const struct {
        const char *client, *server;
    } requests[] = {
        {"203.0.113.7", "192.0.2.1"},      {"203.0.113.8", "192.0.2.1"},
        {"203.0.113.7", "198.51.100.25"},  {"192.168.7.7", "198.51.100.25"},
        {"192.168.7.7", "198.51.100.25"},  {"10.8.0.1", "192.0.2.1"},
        {"127.0.0.1", "192.0.2.1"},        {"unknown", "192.0.2.1"},
        {"::ffff:127.0.0.1", "192.0.2.1"},
    };
    static const struct count counts[] = {
        {ORIGIN_KNOWN, ORIGIN_SOURCE_DIRECT, 3, 2},
        {ORIGIN_REFUSED, ORIGIN_SOURCE_PROXY, 2, 3},
        {ORIGIN_MASKED, ORIGIN_SOURCE_NONE, 1, 4},
        {ORIGIN_LOCAL, ORIGIN_SOURCE_INGRESS, 3, 0},
    };
    struct fixture *fixture = *state;
    struct prefix destination = fixture_prefix("198.51.100.25");
    struct prefix banned = fixture_prefix("203.0.113.8");

    fixture->gateway.header_destinations = (struct prefixlist){&destination, 1};
    engine_ban(fixture->engine, &banned, 60, fixture_told, &(struct told){0});
    fixture_commit(fixture);
    for (size_t i = 0; i < COUNT(requests); i++)
        ask(fixture, requests[i].client, requests[i].server);
    check_counts(&engine_stats(fixture->engine)->policy_origins, counts, COUNT(counts));
}

/* One wrong password over a gateway's PROXY header. */
static void fail_through_gateway(struct fixture *fixture, const char *client)
{
    struct origin_peer peer = fixture_peer(client);
    struct event event = {.kind = CONFIG_EVENT_AUTH_FAIL,
                          .login = "bob",
                          .fingerprint = "",
                          .weight = 1,
                          .protocol = "imap",
                          .session = "S2"};

    peer.destination = fixture_prefix("198.51.100.25").addr;
    engine_report(fixture->engine, &peer, &event, fixture_told, &(struct told){0});
}

static void an_event_is_logged_with_the_origin(void **state)
{
    static const char *const lines[] = {
        "S2 event-taken event=auth_fail client=203.0.113.7 origin=known source=proxy gateway=vps1 ",
        "S2 event event=auth_fail client=203.0.113.7 origin=known source=proxy gateway=vps1 "
        "protocol=imap login=bob jail=logins ",
        "S2 event-uncounted event=auth_fail client=192.168.7.7 origin=refused source=proxy "
        "gateway=vps1 login=bob reason=refused",
        "S1 event-uncounted event=auth_fail client=10.8.0.1 origin=masked source=none "
        "gateway=vps1 login=alice reason=masked",
        "S1 event event=auth_fail client=203.0.113.9 origin=known source=direct gateway=- ",
    };
    struct fixture *fixture = *state;
    struct prefix destination = fixture_prefix("198.51.100.25");
    struct told told;

    fixture->gateway.header_destinations = (struct prefixlist){&destination, 1};
    fail_through_gateway(fixture, "203.0.113.7");
    fail_through_gateway(fixture, "192.168.7.7");
    fixture_fail(fixture, "10.8.0.1", "1", &told);
    fixture_fail(fixture, "203.0.113.9", "1", &told);
    for (size_t i = 0; i < COUNT(lines); i++)
        CASE(lines[i], fixture_logged(fixture, lines[i]));
}

/* Each kind and source with a number of its own. */
static void number(struct stats *stats)
{
    for (unsigned i = 0; i < ORIGIN_KINDS; i++) {
        stats->policy_origins.kinds[i] = 3000 + i;
        stats->auth_origins.kinds[i] = 3100 + i;
    }
    for (unsigned i = 0; i < ORIGIN_SOURCES; i++) {
        stats->policy_origins.sources[i] = 4000 + i;
        stats->auth_origins.sources[i] = 4100 + i;
    }
}

static bool no_listener(void *ctx, size_t index, struct status_listener *listener_r)
{
    (void)ctx;
    (void)index;
    (void)listener_r;
    return false;
}

static void they_are_samples_and_in_the_status(void **state)
{
    static const struct {
        const char *attribute, *sample;
    } cases[] = {
        {"policy_origin_known=3000\n", "policy_origins_total{origin=\"known\"} 3000\n"},
        {"policy_origin_masked=3001\n", "policy_origins_total{origin=\"masked\"} 3001\n"},
        {"policy_origin_local=3002\n", "policy_origins_total{origin=\"local\"} 3002\n"},
        {"policy_origin_refused=3003\n", "policy_origins_total{origin=\"refused\"} 3003\n"},
        {"policy_source_none=4000\n", "policy_sources_total{source=\"none\"} 4000\n"},
        {"policy_source_direct=4001\n", "policy_sources_total{source=\"direct\"} 4001\n"},
        {"policy_source_ingress=4002\n", "policy_sources_total{source=\"ingress\"} 4002\n"},
        {"policy_source_proxy=4003\n", "policy_sources_total{source=\"proxy\"} 4003\n"},
        {"auth_origin_known=3100\n", "auth_origins_total{origin=\"known\"} 3100\n"},
        {"auth_origin_refused=3103\n", "auth_origins_total{origin=\"refused\"} 3103\n"},
        {"auth_source_none=4100\n", "auth_sources_total{source=\"none\"} 4100\n"},
        {"auth_source_proxy=4103\n", "auth_sources_total{source=\"proxy\"} 4103\n"},
    };
    struct fixture *fixture = *state;
    struct status_source source = {.engine = fixture->engine, .listener = no_listener};
    struct buf status = {0}, metrics = {0};

    number(engine_stats(fixture->engine));
    status_put(&source, &status);
    metrics_put(&source, &metrics);
    for (size_t i = 0; i < COUNT(cases); i++) {
        CASE(cases[i].attribute, strstr(buf_str(&status), cases[i].attribute) != NULL);
        CASE(cases[i].sample, strstr(buf_str(&metrics), cases[i].sample) != NULL);
    }
    assert_null(strstr(buf_str(&status), "received"));
    assert_null(strstr(buf_str(&metrics), "received"));
    buf_fini(&status);
    buf_fini(&metrics);
}

#define ORIGINS_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ORIGINS_TEST(each_request_of_postfix_is_counted_by_its_origin),
        ORIGINS_TEST(they_are_samples_and_in_the_status),
        ORIGINS_TEST(an_event_is_logged_with_the_origin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
