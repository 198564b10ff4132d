/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "milter/envelope.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include <cmocka.h>

#include "tests/unit/unit.h"

static void test_sender(void **state)
{
    static const struct {
        const char *argument, *sender;
    } cases[] = {
        {"<a@example.com>", "a@example.com"},
        {"a@example.com", "a@example.com"},
        {"<>", ""},
        {"", ""},
        {"<", ""},
        {">", ""},
        {"<@relay.example:a@example.com>", "a@example.com"},
        {"<@one.example,@two.example:a@example.com>", "a@example.com"},
        {"<@no-colon.example>", "@no-colon.example"},
        {"<\"a b>\"@example.com>", "\"a b>\"@example.com"},
        {"<\"x:y\"@example.com>", "\"x:y\"@example.com"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char *sender = envelope_sender(cases[i].argument);
        assert_string_equal(sender, cases[i].sender);
        free(sender);
    }
}

static void test_unclean(void **state)
{
    static const char *const bad[] = {"a\n@example.com",  "\r",  "a@example.com\t", "\x7f",
                                      "\xff@example.com", "\xc3"};
    char *high = envelope_sender("<\xc3\xa4@example.com>");

    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        char *helo = envelope_helo(bad[i]);
        assert_null(envelope_sender(bad[i]));
        assert_string_equal(helo, "");
        free(helo);
    }
    assert_string_equal(high, "\xc3\xa4@example.com");
    free(high);
}

static char *repeat(size_t len)
{
    char *text = malloc(len + 1);

    assert_non_null(text);
    memset(text, 'a', len);
    text[len] = '\0';
    return text;
}

static void test_limits(void **state)
{
    char *fits = repeat(ENVELOPE_SENDER_MAX), *over = repeat(ENVELOPE_SENDER_MAX + 1);
    char *name = repeat(ENVELOPE_HELO_MAX), *long_name = repeat(ENVELOPE_HELO_MAX + 1);
    char *sender = envelope_sender(fits), *helo = envelope_helo(name);
    char *cut = envelope_helo(long_name);

    (void)state;
    assert_string_equal(sender, fits);
    assert_null(envelope_sender(over));
    assert_string_equal(helo, name);
    assert_string_equal(cut, "");
    free(fits), free(over), free(name), free(long_name);
    free(sender), free(helo), free(cut);
}

static struct origin_peer peer_of(const char *text, unsigned port, const char *daemon)
{
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};

    if (inet_pton(AF_INET, text, &four.sin_addr) == 1)
        return envelope_peer((const struct sockaddr *)&four, daemon);
    assert_int_equal(inet_pton(AF_INET6, text, &six.sin6_addr), 1);
    return envelope_peer((const struct sockaddr *)&six, daemon);
}

static void test_peer(void **state)
{
    static const struct {
        const char *addr;
        unsigned port;
        const char *daemon, *peer, *destination;
    } cases[] = {
        {"203.0.113.9", 40000, "198.51.100.25", "203.0.113.9", "198.51.100.25"},
        {"203.0.113.9", 0, NULL, "203.0.113.9", "none"},
        {"::ffff:203.0.113.9", 1, "::ffff:198.51.100.25", "203.0.113.9", "198.51.100.25"},
        {"2001:db8::9", 2, "IPv6:2001:db8::25", "2001:db8::9", "2001:db8::25"},
        {"2001:db8::9", 2, "2001:db8::25", "2001:db8::9", "2001:db8::25"},
        {"203.0.113.9", 3, "mail.example.com", "203.0.113.9", "none"},
        {"203.0.113.9", 3, "", "203.0.113.9", "none"},
        {"127.0.0.1", 4711, "127.0.0.1", "127.0.0.1", "127.0.0.1"},
        /* sendmail(1), and what only looks like it */
        {"127.0.0.1", 0, "127.0.0.1", "none", "127.0.0.1"},
        {"::1", 0, NULL, "none", "none"},
        {"127.0.0.1", 0, "198.51.100.25", "127.0.0.1", "198.51.100.25"},
        {"10.8.0.1", 0, "127.0.0.1", "10.8.0.1", "127.0.0.1"},
    };
    char text[ADDR_TEXT_MAX];

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct origin_peer peer = peer_of(cases[i].addr, cases[i].port, cases[i].daemon);
        assert_string_equal(addr_format(&peer.addr, text), cases[i].peer);
        assert_string_equal(addr_format(&peer.destination, text), cases[i].destination);
        assert_int_equal(peer.port, peer.addr.family == ADDR_NONE ? 0 : cases[i].port);
    }
}

static void test_peer_without_address(void **state)
{
    struct sockaddr_un sun = {.sun_family = AF_UNIX, .sun_path = "/x"};
    struct origin_peer none = envelope_peer(NULL, NULL);
    struct origin_peer local = envelope_peer((const struct sockaddr *)&sun, "127.0.0.1");

    (void)state;
    assert_int_equal(none.addr.family, ADDR_NONE);
    assert_int_equal(none.port, 0);
    assert_int_equal(local.addr.family, ADDR_NONE);
    assert_int_equal(local.destination.family, ADDR_IPV4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sender),
        cmocka_unit_test(test_unclean),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_peer),
        cmocka_unit_test(test_peer_without_address),
    };
    return cmocka_run_group_tests_name("milter_envelope", tests, NULL, NULL);
}
