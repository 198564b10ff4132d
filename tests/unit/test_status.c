/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/net/status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/buf.h"
#include "tests/unit/unit.h"

static void check_json(const char *attributes, const char *wanted)
{
    static struct attr_list list;
    size_t consumed;

    assert_int_equal(attr_parse((const uint8_t *)attributes, strlen(attributes), &list, &consumed),
                     ATTR_OK);
    json_t *json = status_json(&list);
    char *text = json_dumps(json, JSON_COMPACT);
    assert_string_equal(text, wanted);
    free(text);
    json_decref(json);
}

static void attributes_become_what_they_are(void **state)
{
    (void)state;
    check_json("status=ok\n\n", "{}");
    check_json("status=ok\nversion=1\nenforce=no\nstore=ok\nuptime=18\nnew=yes\n\n",
               "{\"version\":\"1\",\"enforce\":false,\"store\":\"ok\",\"uptime\":18,"
               "\"new\":true}");
    check_json("last_ban=203.0.113.7\nlast_ban_jail=5\nlast_ban_since=5\n\n",
               "{\"last_ban\":\"203.0.113.7\",\"last_ban_jail\":\"5\",\"last_ban_since\":5}");
    check_json("bans=1\nbans=2\nodd=1x\nstore_error=\xff(\xc3\xa9\n\n",
               "{\"bans\":1,\"odd\":\"1x\",\"store_error\":\"?(??\"}");
}

static void listeners_become_a_list(void **state)
{
    (void)state;
    check_json("listener=policy 3 1 unix:/run/a b\nlistener=broken\nlistener=x y 0 z\n"
               "listener=auth,status 0 0 [::1]:8893\nconnections=3\n\n",
               "{\"connections\":3,\"listeners\":["
               "{\"serves\":\"policy\",\"address\":\"unix:/run/a b\",\"connections\":3,"
               "\"connections_closed\":1},"
               "{\"serves\":\"auth,status\",\"address\":\"[::1]:8893\",\"connections\":0,"
               "\"connections_closed\":0}]}");
}

static void a_listener_comes_back_as_it_was(void **state)
{
    const struct status_listener listener = {"policy", "unix:/run/a b", 7, UINT32_MAX};
    struct status_listener again;
    struct buf out = {0};

    (void)state;
    status_put_listener(&out, &listener);
    assert_string_equal(buf_str(&out), "listener=policy 7 4294967295 unix:/run/a b\n");
    out.data[out.len - 1] = '\0';
    assert_int_equal(status_parse_listener((char *)out.data + strlen("listener="), &again), 0);
    assert_string_equal(again.serves, "policy");
    assert_string_equal(again.address, "unix:/run/a b");
    assert_int_equal(again.open, 7);
    assert_int_equal(again.closed, UINT32_MAX);
    buf_fini(&out);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(attributes_become_what_they_are),
        cmocka_unit_test(listeners_become_a_list),
        cmocka_unit_test(a_listener_comes_back_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
