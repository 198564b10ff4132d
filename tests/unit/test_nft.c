/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/nft.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/unit.h"

#define FRAME(ports)                                                                               \
    "add table inet postern_bans; delete table inet postern_bans; add table inet postern_bans; "   \
    "add chain inet postern_bans prerouting { type filter hook prerouting priority raw; "          \
    "policy accept; }; "                                                                           \
    "add rule inet postern_bans prerouting meta l4proto != tcp accept; "                           \
    "add rule inet postern_bans prerouting tcp flags & (fin | syn | rst | ack) != syn accept; "    \
    "add rule inet postern_bans prerouting tcp dport != { " ports " } accept;"
#define SET(name, type, match)                                                                     \
    " add set inet postern_bans " name " { type " type "; flags timeout; };"                       \
    " add rule inet postern_bans prerouting " match " @" name " counter drop;"
#define HOSTS SET("ip_32", "ipv4_addr", "ip saddr")

static struct prefix prefix_from(const char *text)
{
    struct prefix prefix;
    assert_int_equal(prefix_parse(text, &prefix), 0);
    return prefix;
}

static void put(struct nft *nft, const char *text, uint64_t seconds, struct buf *out)
{
    struct prefix prefix = prefix_from(text);
    nft_put(nft, &prefix, false, seconds, out);
}

static void all_bans_are_one_line(void **state)
{
    struct config_strings none = {0};
    struct nft nft;
    struct buf out = {0};

    (void)state;
    nft_begin(&nft, &none, &out);
    put(&nft, "203.0.113.1", 1, &out);
    put(&nft, "203.0.113.2", 86399, &out);
    put(&nft, "2001:db8:1:2::/64", 86400, &out);
    put(&nft, "203.0.113.3", 90061, &out);
    put(&nft, "203.0.112.0/23", 5, &out);
    put(&nft, "2001:db8::1", 315360000, &out);
    nft_end(&nft, &out);
    assert_string_equal(
        buf_str(&out), FRAME(NFT_PORTS) HOSTS
        " add element inet postern_bans ip_32 { 203.0.113.1 timeout 1s, "
        "203.0.113.2 timeout 86399s };" SET(
            "ip6_64", "ipv6_addr",
            "ip6 saddr & ffff:ffff:ffff:ffff::") " add element inet postern_bans ip6_64 { "
                                                 "2001:db8:1:2:: timeout 1d };"
                                                 " add element inet postern_bans ip_32 { "
                                                 "203.0.113.3 timeout 1d3661s };" SET(
                                                     "ip_23", "ipv4_addr",
                                                     "ip saddr & 255.255.254.0") " add element "
                                                                                 "inet "
                                                                                 "postern_bans "
                                                                                 "ip_23 { "
                                                                                 "203.0.112.0 "
                                                                                 "timeout 5s "
                                                                                 "};" SET(
                                                                                     "ip6_128",
                                                                                     "ipv6_"
                                                                                     "addr",
                                                                                     "ip6 "
                                                                                     "saddr") " add"
                                                                                              " ele"
                                                                                              "ment"
                                                                                              " ine"
                                                                                              "t "
                                                                                              "post"
                                                                                              "ern_"
                                                                                              "bans"
                                                                                              " ip6"
                                                                                              "_128"
                                                                                              " { "
                                                                                              "2001"
                                                                                              ":db8"
                                                                                              "::1 "
                                                                                              "time"
                                                                                              "out "
                                                                                              "3650"
                                                                                              "d "
                                                                                              "}; "
                                                                                              "#end"
                                                                                              "\n");
    buf_fini(&out);
}

static void without_bans_it_empties(void **state)
{
    char smtp[] = "25", other[] = "8025", *items[] = {smtp, other};
    struct config_strings ports = {.items = items, .count = 2};
    struct nft nft;
    struct buf out = {0};

    (void)state;
    nft_begin(&nft, &ports, &out);
    nft_end(&nft, &out);
    assert_string_equal(buf_str(&out), FRAME("25, 8025") " #end\n");
    buf_fini(&out);
}

/* A set is made where the first change needs it, and again when all begins anew. */
static void a_change_is_right_whatever_was(void **state)
{
    static const char lifted[] = " add element inet postern_bans ip_32 { 203.0.113.1 };"
                                 " delete element inet postern_bans ip_32 { 203.0.113.1 };";
    static const char banned[] =
        " add element inet postern_bans ip_32 { 203.0.113.1 timeout 60s }; #end\n";
    struct config_strings none = {0};
    struct prefix prefix = prefix_from("203.0.113.1");
    struct nft nft;
    struct buf out = {0};

    (void)state;
    for (int round = 0; round < 2; round++) {
        nft_begin(&nft, &none, &out);
        nft_end(&nft, &out);
        buf_reset(&out);
        nft_ban(&nft, &prefix, false, 60, &out);
        assert_memory_equal(out.data, HOSTS, strlen(HOSTS));
        assert_string_equal(buf_str(&out) + strlen(HOSTS), banned);
        buf_reset(&out);
        nft_ban(&nft, &prefix, false, 60, &out);
        assert_memory_equal(out.data, lifted, strlen(lifted));
        assert_string_equal(buf_str(&out) + strlen(lifted), banned);
        buf_reset(&out);
        nft_unban(&nft, &prefix, &out);
        assert_memory_equal(out.data, lifted, strlen(lifted));
        assert_string_equal(buf_str(&out) + strlen(lifted), " #end\n");
        buf_reset(&out);
    }
    buf_fini(&out);
}

/* Port 25 alone asks for it, and from one to the other it leaves where it was. */
static void of_mail_alone(void **state)
{
    static const char ip_32[] = "inet postern_bans ip_32 { ";
    static const char smtp_ip_32[] = "inet postern_bans smtp_ip_32 { ";
    struct config_strings none = {0};
    struct prefix host = prefix_from("203.0.113.1"), other = prefix_from("203.0.113.2");
    struct nft nft;
    struct buf out = {0}, wanted = {0};

    (void)state;
    nft_begin(&nft, &none, &out);
    nft_put(&nft, &host, false, 1, &out);
    nft_put(&nft, &other, true, 2, &out);
    nft_end(&nft, &out);
    buf_printf(&wanted,
               "%s%s add element %s203.0.113.1 timeout 1s };%s add element %s203.0.113.2 "
               "timeout 2s }; #end\n",
               FRAME(NFT_PORTS), HOSTS, ip_32,
               SET("smtp_ip_32", "ipv4_addr", "tcp dport 25 ip saddr"), smtp_ip_32);
    assert_string_equal(buf_str(&out), buf_str(&wanted));
    buf_reset(&out);
    buf_reset(&wanted);
    nft_ban(&nft, &host, true, 3, &out);
    for (int i = 0; i < 2; i++)
        buf_printf(&wanted, " add element %s203.0.113.1 }; delete element %s203.0.113.1 };",
                   i ? smtp_ip_32 : ip_32, i ? smtp_ip_32 : ip_32);
    buf_printf(&wanted, " add element %s203.0.113.1 timeout 3s }; #end\n", smtp_ip_32);
    assert_string_equal(buf_str(&out), buf_str(&wanted));
    buf_reset(&out);
    struct prefix net = prefix_from("2001:db8:1:2::/64");
    nft_unban(&nft, &net, &out); /* of which there never was one */
    assert_string_equal(buf_str(&out), " #end\n");
    buf_fini(&out);
    buf_fini(&wanted);
}

static void each_length_has_its_mask(void **state)
{
    static const struct {
        const char *prefix;
        const char *match;
    } cases[] = {
        {"128.0.0.0/1", "ip saddr & 128.0.0.0 @ip_1 "},
        {"10.0.0.0/8", "ip saddr & 255.0.0.0 @ip_8 "},
        {"203.0.113.2/31", "ip saddr & 255.255.255.254 @ip_31 "},
        {"8000::/1", "ip6 saddr & 8000:: @ip6_1 "},
        {"2001:db8::/33", "ip6 saddr & ffff:ffff:8000:: @ip6_33 "},
        {"2001:db8:1::/48", "ip6 saddr & ffff:ffff:ffff:: @ip6_48 "},
        {"2001:db8:1::/56", "ip6 saddr & ffff:ffff:ffff:ff00:: @ip6_56 "},
        {"2001:db8::2/127", "ip6 saddr & ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe @ip6_127 "},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct nft nft = {0};
        struct buf out = {0};
        put(&nft, cases[i].prefix, 1, &out);
        CASE(cases[i].prefix, strstr(buf_str(&out), cases[i].match) != NULL);
        buf_fini(&out);
    }
}

static void a_comment_is_a_line(void **state)
{
    struct buf out = {0};

    (void)state;
    nft_comment("here", &out);
    assert_string_equal(buf_str(&out), "# here #end\n");
    buf_fini(&out);
}

static void a_beat_names_the_chain(void **state)
{
    struct buf out = {0};

    (void)state;
    nft_beat(&out);
    assert_string_equal(buf_str(&out), "add chain inet postern_bans prerouting; #end\n");
    buf_fini(&out);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_bans_are_one_line),          cmocka_unit_test(without_bans_it_empties),
        cmocka_unit_test(a_change_is_right_whatever_was), cmocka_unit_test(of_mail_alone),
        cmocka_unit_test(each_length_has_its_mask),       cmocka_unit_test(a_comment_is_a_line),
        cmocka_unit_test(a_beat_names_the_chain),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
