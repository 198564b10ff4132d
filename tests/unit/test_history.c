/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/history.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/unit.h"

static int setup(void **state)
{
    *state = history_new();
    return 0;
}

static int teardown(void **state)
{
    struct history *history = *state;
    history_free(&history);
    return 0;
}

static struct addr addr(const char *text)
{
    struct addr addr;
    assert_int_equal(addr_parse(text, &addr), 0);
    return addr;
}

static struct history_place last; /* where the last event was put that was added */

static void add(struct history *history, const char *client, const char *login)
{
    struct event event = {
        .kind = CONFIG_EVENT_AUTH_FAIL,
        .client = addr(client),
        .login = login,
        .fingerprint = "0abc",
        .weight = 1,
        .protocol = "imap",
    };
    last = history_add(history, &event, 1790000000000);
}

/* As "10.0.0.0/8": the logins of what is found, each with a space behind it. */
static const char *logins(const struct history *history, const char *net)
{
    static char text[8192];
    const struct history_event *found[HISTORY_FOUND_MAX];
    struct prefix within;
    size_t len = 0;

    assert_int_equal(prefix_parse(net, &within), 0);
    size_t count = history_find(history, &within, NULL, found);
    text[0] = 0;
    for (size_t i = 0; i < count; i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s ", found[i]->login);
    return text;
}

static struct addr number_addr(unsigned number)
{
    uint8_t bytes[] = {10, (uint8_t)(number >> 16), (uint8_t)(number >> 8), (uint8_t)number};
    return addr_from_ipv4(bytes);
}

/* Others, an event each. */
static void flood(struct history *history, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct event event = {
            .kind = CONFIG_EVENT_CONNECT, .client = number_addr(i), .login = "x", .weight = 1};
        history_add(history, &event, 1);
    }
}

static void flood_with_bans(struct history *history, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct event event = {.client = number_addr(i), .login = "y"};
        last = history_add(history, &event, 1);
        history_keep(history, &last);
    }
}

static void the_newest_comes_first(void **state)
{
    struct history *history = *state;

    assert_string_equal(logins(history, "0.0.0.0/0"), "");
    add(history, "203.0.113.7", "a");
    add(history, "203.0.113.8", "b");
    add(history, "203.0.113.7", "c");
    add(history, "2001:db8::1", "d");
    assert_string_equal(logins(history, "203.0.113.7"), "c a ");
    assert_string_equal(logins(history, "203.0.113.0/24"), "c b a ");
    assert_string_equal(logins(history, "2001:db8::/64"), "d ");
    assert_string_equal(logins(history, "203.0.113.9"), "");
}

static void one_client_pushes_out_itself_alone(void **state)
{
    struct history *history = *state;
    char login[16], wanted[256] = "";
    size_t len = 0;

    add(history, "2001:db8:1::1", "other");
    for (unsigned i = 0; i < 3 * HISTORY_MAX; i++) {
        snprintf(login, sizeof(login), "%u", i);
        add(history, i % 2 ? "2001:db8::1" : "2001:db8::2", login);
    }
    for (unsigned i = 1; i <= HISTORY_CLIENT_MAX; i++)
        len += (size_t)snprintf(wanted + len, sizeof(wanted) - len, "%u ", 3 * HISTORY_MAX - i);
    assert_string_equal(logins(history, "2001:db8::/64"), wanted);
    assert_string_equal(logins(history, "2001:db8:1::1"), "other ");
}

static void the_oldest_of_all_gives_way(void **state)
{
    struct history *history = *state;

    add(history, "203.0.113.7", "a");
    add(history, "203.0.113.7", "b");
    flood(history, HISTORY_MAX - 1);
    assert_string_equal(logins(history, "203.0.113.7"), "b ");
    /* The place that a client's own event takes may be its last one. */
    add(history, "203.0.113.7", "c");
    assert_string_equal(logins(history, "203.0.113.7"), "c ");
    flood(history, HISTORY_MAX);
    assert_string_equal(logins(history, "203.0.113.7"), "");
    flood(history, 5 * HISTORY_MAX);
    assert_string_equal(logins(history, "10.0.0.1"), "");
}

static void what_led_to_a_ban_is_not_pushed_out(void **state)
{
    struct history *history = *state;
    add(history, "203.0.113.7", "a");
    add(history, "203.0.113.7", "b");
    history_keep(history, &last);
    assert_string_equal(logins(history, "203.0.113.7"), "b a ");
    flood(history, 2 * HISTORY_MAX);
    assert_string_equal(logins(history, "203.0.113.7"), "b a ");
    add(history, "203.0.113.7", "c");
    assert_string_equal(logins(history, "203.0.113.7"), "c b a ");
    for (unsigned i = 0; i < 2 * HISTORY_CLIENT_MAX; i++)
        history_keep(history, &last);
    flood(history, 2 * HISTORY_MAX);
    assert_string_equal(logins(history, "203.0.113.7"), "c b a ");
    /* Later bans do, in the end. */
    flood_with_bans(history, HISTORY_MAX);
    assert_string_equal(logins(history, "203.0.113.7"), "");
}

static void the_one_that_led_to_a_ban_is_known(void **state)
{
    struct history *history = *state;
    const struct history_event *found[HISTORY_FOUND_MAX];
    struct addr client = addr("203.0.113.7");
    struct prefix net = history_net(&client);

    add(history, "203.0.113.7", "a");
    add(history, "203.0.113.7", "b");
    history_keep(history, &last);
    add(history, "203.0.113.7", "c");
    for (unsigned round = 0; round < 2; round++) {
        assert_int_equal(history_find(history, &net, NULL, found), 3 - round);
        assert_string_equal(found[1 - round]->login, "b");
        assert_true(found[1 - round]->led_to_ban);
        assert_false(found[2 - round]->led_to_ban);
        assert_false(round == 0 && found[0]->led_to_ban);
        flood(history, HISTORY_MAX);
    }
    for (const struct history_event *event = history_after(history, 0); event;
         event = history_newer(history, event))
        assert_false(event->led_to_ban);
}

static void no_more_is_found_than_fits(void **state)
{
    struct history *history = *state;
    const struct history_event *found[HISTORY_FOUND_MAX];
    struct prefix all = {.addr = addr("0.0.0.0")};

    flood_with_bans(history, 1000);
    assert_int_equal(history_find(history, &all, NULL, found), HISTORY_FOUND_MAX);
    for (unsigned i = 0; i < HISTORY_FOUND_MAX; i++)
        assert_int_equal(found[i]->number, 1000 - i);
}

static void jails_are_named_as_long_as_they_fit(void **state)
{
    static const char long_name[] = "a-jail-whose-name-is-as-long-as-this-one-and-still-longer-x";
    struct history *history = *state;
    const struct history_event *event;

    add(history, "203.0.113.7", "a");
    history_add_jail(&last, "logins");
    history_add_jail(&last, "busy");
    event = history_after(history, 0);
    assert_string_equal(event->jails, "logins, busy");
    history_add_jail(&last, long_name);
    assert_string_equal(event->jails, "logins, busy");
    history_add_jail(&last, "fits");
    assert_string_equal(event->jails, "logins, busy, fits");
    struct history_place first = last;
    add(history, "203.0.113.7", "b");
    assert_string_equal(history_newer(history, event)->jails, "");
    history_add_jail(&first, "x"); /* of an earlier one */
    assert_string_equal(event->jails, "logins, busy, fits, x");
    history_add_jail(&last, long_name);
    assert_string_equal(history_newer(history, event)->jails, long_name);
    flood(history, HISTORY_MAX);
    history_add_jail(&first, "x"); /* of one that is forgotten */
    history_keep(history, &first);
    for (event = history_after(history, 0); event; event = history_newer(history, event))
        assert_string_equal(event->jails, "");
}

static void texts_are_cut_between_two_characters(void **state)
{
    struct history *history = *state;
    char ascii[80], two[80];

    memset(ascii, 'a', sizeof(ascii));
    ascii[79] = 0;
    add(history, "203.0.113.7", ascii);
    ascii[63] = 0;
    assert_string_equal(history_after(history, 0)->login, ascii);
    for (unsigned i = 0; i < 78; i += 2)
        memcpy(two + i, "\xc3\xa4", 2);
    two[78] = 0;
    add(history, "203.0.113.7", two);
    two[62] = 0;
    assert_string_equal(history_after(history, 1)->login, two);
    /* Whatever else it is, it ends. */
    memset(two, 0x80, sizeof(two));
    two[79] = 0;
    add(history, "203.0.113.7", two);
    assert_string_equal(history_after(history, 2)->login, "");
    add(history, "203.0.113.7", "");
    assert_string_equal(history_after(history, 3)->login, "");
    assert_string_equal(history_after(history, 3)->recipient, "");
    assert_string_equal(history_after(history, 3)->protocol, "imap");
}

static void who_follows_sees_each_that_is_known(void **state)
{
    struct history *history = *state;
    uint64_t seen = 0;

    assert_int_equal(history_last(history), 0);
    assert_null(history_after(history, 0));
    flood(history, 3);
    for (const struct history_event *event = history_after(history, 1); event;
         event = history_newer(history, event))
        seen = seen * 10 + event->number;
    assert_int_equal(seen, 23);
    assert_int_equal(history_last(history), 3);
    assert_null(history_after(history, 3));
    flood(history, 2 * HISTORY_MAX);
    assert_int_equal(history_after(history, 3)->number, 4 + HISTORY_MAX);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_newest_comes_first, setup, teardown),
        cmocka_unit_test_setup_teardown(one_client_pushes_out_itself_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(the_oldest_of_all_gives_way, setup, teardown),
        cmocka_unit_test_setup_teardown(what_led_to_a_ban_is_not_pushed_out, setup, teardown),
        cmocka_unit_test_setup_teardown(the_one_that_led_to_a_ban_is_known, setup, teardown),
        cmocka_unit_test_setup_teardown(no_more_is_found_than_fits, setup, teardown),
        cmocka_unit_test_setup_teardown(jails_are_named_as_long_as_they_fit, setup, teardown),
        cmocka_unit_test_setup_teardown(texts_are_cut_between_two_characters, setup, teardown),
        cmocka_unit_test_setup_teardown(who_follows_sees_each_that_is_known, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
