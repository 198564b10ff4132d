/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "ingress/bantable.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "ingress/clients.h"
#include "tests/unit/unit.h"

static struct prefix prefix(const char *text)
{
    struct prefix prefix;

    assert_int_equal(prefix_parse(text, &prefix), 0);
    return prefix;
}

static void put_at(struct bantable *table, const char *text, enum bantable_reach reach,
                   int64_t until_ms)
{
    struct prefix who = prefix(text);
    assert_true(bantable_put(table, &who, reach, until_ms));
}

static void put(struct bantable *table, const char *text, int64_t until_ms)
{
    put_at(table, text, BANTABLE_EVERY_PORT, until_ms);
}

static bool has_at(const struct bantable *table, const char *text, uint16_t port, int64_t now_ms)
{
    struct prefix who = prefix(text);
    return bantable_has(table, &who.addr, port, now_ms);
}

static bool has(const struct bantable *table, const char *text, int64_t now_ms)
{
    return has_at(table, text, 993, now_ms);
}

static void test_until_their_own_ends(void **state)
{
    struct bantable table;

    (void)state;
    bantable_init(&table);
    put(&table, "203.0.113.7", 1000);
    put(&table, "203.0.113.0/24", 2000);
    put(&table, "2001:db8:7::/48", 3000);
    assert_true(has(&table, "203.0.113.7", 999));
    assert_true(has(&table, "203.0.113.7", 1000)); /* its own is over, the wider one holds */
    assert_true(has(&table, "203.0.113.8", 1999));
    assert_false(has(&table, "203.0.113.7", 2000));
    assert_true(has(&table, "2001:db8:7:1::1", 2999));
    assert_false(has(&table, "2001:db8:8::1", 0));
    put(&table, "203.0.113.7", 5000);
    assert_true(has(&table, "203.0.113.7", 4999));
    assert_int_equal(table.count, 3);
    bantable_sweep(&table, 3000);
    assert_int_equal(table.count, 1);
    struct prefix who = prefix("203.0.113.7");
    bantable_remove(&table, &who);
    bantable_remove(&table, &who);
    assert_false(has(&table, "203.0.113.7", 0));
    assert_int_equal(table.count, 0);
    bantable_fini(&table);
}

/* It closes port 25; neither hides the other, whichever is the narrower or came first. */
static void test_of_mail_alone(void **state)
{
    struct bantable table;

    (void)state;
    bantable_init(&table);
    put_at(&table, "203.0.113.7", BANTABLE_SMTP_PORT, 1000);
    assert_true(has_at(&table, "203.0.113.7", 25, 999));
    assert_false(has_at(&table, "203.0.113.7", 25, 1000));
    assert_false(has_at(&table, "203.0.113.7", 587, 999));
    assert_false(has_at(&table, "203.0.113.8", 25, 999));
    put(&table, "203.0.113.0/24", 2000);
    assert_true(has_at(&table, "203.0.113.7", 587, 999));
    put_at(&table, "203.0.113.0/24", BANTABLE_SMTP_PORT, 2000);
    put(&table, "203.0.113.7", 1000);
    assert_true(has_at(&table, "203.0.113.7", 587, 999));
    assert_false(has_at(&table, "203.0.113.8", 587, 999));
    assert_true(has_at(&table, "203.0.113.7", 25, 1999));
    assert_int_equal(table.count, 2);
    bantable_fini(&table);
}

static void test_a_full_list_replaces_all(void **state)
{
    struct bantable table;

    (void)state;
    bantable_init(&table);
    put(&table, "203.0.113.7", 1000);
    put(&table, "203.0.113.8", 1000);
    bantable_begin_round(&table);
    put(&table, "203.0.113.8", 1000);
    put(&table, "203.0.113.9", 1000);
    assert_true(has(&table, "203.0.113.7", 0)); /* until the list is whole */
    bantable_end_round(&table);
    assert_false(has(&table, "203.0.113.7", 0));
    assert_true(has(&table, "203.0.113.8", 0));
    assert_true(has(&table, "203.0.113.9", 0));
    bantable_begin_round(&table); /* one that breaks off changes nothing */
    bantable_begin_round(&table);
    put(&table, "203.0.113.9", 1000);
    bantable_end_round(&table);
    assert_int_equal(table.count, 1);
    bantable_fini(&table);
}

static void test_it_has_a_limit(void **state)
{
    struct bantable table;
    struct prefix who = prefix("10.0.0.0");

    (void)state;
    bantable_init(&table);
    for (unsigned i = 0; i < BANTABLE_MAX; i++) {
        who.addr.bytes[1] = (uint8_t)(i >> 16);
        who.addr.bytes[2] = (uint8_t)(i >> 8);
        who.addr.bytes[3] = (uint8_t)i;
        assert_true(bantable_put(&table, &who, BANTABLE_EVERY_PORT, 1000));
    }
    assert_true(bantable_put(&table, &who, BANTABLE_EVERY_PORT, 2000)); /* one of them */
    who.addr.bytes[0] = 11;
    assert_false(bantable_put(&table, &who, BANTABLE_EVERY_PORT, 1000));
    assert_int_equal(table.count, BANTABLE_MAX);
    bantable_fini(&table);
}

/* --- the clients -------------------------------------------------------------------------- */

static void cut(struct client_link *link, void *ctx)
{
    clients_remove(ctx, link);
}

static void test_clients_are_counted_and_found(void **state)
{
    static const char *const addrs[] = {"203.0.113.7",   "203.0.113.7",   "203.0.113.8",
                                        "2001:db8::1:1", "2001:db8::1:2", "2001:db8:0:1::1"};
    struct client_link links[COUNT(addrs)];
    struct clients clients;
    struct prefix who;

    (void)state;
    clients_init(&clients);
    for (size_t i = 0; i < COUNT(addrs); i++) {
        who = prefix(addrs[i]);
        clients_add(&clients, &links[i], &who.addr);
    }
    who = prefix("203.0.113.7");
    assert_int_equal(clients_count(&clients, &who.addr), 2);
    who = prefix("2001:db8::99"); /* of the same /64 as two */
    assert_int_equal(clients_count(&clients, &who.addr), 2);
    who = prefix("2001:db8::1:1"); /* banned alone, its /64 stays */
    clients_each_within(&clients, &who, cut, &clients);
    assert_null(links[3].client);
    assert_non_null(links[4].client);
    who = prefix("203.0.113.0/29");
    clients_each_within(&clients, &who, cut, &clients);
    assert_int_equal(clients.map.count, 3); /* 203.0.113.8 and two of IPv6 */
    who = prefix("2001:db8::/32");
    clients_each_within(&clients, &who, cut, &clients);
    assert_int_equal(clients.map.count, 1);
    clients_remove(&clients, &links[2]); /* 203.0.113.8 is not in 203.0.113.0/29 */
    clients_remove(&clients, &links[2]);
    clients_fini(&clients);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_until_their_own_ends),          cmocka_unit_test(test_of_mail_alone),
        cmocka_unit_test(test_a_full_list_replaces_all),      cmocka_unit_test(test_it_has_a_limit),
        cmocka_unit_test(test_clients_are_counted_and_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
