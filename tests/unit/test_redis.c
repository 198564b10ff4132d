/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/redis.h"

#include <signal.h>

#include "tests/unit/net_fixture.h"

#include "common/base/str.h"
#include "tests/unit/redis_fixture.h"
#include "tests/unit/unit.h"

/* With a real redis-server. */

#define UP(scene, n) FIXTURE_TURN_UNTIL((scene)->loop, (scene)->ups == (n))

static void test_tcp(void **state)
{
    struct scene *scene = scene_of(state);

    server_start(scene, 0, "");
    client_start(scene, "store = \"redis://@0\"");
    assert_int_equal(scene->ups, 0);
    assert_string_equal(redis_why_down(scene->redis), "it was not reached yet");
    assert_string_equal(ask_wait(scene, "SET a 1"), "refused");
    UP(scene, 1);
    assert_null(redis_why_down(scene->redis));
    assert_string_equal(ask_wait(scene, "SET a 1"), "OK");
    assert_string_equal(ask_wait(scene, "INCR a"), "2");
    assert_string_equal(server_do(scene, 0, "GET a"), "2");
    assert_int_equal(redis_in_flight(scene->redis), 0);
    assert_int_equal(redis_node_count(scene->redis), 1);
    assert_non_null(strstr(scene->log, "- store-up store=redis://127.0.0.1:"));
}

static void test_unix_and_message(void **state)
{
    struct scene *scene = scene_of(state);

    server_start(scene, 0, "");
    client_start(scene, "store = \"redis://@/0/socket\"");
    UP(scene, 1);
    server_do(scene, 0, "PUBLISH postern:bans hello");
    FIXTURE_TURN_UNTIL(scene->loop, scene->messages == 1);
    assert_string_equal(scene->message, "hello");
    assert_string_equal(ask_wait(scene, "PUBLISH postern:bans world"), "1");
    FIXTURE_TURN_UNTIL(scene->loop, scene->messages == 2);
    assert_string_equal(scene->message, "world");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_setup, scene_teardown)
    static const struct CMUnitTest tests[] = {
        TEST(test_tcp),
        TEST(test_unix_and_message),
    };

    return cmocka_run_group_tests_name("redis", tests, NULL, NULL);
}
