/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/config/config.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/buf.h"
#include "common/base/str.h"
#include "common/config/errors.h"
#include "common/config/schema.h"
#include "tests/unit/config_fixture.h"
#include "tests/unit/unit.h"

static void test_syntax_errors(void **state)
{
    static const struct bad_case cases[] = {
        {"", ""},
        {"# c\n// c\n/* c\n c */ enforce = true # c\n", ""},
        {"domains = {}", ""},
        {"domains = {\"a.example\", b.example,}", ""},
        {"domains = a.example", ""},
        {"domains = 'a.example'\r\nenforce=no\r\n", ""},
        {"domains = \"a.example\nenforce = maybe",
         "2: the string that begins with \" is not closed on its line\n"
         "3: enforce \"maybe\" is not true or false\n"},
        {"domains = 'a.example", "2: the string that begins with ' is not closed on its line\n"},
        {"user = \"a\\nb\"", "2: only \\\" and \\\\ may follow a backslash in double quotes; write "
                             "\\\\ for the backslash itself\n"},
        {"user = \"a\\", "2: only \\\" and \\\\ may follow a backslash in double quotes; write "
                         "\\\\ for the backslash itself\n"
                         "2: the string that begins with \" is not closed on its line\n"},
        {"\n/* no end\n", "3: the comment that begins here has no end: \"*/\"\n"},
        {"user = \"a\001b\"", "2: byte 0x01 has no place in a string\n"},
        {"user = \"\303\"", "2: this text is not UTF-8\n"},
        {"\001", "2: byte 0x01 has no place in this file: it is text\n"},
        {"domains {\"a.example\"}", "2: \"=\" is missing after \"domains\"\n"},
        {"domains \"a.example\"\nenforce = 1",
         "2: \"=\" is missing after \"domains\"\n3: enforce \"1\" is not true or false\n"},
        {"user =\nenforce = 1",
         "2: \"user\" has no value\n3: enforce \"1\" is not true or false\n"},
        {"user =", "2: \"user\" has no value\n"},
        {"user = }", "2: \"user\" has no value\n"
                     "2: \"}\" has no place here: NAME = VALUE or NAME { ... } is right\n"},
        {"domains = {\"a.example\"\nenforce = 1\n",
         "2: the list of \"domains\" is not closed: \"}\" is missing\n"
         "3: enforce \"1\" is not true or false\n"},
        {"domains = {\"a.example\" \"b.example\"}",
         "2: a comma is missing between two values of \"domains\"\n"},
        {"domains = {\"a.example\", {\"b.example\"}}\nenforce = 1",
         "2: \"{\" has no place in the list of \"domains\": {\"one\", \"two\"} is right\n"
         "3: enforce \"1\" is not true or false\n"},
        {"domains += {\"a.example\"}",
         "2: \"domains +=\": there is no \"+=\", write the whole list after one \"=\"\n"},
        {"include(\"other.conf\")",
         "2: \"include(\": there are no functions and no include, one file says all\n"},
        {"enforce = true;", "2: \";\" has no place here: NAME = VALUE or NAME { ... } is right\n"},
        {"\"enforce\" = true", "2: \"enforce\" stands where an option should begin\n"},
        {"milter {\n enforce = true\n",
         "2: the section \"milter\" is not closed: \"}\" is missing\n"
         "3: milter: unknown option \"enforce\"; it belongs outside "
         "of all sections\n"},
        {"milter { policyd { } }",
         "2: \"policyd {\" inside of \"milter {\": sections do not nest\n"},
        {"milter {\n policyd {\n}\n}\nenforce = 1",
         "3: \"policyd {\" inside of \"milter {\": sections do not nest\n"
         "6: enforce \"1\" is not true or false\n"},
        {"milter { } }", "2: \"}\" has no place here: NAME = VALUE or NAME { ... } is right\n"},
    };

    (void)state;
    check_cases(cases, COUNT(cases));
}

static void test_name_errors(void **state)
{
    static const struct bad_case cases[] = {
        {"enforc = true", "2: unknown option \"enforc\"; did you mean \"enforce\"?\n"},
        {"colour = \"red\"", "2: unknown option \"colour\"\n"},
        {"maxretry = 5", "2: unknown option \"maxretry\"; it belongs to jail\n"},
        {"milter = 5", "2: \"milter\" is a section: milter { ... } is right, without \"=\"\n"},
        {"enforce { }", "2: \"enforce\" is an option: enforce = VALUE is right\n"},
        {"mitler { x = 1 }", "2: unknown section \"mitler\"; did you mean \"milter\"?\n"},
        {"webhook \"smtp\" { }", "2: unknown section \"webhook\"\n"},
        {"milter { }\nmilter { }",
         "3: milter is there already, in line 2: one section holds it all\n"},
        {"milter \"a\" { }", "2: milter has no name: milter { ... } is right\n"},
        {"jail { }", "2: this jail has no name: jail \"NAME\" { ... } is right\n"},
        {"jail \"a b\" { }",
         "2: jail \"a b\" is not a name of 1 to 64 letters, digits, \"-\", \"_\" and \".\"\n"},
        {"jail \"\" { }",
         "2: jail \"\" is not a name of 1 to 64 letters, digits, \"-\", \"_\" and \".\"\n"},
        {"jail \"a\" { }\njail \"b\" { }\njail \"a\" { }",
         "4: jail \"a\" is there already, in line 2: each needs a name of its own\n"},
        {"enforce = true\nenforce = true",
         "3: enforce is set again; line 2 has it already, one of them is right\n"},
        {"domains = {}\ndomains = {}",
         "3: domains is set again; line 2 has it already, one of them is right\n"},
        {"milter { group = a }\nmilter {\n group = a }",
         "3: milter is there already, in line 2: one section holds it all\n"
         "4: milter: group is set again; line 2 has it already, one of them is right\n"},
    };

    (void)state;
    check_cases(cases, COUNT(cases));
}

static void test_value_errors(void **state)
{
    static const struct bad_case cases[] = {
        {"dns_timeout = 25", ""},
        {"dns_timeout = 26",
         "2: dns_timeout \"26\" is not a duration from 1s to 25s (units s, m, h, "
         "d, w)\n"},
        {"trusted = {\n\"10.0.0.0/8\",\n\"10.0.0.1/8\",\n\"x\"}",
         "4: trusted \"10.0.0.1/8\" is not an address or a network like \"192.168.1.0/24\", its "
         "host bits zero\n"
         "5: trusted \"x\" is not an address or a network like \"192.168.1.0/24\", its host bits "
         "zero\n"},
        {"ignoreip = {\"::ffff:10.0.0.1\", \"10.0.0.1\"}", "2: ignoreip has \"10.0.0.1\" twice\n"},
        {"domains = {\"A.example\", \"a.example\"}", "2: domains has \"a.example\" twice\n"},
        {"resolver = {\"127.0.0.1@0\"}", "2: resolver \"127.0.0.1@0\" is not ADDRESS or "
                                         "ADDRESS@PORT of a resolver, like \"127.0.0.1@5353\"\n"},
        {"user = \"\"", "2: user \"\" is not a text of 1 to 32 bytes\n"},
        {"user = \"${USER}\"",
         "2: user \"${USER}\" is not a name of letters, digits, \"-\", \"_\" and \".\"\n"},
        {"jail \"a\" { distinct = user }",
         "2: jail \"a\": distinct \"user\" is not one of \"\", \"password\"\n"},
        {"jail \"a\" { events = {} }", "2: jail \"a\": events has 0 values: 1 to 11 are right\n"},
        {"policyd { control = \"127.0.0.1:25\" }", "2: policyd: control \"127.0.0.1:25\" is not a "
                                                   "Unix socket \"unix:/PATH\": who may command "
                                                   "is a matter of its group\n"},
        {"milter { listen = \"inet:8890@127.0.0.1\" }", ""},
        {"milter { listen = \"2001:db8::1:25\" }", "2: milter: listen \"2001:db8::1:25\" is not a "
                                                   "listener: \"unix:/PATH\", \"ADDRESS:PORT\", "
                                                   "\"[ADDRESS]:PORT\" or \"inet:PORT@ADDRESS\"\n"},
        {"policyd { policy = {\"inet:8890@127.0.0.1\", \"[::1]:10\"} }",
         "2: policyd: policy \"inet:8890@127.0.0.1\" is not a listener: \"unix:/PATH\", "
         "\"ADDRESS:PORT\" or \"[ADDRESS]:PORT\"\n"},
        {"relay \"a\" { host = \"192.0.2.1\" }",
         "2: relay \"a\": host \"192.0.2.1\" is not a host name (no address: its certificate is "
         "checked against the name)\n"},
    };

    (void)state;
    check_cases(cases, COUNT(cases));
}

#define GATEWAY(name, public, tunnel)                                                              \
    "gateway \"" name "\" { public_addresses = \"" public "\" tunnel_addresses = \"" tunnel "\" "  \
                                                          "}\n"

#define GATEWAY_OF(type, more)                                                                     \
    "gateway \"a\" { type = " type                                                                 \
    " public_addresses = 192.0.2.1 tunnel_addresses = 10.8.0.1\n" more " }\n"
#define GATEWAY_OF_B(type, more)                                                                   \
    "gateway \"b\" { type = " type                                                                 \
    " public_addresses = 192.0.2.2 tunnel_addresses = 10.8.0.3\n" more " }\n"

static void test_rules(void **state)
{
    static const struct bad_case cases[] = {
        {"trusted = {\"10.0.0.0/8\",\n\"::/0\"}",
         "2: trusted holds the whole internet: mail from everywhere would be local; your own "
         "networks are right\n"},
        {"ignoreip = \"0.0.0.0/0\"", ""},
        {GATEWAY("a", "192.0.2.1", "10.8.0.1") GATEWAY("b", "192.0.2.2", "10.8.0.2"), ""},
        {"trusted = \"10.0.0.0/8\"\n" GATEWAY("a", "192.0.2.1", "10.8.0.1"),
         "3: gateway \"a\": tunnel_addresses \"10.8.0.1\" is inside of trusted: everybody who "
         "comes through this gateway would be local; take the gateway out of trusted\n"},
        {GATEWAY("a", "192.0.2.1", "10.8.0.1") GATEWAY("b", "192.0.2.2", "192.0.2.1"),
         "3: gateway \"b\": tunnel_addresses \"192.0.2.1\" is also a public address: the address "
         "inside of the tunnel is right\n"},
        {GATEWAY("a", "192.0.2.1", "10.8.0.1") GATEWAY("b", "192.0.2.1", "10.8.0.1"),
         "3: gateway \"b\": public_addresses \"192.0.2.1\" belongs to another gateway already\n"
         "3: gateway \"b\": tunnel_addresses \"10.8.0.1\" belongs to another gateway already\n"},
        {"gateway \"a\" { public_addresses = 192.0.2.1 tunnel_addresses = 10.8.0.1 "
         "header_destinations = 10.1.0.1 }\n"
         "gateway \"b\" { public_addresses = 192.0.2.2 tunnel_addresses = 10.8.0.2\n"
         "header_destinations = {10.1.0.2, 10.1.0.1} }",
         "4: gateway \"b\": header_destinations \"10.1.0.1\" belongs to another gateway already\n"},
        {GATEWAY("a", "192.0.2.1", "10.8.0.1") "gateway \"b\" { public_addresses = 192.0.2.2 "
                                               "tunnel_addresses = 10.8.0.2\n"
                                               "header_destinations = 192.0.2.1 }",
         "4: gateway \"b\": header_destinations \"192.0.2.1\" belongs to another gateway "
         "already\n"},
        {GATEWAY_OF("haproxy", "header_destinations = 10.1.0.1 daemon_names = a"), ""},
        {GATEWAY_OF("nftables", "") GATEWAY_OF_B("pf", ""), ""},
        {GATEWAY_OF("nftables-masquerade", "header_destinations = {} daemon_names = {}"), ""},
        {GATEWAY_OF("nftables", "header_destinations = 10.1.0.1"),
         "3: gateway \"a\": header_destinations is of PROXY headers, which only the types "
         "\"nginx\" and \"haproxy\" send; take it out\n"},
        {GATEWAY_OF("nftables-masquerade", "daemon_names = a"),
         "3: gateway \"a\": daemon_names is of PROXY headers, which only the types \"nginx\" and "
         "\"haproxy\" send; take it out\n"},
        {GATEWAY_OF("pf", "daemon_names = a"),
         "3: gateway \"a\": daemon_names is of PROXY headers, which only the types \"nginx\" and "
         "\"haproxy\" send; take it out\n"},
        {"policyd { policy = \"127.0.0.1:10\" }\nmilter { listen = \"inet:10@127.0.0.1\" }",
         "2: policyd: policy \"127.0.0.1:10\" is taken by milter: listen: each listener needs an "
         "address of its own\n"},
        {"policyd { policy = \"unix:/a\"\nsocketmap = \"unix:/a\" }",
         "3: policyd: socketmap \"unix:/a\" is taken by policyd: policy: each listener needs an "
         "address of its own\n"},
        {"policyd { policy = {\"127.0.0.1:10\", \"127.0.0.1:11\", \"[::1]:10\"} }", ""},
        {"policyd { policy = \"0.0.0.0:10\"\nsocketmap = {\"127.0.0.1:10\"} from = ::1 }",
         "3: policyd: socketmap \"127.0.0.1:10\" is taken by policyd: policy: each listener needs "
         "an "
         "address of its own\n"},
        {"policyd { policy = \"[::1]:10\"\nsocketmap = {\"[::]:10\"} from = ::1 }",
         "3: policyd: socketmap \"[::]:10\" is taken by policyd: policy: each listener needs an "
         "address of its own\n"},
        {"policyd { policy = \"0.0.0.0:10\" socketmap = {\"[::1]:10\", \"127.0.0.1:11\"} "
         "from = ::1 }",
         ""},
        {"milter { listen = \"127.0.0.1:10\" }\npolicyd { policy = \"unix:/a\" }", ""},
        {"milter {\nlisten = \"inet:10@10.0.0.1\" }",
         "3: milter: listen \"inet:10@10.0.0.1\" is open to whoever can reach it, and the milter "
         "cannot see who that is: listen on a Unix socket or on loopback, or let a firewall admit "
         "the mail server alone and set firewalled = true\n"},
        {"milter { listen = \"[::]:10\" firewalled = false }",
         "2: milter: listen \"[::]:10\" is open to whoever can reach it, and the milter "
         "cannot see who that is: listen on a Unix socket or on loopback, or let a firewall admit "
         "the mail server alone and set firewalled = true\n"},
        {"milter { listen = \"0.0.0.0:10\" firewalled = true }", ""},
    };

    (void)state;
    check_cases(cases, COUNT(cases));
}

static void test_rules_of_mtas(void **state)
{
    static const struct bad_case cases[] = {
        {GATEWAY_OF("nginx", "mta = postfix mta_name = mx.example.net"), ""},
        {GATEWAY_OF("nftables", "mta = exim mta_name = mx mta_daemon_names = {a, b}")
             GATEWAY_OF_B("nginx", "mta = postfix mta_name = mx mta_daemon_names = a"),
         ""},
        {GATEWAY_OF("nginx", "mta = postfix"), "3: gateway \"a\": mta_name is missing: the name "
                                               "behind \"by\" in the Received fields that "
                                               "are believed\n"},
        {GATEWAY_OF("nginx", "mta = sendmail mta_name = a.example"),
         "3: gateway \"a\": mta \"sendmail\" is not one of \"none\", \"postfix\", \"exim\"\n"},
        {GATEWAY_OF("nginx", "mta_name = a.example\nmta_daemon_names = b"),
         "3: gateway \"a\": mta_name is of an MTA, and mta is \"none\"; take it out\n"
         "4: gateway \"a\": mta_daemon_names is of an MTA, and mta is \"none\"; take it out\n"},
        {GATEWAY_OF("nginx", "mta = postfix mta_name = m\nmta_daemon_names = {x, gateway}"),
         "4: gateway \"a\": mta_daemon_names \"gateway\" is also in daemon_names of gateway \"a\": "
         "the "
         "MTA's mail needs a service of its own\n"},
        {GATEWAY_OF("nginx", "daemon_names = gateway-mta")
             GATEWAY_OF_B("nftables", "mta = postfix mta_name = m"),
         "4: gateway \"b\": mta_daemon_names \"gateway-mta\" is also in daemon_names of gateway "
         "\"a\": the MTA's mail needs a service of its own\n"},
    };

    (void)state;
    check_cases(cases, COUNT(cases));
}

static void test_rules_of_jails(void **state)
{
    static const struct bad_case cases[] = {
        {"jail \"a\" { count_by = login action = delay delay = 7s }", ""},
        {"jail \"a\" { count_by = login action = log }", ""},
        {"jail \"a\" { action = delay }", ""},
        {"jail \"a\" {\ncount_by = login }",
         "3: jail \"a\": count_by \"login\" with action \"ban\" would let anybody lock a user out; "
         "use \"delay\" or \"log\", or count what he sends: \"message\" and \"recipient\"\n"},
        {"jail \"a\" { count_by = login events = {message, recipient} }", ""},
        {"jail \"a\" { count_by = login action = log\nevents = {auth_fail, connect} }",
         "3: jail \"a\": events may only be \"auth_fail\", or \"message\" and \"recipient\" with "
         "count_by \"login\"\n"},
        {"jail \"a\" { count_by = login action = defer events = {message, \"recipient=2\"} }", ""},
        {"jail \"a\" { count_by = domain action = defer events = recipient }", ""},
        {"jail \"a\" { count_by = client action = ban events = recipient }", ""},
        {"jail \"a\" { count_by = client events = recipient\nacts = all }",
         "3: jail \"a\": acts may only be \"smtp\" with events of mail: others can have a part in "
         "them; put what a client does at logins into a jail of its own\n"},
        {"jail \"a\" { count_by = login action = log\nevents = {auth_fail, message} }",
         "3: jail \"a\": events may only be \"auth_fail\", or \"message\" and \"recipient\" with "
         "count_by \"login\"\n"},
        {"jail \"a\" { count_by = domain action = log\nevents = auth_fail }",
         "3: jail \"a\": events may only be \"message\" and \"recipient\" with count_by "
         "\"domain\"\n"},
        {"jail \"a\" { count_by = domain events = message\naction = ban }",
         "3: jail \"a\": action \"ban\" would lock a whole domain out; use \"defer\" or \"log\" "
         "with count_by \"domain\"\n"},
        {"jail \"a\" { events = connect\naction = delay }",
         "3: jail \"a\": action \"delay\" is for logins: \"auth_fail\" must be in events\n"},
        {"jail \"a\" { events = {\"rcpt_unknown\", \"relay_denied=100\"} }", ""},
        {"jail \"a\" { events = dmarc_fail acts = smtp }", ""},
        {"jail \"a\" { count_by = \"client+login\" }", ""},
        {"jail \"a\" { count_by = \"client+login\"\nevents = spf_fail }",
         "3: jail \"a\": events may only be \"auth_fail\" with count_by \"client+login\"\n"},
        {"jail \"a\" { events = {rcpt_unknown, honeypot} action = defer }", ""},
        {"jail \"a\" { events = honeypot acts = all }", ""},
        {"jail \"a\" { count_by = login\naction = defer }",
         "3: jail \"a\": action \"defer\" is for mail: count_by must be \"client\", or events "
         "\"message\" or \"recipient\"\n"},
        {"jail \"a\" { count_by = \"client+login\"\naction = defer }",
         "3: jail \"a\": action \"defer\" is for mail: count_by must be \"client\", or events "
         "\"message\" or \"recipient\"\n"},
        {"jail \"a\" { bantime = 365d bantime_factor = 2 }", ""},
        {"jail \"a\" { bantime = 2d bantime_factor = 2\nbantime_max = 1d }",
         "3: jail \"a\": bantime_max is less than bantime\n"},
        {"jail \"a\" { events = {auth_fail, spf_fail}\nacts = all }",
         "3: jail \"a\": acts may only be \"smtp\" with events of mail: others can have a part in "
         "them; put what a client does at logins into a jail of its own\n"},
        {"jail \"a\" { events = dkim_fail\nacts = auth }",
         "3: jail \"a\": acts may only be \"smtp\" with events of mail: others can have a part in "
         "them; put what a client does at logins into a jail of its own\n"},
        {"jail \"a\" { events = \"auth_fail=0\" }",
         "2: jail \"a\": events \"auth_fail\" is not followed by a weight from 1 to 100\n"},
        {"jail \"a\" { events = \"auth_fail=101\" }",
         "2: jail \"a\": events \"auth_fail\" is not followed by a weight from 1 to 100\n"},
        {"jail \"a\" { events = \"auth_fail=\" }",
         "2: jail \"a\": events \"auth_fail\" is not followed by a weight from 1 to 100\n"},
        {"jail \"a\" {\ndelay = 7s }",
         "3: jail \"a\": delay is of action \"delay\" alone; take it out\n"},
    };

    (void)state;
    check_cases(cases, COUNT(cases));
}

static void test_rules_of_bans(void **state)
{
    static const struct bad_case cases[] = {
        {"http \"a\" { serve = {bans} listen = \"unix:/a\" }", ""},
        {"http \"a\" { serve = {bans} listen = \"127.0.0.1:80\" token_file = \"@/secret\" }", ""},
        {"http \"a\" { serve = {bans} listen = \"127.0.0.1:80\" from = \"127.0.0.1\" }",
         "2: http \"a\": listen \"127.0.0.1:80\" is open to every user of this machine: set "
         "token_file, or listen on a Unix socket\n"},
        {"http \"a\" { serve = {bans} listen = \"10.0.0.1:80\" from = \"10.0.0.2\"\n"
         " token_file = \"@/secret\" }",
         ""},
        {"http \"a\" { serve = {bans} listen = \"10.0.0.1:80\" from = \"10.0.0.2\" }",
         "2: http \"a\": listen \"10.0.0.1:80\" shows the bans to whoever can reach it: set "
         "token_file and from (the gateway), or listen on a Unix socket\n"},
        {"http \"a\" { serve = {status, bans} listen = \"10.0.0.1:80\"\n"
         " token_file = \"@/secret\" }",
         "2: http \"a\": listen \"10.0.0.1:80\" shows the bans to whoever can reach it: set "
         "token_file and from (the gateway), or listen on a Unix socket\n"},
        {"http \"a\" { program = milter serve = {bans} }",
         "2: http \"a\": serve has \"bans\", which postern-milter does not answer: "
         "{\"metrics\"}, {\"status\"} or both is right\n"},
        {"policyd { ban_ports = {25, 65535} }", ""},
        {"policyd { ban_ports = {0, 025, 65536, smtp, \"25 \"} }",
         "2: policyd: ban_ports \"0\" is not a port, 1 to 65535\n"
         "2: policyd: ban_ports \"025\" is not a port, 1 to 65535\n"
         "2: policyd: ban_ports \"65536\" is not a port, 1 to 65535\n"
         "2: policyd: ban_ports \"smtp\" is not a port, 1 to 65535\n"
         "2: policyd: ban_ports \"25 \" is not a port, 1 to 65535\n"},
    };

    (void)state;
    check_cases(cases, COUNT(cases));
}

static void test_rules_of_listeners(void **state)
{
    static const struct bad_case cases[] = {
        {"http \"a\" { listen = \"unix:/a\" }", ""},
        {"http \"a\" { program = milter serve = {metrics, status} }", ""},
        {"http \"a\" { serve = {auth, metrics, status} }", ""},
        {"http \"a\" { program = milter }",
         "2: http \"a\": serve has \"auth\" when it is not given, which postern-milter does not "
         "answer: {\"metrics\"}, {\"status\"} or both is right\n"},
        {"http \"a\" { program = milter serve = {metrics, auth} }",
         "2: http \"a\": serve has \"auth\", which postern-milter does not answer: "
         "{\"metrics\"}, {\"status\"} or both is right\n"},
        {"http \"a\" { listen = \"127.0.0.1:80\" from = \"127.0.0.1\" }",
         "2: http \"a\": listen \"127.0.0.1:80\" is open to every user of this machine: set "
         "token_file, or listen on a Unix socket\n"},
        {"http \"a\" { listen = \"127.0.0.1:80\" token_file = \"@/secret\" }", ""},
        {"http \"a\" { listen = \"10.0.0.1:80\" }",
         "2: http \"a\": listen \"10.0.0.1:80\" is open to whoever can reach it: set from (who may "
         "ask) or token_file, or listen on a Unix socket\n"},
        {"http \"a\" { listen = \"10.0.0.1:80\" from = \"10.0.0.2\" }", ""},
        {"policyd { policy = \"127.0.0.1:80\"\n socketmap = {\"unix:/a\", \"[::1]:80\"} }", ""},
        {"policyd {\n policy = {\"unix:/a\", \"10.0.0.1:80\"}\n socketmap = \"0.0.0.0:81\" }",
         "3: policyd: policy \"10.0.0.1:80\" is open to whoever can reach it: set from (who may "
         "connect), or listen on a Unix socket\n"
         "4: policyd: socketmap \"0.0.0.0:81\" is open to whoever can reach it: set from (who may "
         "connect), or listen on a Unix socket\n"},
        {"policyd { policy = \"10.0.0.1:80\" from = \"10.0.0.2\" }", ""},
        {"http \"a\" { listen = \"0.0.0.0:80\" token_file = \"@/secret\" }", ""},
        {"relay \"a\" { }",
         "2: relay \"a\": host is missing: set host, or preset for a provider that is known\n"},
        {"relay \"a\" { preset = \"\" }",
         "2: relay \"a\": host is missing: set host, or preset for a provider that is known\n"},
        {"relay \"a\" { host = h login = l }",
         "2: relay \"a\": login without password_file: name the file that holds its password\n"},
        {"relay \"a\" { host = h login = \"us:er\" password_file = \"@/secret\" }",
         "2: relay \"a\": login \"us:er\" is not a login without \":\": Postfix takes what follows "
         "the first one for the password\n"},
        {"relay \"a\" { host = h password_file = \"@/secret\" }",
         "2: relay \"a\": password_file without login: name the login it belongs to\n"},
        {"relay \"a\" { host = h\nport = 465 }",
         "3: relay \"a\": port 465 speaks TLS from the first byte, the transport \"smtp\" does "
         "not: set transport to a service in master.cf that has \"-o smtp_tls_wrappermode=yes\", "
         "or use port 587\n"},
        {"relay \"a\" { host = h port = 465 transport = smtps-out }", ""},
        {"relay \"a\" { preset = brevo login = l password_file = \"@/secret\" }\n"
         "relay \"b\" { preset = brevo login = m password_file = \"@/secret\" }",
         "3: relay \"b\": same host and port as relay \"a\" but another login or password: Postfix "
         "could not tell them apart; set a transport of its own for each, not \"smtp\"\n"},
        {"relay \"a\" { preset = brevo login = l password_file = \"@/secret\" }\n"
         "relay \"b\" { preset = brevo login = l password_file = \"@/other\" }",
         "3: relay \"b\": same host and port as relay \"a\" but another login or password: Postfix "
         "could not tell them apart; set a transport of its own for each, not \"smtp\"\n"},
        {"relay \"a\" { preset = brevo login = l password_file = \"@/secret\" }\n"
         "relay \"b\" { preset = brevo login = l password_file = \"@/secret\" }",
         ""},
        {"relay \"a\" { preset = brevo login = l password_file = \"@/secret\" }\n"
         "relay \"b\" { preset = brevo login = m password_file = \"@/secret\" transport = two }",
         "3: relay \"b\": same host and port as relay \"a\" but another login or password: Postfix "
         "could not tell them apart; set a transport of its own for each, not \"smtp\"\n"},
        {"relay \"a\" { preset = brevo login = l password_file = \"@/secret\" transport = one }\n"
         "relay \"b\" { preset = brevo login = m password_file = \"@/secret\" }",
         "3: relay \"b\": same host and port as relay \"a\" but another login or password: Postfix "
         "could not tell them apart; set a transport of its own for each, not \"smtp\"\n"},
        {"relay \"a\" { preset = brevo }\n"
         "relay \"b\" { preset = brevo login = m password_file = \"@/secret\" transport = two }",
         "3: relay \"b\": same host and port as relay \"a\" but another login or password: Postfix "
         "could not tell them apart; set a transport of its own for each, not \"smtp\"\n"},
        {"relay \"a\" { preset = brevo transport = one }\n"
         "relay \"b\" { preset = brevo login = m password_file = \"@/secret\" transport = two }",
         ""},
        {"relay \"a\" { preset = brevo login = l password_file = \"@/secret\" transport = one }\n"
         "relay \"b\" { preset = brevo login = m password_file = \"@/secret\" transport = two }",
         ""},
        {"relay \"a\" { preset = brevo }\nrelay \"b\" { preset = brevo }", ""},
        {"route { }", "2: route: relays is missing: names of relay sections, the best first\n"},
        {"route { relays = {\n\"a\"} }",
         "3: route: there is no relay \"a\": relay \"a\" { ... } is missing\n"},
        {"relay \"a\" { host = h }\nroute { relays = {\"a\", \"a\"} }",
         "3: route: relays has \"a\" twice\n"},
        {"relay \"a\" { host = h }\nroute { relays = a }\nroute { from = \"*\"\n relays = a }",
         "4: route: from \"*\" has a route already, in line 3\n"},
        {"relay \"a\" { host = h }\nroute { relays = a }\nroute { from = \"<>\" relays = a }\n"
         "route { from = \"@A.example\" relays = a }\nroute { from = \"B@a.example\" relays = a }",
         ""},
    };

    (void)state;
    check_cases(cases, COUNT(cases));
}

static void test_secret_paths(void **state)
{
    static const struct bad_case cases[] = {
        {"relay \"a\" { preset = brevo login = l password_file = \"hunter2\" }",
         "2: relay \"a\": password_file does not begin with \"/\": the path of a file that holds "
         "the secret is right, not the secret\n"},
        {"relay \"a\" { preset = brevo login = l password_file = \"@/none\" }",
         "2: relay \"a\": password_file: @/none: No such file or directory\n"},
        {"relay \"a\" { preset = brevo login = l password_file = \"@/\" }",
         "2: relay \"a\": password_file: @/ is not a regular file\n"},
        {"relay \"a\" { preset = brevo login = l password_file = \"@/fifo\" }",
         "2: relay \"a\": password_file: @/fifo is not a regular file\n"},
        {"relay \"a\" { preset = brevo login = l\npassword_file = \"@/open\" }",
         "3: relay \"a\": password_file: @/open can be read by everybody (mode 0644): chmod 0640 "
         "is "
         "right\n"},
        {"http \"a\" { listen = \"127.0.0.1:80\" token_file = \"@/none\" }",
         "2: http \"a\": token_file: @/none: No such file or directory\n"},
    };

    (void)state;
    write_file("open", "s3cret", 6, 0644);
    assert_int_equal(mkfifo(in_dir("fifo"), 0600), 0);
    check_cases(cases, COUNT(cases));
}

static void test_file_errors(void **state)
{
    char *big = malloc(1024 * 1024 + 1);
    struct config_errors errors;
    struct config *config;
    char *text;

    (void)state;
    assert_int_equal(config_load(in_dir("absent"), &config, &errors), -1);
    assert_null(config);
    assert_int_equal(errors.count, 1);
    assert_int_equal(errors.items[0].line, 0);
    assert_string_equal(errors.items[0].text, "cannot be opened: No such file or directory");
    config_errors_fini(&errors);
    assert_int_equal(config_load(in_dir(""), &config, &errors), -1);
    assert_string_equal(errors.items[0].text, "not a regular file");
    config_errors_fini(&errors);

    text = errors_of("");
    assert_string_equal(text, "0: hostname is missing: the mail server's own name: authserv-id in "
                              "Authentication-Results\n");
    free(text);
    assert_non_null(big);
    memset(big, '\n', 1024 * 1024 + 1);
    memcpy(big, "hostname=a.b", 12);
    text = errors_of_bytes(big, 1024 * 1024);
    assert_string_equal(text, "");
    free(text);
    text = errors_of_bytes(big, 1024 * 1024 + 1);
    assert_string_equal(text, "0: longer than 1048576 bytes\n");
    free(text);
    free(big);
}

static void test_too_many_errors(void **state)
{
    struct config_errors errors;
    struct config *config;
    struct buf text;

    (void)state;
    buf_init(&text);
    for (int i = 0; i < 1000; i++)
        buf_puts(&text, "nothing = 1\n");
    assert_int_equal(load_bytes(buf_str(&text), text.len, &config, &errors), -1);
    assert_int_equal(errors.count, CONFIG_ERRORS_MAX);
    assert_string_equal(errors.items[CONFIG_ERRORS_MAX - 1].text,
                        "more errors are not shown: correct these first");
    config_errors_fini(&errors);
    buf_fini(&text);
}

static void test_too_many_sections(void **state)
{
    struct buf text;
    char *errors;

    (void)state;
    buf_init(&text);
    buf_puts(&text, "hostname = mx.example.com\n");
    for (int i = 1; i < 10000; i++)
        buf_printf(&text, "jail \"%d\" { }\n", i);
    errors = errors_of_bytes(buf_str(&text), text.len);
    assert_string_equal(errors, "");
    free(errors);
    buf_puts(&text, "\njail \"x\" { }\n");
    errors = errors_of_bytes(buf_str(&text), text.len);
    assert_string_equal(errors, "10002: more than 10000 options and sections\n");
    free(errors);
    buf_fini(&text);
}

static void test_errors_print(void **state)
{
    struct config_errors errors = {0};
    char *text = NULL;
    size_t len = 0;
    FILE *to = open_memstream(&text, &len);

    (void)state;
    config_errors_add(&errors, 7, "second");
    config_errors_add(&errors, 3, "first");
    config_errors_add(&errors, 7, "third");
    config_errors_add(&errors, 0, "whole");
    config_errors_sort(&errors);
    config_errors_print(&errors, "a.conf", to);
    fclose(to);
    assert_string_equal(text,
                        "a.conf: whole\na.conf:3: first\na.conf:7: second\na.conf:7: third\n");
    free(text);
    config_errors_fini(&errors);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_syntax_errors),   cmocka_unit_test(test_name_errors),
        cmocka_unit_test(test_value_errors),    cmocka_unit_test(test_rules),
        cmocka_unit_test(test_rules_of_mtas),   cmocka_unit_test(test_rules_of_jails),
        cmocka_unit_test(test_rules_of_bans),   cmocka_unit_test(test_rules_of_listeners),
        cmocka_unit_test(test_secret_paths),    cmocka_unit_test(test_file_errors),
        cmocka_unit_test(test_too_many_errors), cmocka_unit_test(test_too_many_sections),
        cmocka_unit_test(test_errors_print),
    };

    return cmocka_run_group_tests_name("config", tests, config_fixture_setup,
                                       config_fixture_teardown);
}
