/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "ingress/door.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "common/wire/pp_write.h"
#include "tests/unit/unit.h"

static char first[] = "vps1", second[] = "vps2";
static char *names[] = {second};
static struct config_gateway gateways[2];
static struct config_ingress ingress;
static struct config config;

static struct addr addr_of(const char *text)
{
    struct addr addr;

    assert_int_equal(addr_parse(text, &addr), 0);
    return addr;
}

static void add(struct prefixlist *list, const char *text)
{
    struct prefix prefix;

    assert_int_equal(prefix_parse(text, &prefix), 0);
    prefixlist_add(list, &prefix);
}

static int set_up(void **state)
{
    (void)state;
    gateways[0] = (struct config_gateway){.name = first};
    gateways[1] = (struct config_gateway){.name = second};
    add(&gateways[0].tunnel_addresses, "10.8.0.1");
    add(&gateways[0].public_addresses, "198.51.100.1");
    add(&gateways[1].tunnel_addresses, "127.0.0.1");
    ingress = (struct config_ingress){.header_required = true};
    add(&ingress.direct, "192.168.1.0/24");
    config = (struct config){.gateways = gateways, .gateway_count = 2};
    add(&config.trusted, "203.0.113.200");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    prefixlist_fini(&config.trusted);
    prefixlist_fini(&ingress.direct);
    for (size_t i = 0; i < COUNT(gateways); i++) {
        prefixlist_fini(&gateways[i].tunnel_addresses);
        prefixlist_fini(&gateways[i].public_addresses);
    }
    return 0;
}

static enum door_way way(const char *peer, const char *gateway)
{
    const struct config_gateway *found;
    struct addr addr = addr_of(peer);
    enum door_way result = door_of_peer(&config, &ingress, &addr, &found);

    assert_string_equal(found ? found->name : "", gateway);
    return result;
}

static void test_the_peer_decides(void **state)
{
    (void)state;
    assert_int_equal(way("10.8.0.1", "vps1"), DOOR_GATEWAY);
    assert_int_equal(way("127.0.0.1", "vps2"), DOOR_GATEWAY);
    assert_int_equal(way("192.168.1.9", ""), DOOR_DIRECT);
    assert_int_equal(way("192.168.2.9", ""), DOOR_CLOSED);
    assert_int_equal(way("198.51.100.1", ""), DOOR_CLOSED); /* its public side is not the tunnel */
    assert_int_equal(way("::1", ""), DOOR_CLOSED);
    ingress.header_required = false;
    assert_int_equal(way("10.8.0.1", "vps1"), DOOR_MASKED);
    assert_int_equal(way("192.168.1.9", ""), DOOR_DIRECT);
}

static void test_only_named_gateways(void **state)
{
    (void)state;
    ingress.gateways = (struct config_strings){.items = names, .count = 1};
    assert_int_equal(way("127.0.0.1", "vps2"), DOOR_GATEWAY);
    assert_int_equal(way("10.8.0.1", ""), DOOR_CLOSED);
}

static enum door_verdict verdict_of(const struct pp_header *header, struct door_client *client_r,
                                    const char **reason_r)
{
    struct origin_rules rules = {.config = &config};
    enum door_verdict verdict;

    add(&rules.own, "198.51.100.77");
    verdict = door_of_header(&rules, header, client_r, reason_r);
    prefixlist_fini(&rules.own);
    assert_int_equal(*reason_r != NULL, verdict == DOOR_REFUSE);
    return verdict;
}

static enum door_verdict judge(const char *src, struct door_client *client_r)
{
    struct pp_tcp tcp = {.src = addr_of(src), .dst = addr_of("198.51.100.1"), 40000, 25};
    struct buf bytes = {0};
    struct pp_header header;
    size_t consumed;
    const char *reason;

    if (tcp.src.family == ADDR_IPV6)
        tcp.dst = addr_of("2001:db8::25");
    pp_write_v2(&bytes, &tcp);
    assert_int_equal(pp_parse(bytes.data, bytes.len, &header, &consumed), PP_OK);
    enum door_verdict verdict = verdict_of(&header, client_r, &reason);
    buf_fini(&bytes);
    return verdict;
}

static void test_clients_that_a_header_may_name(void **state)
{
    static const char *const right[] = {"203.0.113.9", "192.0.2.1", "2001:db8::9", "8.8.8.8"};
    static const char *const wrong[] = {
        "127.0.0.1",     "10.1.1.1", "172.22.1.1",    "192.168.1.9",  "100.64.0.1",
        "169.254.1.1",   "0.0.0.0",  "198.51.100.77", "198.51.100.1", "10.8.0.1",
        "203.0.113.200", "::1",      "fe80::1",       "fd00::1",      "255.255.255.255",
    };
    struct door_client client;

    (void)state;
    for (size_t i = 0; i < COUNT(right); i++) {
        CASE(right[i], judge(right[i], &client) == DOOR_FORWARD);
        struct addr addr = addr_of(right[i]);
        CASE(right[i], addr_eq(&client.addr, &addr) && client.port == 40000);
        CASE(right[i], client.destination_port == 25 && client.destination.family == addr.family);
    }
    for (size_t i = 0; i < COUNT(wrong); i++)
        CASE(wrong[i], judge(wrong[i], &client) == DOOR_REFUSE);
}

static void test_headers_without_a_client(void **state)
{
    struct door_client client;
    const char *reason;

    (void)state;
    struct pp_header header = {.version = 2, .kind = PP_KIND_LOCAL};
    assert_int_equal(verdict_of(&header, &client, &reason), DOOR_PROBE);
    header.kind = PP_KIND_UNKNOWN;
    assert_int_equal(verdict_of(&header, &client, &reason), DOOR_REFUSE);
    header.kind = PP_KIND_UNSPEC;
    assert_int_equal(verdict_of(&header, &client, &reason), DOOR_REFUSE);
    header = (struct pp_header){
        .kind = PP_KIND_PROXY, .family = PP_IPV4, .transport = PP_DGRAM, .src = {.bytes = {8}}};
    assert_int_equal(verdict_of(&header, &client, &reason), DOOR_REFUSE);
    header.family = PP_UNIX;
    header.transport = PP_STREAM;
    assert_int_equal(verdict_of(&header, &client, &reason), DOOR_REFUSE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_peer_decides, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_only_named_gateways, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_clients_that_a_header_may_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_headers_without_a_client, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
