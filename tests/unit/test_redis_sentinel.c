/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/redis.h"

#include <signal.h>

#include "tests/unit/net_fixture.h"

#include "common/base/str.h"
#include "tests/unit/redis_fixture.h"
#include "tests/unit/unit.h"

/* With a master, a replica of it, and a sentinel; where the file names another, there is none. */

#define MASTER   0
#define REPLICA  1
#define SENTINEL 2
#define NOBODY   3
#define CUT_OFF  4

static void start_all(struct scene *scene, const char *of_sentinel)
{
    char lines[512];

    server_start(scene, MASTER, "repl-diskless-sync-delay 0");
    snprintf(lines, sizeof(lines), "replicaof 127.0.0.1 %u", scene->servers[MASTER].port);
    server_start(scene, REPLICA, lines);
    while (!strstr(server_do(scene, REPLICA, "INFO replication"), "master_link_status:up"))
        poll(NULL, 0, 20);
    snprintf(lines, sizeof(lines),
             "sentinel monitor mymaster 127.0.0.1 %u 1\n"
             "sentinel down-after-milliseconds mymaster 500\n"
             "sentinel failover-timeout mymaster 2000\n%s",
             scene->servers[MASTER].port, of_sentinel);
    server_start(scene, SENTINEL, lines);
    server_start(scene, NOBODY, "");
    server_kill(scene, NOBODY);
}

static void wait_for_replica(struct scene *scene)
{
    while (
        !strstr(server_do(scene, SENTINEL, "SENTINEL master mymaster | grep -A1 num-slaves"), "1"))
        poll(NULL, 0, 50);
}

/* The master dies: what it took may be lost, and the next one is found. */
static void test_failover(void **state)
{
    struct scene *scene = scene_of(state);

    start_all(scene, "");
    client_start(scene, "store = \"redis+sentinel://@3,@2\"");
    UP(scene, 1);
    assert_string_equal(ask_wait(scene, "SET a 1"), "OK");
    assert_int_equal(redis_node_count(scene->redis), 1);
    wait_for_replica(scene);
    server_kill(scene, MASTER);
    FIXTURE_TURN_UNTIL(scene->loop, scene->downs == 1);
    assert_string_equal(ask_wait(scene, "SET a 2"), "refused");
    UP(scene, 2);
    assert_string_equal(ask_wait(scene, "SET b 1"), "OK");
    assert_string_equal(server_do(scene, REPLICA, "GET b"), "1");
    server_do(scene, REPLICA, "PUBLISH postern:bans hello");
    FIXTURE_TURN_UNTIL(scene->loop, scene->messages == 1);

    server_restart(scene, MASTER); /* for eight seconds it believes that it still is */
    for (unsigned i = 0; i < 20; i++) {
        assert_string_equal(ask_wait(scene, "SET c 1"), "OK");
        assert_string_equal(server_do(scene, REPLICA, "GETDEL c"), "1");
    }
    assert_int_equal(scene->downs, 1);
}

/* It hangs, and comes back as if nothing had been: the one that was made master stays ours. */
static void test_hung_master(void **state)
{
    struct scene *scene = scene_of(state);
    struct answer answer;

    start_all(scene, "");
    client_start(scene, "store = \"redis+sentinel://@2\"");
    UP(scene, 1);
    assert_int_equal(lines_of(scene, "store-down"), 0);
    wait_for_replica(scene);
    server_signal(scene, MASTER, SIGSTOP);
    assert_true(ask(scene, "SET a 1", &answer));
    FIXTURE_TURN_UNTIL(scene->loop, answer.calls == 1);
    assert_int_equal(answer.status, REDIS_LOST);
    UP(scene, 2);
    assert_string_equal(ask_wait(scene, "SET b 1"), "OK");
    server_signal(scene, MASTER, SIGCONT);
    assert_string_equal(server_do(scene, MASTER, "GET b"), "");
    assert_string_equal(ask_wait(scene, "SET c 1"), "OK");
    assert_string_equal(server_do(scene, REPLICA, "GET c"), "1");
}

/* A switch while all are well: the old one is left although it still answers. */
static void test_planned(void **state)
{
    struct scene *scene = scene_of(state);
    char replica[16];

    start_all(scene, "");
    snprintf(replica, sizeof(replica), "%u", scene->servers[REPLICA].port);
    client_start(scene, "store = \"redis+sentinel://@2\"");
    UP(scene, 1);
    wait_for_replica(scene);
    FIXTURE_TURN_UNTIL(scene->loop, strstr(server_do(scene, SENTINEL, "CLIENT LIST"), " sub=1 "));
    assert_string_equal(server_do(scene, SENTINEL, "SENTINEL FAILOVER mymaster"), "OK");
    while (
        !strstr(server_do(scene, SENTINEL, "SENTINEL get-master-addr-by-name mymaster"), replica))
        loop_run_once(scene->loop);
    int64_t named_ms = clock_mono_ms(&clock_system);
    FIXTURE_TURN_UNTIL(scene->loop, scene->downs == 1);
    assert_in_range(clock_mono_ms(&clock_system) - named_ms, 0,
                    1000); /* asked alone, it would be 2 s */
    UP(scene, 2);
    FIXTURE_TURN_UNTIL(scene->loop, str_eq(ask_wait(scene, "SET a 1"), "OK"));
    assert_string_equal(server_do(scene, REPLICA, "GET a"), "1");
}

static void test_password(void **state)
{
    struct scene *scene = scene_of(state);

    start_all(scene, "requirepass s3cret");
    scene_put(scene, "password", "s3cret\n");
    client_start(scene, "store = \"redis+sentinel://@2\"");
    FIXTURE_TURN_UNTIL(scene->loop, is_away(scene, "sentinel_password_file in section redis"));
    client_stop(scene);
    client_start(scene, "store = \"redis+sentinel://@2\"\n"
                        "redis { sentinel_password_file = \"@/password\" }");
    UP(scene, 1);
    client_stop(scene);
    client_start(scene, "store = \"redis+sentinel://@2\"\n"
                        "redis { sentinel_password_file = \"@/password\" master = other }");
    FIXTURE_TURN_UNTIL(scene->loop, is_away(scene, "it knows no master of that name"));
    assert_null(strstr(scene->log, "s3cret"));
}

/* What sentinels say is not believed before the server says it, too. */
static void test_role(void **state)
{
    struct scene *scene = scene_of(state);
    char line[64];

    start_all(scene, "");
    server_signal(scene, SENTINEL, SIGSTOP); /* or it would put right what follows */
    snprintf(line, sizeof(line), "REPLICAOF 127.0.0.1 %u", scene->servers[REPLICA].port);
    server_do(scene, REPLICA, "REPLICAOF NO ONE");
    server_do(scene, MASTER, line);
    server_signal(scene, SENTINEL, SIGCONT);
    client_start(scene, "store = \"redis+sentinel://@2\"");
    FIXTURE_TURN_UNTIL(scene->loop, is_away(scene, "it is not the master"));
    assert_int_equal(scene->ups, 0);
}

/* A sentinel that knows no better than a master that is gone: the next one is asked. */
static void test_cut_off(void **state)
{
    struct scene *scene = scene_of(state);
    char lines[256];

    start_all(scene, "");
    snprintf(lines, sizeof(lines), "sentinel monitor mymaster 127.0.0.1 %u 2",
             scene->servers[NOBODY].port);
    server_start(scene, CUT_OFF, lines);
    client_start(scene, "store = \"redis+sentinel://@4,@2\"");
    UP(scene, 1);
    assert_string_equal(ask_wait(scene, "SET a 1"), "OK");
    assert_string_equal(server_do(scene, MASTER, "GET a"), "1");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_failover), TEST(test_hung_master), TEST(test_planned),
        TEST(test_password), TEST(test_role),        TEST(test_cut_off),
    };

    return cmocka_run_group_tests_name("redis sentinel", tests, NULL, NULL);
}
