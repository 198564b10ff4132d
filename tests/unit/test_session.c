/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/net/session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "ingress/sessions.h"
#include "tests/unit/unit.h"

static struct addr addr(const char *text)
{
    struct addr addr;

    assert_int_equal(addr_parse(text, &addr), 0);
    return addr;
}

static struct attr_list parse(const char *text)
{
    struct attr_list list;
    size_t consumed;

    assert_int_equal(attr_parse((const uint8_t *)text, strlen(text), &list, &consumed), ATTR_OK);
    return list;
}

static void test_there_and_back(void **state)
{
    struct session_facts facts = {
        .client = addr("2001:db8::9"),
        .client_port = 65535,
        .server = addr("198.51.100.25"),
        .server_port = 25,
        .gateway = "vps1",
        .used_tls = true,
    };
    struct session_facts again;
    struct buf out = {0};

    (void)state;
    session_put(&facts, &out);
    attr_end(&out);
    struct attr_list list = parse(buf_str(&out));
    assert_int_equal(session_take(&list, &again), 0);
    assert_true(addr_eq(&again.client, &facts.client));
    assert_true(addr_eq(&again.server, &facts.server));
    assert_int_equal(again.client_port, 65535);
    assert_int_equal(again.server_port, 25);
    assert_string_equal(again.gateway, "vps1");
    assert_true(again.used_tls);
    buf_fini(&out);
}

#define CLIENT "client_address=203.0.113.9\nclient_port=1\n"
#define SERVER "server_address=198.51.100.25\nserver_port=25\n"
#define X8     "xxxxxxxx"
#define X64    X8 X8 X8 X8 X8 X8 X8 X8

static void test_what_is_none(void **state)
{
    static const char *const cases[] = {
        CLIENT "\n",
        SERVER "\n",
        "client_address=203.0.113.9\n" SERVER "\n",
        "client_address=host\nclient_port=1\n" SERVER "\n",
        "client_address=203.0.113.9\nclient_port=65536\n" SERVER "\n",
        CLIENT SERVER "gateway=" X64 "x\n\n",
    };
    struct session_facts facts;

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct attr_list list = parse(cases[i]);
        assert_int_equal(session_take(&list, &facts), -1);
    }
    struct attr_list list = parse(CLIENT SERVER "gateway=" X64 "\n\n");
    assert_int_equal(session_take(&list, &facts), 0);
    assert_string_equal(facts.gateway, X64);
    assert_false(facts.used_tls);
}

static void test_the_table(void **state)
{
    static struct session all[1000];
    struct door_client client = {.addr = addr("203.0.113.9")};
    struct session_key key = {.addr = addr("10.8.0.25")};
    struct sessions sessions;

    (void)state;
    sessions_init(&sessions);
    sessions_remove(&sessions, &all[0]); /* in no table */
    for (size_t i = 0; i < COUNT(all); i++) {
        key.port = (uint16_t)(i + 1);
        sessions_add(&sessions, &all[i], &key, &client, "vps1");
    }
    for (size_t i = 0; i < COUNT(all); i++) {
        key.port = (uint16_t)(i + 1);
        assert_ptr_equal(sessions_find(&sessions, &key), &all[i]);
    }
    key.port = COUNT(all) + 1;
    assert_null(sessions_find(&sessions, &key));
    key = (struct session_key){.addr = addr("10.8.0.26"), .port = 1};
    assert_null(sessions_find(&sessions, &key));
    key.addr = addr("10.8.0.25");
    sessions_remove(&sessions, &all[0]);
    sessions_remove(&sessions, &all[0]);
    assert_null(sessions_find(&sessions, &key));
    for (size_t i = 1; i < COUNT(all); i++)
        sessions_remove(&sessions, &all[i]);
    sessions_fini(&sessions);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_what_is_none),
        cmocka_unit_test(test_the_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
