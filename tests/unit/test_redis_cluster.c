/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/redis.h"

#include <signal.h>

#include "tests/unit/net_fixture.h"

#include "common/base/str.h"
#include "policyd/redis_map.h"
#include "tests/unit/redis_fixture.h"
#include "tests/unit/unit.h"

/*
 * With a Cluster of three masters, a replica of the first, and a node that has nothing: one
 * for all tests, which leave it whole, the first and its replica perhaps in each other's place.
 */

#define MASTERS 3
#define REPLICA 3
#define EMPTY   4
#define NODES   5
#define MOVING  1000 /* the first key of those whose slots move */

static void wait_for(struct scene *scene, size_t i, const char *args, const char *text)
{
    int64_t deadline = clock_mono_ms(&clock_system) + FIXTURE_PATIENCE_MS;

    while (!strstr(server_do(scene, i, args), text)) {
        if (clock_mono_ms(&clock_system) > deadline)
            fail_msg("server %zu: %s: %s", i, args, server_do(scene, i, args));
        poll(NULL, 0, 20);
    }
}

static void start_node(struct scene *scene, size_t i)
{
    char lines[256];

    snprintf(lines, sizeof(lines),
             "cluster-enabled yes\ncluster-port %u\ncluster-node-timeout 1000\n"
             "cluster-replica-validity-factor 0\nrepl-diskless-sync-delay 0\nrepl-ping-replica-"
             "period 1",
             free_port());
    server_start(scene, i, lines);
}

static void meet(struct scene *scene, size_t i)
{
    char line[128], conf[128], bus[16] = "";

    snprintf(conf, sizeof(conf), "CONFIG GET cluster-port | tail -1");
    snprintf(bus, sizeof(bus), "%.15s", server_do(scene, i, conf));
    snprintf(line, sizeof(line), "CLUSTER MEET 127.0.0.1 %u %s", scene->servers[i].port, bus);
    assert_string_equal(server_do(scene, 0, line), "OK");
}

static void start_cluster(struct scene *scene)
{
    static const char *const ranges[MASTERS] = {"0 5460", "5461 10922", "10923 16383"};
    char line[128], id[64];

    for (size_t i = 0; i < NODES; i++)
        start_node(scene, i);
    for (size_t i = 0; i < MASTERS; i++) {
        snprintf(line, sizeof(line), "CLUSTER ADDSLOTSRANGE %s", ranges[i]);
        assert_string_equal(server_do(scene, i, line), "OK");
    }
    for (size_t i = 0; i < NODES; i++) {
        snprintf(line, sizeof(line), "CLUSTER SET-CONFIG-EPOCH %zu", i + 1);
        server_do(scene, i, line);
    }
    for (size_t i = 1; i < NODES; i++)
        meet(scene, i);
    for (size_t i = 0; i < NODES; i++) {
        wait_for(scene, i, "CLUSTER INFO", "cluster_state:ok");
        wait_for(scene, i, "CLUSTER INFO", "cluster_known_nodes:5");
    }
    snprintf(id, sizeof(id), "%.40s", server_do(scene, 0, "CLUSTER MYID"));
    snprintf(line, sizeof(line), "CLUSTER REPLICATE %s", id);
    assert_string_equal(server_do(scene, REPLICA, line), "OK");
    wait_for(scene, REPLICA, "INFO replication", "master_link_status:up");
}

static void client_start_all(struct scene *scene)
{
    client_start(scene, "store = \"redis+cluster://@0,@1,@2\"");
    UP(scene, 1);
    FIXTURE_TURN_UNTIL(scene->loop, lines_of(scene, "store-node-up") >= MASTERS);
}

/* A key whose slot was this master's in the beginning; the same more or not, they share it. */
static const char *key_from(unsigned first, size_t master, unsigned more)
{
    static char key[64];

    for (unsigned i = first;; i++) {
        snprintf(key, sizeof(key), "p:{%u}:%u", i, more);
        if (redis_map_slot(key, strlen(key)) * MASTERS / REDIS_SLOTS == master)
            return key;
    }
}

static const char *key_of(size_t master, unsigned more)
{
    return key_from(0, master, more);
}

static const char *ask_key(struct scene *scene, const char *verb, const char *key)
{
    char line[128];

    snprintf(line, sizeof(line), "%s %s", verb, key);
    return ask_wait(scene, line);
}

static void on_scan(enum redis_status status, const struct redis_value *value, void *ctx)
{
    size_t *count = ctx;

    assert_int_equal(status, REDIS_DONE);
    *count += redis_count(redis_item(value, 1));
}

static void test_spread(void **state)
{
    static const char *const argv[] = {"SCAN", "0", "COUNT", "10000"};
    struct scene *scene = scene_of(state);
    struct answer answers[300];
    size_t found = 0;
    char line[64];

    client_start_all(scene);
    assert_int_equal(redis_node_count(scene->redis), MASTERS);
    for (unsigned i = 0; i < COUNT(answers); i++) {
        snprintf(line, sizeof(line), "SET p:{%u}:x %u", i, i);
        assert_true(ask(scene, line, &answers[i]));
    }
    FIXTURE_TURN_UNTIL(scene->loop, redis_in_flight(scene->redis) == 0);
    for (unsigned i = 0; i < COUNT(answers); i++)
        assert_string_equal(answers[i].text, "OK");
    for (size_t i = 0; i < MASTERS; i++) {
        assert_true(redis_call_node(scene->redis, redis_node_address(scene->redis, i), 4, argv,
                                    NULL, on_scan, &found));
        assert_null(strstr(server_do(scene, i, "INFO errorstats"), "MOVED"));
        assert_true(number_of(server_do(scene, i, "DBSIZE")) > 50);
    }
    assert_false(redis_call_node(scene->redis, "127.0.0.1:1", 4, argv, NULL, on_scan, &found));
    FIXTURE_TURN_UNTIL(scene->loop, redis_in_flight(scene->redis) == 0);
    assert_int_equal(found, COUNT(answers));
    server_do(scene, 2, "PUBLISH postern:bans hello");
    FIXTURE_TURN_UNTIL(scene->loop, scene->messages == 1);
}

/* One that nobody told of the others finds them. */
static void test_one_seed(void **state)
{
    struct scene *scene = scene_of(state);

    client_start(scene, "store = \"redis+cluster://@4\"");
    UP(scene, 1);
    FIXTURE_TURN_UNTIL(scene->loop, lines_of(scene, "store-node-up") >= MASTERS);
    for (size_t i = 0; i < MASTERS; i++)
        assert_string_equal(ask_key(scene, "INCR", key_of(i, 0)), "1");
}

static void set_slot(struct scene *scene, size_t at, unsigned slot, const char *how, const char *id)
{
    char line[128];

    snprintf(line, sizeof(line), "CLUSTER SETSLOT %u %s %s", slot, how, id);
    assert_string_equal(server_do(scene, at, line), "OK");
}

/* For so long that the map is asked for again, which does not have the other yet. */
static void keep_asking(struct scene *scene, const char *key)
{
    int64_t until = clock_mono_ms(&clock_system) + 2500;
    unsigned ups = lines_of(scene, "store-node-up");

    while (clock_mono_ms(&clock_system) < until)
        assert_string_equal(ask_key(scene, "EXISTS", key), "1");
    assert_int_equal(lines_of(scene, "store-node-up"), ups);
}

/* A slot moves from one to another while it is used: key by key, and in the end the whole. */
static void migrate(struct scene *scene, size_t from, size_t to)
{
    static const char script_text[] = "return redis.call('INCR', KEYS[1])";
    char key[64], other[64], from_id[64], to_id[64], line[160];
    struct answer answer = {0};
    struct redis_script script;
    unsigned slot;

    snprintf(key, sizeof(key), "%s", key_from(MOVING, from, 0));
    snprintf(other, sizeof(other), "%s", key_from(MOVING, from, 1));
    slot = redis_map_slot(key, strlen(key));
    assert_int_equal(slot, redis_map_slot(other, strlen(other)));
    assert_string_equal(ask_key(scene, "INCR", key), "1");
    snprintf(from_id, sizeof(from_id), "%.40s", server_do(scene, from, "CLUSTER MYID"));
    snprintf(to_id, sizeof(to_id), "%.40s", server_do(scene, to, "CLUSTER MYID"));
    set_slot(scene, to, slot, "IMPORTING", from_id);
    set_slot(scene, from, slot, "MIGRATING", to_id);

    /* What is there is answered there; what is not yet, at the other, by ASK. */
    assert_string_equal(ask_key(scene, "INCR", key), "2");
    assert_string_equal(ask_key(scene, "INCR", other), "1");
    if (to == EMPTY)
        keep_asking(scene, other);
    redis_script_init(&script, script_text, strlen(script_text));
    assert_true(
        redis_eval(scene->redis, &script, other, strlen(other), 0, NULL, NULL, on_answer, &answer));
    FIXTURE_TURN_UNTIL(scene->loop, answer.calls == 1);
    assert_int_equal(answer.integer, 2);
    assert_non_null(strstr(server_do(scene, from, "INFO errorstats"), "ASK:count="));
    assert_null(strstr(server_do(scene, to, "INFO errorstats"), "MOVED"));

    /* Both at once can be done by nobody now: lost, but not at once and not for ever. */
    snprintf(line, sizeof(line), "MGET %s %s", key, other);
    int64_t began = clock_mono_ms(&clock_system);
    assert_string_equal(ask_wait(scene, line), "lost");
    assert_in_range(clock_mono_ms(&clock_system) - began, 500, 5000);

    snprintf(line, sizeof(line), "MIGRATE 127.0.0.1 %u %s 0 5000", scene->servers[to].port, key);
    assert_string_equal(server_do(scene, from, line), "OK");
    set_slot(scene, to, slot, "NODE", to_id);
    set_slot(scene, from, slot, "NODE", to_id);
    assert_string_equal(ask_key(scene, "INCR", key), "3");
    assert_string_equal(ask_key(scene, "INCR", other), "3");
    assert_non_null(strstr(server_do(scene, from, "INFO errorstats"), "MOVED:count=1"));
    assert_int_equal(scene->downs, 0);
}

static void test_migration(void **state)
{
    struct scene *scene = scene_of(state);

    client_start_all(scene);
    migrate(scene, 0, 1);
    assert_int_equal(redis_node_count(scene->redis), MASTERS);
}

/* To a node that no map had, since it had no slot. */
static void test_migration_to_new(void **state)
{
    struct scene *scene = scene_of(state);

    client_start_all(scene);
    migrate(scene, 1, EMPTY);
    FIXTURE_TURN_UNTIL(scene->loop, redis_node_count(scene->redis) == MASTERS + 1);
}

/* One that hangs with a replica to follow it, too. */
static void test_hung_master(void **state)
{
    struct scene *scene = scene_of(state);

    client_start_all(scene);
    server_signal(scene, 0, SIGSTOP);
    assert_string_equal(ask_key(scene, "INCR", key_of(0, 0)), "lost");
    FIXTURE_TURN_UNTIL(scene->loop, str_eq(ask_key(scene, "SET", key_of(0, 1)), "OK") ||
                                        str_eq(ask_key(scene, "INCR", key_of(0, 0)), "1"));
    server_signal(scene, 0, SIGCONT);
    for (unsigned i = 0; i < 100; i++)
        assert_true(number_of(ask_key(scene, "INCR", key_of(0, 0))) > 0);
}

/* The one that followed dies: its keys wait for the next, and those of the others for nobody. */
static void test_lost_master(void **state)
{
    struct scene *scene = scene_of(state);
    const char *reply;
    unsigned joins;

    for (size_t i = 0; i < NODES; i++)
        server_do(scene, i, "CONFIG SET cluster-require-full-coverage no");
    wait_for(scene, 0, "INFO replication", "master_link_status:up");
    client_start_all(scene);
    for (size_t i = 0; i < MASTERS; i++)
        assert_string_equal(ask_key(scene, "INCR", key_of(i, 0)), "1");
    joins = scene->joins;
    server_kill(scene, REPLICA);
    reply = ask_key(scene, "INCR", key_of(0, 0));
    assert_true(str_eq(reply, "lost") || str_eq(reply, "refused"));
    assert_string_equal(ask_key(scene, "INCR", key_of(1, 0)), "2");
    assert_string_equal(ask_key(scene, "INCR", key_of(2, 0)), "2");
    FIXTURE_TURN_UNTIL(scene->loop, str_eq(ask_key(scene, "SET", "p:x 1"), "OK") &&
                                        str_eq(ask_key(scene, "EXISTS", key_of(0, 0)), "1"));
    assert_string_equal(server_do(scene, 0, "ROLE | head -1"), "master");
    assert_int_equal(scene->joins, joins + 1);
    assert_string_equal(ask_key(scene, "INCR", key_of(1, 0)), "3");
    assert_string_equal(ask_key(scene, "INCR", key_of(2, 0)), "3");
    assert_in_range(scene->downs, 0, 1); /* when it was the one that the channel was heard on */
    FIXTURE_TURN_UNTIL(scene->loop, !redis_why_down(scene->redis));
    assert_int_equal(redis_node_count(scene->redis), MASTERS);
    server_restart(scene, REPLICA);
}

static bool hears(struct scene *scene, size_t i)
{
    return strstr(server_do(scene, i, "CLIENT LIST TYPE pubsub"), "sub=1") != NULL;
}

/* A master hands over and goes on as a replica: the channel is heard elsewhere from then on. */
static void test_handed_over(void **state)
{
    struct scene *scene = scene_of(state);
    const char *const failover = "CLUSTER FAILOVER";
    unsigned downs;

    client_start_all(scene);
    while (!hears(scene, 0)) {
        downs = scene->downs;
        for (size_t i = 1; i < NODES; i++)
            server_do(scene, i, "CLIENT KILL TYPE pubsub");
        FIXTURE_TURN_UNTIL(scene->loop, scene->downs > downs);
        FIXTURE_TURN_UNTIL(scene->loop, !redis_why_down(scene->redis));
    }
    downs = scene->downs;
    assert_string_equal(server_do(scene, REPLICA, failover), "OK");
    FIXTURE_TURN_UNTIL(scene->loop, scene->downs > downs);
    FIXTURE_TURN_UNTIL(scene->loop, !redis_why_down(scene->redis));
    assert_false(hears(scene, 0));
    assert_string_equal(ask_key(scene, "INCR", key_of(0, 0)), "1");
    wait_for(scene, 0, "INFO replication", "master_link_status:up");
    assert_string_equal(server_do(scene, 0, failover), "OK");
    wait_for(scene, 0, "ROLE", "master");
    wait_for(scene, REPLICA, "INFO replication", "master_link_status:up");
}

/* Nobody follows: the Cluster refuses everything, and says so until it is whole again. */
static void test_down(void **state)
{
    struct scene *scene = scene_of(state);

    client_start_all(scene);
    server_kill(scene, 1);
    wait_for(scene, 2, "CLUSTER INFO", "cluster_state:fail");
    int64_t began = clock_mono_ms(&clock_system);
    assert_string_equal(ask_key(scene, "INCR", key_of(2, 0)), "lost");
    assert_in_range(clock_mono_ms(&clock_system) - began, 500, 5000);
    assert_int_equal(lines_of(scene, "store-refused code=CLUSTERDOWN"), 1);
    server_restart(scene, 1);
    FIXTURE_TURN_UNTIL(scene->loop, str_eq(ask_key(scene, "INCR", key_of(2, 0)), "1"));
    FIXTURE_TURN_UNTIL(scene->loop, str_eq(ask_key(scene, "INCR", key_of(1, 0)), "1"));
}

/* A server that is no Cluster. */
static void test_no_cluster(void **state)
{
    struct scene *scene = scene_of(state);

    server_start(scene, NODES, "");
    client_start(scene, "store = \"redis+cluster://@5\"");
    FIXTURE_TURN_UNTIL(scene->loop, is_away(scene, "this is no Cluster, or an unfinished one"));
    assert_int_equal(scene->ups, 0);
}

/* The server's own reckoning of slots. */
static void test_slots(void **state)
{
    static const char *const keys[] = {"a",    "{a}b",    "{",     "{a",
                                       "}{a}", "a{}b{c}", "{{x}}", "p:{::1}:q"};
    struct scene *scene = scene_of(state);
    char line[64];

    for (size_t i = 0; i < COUNT(keys); i++) {
        snprintf(line, sizeof(line), "CLUSTER KEYSLOT '%s'", keys[i]);
        CASE(keys[i], (unsigned)number_of(server_do(scene, 0, line)) ==
                          redis_map_slot(keys[i], strlen(keys[i])));
    }
}

static struct scene *shared;

static int group_setup(void **state)
{
    scene_setup((void **)&shared);
    if (shared)
        start_cluster(shared);
    *state = NULL;
    return 0;
}

static int group_teardown(void **state)
{
    (void)state;
    return scene_teardown((void **)&shared);
}

static int setup(void **state)
{
    *state = shared;
    for (size_t i = 0; i < NODES && shared; i++)
        server_do(shared, i, "FLUSHALL");
    return 0;
}

static int teardown(void **state)
{
    struct scene *scene = *state;

    if (!scene)
        return 0;
    client_stop(scene);
    scene->ups = scene->downs = scene->joins = scene->messages = 0;
    scene->log[0] = '\0';
    return 0;
}

int main(void)
{
#define IN_TURN(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    static const struct CMUnitTest tests[] = {
        IN_TURN(test_slots),       IN_TURN(test_spread),
        IN_TURN(test_one_seed),    IN_TURN(test_migration),
        IN_TURN(test_handed_over), IN_TURN(test_down),
        IN_TURN(test_hung_master), IN_TURN(test_lost_master),
        IN_TURN(test_no_cluster),  IN_TURN(test_migration_to_new),
    };

    return cmocka_run_group_tests_name("redis cluster", tests, group_setup, group_teardown);
}
