/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/redis.h"

#include <signal.h>

#include "tests/unit/net_fixture.h"

#include "common/base/str.h"
#include "tests/unit/redis_fixture.h"
#include "tests/unit/unit.h"

/* With a real redis-server. */

static long reads_of(struct scene *scene)
{
    const char *at = strstr(server_do(scene, 0, "INFO stats"), "total_reads_processed:");

    return at ? number_of(at + strlen("total_reads_processed:")) : -1;
}

struct triple {
    unsigned calls;
    size_t count, key_len, value_len;
    char key[64], value[64];
    int64_t number;
};

static void on_triple(enum redis_status status, const struct redis_value *value, void *ctx)
{
    struct triple *triple = ctx;
    const char *bytes;

    triple->calls++;
    triple->count = status == REDIS_DONE ? redis_count(value) : 0;
    bytes = redis_string(redis_item(value, 0), &triple->key_len);
    memcpy(triple->key, bytes ? bytes : "", triple->key_len);
    bytes = redis_string(redis_item(value, 1), &triple->value_len);
    memcpy(triple->value, bytes ? bytes : "", triple->value_len);
    triple->number = redis_integer(redis_item(value, 2));
}

struct again {
    struct scene *scene;
    unsigned left, refused;
};

static void ask_again(enum redis_status status, const struct redis_value *value, void *ctx)
{
    struct again *again = ctx;
    const char *const argv[] = {"INCR", "a"};

    (void)status;
    (void)value;
    if (again->left == 0)
        return;
    again->left--;
    if (!redis_call(again->scene->redis, "a", 1, 2, argv, NULL, ask_again, again))
        again->refused++;
}

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

static void test_name(void **state)
{
    struct scene *scene = scene_of(state);
    char lines[64];

    server_start(scene, 0, "");
    snprintf(lines, sizeof(lines), "store = \"redis://localhost:%u\"", scene->servers[0].port);
    client_start(scene, lines);
    UP(scene, 1);
    assert_string_equal(ask_wait(scene, "SET a 1"), "OK");
    client_stop(scene);

    client_start(scene, "store = \"redis://nowhere.invalid:6379\"");
    FIXTURE_TURN_UNTIL(scene->loop, is_away(scene, "nowhere.invalid:6379: "));
    client_stop(scene);
    client_start(scene, "store = \"redis://nowhere.invalid:6379\"");
    loop_run_once(scene->loop); /* freed while it is looked up */
}

/* Killed, it comes back as another server: all that was asked for is answered or lost, once. */
static void test_restart(void **state)
{
    struct scene *scene = scene_of(state);
    struct answer answer;

    server_start(scene, 0, "");
    client_start(scene, "store = \"redis://@0\"");
    UP(scene, 1);
    for (unsigned round = 1; round <= 3; round++) {
        server_signal(scene, 0, SIGSTOP);
        assert_true(ask(scene, "SET a 1", &answer));
        assert_int_equal(redis_in_flight(scene->redis), 1);
        loop_run_once(scene->loop);
        server_kill(scene, 0);
        FIXTURE_TURN_UNTIL(scene->loop, scene->downs == round);
        assert_int_equal(answer.calls, 1);
        assert_int_equal(answer.status, REDIS_LOST);
        assert_int_equal(redis_in_flight(scene->redis), 0);
        assert_non_null(redis_why_down(scene->redis));
        assert_string_equal(ask_wait(scene, "GET a"), "refused");
        server_restart(scene, 0);
        UP(scene, round + 1);
        assert_string_equal(ask_wait(scene, "SET a 1"), "OK");
    }
    assert_int_equal(scene->downs, 3);
}

/* One that comes late is come to all the same, and not asked all the time until then. */
static void test_late_server(void **state)
{
    struct scene *scene = scene_of(state);

    server_start(scene, 0, "");
    server_kill(scene, 0);
    client_start(scene, "store = \"redis://@0\"");
    FIXTURE_TURN_UNTIL(scene->loop, is_away(scene, "Connection refused"));
    int64_t until = clock_mono_ms(&clock_system) + 1000;
    while (clock_mono_ms(&clock_system) < until) {
        loop_run_once(scene->loop);
        poll(NULL, 0, 1);
    }
    assert_int_equal(lines_of(scene, "store-down"), 1);
    assert_int_equal(scene->downs, 0);
    server_restart(scene, 0);
    UP(scene, 1);
}

static void test_login(void **state)
{
    struct scene *scene = scene_of(state);

    server_start(scene, 0,
                 "requirepass s3cret\n"
                 "user postern on >s3cret2 ~p:* &postern:* +@read +@write +@scripting "
                 "+@connection +@pubsub +TIME\n"
                 "user mute on >s3cret3 ~p:* +@all -@pubsub\n");
    scene_put(scene, "default", "s3cret\n");
    scene_put(scene, "postern", "s3cret2\n");
    scene_put(scene, "mute", "s3cret3\n");

    client_start(scene, "store = \"redis://@0\"\nredis { password_file = \"@/default\" }");
    UP(scene, 1);
    assert_string_equal(ask_wait(scene, "SET x 1"), "OK");
    client_stop(scene);

    client_start(scene, "store = \"redis://@0\"\n"
                        "redis { user = postern password_file = \"@/postern\" }");
    UP(scene, 2);
    assert_string_equal(ask_wait(scene, "SET p:x 1"), "OK");
    assert_null(strstr(scene->log, "store-refused"));
    assert_true(str_has_prefix(ask_wait(scene, "SET x 1"), "NOPERM "));
    assert_true(str_has_prefix(ask_wait(scene, "SET x 1"), "NOPERM "));
    assert_int_equal(lines_of(scene, "store-refused code=NOPERM"), 1);
    client_stop(scene);

    static const struct {
        const char *lines, *why;
    } refused[] = {
        {"", "NOAUTH: it asks for a password (password_file in section redis)"},
        {"redis { password_file = \"@/postern\" }",
         "WRONGPASS: user or password is wrong (section redis)"},
        {"redis { user = postern password_file = \"@/default\" }",
         "WRONGPASS: user or password is wrong (section redis)"},
        {"redis { user = mute password_file = \"@/mute\" }", "the channel was refused: NOPERM "},
        {"redis { password_file = \"@/default\" database = 99 }",
         "the database was refused: ERR DB index is out of range"},
    };
    for (size_t i = 0; i < COUNT(refused); i++) {
        char lines[256];

        snprintf(lines, sizeof(lines), "store = \"redis://@0\"\n%s", refused[i].lines);
        client_start(scene, lines);
        FIXTURE_TURN_UNTIL(scene->loop, is_away(scene, refused[i].why));
        client_stop(scene);
    }
    assert_int_equal(scene->ups, 2);
    assert_null(strstr(scene->log, "s3cret"));
}

/* A password that nobody asked for; a server that has no AUTH shows in its error what it got. */
static void test_needless_password(void **state)
{
    struct scene *scene = scene_of(state);

    server_start(scene, 0, "");
    scene_put(scene, "password", "s3cret\n");
    client_start(scene, "store = \"redis://@0\"\nredis { password_file = \"@/password\" }");
    FIXTURE_TURN_UNTIL(scene->loop, is_away(scene, "the login was refused"));
    client_stop(scene);
    server_start(scene, 1, "rename-command AUTH \"\"");
    client_start(scene, "store = \"redis://@1\"\nredis { password_file = \"@/password\" }");
    FIXTURE_TURN_UNTIL(scene->loop, is_away(scene, "the login was refused"));
    assert_null(strstr(scene->log, "s3cret"));
}

static void test_database(void **state)
{
    struct scene *scene = scene_of(state);

    server_start(scene, 0, "");
    client_start(scene, "store = \"redis://@0\"\nredis { database = 3 }");
    UP(scene, 1);
    assert_string_equal(ask_wait(scene, "SET a 1"), "OK");
    assert_string_equal(server_do(scene, 0, "-n 3 GET a"), "1");
    assert_string_equal(server_do(scene, 0, "-n 0 EXISTS a"), "0");
}

/* It hangs: the reply is lost in time, and the connection with it. */
static void test_hung(void **state)
{
    struct scene *scene = scene_of(state);
    struct answer answer, behind;
    int64_t began;

    server_start(scene, 0, "");
    client_start(scene, "store = \"redis://@0\"");
    UP(scene, 1);
    server_signal(scene, 0, SIGSTOP);
    began = clock_mono_ms(&clock_system);
    assert_true(ask(scene, "INCR a", &answer));
    loop_run_once(scene->loop);
    assert_true(ask(scene, "INCR a", &behind));
    FIXTURE_TURN_UNTIL(scene->loop, scene->downs == 1);
    assert_in_range(clock_mono_ms(&clock_system) - began, 950, 5000);
    assert_int_equal(answer.status, REDIS_LOST);
    assert_int_equal(behind.calls, 1);
    assert_non_null(strstr(scene->why, "no reply within 1000 ms"));
    server_signal(scene, 0, SIGCONT);
    UP(scene, 2);
    assert_string_equal(ask_wait(scene, "INCR b"), "1");
}

/* Nobody asks it anything: it is noticed all the same. */
static void test_hung_idle(void **state)
{
    struct scene *scene = scene_of(state);

    server_start(scene, 0, "");
    client_start(scene, "store = \"redis://@0\"");
    UP(scene, 1);
    server_signal(scene, 0, SIGSTOP);
    FIXTURE_TURN_UNTIL(scene->loop, scene->downs == 1);
    server_signal(scene, 0, SIGCONT);
    UP(scene, 2);
}

static void test_script(void **state)
{
    static const char text[] = "return redis.call('INCRBY', KEYS[1], ARGV[1])";
    struct scene *scene = scene_of(state);
    struct redis_script script;
    struct answer answers[100];
    const char *argv[] = {"2"};

    server_start(scene, 0, "");
    client_start(scene, "store = \"redis://@0\"");
    UP(scene, 1);
    redis_script_init(&script, text, strlen(text));
    char line[128];
    snprintf(line, sizeof(line), "SCRIPT LOAD \"%s\"", text);
    assert_string_equal(server_do(scene, 0, line), script.sha1);
    for (unsigned round = 0; round < 3; round++) {
        if (round != 1)
            server_do(scene, 0, "SCRIPT FLUSH");
        memset(answers, 0, sizeof(answers));
        for (size_t i = 0; i < COUNT(answers); i++)
            assert_true(
                redis_eval(scene->redis, &script, "k", 1, 1, argv, NULL, on_answer, &answers[i]));
        FIXTURE_TURN_UNTIL(scene->loop, redis_in_flight(scene->redis) == 0);
        for (size_t i = 0; i < COUNT(answers); i++) {
            assert_int_equal(answers[i].calls, 1);
            assert_int_equal(answers[i].kind, REDIS_INTEGER);
        }
        assert_int_equal(number_of(server_do(scene, 0, "GET k")),
                         (long)(round + 1) * 2 * (long)COUNT(answers));
    }
    assert_string_equal(ask_wait(scene, "SET k x"), "OK");
    assert_true(redis_eval(scene->redis, &script, "k", 1, 1, argv, NULL, on_answer, &answers[0]));
    answers[0].calls = 0;
    FIXTURE_TURN_UNTIL(scene->loop, answers[0].calls == 1);
    assert_int_equal(answers[0].kind, REDIS_ERROR);
}

/* Bytes that mean something to the protocol, as key and as argument, by hash and by text. */
static void test_bytes(void **state)
{
    static const char text[] = "return {KEYS[1], ARGV[1], #ARGV}";
    static const char key[] = "\r\n$5\r\n\0{", value[] = "\0*2\r\n\xff";
    struct scene *scene = scene_of(state);
    const char *argv[] = {value, ""};
    const size_t lens[] = {sizeof(value) - 1, 0};
    struct redis_script script;
    struct triple triple;

    server_start(scene, 0, "");
    client_start(scene, "store = \"redis://@0\"");
    UP(scene, 1);
    redis_script_init(&script, text, strlen(text));
    for (unsigned i = 0; i < 2; i++) {
        triple = (struct triple){0};
        assert_true(redis_eval(scene->redis, &script, key, sizeof(key) - 1, 2, argv, lens,
                               on_triple, &triple));
        FIXTURE_TURN_UNTIL(scene->loop, triple.calls == 1);
        assert_int_equal(triple.count, 3);
        assert_int_equal(triple.key_len, sizeof(key) - 1);
        assert_memory_equal(triple.key, key, sizeof(key) - 1);
        assert_int_equal(triple.value_len, sizeof(value) - 1);
        assert_memory_equal(triple.value, value, sizeof(value) - 1);
        assert_int_equal(triple.number, 2);
    }
}

/* All of one turn in few writes, each answered in its turn. */
static void test_pipeline(void **state)
{
    struct scene *scene = scene_of(state);
    struct answer answers[200];
    long before, after;

    server_start(scene, 0, "");
    client_start(scene, "store = \"redis://@0\"");
    UP(scene, 1);
    before = reads_of(scene);
    for (size_t i = 0; i < COUNT(answers); i++)
        assert_true(ask(scene, "INCR a", &answers[i]));
    assert_int_equal(redis_in_flight(scene->redis), COUNT(answers));
    FIXTURE_TURN_UNTIL(scene->loop, redis_in_flight(scene->redis) == 0);
    after = reads_of(scene);
    for (size_t i = 0; i < COUNT(answers); i++)
        assert_int_equal(answers[i].integer, i + 1);
    assert_in_range(after - before, 1, 14); /* redis-cli's own, too */
}

/* More than a socket takes at once, while the server sleeps; then no more is taken. */
static void test_too_much(void **state)
{
    struct scene *scene = scene_of(state);
    struct answer *answers = calloc(REDIS_IN_FLIGHT_MAX, sizeof(*answers)), more;

    server_start(scene, 0, "");
    client_start(scene, "store = \"redis://@0\"\nredis { timeout = 30s }");
    UP(scene, 1);
    server_signal(scene, 0, SIGSTOP);
    for (size_t i = 0; i < REDIS_IN_FLIGHT_MAX; i++) {
        assert_true(ask(scene, "INCR a", &answers[i]));
        if (i % 5000 == 0)
            loop_run_once(scene->loop);
    }
    assert_false(ask(scene, "INCR a", &more));
    server_signal(scene, 0, SIGCONT);
    FIXTURE_TURN_UNTIL(scene->loop, redis_in_flight(scene->redis) == 0);
    for (size_t i = 0; i < REDIS_IN_FLIGHT_MAX; i++)
        assert_int_equal(answers[i].integer, i + 1);
    assert_int_equal(more.calls, 0);
    free(answers);
}

static void on_big(enum redis_status status, const struct redis_value *value, void *ctx)
{
    size_t *sum = ctx, len;

    assert_int_equal(status, REDIS_DONE);
    redis_string(value, &len);
    *sum += len + redis_count(value);
}

/* The limits are of each reply, not of a connection's life: more than both in all. */
static void test_long_life(void **state)
{
    static const char list[] = "local t = {} for i = 1, 400000 do t[i] = 1 end return t";
    const char *const get[] = {"GET", "big"}, *const eval[] = {"EVAL", list, "0"};
    struct scene *scene = scene_of(state);
    size_t bytes = 0, items = 0;

    server_start(scene, 0, "");
    client_start(scene, "store = \"redis://@0\"\nredis { timeout = 30s }");
    UP(scene, 1);
    server_do(scene, 0, "eval \"redis.call('SET', 'big', string.rep('x', 8388608))\" 0");
    for (unsigned i = 0; i < 9; i++)
        assert_true(redis_call(scene->redis, "big", 3, 2, get, NULL, on_big, &bytes));
    for (unsigned i = 0; i < 3; i++)
        assert_true(redis_call(scene->redis, "", 0, 3, eval, NULL, on_big, &items));
    FIXTURE_TURN_UNTIL(scene->loop, redis_in_flight(scene->redis) == 0);
    assert_int_equal(bytes, 9 * 8388608);
    assert_int_equal(items, 3 * 400000);
    assert_int_equal(scene->downs, 0);
}

/* Freed while it connects, greets, waits for replies and waits to connect again. */
static void test_free_early(void **state)
{
    struct scene *scene = scene_of(state);
    struct answer answer;

    server_start(scene, 0, "");
    for (unsigned turns = 0; turns < 12; turns++) {
        client_start(scene, "store = \"redis://@0\"");
        for (unsigned i = 0; i < turns; i++)
            loop_run_once(scene->loop);
        client_stop(scene);
    }
    scene->ups = 0;
    client_start(scene, "store = \"redis://@0\"");
    UP(scene, 1);
    assert_true(ask(scene, "INCR a", &answer));
    client_stop(scene);
    assert_int_equal(answer.calls, 0);

    client_start(scene, "store = \"redis://@0\"");
    UP(scene, 2);
    server_kill(scene, 0);
    FIXTURE_TURN_UNTIL(scene->loop, scene->downs == 1);
    client_stop(scene);
}

/* What a reply leads to is asked from within its function, also when it was lost. */
static void test_from_within(void **state)
{
    struct scene *scene = scene_of(state);
    struct again again = {.scene = scene, .left = 50};

    server_start(scene, 0, "");
    client_start(scene, "store = \"redis://@0\"");
    UP(scene, 1);
    ask_again(REDIS_DONE, NULL, &again);
    FIXTURE_TURN_UNTIL(scene->loop, again.left == 0 && redis_in_flight(scene->redis) == 0);
    assert_string_equal(server_do(scene, 0, "GET a"), "50");
    again.left = 2;
    server_signal(scene, 0, SIGSTOP);
    ask_again(REDIS_DONE, NULL, &again);
    loop_run_once(scene->loop);
    server_kill(scene, 0);
    FIXTURE_TURN_UNTIL(scene->loop, scene->downs == 1);
    assert_int_equal(again.refused, 1);
}

/* The channel alone is lost: what was published meanwhile was not heard, and that is told. */
static void test_channel_lost(void **state)
{
    struct scene *scene = scene_of(state);

    server_start(scene, 0, "");
    client_start(scene, "store = \"redis://@0\"");
    UP(scene, 1);
    server_do(scene, 0, "CLIENT KILL TYPE pubsub");
    FIXTURE_TURN_UNTIL(scene->loop, scene->downs == 1);
    UP(scene, 2);
    server_do(scene, 0, "PUBLISH postern:bans hello");
    FIXTURE_TURN_UNTIL(scene->loop, scene->messages == 1);
}

/* It became a replica: what it refuses is lost, and told once. */
static void test_replica(void **state)
{
    struct scene *scene = scene_of(state);

    server_start(scene, 0, "");
    server_start(scene, 1, "");
    client_start(scene, "store = \"redis://@0\"");
    UP(scene, 1);
    char line[64];
    snprintf(line, sizeof(line), "REPLICAOF 127.0.0.1 %u", scene->servers[1].port);
    server_do(scene, 0, line);
    assert_string_equal(ask_wait(scene, "SET a 1"), "lost");
    FIXTURE_TURN_UNTIL(scene->loop, scene->downs == 1);
    assert_int_equal(lines_of(scene, "store-refused code=READONLY"), 1);
    FIXTURE_TURN_UNTIL(scene->loop, is_away(scene, "it is not the master"));
    assert_int_equal(scene->ups, 1);
    server_do(scene, 0, "REPLICAOF NO ONE");
    FIXTURE_TURN_UNTIL(scene->loop, str_eq(ask_wait(scene, "SET a 1"), "OK"));
}

/* While it reads its data it is away, and it says so. */
static void test_loading(void **state)
{
    struct scene *scene = scene_of(state);

    server_start(scene, 0, "key-load-delay 5000\nloading-process-events-interval-bytes 1024");
    server_do(scene, 0, "eval \"for i=1,300 do redis.call('SET', i, string.rep('x', 100)) end\" 0");
    assert_string_equal(server_do(scene, 0, "SAVE"), "OK");
    client_start(scene, "store = \"redis://@0\"");
    UP(scene, 1);
    server_kill(scene, 0);
    server_restart_at_once(scene, 0);
    FIXTURE_TURN_UNTIL(scene->loop, is_away(scene, "LOADING: "));
    UP(scene, 2);
    assert_string_equal(ask_wait(scene, "EXISTS 300"), "1");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_tcp),
        TEST(test_unix_and_message),
        TEST(test_name),
        TEST(test_restart),
        TEST(test_late_server),
        TEST(test_login),
        TEST(test_needless_password),
        TEST(test_database),
        TEST(test_hung),
        TEST(test_hung_idle),
        TEST(test_script),
        TEST(test_bytes),
        TEST(test_pipeline),
        TEST(test_too_much),
        TEST(test_long_life),
        TEST(test_free_early),
        TEST(test_from_within),
        TEST(test_channel_lost),
        TEST(test_replica),
        TEST(test_loading),
    };

    return cmocka_run_group_tests_name("redis", tests, NULL, NULL);
}
