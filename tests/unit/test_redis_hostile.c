/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/redis.h"

#include "tests/unit/net_fixture.h"

#include "common/base/str.h"
#include "tests/unit/redis_fixture.h"
#include "tests/unit/unit.h"

/* What no Redis sends: from a socket that answers with the bytes of a case. */

#define IS_MASTER "*1\r\n$6\r\nmaster\r\n"
#define GREETING  IS_MASTER "+PONG\r\n"

struct peer {
    int listener, fd;
    unsigned accepted;
};

static void peer_open(struct scene *scene, struct peer *peer)
{
    struct sockaddr_un sun = {.sun_family = AF_UNIX};

    *peer = (struct peer){.fd = -1};
    snprintf(sun.sun_path, sizeof(sun.sun_path), "%s/peer", scene->dir);
    peer->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    unlink(sun.sun_path);
    assert_int_equal(bind(peer->listener, (struct sockaddr *)&sun, sizeof(sun)), 0);
    assert_int_equal(listen(peer->listener, 8), 0);
}

static void peer_close(struct peer *peer)
{
    if (peer->fd >= 0)
        close(peer->fd);
    close(peer->listener);
}

/* Sends while the loop turns, as much as the client takes. */
static void peer_say(struct scene *scene, struct peer *peer, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = send(peer->fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n > 0) {
            bytes += n;
            len -= (size_t)n;
        } else if (errno != EAGAIN) {
            return;
        }
        loop_run_once(scene->loop);
    }
}

static void peer_accept(struct scene *scene, struct peer *peer)
{
    if (peer->fd >= 0)
        close(peer->fd);
    FIXTURE_TURN_UNTIL(scene->loop, (peer->fd = accept(peer->listener, NULL, NULL)) >= 0);
    peer->accepted++;
}

/* What a server says behind what was right so far, and why it counts as down then. */
struct refusal {
    const char *bytes, *why;
};

static void check_refusal(struct scene *scene, const char *before, const struct refusal *refusal)
{
    struct peer peer;

    scene->log[0] = '\0';
    peer_open(scene, &peer);
    client_start(scene, "store = \"redis://@/peer\"");
    peer_accept(scene, &peer);
    peer_say(scene, &peer, before, strlen(before));
    peer_say(scene, &peer, refusal->bytes, strlen(refusal->bytes));
    FIXTURE_TURN_UNTIL(scene->loop, strstr(scene->log, "store-down reason="));
    CASE(refusal->bytes, strstr(scene->log, refusal->why) != NULL);
    client_stop(scene);
    peer_close(&peer);
}

/* In place of what a server answers to PING, and some to ROLE. */
static void test_greeting(void **state)
{
    static const struct refusal cases[] = {
        {"HTTP/1.1 400 Bad Request\r\n\r\n", "no reply, or too long"},
        {"220 mx.example.com ESMTP\r\n", "no reply, or too long"},
        {"\r\n", "no reply, or too long"},
        {":1\r\n", "it does not answer as Redis does"},
        {"$-1\r\n", "it does not answer as Redis does"},
        {"*1\r\n:1\r\n", "it does not answer as Redis does"},
        {"*0\r\n", "it does not answer as Redis does"},
        {"-\r\n", "it does not answer as Redis does: "},
        {"-ERR \x1b[2J\r\n", "it does not answer as Redis does: ERR "},
        {"-DENIED Redis is running in protected mode\r\n", "DENIED Redis is running"},
        {"+PONG\r\n+PONG\r\n", "a reply to nothing"},
        {"$99999999999999999999\r\n", "no reply, or too long"},
        {"$-2\r\n", "no reply, or too long"},
        {"*2147483647\r\n", "no reply, or too long"},
        {"*1048577\r\n", "no reply, or too long"},
        {"*2\r\n*600000\r\n*600000\r\n", "no reply, or too long"},
        {"*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n",
         "no reply, or too long"},
        {"", "no reply within 1000 ms"},
        {"+PON", "no reply within 1000 ms"},
        {"$2147483646\r\nPONG", "no reply within 1000 ms"},
    };
    struct scene *scene = scene_of(state);

    for (size_t i = 0; i < COUNT(cases); i++)
        check_refusal(scene, IS_MASTER, &cases[i]);
    assert_int_equal(scene->ups, 0);
}

static void test_role(void **state)
{
    static const struct refusal cases[] = {
        {"*1\r\n$5\r\nslave\r\n", "it is not the master"},
        {"*1\r\n$8\r\nsentinel\r\n", "it is not the master"},
        {"*0\r\n", "it is not the master"},
        {"*1\r\n*1\r\n:1\r\n", "it is not the master"},
        {"+master\r\n", "its role was not told"},
        {":1\r\n", "its role was not told"},
        {"$-1\r\n", "its role was not told"},
        {"-LOADING x\r\n-LOADING x\r\n", "LOADING: it is still reading its data"},
        {"-NOAUTH x\r\n-NOAUTH x\r\n", "password_file in section redis"},
        {"-NOPERM x\r\n-NOPERM x\r\n", "it does not answer as Redis does: NOPERM x"},
    };
    struct scene *scene = scene_of(state);

    for (size_t i = 0; i < COUNT(cases); i++)
        check_refusal(scene, "", &cases[i]);
}

static void test_closed_at_once(void **state)
{
    struct scene *scene = scene_of(state);
    struct peer peer;

    peer_open(scene, &peer);
    client_start(scene, "store = \"redis://@/peer\"");
    for (unsigned i = 0; i < 3; i++)
        peer_accept(scene, &peer);
    assert_int_equal(lines_of(scene, "store-down"), 1);
    client_stop(scene);
    peer_close(&peer);
}

/* A reply of 64 MiB and more that never ends. */
static void test_endless(void **state)
{
    static char filler[1024 * 1024];
    struct scene *scene = scene_of(state);
    struct peer peer;

    memset(filler, 'x', sizeof(filler));
    peer_open(scene, &peer);
    client_start(scene, "store = \"redis://@/peer\"\nredis { timeout = 30s }");
    peer_accept(scene, &peer);
    peer_say(scene, &peer, "$2147483646\r\n", 13);
    for (unsigned i = 0; i < 65 && !is_away(scene, "too long"); i++)
        peer_say(scene, &peer, filler, sizeof(filler));
    FIXTURE_TURN_UNTIL(scene->loop, is_away(scene, "no reply, or too long"));
    client_stop(scene);
    peer_close(&peer);
}

/* The channel's connection, with things that are no message. */
static void test_channel(void **state)
{
    static const struct {
        const char *bytes;
        bool is_end;
        unsigned messages;
    } cases[] = {
        {"*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$2\r\nhi\r\n", false, 1},
        {"*3\r\n$7\r\nmessage\r\n$1\r\na\r\n*0\r\n", false, 0},
        {"*3\r\n$7\r\nmessage\r\n*0\r\n:1\r\n", false, 0},
        {"*3\r\n$7\r\nmessage\r\n$-1\r\n$-1\r\n", false, 0},
        {"*2\r\n$7\r\nmessage\r\n$1\r\na\r\n", true, 0},
        {"*0\r\n", true, 0},
        {":1\r\n", true, 0},
        {"-ERR\r\n", true, 0},
        {"*3\r\n$11\r\nunsubscribe\r\n$1\r\na\r\n:0\r\n", true, 0},
    };
    static const char greeting[] =
        GREETING "*3\r\n$9\r\nsubscribe\r\n$12\r\npostern:bans\r\n:1\r\n";
    struct scene *scene = scene_of(state);
    struct peer node, channel;

    for (size_t i = 0; i < COUNT(cases); i++) {
        scene->ups = scene->downs = scene->messages = 0;
        peer_open(scene, &node);
        client_start(scene, "store = \"redis://@/peer\"");
        peer_accept(scene, &node);
        peer_say(scene, &node, GREETING, strlen(GREETING));
        channel = (struct peer){node.listener, -1, 0};
        peer_accept(scene, &channel);
        peer_say(scene, &channel, greeting, strlen(greeting));
        UP(scene, 1);
        peer_say(scene, &channel, cases[i].bytes, strlen(cases[i].bytes));
        for (unsigned turn = 0; turn < 5; turn++)
            loop_run_once(scene->loop);
        CASE(cases[i].bytes, scene->downs == cases[i].is_end);
        CASE(cases[i].bytes, scene->messages == cases[i].messages);
        client_stop(scene);
        close(channel.fd);
        peer_close(&node);
    }
}

/* Replies of other kinds than the command has reach its function, and nobody else. */
static void test_replies(void **state)
{
    static const char *const replies[] = {
        "+\r\n",   "-\r\n",         "-MOVED 1 h:1\r\n", "-ASK\r\n",         "-NOSCRIPT\r\n",
        "*-1\r\n", "$-1\r\n",       "*0\r\n",           "-READONLY\r\n",    "-LOADING x\r\n",
        ":-1\r\n", "-TRYAGAIN\r\n", "$0\r\n\r\n",       "-CLUSTERDOWN\r\n", "*1\r\n*1\r\n*0\r\n",
    };
    struct scene *scene = scene_of(state);
    struct redis_script script;
    struct peer peer, channel;

    redis_script_init(&script, "return 1", 8);
    for (size_t i = 0; i < COUNT(replies); i++) {
        struct answer call = {0}, eval = {0};

        scene->ups = 0;
        peer_open(scene, &peer);
        client_start(scene, "store = \"redis://@/peer\"");
        peer_accept(scene, &peer);
        peer_say(scene, &peer, GREETING, strlen(GREETING));
        channel = (struct peer){peer.listener, -1, 0};
        peer_accept(scene, &channel);
        FIXTURE_TURN_UNTIL(scene->loop, ask(scene, "GET a", &call));
        assert_true(redis_eval(scene->redis, &script, "a", 1, 0, NULL, NULL, on_answer, &eval));
        peer_say(scene, &peer, replies[i], strlen(replies[i]));
        peer_say(scene, &peer, replies[i], strlen(replies[i]));
        peer_say(scene, &peer, ":1\r\n", 4);
        FIXTURE_TURN_UNTIL(scene->loop, redis_in_flight(scene->redis) == 0);
        CASE(replies[i], call.calls == 1 && eval.calls == 1);
        client_stop(scene);
        close(channel.fd);
        peer_close(&peer);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_greeting), TEST(test_role),    TEST(test_closed_at_once),
        TEST(test_endless),  TEST(test_channel), TEST(test_replies),
    };

    return cmocka_run_group_tests_name("redis hostile", tests, NULL, NULL);
}
