/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <sys/resource.h>

#include "tests/unit/net_fixture.h"

#include "ingress/pump.h"

#define MANY 300000

/* sender => from, to => receiver */
struct scene {
    int sender, from, to, receiver;
    struct pipes pipes;
    struct pump pump;
    struct buf got;
};

/* Over TCP: a Unix socket takes a write whole or not at all. */
static void tcp_pair(int *a_r, int *b_r)
{
    struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(listener, (struct sockaddr *)&sin, sizeof(sin)), 0);
    assert_int_equal(listen(listener, 1), 0);
    *a_r = fixture_connect(NULL, fixture_port(listener));
    *b_r = fixture_set_nonblocking(accept(listener, NULL, NULL));
    assert_true(*a_r >= 0);
    close(listener);
}

static int set_up(void **state)
{
    struct scene *scene = calloc(1, sizeof(*scene));

    tcp_pair(&scene->sender, &scene->from);
    tcp_pair(&scene->to, &scene->receiver);
    pump_init(&scene->pump, scene->from, scene->to);
    *state = scene;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *scene = *state;

    pump_fini(&scene->pump, &scene->pipes);
    pipes_fini(&scene->pipes);
    if (scene->sender >= 0)
        close(scene->sender);
    close(scene->from);
    close(scene->to);
    close(scene->receiver);
    buf_fini(&scene->got);
    free(scene);
    return 0;
}

static enum pump_result run(struct scene *scene)
{
    return pump_run(&scene->pump, &scene->pipes);
}

static bool is_readable(int fd)
{
    struct pollfd readable = {.fd = fd, .events = POLLIN};

    return poll(&readable, 1, FIXTURE_PATIENCE_MS) == 1;
}

static void run_until_received(struct scene *scene, size_t len)
{
    int64_t deadline = clock_mono_ms(&clock_system) + FIXTURE_PATIENCE_MS;

    while (scene->got.len < len) {
        assert_true(clock_mono_ms(&clock_system) < deadline);
        run(scene);
        poll(&(struct pollfd){.fd = scene->receiver, .events = POLLIN}, 1, 10);
        assert_true(fixture_receive(scene->receiver, &scene->got));
    }
}

/* As much as goes in; the bytes count up from `first`. */
static size_t pour(int fd, size_t first, size_t len)
{
    static uint8_t bytes[MANY];

    for (size_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)((first + i) % 251);
    ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);
    return n > 0 ? (size_t)n : 0;
}

static void a_line_goes_on_at_once(void **state)
{
    struct scene *scene = *state;

    assert_int_equal(run(scene), PUMP_READ);
    fixture_send(scene->sender, "NOOP\r\n");
    assert_true(is_readable(scene->from));
    assert_int_equal(run(scene), PUMP_READ);
    assert_false(scene->pump.is_bulk);
    assert_int_equal(scene->pipes.used_count, 0);
    run_until_received(scene, 6);
    assert_memory_equal(scene->got.data, "NOOP\r\n", 6);
}

static void many_bytes_go_on_in_the_kernel(void **state)
{
    struct scene *scene = *state;
    size_t sent = 0;

    while (sent < MANY) {
        sent += pour(scene->sender, sent, MANY - sent);
        run_until_received(scene, scene->got.len + 1);
        if (sent < MANY)
            assert_true(scene->pump.is_bulk);
    }
    run_until_received(scene, MANY);
    for (size_t i = 0; i < MANY; i++)
        assert_int_equal(scene->got.data[i], i % 251);
}

/* Until the receiver takes no more, a few bytes at a time. */
static void what_is_not_taken_waits_in_the_pipe(void **state)
{
    struct scene *scene = *state;
    size_t sent = 0;

    while (run(scene) == PUMP_READ) {
        size_t n = pour(scene->sender, sent, 3000);
        assert_true(n > 0);
        assert_true(is_readable(scene->from));
        sent += n;
    }
    assert_int_equal(scene->pump.result, PUMP_WRITE);
    assert_true(scene->pump.in_pipe > 0);
    assert_int_equal(scene->pipes.used_count, 1);
    run_until_received(scene, sent);
    for (size_t i = 0; i < sent; i++)
        assert_int_equal(scene->got.data[i], i % 251);
    assert_int_equal(scene->pipes.used_count, 0);
}

static void without_a_pipe_bytes_go_on(void **state)
{
    struct scene *scene = *state;
    struct rlimit before, none = {0};

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none.rlim_max = before.rlim_max;
    fixture_send(scene->sender, "NOOP\r\n");
    assert_true(is_readable(scene->from));
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    enum pump_result result = run(scene);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(result, PUMP_READ);
    assert_int_equal(scene->pipes.idle_count, 0);
    run_until_received(scene, 6);
}

static void the_end_comes_after_the_last_byte(void **state)
{
    struct scene *scene = *state;

    fixture_send(scene->sender, "QUIT\r\n");
    shutdown(scene->sender, SHUT_WR);
    assert_true(is_readable(scene->from));
    for (int i = 0; i < 3 && run(scene) != PUMP_DONE; i++)
        assert_true(is_readable(scene->from));
    assert_true(scene->pump.has_passed);
    assert_int_equal(run(scene), PUMP_DONE);
    assert_true(is_readable(scene->receiver));
    assert_false(fixture_receive(scene->receiver, &scene->got));
    assert_int_equal(scene->got.len, 6);
}

static void a_reset_breaks_it(void **state)
{
    struct scene *scene = *state;
    struct linger linger = {.l_onoff = 1, .l_linger = 0};

    assert_int_equal(setsockopt(scene->sender, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
    close(scene->sender);
    scene->sender = -1;
    assert_true(is_readable(scene->from));
    assert_int_equal(run(scene), PUMP_BROKEN);
    assert_int_equal(errno, ECONNRESET);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_line_goes_on_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(many_bytes_go_on_in_the_kernel, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_not_taken_waits_in_the_pipe, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_a_pipe_bytes_go_on, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_end_comes_after_the_last_byte, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_reset_breaks_it, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
