/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/net/service.h"

#include "common/base/log.h"
#include "tests/unit/net_fixture.h"

/*
 * A protocol of lines: "now" is answered at once, "wait" when the test says so, "long"
 * in pieces without end, "ready" and "long-ready" by a wait that is over before the step
 * returns; "bad" is no request.
 */
#define REQUEST_MS 50
#define STOP_MS    300
#define INPUT_MAX  64
#define PIECE      20000

struct world {
    struct loop *loop;
    struct service *service;
    char *dir;
    char address[128];
    struct service_conn *waiting;
    unsigned pieces;
    unsigned abandoned;
    char log[4096];
};

static void put(struct service_conn *conn, const char *text)
{
    if (service_conn_output(conn))
        buf_puts(service_conn_output(conn), text);
}

static enum service_step handle(struct world *world, struct service_conn *conn, const char *line,
                                const char **reason_r)
{
    if (strcmp(line, "now") == 0) {
        put(conn, "yes\n");
        return SERVICE_NEXT;
    }
    if (strcmp(line, "wait") == 0) {
        service_conn_wait(conn);
        world->waiting = conn;
        return SERVICE_WAIT;
    }
    if (strcmp(line, "ready") == 0) {
        service_conn_wait(conn);
        put(conn, "ready\n");
        service_conn_finish(conn);
        return SERVICE_WAIT;
    }
    if (strcmp(line, "long-ready") == 0) {
        service_conn_wait(conn);
        service_conn_stream(conn);
        return SERVICE_WAIT;
    }
    *reason_r = "a bad line";
    return strcmp(line, "long") == 0 ? SERVICE_STREAM : SERVICE_CLOSE;
}

static enum service_step step(struct service_conn *conn, struct buf *in, const char **reason_r)
{
    char line[INPUT_MAX];
    const uint8_t *end = memchr(in->data, '\n', in->len);

    if (!end)
        return SERVICE_MORE;
    size_t len = (size_t)(end - in->data);
    memcpy(line, in->data, len);
    line[len] = '\0';
    buf_consume(in, len + 1);
    return handle(service_conn_ctx(conn), conn, line, reason_r);
}

/* Three pieces, or as many as somebody reads when the test set more. */
static bool more(struct service_conn *conn)
{
    struct world *world = service_conn_ctx(conn);
    char piece[PIECE];

    memset(piece, 'x', sizeof(piece));
    buf_put(service_conn_output(conn), piece, sizeof(piece));
    if (--world->pieces)
        return false;
    put(conn, "end\n");
    return true;
}

static void abandon(struct service_conn *conn)
{
    ((struct world *)service_conn_ctx(conn))->abandoned++;
    *service_conn_state(conn) = NULL;
}

static const struct service_protocol protocol = {
    .name = "lines",
    .input_max = INPUT_MAX,
    .output_max = 65536,
    .step = step,
    .more = more,
    .abandon = abandon,
};

static void keep_log(enum log_level level, const char *line, void *ctx)
{
    struct world *world = ctx;
    size_t used = strlen(world->log);

    (void)level;
    snprintf(world->log + used, sizeof(world->log) - used, "%s\n", line);
}

static int setup(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    struct error error;

    log_open("test", LOG_TARGET_NOWHERE, LOG_LEVEL_DEBUG);
    log_capture(keep_log, world);
    world->loop = loop_new();
    world->dir = fixture_dir_new();
    snprintf(world->address, sizeof(world->address), "unix:%s/s", world->dir);
    struct service_options options = {
        .fd = listener_bind(world->address, NULL, &error),
        .is_unix = true,
        .max_connections = 4,
        .request_max = 10 * INPUT_MAX,
        .memory_max = 1 << 20,
        .idle_ms = 5000,
        .request_ms = REQUEST_MS,
        .stop_ms = STOP_MS,
        .protocol = &protocol,
        .ctx = world,
    };
    assert_true(options.fd >= 0);
    world->service = service_new(world->loop, &options);
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;

    service_free(&world->service);
    loop_free(&world->loop);
    log_capture(NULL, NULL);
    fixture_dir_remove(world->dir);
    free(world);
    return 0;
}

static int client(struct world *world)
{
    int fd = fixture_connect(world->address, 0);
    assert_true(fd >= 0);
    return fd;
}

static bool has_line(int fd, struct buf *got, const char *line)
{
    fixture_receive(fd, got);
    return strstr(buf_str(got), line) != NULL;
}

static void requests_in_a_row_are_answered_in_turn(void **state)
{
    struct world *world = *state;
    struct buf got = {0};
    int fd = client(world);

    fixture_send(fd, "now\nready\nno");
    FIXTURE_TURN_UNTIL(world->loop, has_line(fd, &got, "yes\nready\n"));
    fixture_send(fd, "w\nready\n");
    FIXTURE_TURN_UNTIL(world->loop, has_line(fd, &got, "yes\nready\nyes\nready\n"));
    assert_int_equal(service_connection_count(world->service), 1);
    buf_fini(&got);
    close(fd);
    FIXTURE_TURN_UNTIL(world->loop, service_connection_count(world->service) == 0);
    assert_string_equal(world->log, "");
}

static void half_a_request_is_closed_and_silence_is_not(void **state)
{
    struct world *world = *state;
    struct buf got = {0};
    int silent = client(world), half = client(world);

    fixture_send(silent, "now\n");
    fixture_send(half, "now\nno");
    FIXTURE_TURN_UNTIL(world->loop, !fixture_receive(half, &got));
    assert_string_equal(buf_str(&got), "yes\n");
    assert_non_null(strstr(world->log, "connection-closed listener=lines peer=unix "
                                       "reason=\"half a request, and then nothing\""));
    assert_int_equal(service_connection_count(world->service), 1);
    assert_int_equal(service_bad_count(world->service), 1);
    buf_fini(&got);
    close(silent);
    close(half);
}

/* One byte at a time does not renew the time that a request may take. */
static void a_dripping_request_is_closed(void **state)
{
    struct world *world = *state;
    struct buf got = {0};
    int fd = client(world);
    unsigned sent = 0;

    FIXTURE_TURN_UNTIL(world->loop, service_connection_count(world->service) == 1);
    FIXTURE_TURN_UNTIL(world->loop,
                       (sent++ % 10 == 0 && sent < 600 && send(fd, "x", 1, MSG_NOSIGNAL) < 0) ||
                           !fixture_receive(fd, &got));
    assert_non_null(strstr(world->log, "half a request"));
    buf_fini(&got);
    close(fd);
}

static void what_is_no_request_or_too_long_closes(void **state)
{
    struct world *world = *state;
    struct buf got = {0};
    int bad = client(world), too_long = client(world);

    fixture_send(bad, "now\nbad\nnow\n");
    FIXTURE_TURN_UNTIL(world->loop, !fixture_receive(bad, &got));
    assert_string_equal(buf_str(&got), "yes\n");
    assert_non_null(strstr(world->log, "reason=\"a bad line\""));
    for (unsigned i = 0; i < INPUT_MAX + 1; i++)
        fixture_send(too_long, "x");
    FIXTURE_TURN_UNTIL(world->loop, !fixture_receive(too_long, &got));
    assert_non_null(strstr(world->log, "reason=\"request too long\""));
    buf_fini(&got);
    close(bad);
    close(too_long);
}

static void an_answer_that_waits_holds_the_next_request_back(void **state)
{
    struct world *world = *state;
    struct buf got = {0};
    int fd = client(world), other = client(world);

    fixture_send(fd, "wait\nnow\n");
    fixture_send(other, "now\n");
    FIXTURE_TURN_UNTIL(world->loop, world->waiting && has_line(other, &got, "yes\n"));
    buf_reset(&got);
    assert_false(has_line(fd, &got, "yes"));
    put(world->waiting, "done\n");
    service_conn_finish(world->waiting);
    FIXTURE_TURN_UNTIL(world->loop, has_line(fd, &got, "done\nyes\n"));
    buf_fini(&got);
    close(fd);
    close(other);
}

static void a_long_answer_may_be_waited_for(void **state)
{
    struct world *world = *state;
    struct buf got = {0};
    int fd = client(world);

    world->pieces = 30;
    fixture_send(fd, "wait\nnow\n");
    FIXTURE_TURN_UNTIL(world->loop, world->waiting != NULL);
    service_conn_stream(world->waiting);
    assert_true(service_is_busy(world->service));
    FIXTURE_TURN_UNTIL(world->loop, has_line(fd, &got, "end\nyes\n"));
    assert_int_equal(got.len, 30 * PIECE + strlen("end\nyes\n"));
    assert_int_equal(world->abandoned, 0);
    /* And be there at once: one long, one of a single piece. */
    for (unsigned pieces = 1; pieces <= 30; pieces += 29) {
        buf_reset(&got);
        world->pieces = pieces;
        fixture_send(fd, "long-ready\nnow\n");
        FIXTURE_TURN_UNTIL(world->loop, has_line(fd, &got, "end\nyes\n"));
        assert_int_equal(got.len, pieces * PIECE + strlen("end\nyes\n"));
    }
    buf_fini(&got);
    close(fd);
}

/* Of a request that keeps something. Its going shows when it is answered, or before: either is
 * fine. */
static void ask_and_leave(struct world *world)
{
    struct linger reset = {.l_onoff = 1};
    int fd = client(world);

    fixture_send(fd, "wait\n");
    FIXTURE_TURN_UNTIL(world->loop, world->waiting != NULL);
    *service_conn_state(world->waiting) = world;
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    close(fd);
    for (int i = 0; i < 20; i++)
        loop_run_once(world->loop);
}

static void a_long_answer_that_waits_goes_with_its_peer_or_the_service(void **state)
{
    struct world *world = *state;
    struct buf got = {0};

    ask_and_leave(world);
    world->pieces = 30;
    service_conn_stream(world->waiting);
    FIXTURE_TURN_UNTIL(world->loop, service_connection_count(world->service) == 0);
    assert_int_equal(world->abandoned, 1);
    world->waiting = NULL;
    int fd = client(world);
    fixture_send(fd, "wait\n");
    FIXTURE_TURN_UNTIL(world->loop, world->waiting != NULL);
    service_stop(world->service);
    service_last_call(world->service);
    service_conn_stream(world->waiting);
    FIXTURE_TURN_UNTIL(world->loop, !fixture_receive(fd, &got));
    assert_int_equal(service_connection_count(world->service), 0);
    buf_fini(&got);
    close(fd);
}

static void a_peer_that_left_before_its_answer_harms_nobody(void **state)
{
    struct world *world = *state;

    ask_and_leave(world);
    put(world->waiting, "done\n");
    service_conn_finish(world->waiting);
    FIXTURE_TURN_UNTIL(world->loop, service_connection_count(world->service) == 0);
    assert_int_equal(world->abandoned, 1);
}

static void a_long_answer_comes_as_fast_as_it_is_read(void **state)
{
    struct world *world = *state;
    struct buf got = {0};
    int fd = client(world);

    world->pieces = 300;
    fixture_send(fd, "long\nnow\n");
    for (int i = 0; i < 200; i++)
        loop_run_once(world->loop);
    /* Nobody reads: it does not pile up. */
    assert_true(world->pieces > 250);
    FIXTURE_TURN_UNTIL(world->loop, has_line(fd, &got, "end\nyes\n"));
    assert_int_equal(got.len, 300 * PIECE + strlen("end\nyes\n"));
    assert_int_equal(world->abandoned, 0);
    buf_fini(&got);
    close(fd);
}

static void a_peer_that_never_reads_is_dropped(void **state)
{
    struct world *world = *state;
    int fd = client(world);

    world->pieces = 300;
    fixture_send(fd, "long\n");
    FIXTURE_TURN_UNTIL(world->loop, service_is_busy(world->service));
    FIXTURE_TURN_UNTIL(world->loop, world->abandoned == 1);
    assert_non_null(strstr(world->log, "reason=\"the peer reads too slowly\""));
    assert_false(service_is_busy(world->service));
    close(fd);
}

static void it_is_busy_while_somebody_waits(void **state)
{
    struct world *world = *state;
    struct buf got = {0};
    int fd = client(world);

    fixture_send(fd, "now\n");
    FIXTURE_TURN_UNTIL(world->loop, has_line(fd, &got, "yes\n"));
    assert_false(service_is_busy(world->service));
    fixture_send(fd, "wai");
    FIXTURE_TURN_UNTIL(world->loop, service_is_busy(world->service));
    fixture_send(fd, "t\n");
    FIXTURE_TURN_UNTIL(world->loop, world->waiting != NULL);
    assert_true(service_is_busy(world->service));
    service_conn_finish(world->waiting);
    FIXTURE_TURN_UNTIL(world->loop, !service_is_busy(world->service));
    buf_fini(&got);
    close(fd);
}

static void a_long_answer_is_abandoned_with_its_peer(void **state)
{
    struct world *world = *state;
    int fd = client(world);

    world->pieces = 300;
    fixture_send(fd, "long\n");
    FIXTURE_TURN_UNTIL(world->loop, world->pieces < 300);
    close(fd);
    FIXTURE_TURN_UNTIL(world->loop, world->abandoned == 1);
    assert_int_equal(service_connection_count(world->service), 0);
}

static void stopped_it_serves_who_is_there_and_nobody_new(void **state)
{
    struct world *world = *state;
    struct buf got = {0};
    int fd = client(world);

    FIXTURE_TURN_UNTIL(world->loop, service_connection_count(world->service) == 1);
    service_stop(world->service);
    assert_int_equal(fixture_connect(world->address, 0), -1);
    fixture_send(fd, "now\n");
    FIXTURE_TURN_UNTIL(world->loop, has_line(fd, &got, "yes\n"));
    buf_fini(&got);
    close(fd);
    FIXTURE_TURN_UNTIL(world->loop, service_connection_count(world->service) == 0);
}

static bool is_cut_off(int fd, struct buf *got)
{
    (void)!send(fd, "now\n", strlen("now\n"), MSG_NOSIGNAL); /* it may be closed by now */
    return !fixture_receive(fd, got);
}

static void who_asks_on_after_the_stop_is_cut_off_in_the_end(void **state)
{
    struct world *world = *state;
    struct buf got = {0}, answer = {0};
    int fd = client(world), due = client(world);

    fixture_send(due, "wait\nnow\n");
    FIXTURE_TURN_UNTIL(world->loop, world->waiting != NULL);
    service_stop(world->service);
    FIXTURE_TURN_UNTIL(world->loop, is_cut_off(fd, &got));
    assert_non_null(strstr(buf_str(&got), "yes\n"));
    assert_true(service_is_busy(world->service));
    put(world->waiting, "done\n");
    service_conn_finish(world->waiting);
    FIXTURE_TURN_UNTIL(world->loop, !fixture_receive(due, &answer));
    assert_string_equal(buf_str(&answer), "done\n");
    assert_int_equal(service_connection_count(world->service), 0);
    buf_fini(&got);
    buf_fini(&answer);
    close(fd);
    close(due);
}

/* What came a moment before the end is not heard: nobody would answer it any more. */
static void after_the_last_call_nobody_is_heard(void **state)
{
    struct world *world = *state;
    int fd = client(world), other = client(world);

    FIXTURE_TURN_UNTIL(world->loop, service_connection_count(world->service) == 2);
    service_stop(world->service);
    fixture_send(fd, "wait\n");
    fixture_send(other, "now\n");
    service_last_call(world->service);
    assert_int_equal(service_connection_count(world->service), 0);
    for (int i = 0; i < 20; i++)
        loop_run_once(world->loop);
    assert_null(world->waiting);
    close(fd);
    close(other);
}

#define SERVICE_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SERVICE_TEST(requests_in_a_row_are_answered_in_turn),
        SERVICE_TEST(half_a_request_is_closed_and_silence_is_not),
        SERVICE_TEST(a_dripping_request_is_closed),
        SERVICE_TEST(what_is_no_request_or_too_long_closes),
        SERVICE_TEST(an_answer_that_waits_holds_the_next_request_back),
        SERVICE_TEST(a_long_answer_may_be_waited_for),
        SERVICE_TEST(a_long_answer_that_waits_goes_with_its_peer_or_the_service),
        SERVICE_TEST(a_peer_that_left_before_its_answer_harms_nobody),
        SERVICE_TEST(a_long_answer_comes_as_fast_as_it_is_read),
        SERVICE_TEST(a_peer_that_never_reads_is_dropped),
        SERVICE_TEST(it_is_busy_while_somebody_waits),
        SERVICE_TEST(a_long_answer_is_abandoned_with_its_peer),
        SERVICE_TEST(stopped_it_serves_who_is_there_and_nobody_new),
        SERVICE_TEST(who_asks_on_after_the_stop_is_cut_off_in_the_end),
        SERVICE_TEST(after_the_last_call_nobody_is_heard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
