/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/config_fixture.h"
#include "tests/unit/unit.h"

#define GATEWAY                                                                                    \
    "gateway \"vps\" { public_addresses = \"192.0.2.1\" tunnel_addresses = \"10.8.0.1\" }\n"
#define INGRESS(more)                                                                              \
    GATEWAY "ingress \"smtp\" { listen = \"10.8.0.2:25\" to = \"127.0.0.1:10025\"\n" more " }"

#define SECOND(type)                                                                               \
    "gateway \"vps2\" { type = \"" type "\" public_addresses = \"192.0.2.2\" "                     \
    "tunnel_addresses = \"10.8.0.3\" }\n"
#define PLAIN(source) INGRESS("forward_as = \"plain\" source = \"" source "\"")
#define PLAIN_AT(tunnel, source)                                                                   \
    "gateway \"vps\" { public_addresses = \"192.0.2.1\" tunnel_addresses = \"" tunnel "\" }\n"     \
    "ingress \"smtp\" { listen = \"10.8.0.2:25\" to = \"127.0.0.1:10025\"\n"                       \
    "forward_as = \"plain\" source = \"" source "\" }"

static void test_rules(void **state)
{
    static const struct bad_case cases[] = {
        {INGRESS(""), ""},
        {INGRESS("direct = {\"192.168.0.0/16\", \"172.22.1.0/24\"}"), ""},
        {INGRESS("gateways = \"vps\" header = \"none\" proxy_version = 1 idle_timeout = \"35m\""),
         ""},
        {INGRESS("gateways = {\"vps\", \"vps2\"}"),
         "4: ingress \"smtp\": there is no gateway \"vps2\": gateway \"vps2\" { ... } is "
         "missing\n"},
        {INGRESS("gateways = vps") SECOND("nftables"), ""},
        {INGRESS("") SECOND("haproxy"), ""},
        {INGRESS("header = none") SECOND("nftables-masquerade"), ""},
        {INGRESS("") SECOND("nftables-masquerade"),
         "3: ingress \"smtp\": gateway \"vps2\" sends no header: header = \"none\" is right, or "
         "name the other gateways in gateways\n"},
        {INGRESS("header = none\ngateways = {vps, vps2}") SECOND("nftables"),
         "5: ingress \"smtp\": the clients of gateway \"vps2\" come by their own addresses, which "
         "are no gateway's: let them connect to the server itself, and name the other gateways in "
         "gateways, if there are any\n"},
        {INGRESS("") SECOND("pf"),
         "3: ingress \"smtp\": the clients of gateway \"vps2\" come by their own addresses, which "
         "are no gateway's: let them connect to the server itself, and name the other gateways in "
         "gateways, if there are any\n"},
        {INGRESS("direct = \"10.0.0.0/8\""),
         "4: ingress \"smtp\": direct holds 10.8.0.1, the tunnel address of gateway \"vps\": who "
         "comes through it would need no header; take it out of direct\n"},
        {INGRESS("direct = \"::/0\""),
         "4: ingress \"smtp\": direct holds the whole internet: your own networks are right\n"},
        {PLAIN("10.8.0.25"), ""},
        {INGRESS("forward_as = \"plain\""),
         "4: ingress \"smtp\": forward_as = \"plain\" needs source: the address that the server "
         "sees in place of the clients'; from a loopback address, which Postfix trusts, the whole "
         "world could relay\n"},
        {PLAIN("127.0.0.25"),
         "4: ingress \"smtp\": source is a loopback address: mynetworks of a Postfix holds "
         "127.0.0.0/8, and the whole world could relay through it; an address of this host that no "
         "mynetworks holds is right, made for this alone\n"},
        {PLAIN("fd00::25"), "4: ingress \"smtp\": source and to (\"127.0.0.1:10025\") are not of "
                            "one kind: both IPv4 or "
                            "both IPv6 is right\n"},
        {"trusted = \"10.0.0.0/8\" " PLAIN_AT("198.18.0.1", "10.8.0.25"),
         "4: ingress \"smtp\": source is inside of trusted: everybody would be local; another "
         "address is right\n"},
        {INGRESS("forward_as = \"transparent\""), ""},
        {INGRESS("header = \"none\" forward_as = \"transparent\""),
         "4: ingress \"smtp\": forward_as = \"transparent\" with header = \"none\": who the "
         "clients "
         "are is not known, the server would see the gateway; plain is right\n"},
        {GATEWAY "ingress \"a\" { listen = \"10.8.0.2:25\" to = \"unix:/a\"\n"
                 "forward_as = \"transparent\" }",
         "4: ingress \"a\": forward_as = \"transparent\" needs a server on TCP: over the Unix "
         "socket /a it sees no address\n"},
        {INGRESS("source = \"10.8.0.25\""),
         "4: ingress \"smtp\": source is for forward_as = \"plain\" alone\n"},
        {"sessions = \"\" " PLAIN("10.8.0.25"),
         "4: ingress \"smtp\": forward_as = \"plain\" needs sessions, a socket on which the milter "
         "and policyd learn who the clients are\n"},
        {"ingress \"a\" { listen = \"10.8.0.2:25\" to = \"127.0.0.1:25\" }",
         "2: ingress \"a\": nobody may connect: a gateway section is missing, or direct\n"},
        {GATEWAY "ingress \"a\" { to = \"127.0.0.1:25\"\nlisten = \"unix:/a\" }",
         "4: ingress \"a\": listen \"unix:/a\" is a Unix socket: gateways connect over TCP; the "
         "address of this end of the tunnel and a port are right\n"},
        {GATEWAY "ingress \"a\" { listen = \"10.8.0.2:25\"\nto = \"10.8.0.2:25\" }",
         "4: ingress \"a\": to is the ingress itself: the server's own port is right\n"},
        {INGRESS("") "ingress \"b\" {\nlisten = \"10.8.0.2:25\" to = \"127.0.0.1:1\" }",
         "5: ingress \"b\": listen \"10.8.0.2:25\" is taken by ingress \"smtp\": listen: each "
         "listener needs an address of its own\n"},
        {"http \"a\" { program = \"ingress\" listen = \"unix:/a\"\nserve = {\"auth\"} }",
         "3: http \"a\": serve has \"auth\", which postern-ingress does not answer: "
         "{\"metrics\"}, {\"status\"} or both is right\n"},
    };

    (void)state;
    check_cases(cases, COUNT(cases));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_rules, config_fixture_setup, config_fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
