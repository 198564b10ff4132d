/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "ingress/predecessor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/buf.h"
#include "tests/unit/unit.h"

#define AGAIN "told=yes\nagain=yes\n\n"
#define SYNC  "sync=done\n\n"

/* Two processes before this one, and what this one knows. */
struct world {
    struct loop *loop;
    struct sessions sessions;
    struct drain_counts draining;
    unsigned draining_changes;
    struct predecessor *predecessor;
    int ends[2]; /* of the one before, and of the one before that */
    unsigned gone_on;
};

static void on_go(void *ctx)
{
    struct world *world = ctx;

    world->gone_on++;
}

static void on_draining(void *ctx)
{
    struct world *world = ctx;

    world->draining_changes++;
}

static void turn(struct world *world)
{
    for (int i = 0; i < 6; i++)
        loop_run_once(world->loop);
}

static void set_up(struct world *world)
{
    int fds[2], pair[2];

    *world = (struct world){.loop = loop_new()};
    sessions_init(&world->sessions);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair),
                         0);
        fds[i] = pair[0];
        world->ends[i] = pair[1];
    }
    world->predecessor = predecessor_new(&(struct predecessor_options){
        .loop = world->loop,
        .fds = fds,
        .count = 2,
        .sessions = &world->sessions,
        .draining = &world->draining,
        .on_go = on_go,
        .on_draining = on_draining,
        .ctx = world,
    });
}

static void tear_down(struct world *world)
{
    predecessor_free(&world->predecessor);
    sessions_fini(&world->sessions);
    loop_free(&world->loop);
    for (int i = 0; i < 2; i++) {
        if (world->ends[i] >= 0)
            close(world->ends[i]);
    }
}

static void is_gone(struct world *world, int which)
{
    close(world->ends[which]);
    world->ends[which] = -1;
    turn(world);
}

static void tells(struct world *world, int which, const char *text, size_t len)
{
    assert_int_equal(write(world->ends[which], text, len), len);
    turn(world);
}

static void heard(const struct world *world, int which, const char *wanted)
{
    char text[256] = "";
    ssize_t n = read(world->ends[which], text, sizeof(text) - 1);

    assert_string_equal(n > 0 ? text : "", wanted);
}

/* The record of one that begins or ends, by the port of its key. */
static const char *record(struct buf *out, uint16_t port, bool is_new)
{
    struct door_client client = {.port = 40000, .destination_port = 25};
    struct session session = {.key.port = port, .client = &client, .gateway = "vps1"};

    assert_int_equal(addr_parse("10.8.0.25", &session.key.addr), 0);
    assert_int_equal(addr_parse("203.0.113.9", &client.addr), 0);
    assert_int_equal(addr_parse("198.51.100.25", &client.destination), 0);
    sessions_put_record(&session, is_new, out);
    return buf_str(out);
}

static void the_one_before_tells_and_then_the_one_before_that(void **state)
{
    struct world world;
    struct buf out = {0};
    size_t count;

    (void)state;
    set_up(&world);
    record(&out, 1, true);
    record(&out, 2, true);
    tells(&world, 0, buf_str(&out), out.len);
    assert_int_equal(world.sessions.map.count, 2);
    tells(&world, 0, SYNC, strlen(SYNC));
    heard(&world, 0, "ready=yes\n\n");
    tells(&world, 0, "go=yes\n\n", strlen("go=yes\n\n"));
    heard(&world, 0, "younger=1\n\n");
    assert_int_equal(world.gone_on, 1);
    predecessor_tell_younger(world.predecessor, 3);
    heard(&world, 1, "");
    predecessor_channels(world.predecessor, &count);
    assert_int_equal(count, 2);
    is_gone(&world, 0);
    heard(&world, 1, "again=yes\n\nyounger=3\n\n");
    assert_int_equal(world.sessions.map.count, 0);
    assert_true(world.sessions.is_following);
    predecessor_channels(world.predecessor, &count);
    assert_int_equal(count, 1);
    is_gone(&world, 1);
    assert_false(predecessor_is_there(world.predecessor));
    assert_false(world.sessions.is_following);
    assert_int_equal(world.gone_on, 1);
    buf_fini(&out);
    tear_down(&world);
}

/* The process that is gone has read as much as it likes of what it was told. */
static void check_left_over(const char *before, size_t read, const char *again, size_t cut)
{
    struct world world;

    set_up(&world);
    assert_int_equal(write(world.ends[1], before + read, strlen(before + read)),
                     strlen(before + read));
    is_gone(&world, 0);
    heard(&world, 1, "again=yes\n\nyounger=1\n\n");
    assert_int_equal(world.gone_on, 1);
    tells(&world, 1, again, cut);
    tells(&world, 1, again + cut, strlen(again + cut));
    assert_int_equal(world.sessions.map.count, 1);
    assert_int_equal(world.sessions.first->key.port, 3);
    heard(&world, 1, "ready=yes\n\n");
    tear_down(&world);
}

static void what_another_did_not_read_is_skipped(void **state)
{
    struct buf before = {0}, again = {0};

    (void)state;
    record(&before, 1, true);
    record(&before, 2, false);
    buf_printf(&again, "%s", AGAIN);
    record(&again, 3, true);
    buf_printf(&again, "%s", SYNC);
    for (size_t read = 0; read <= before.len; read++)
        check_left_over(buf_str(&before), read, buf_str(&again), again.len);
    for (size_t cut = 1; cut < again.len; cut++)
        check_left_over(buf_str(&before), 5, buf_str(&again), cut);
    buf_fini(&before);
    buf_fini(&again);
}

/* One more in between was killed, and had asked for the same. */
static void told_twice_the_last_counts(void **state)
{
    struct world world;
    struct buf out = {0};

    (void)state;
    set_up(&world);
    is_gone(&world, 0);
    buf_printf(&out, "%s", AGAIN);
    record(&out, 1, true);
    buf_printf(&out, "%s", AGAIN);
    record(&out, 2, true);
    tells(&world, 1, buf_str(&out), out.len);
    assert_int_equal(world.sessions.map.count, 1);
    assert_int_equal(world.sessions.first->key.port, 2);
    buf_fini(&out);
    tear_down(&world);
}

static void how_many_drain_holds_while_one_tells(void **state)
{
    static const char record[] = "draining=2\nconnections=7\n\n";
    struct world world;

    (void)state;
    set_up(&world);
    tells(&world, 0, record, strlen(record));
    assert_int_equal(world.draining.processes, 2);
    assert_int_equal(world.draining.connections, 7);
    assert_int_equal(world.draining_changes, 1);
    is_gone(&world, 0);
    assert_int_equal(world.draining.processes, 0);
    assert_int_equal(world.draining.connections, 0);
    assert_int_equal(world.draining_changes, 2);
    tear_down(&world);
}

/* What it does not understand it does not ask another process for. */
static void another_version_is_not_followed(void **state)
{
    struct world world;

    (void)state;
    set_up(&world);
    tells(&world, 0, "what=yes\n\n", strlen("what=yes\n\n"));
    assert_false(predecessor_is_there(world.predecessor));
    heard(&world, 1, "");
    assert_int_equal(world.gone_on, 1);
    tear_down(&world);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_one_before_tells_and_then_the_one_before_that),
        cmocka_unit_test(what_another_did_not_read_is_skipped),
        cmocka_unit_test(told_twice_the_last_counts),
        cmocka_unit_test(how_many_drain_holds_while_one_tells),
        cmocka_unit_test(another_version_is_not_followed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
