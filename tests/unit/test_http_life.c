/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <sys/resource.h>

#include "tests/unit/http_fixture.h"

static void an_answer_may_come_later(void **state)
{
    struct scene *scene = *state;
    struct exchange result = {0};
    struct buf got = {0};

    serve(scene, scene->address, (struct http_options){0});
    int fd = client(scene);
    for (int round = 0; round < 3; round++) {
        fixture_send(fd, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
        FIXTURE_TURN_UNTIL(scene->loop, scene->waiting_count == 1);
        for (int i = 0; i < 20; i++)
            loop_run_once(scene->loop);
        assert_true(fixture_receive(fd, &got));
        assert_int_equal(got.len, 0);
        scene->waiting_count = 0;
        http_respond(scene->waiting[0], 200, "text/plain", "late", 4);
        FIXTURE_TURN_UNTIL(scene->loop, exchange_step(fd, &got, true, &result));
        assert_string_equal(answer_text(&result), "late");
        assert_true(result.open);
    }
    buf_fini(&got);
    close(fd);
}

/* Fully blocking loop: nothing but the server itself may wake it for the late answers. */
static void stop_loop(void *ctx)
{
    loop_stop(((struct scene *)ctx)->loop);
}

static void respond_first(void *ctx)
{
    struct scene *scene = ctx;

    scene->waiting_count = 0;
    http_respond(scene->waiting[0], 200, "text/plain", "late", 4);
}

static void a_late_answer_wakes_the_loop(void **state)
{
    struct scene *scene = *state;
    struct buf got = {0};

    serve(scene, scene->address, (struct http_options){0});
    int fd = client(scene);
    fixture_send(fd, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
    FIXTURE_TURN_UNTIL(scene->loop, scene->waiting_count == 1);
    struct loop_timer *respond = loop_timer_new(scene->loop, respond_first, scene);
    struct loop_timer *stop = loop_timer_new(scene->loop, stop_loop, scene);
    loop_timer_start(respond, 20);
    loop_timer_start(stop, 100);
    loop_run(scene->loop);
    assert_true(fixture_receive(fd, &got));
    assert_non_null(strstr(buf_str(&got), "late"));
    loop_timer_free(&respond);
    loop_timer_free(&stop);
    buf_fini(&got);
    close(fd);
}

static void a_handler_may_answer_others(void **state)
{
    struct scene *scene = *state;
    int fds[WAITING_MAX];

    serve(scene, scene->address, (struct http_options){0});
    for (size_t i = 0; i < WAITING_MAX; i++) {
        fds[i] = client(scene);
        fixture_send(fds[i], "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
        FIXTURE_TURN_UNTIL(scene->loop, scene->waiting_count == i + 1);
    }
    assert_int_equal(exchange(scene, "GET /all HTTP/1.1\r\nHost: x\r\n\r\n").status, 200);
    for (size_t i = 0; i < WAITING_MAX; i++) {
        struct exchange result = {0};
        struct buf got = {0};
        FIXTURE_TURN_UNTIL(scene->loop, exchange_step(fds[i], &got, true, &result));
        assert_string_equal(answer_text(&result), "late");
        buf_fini(&got);
        close(fds[i]);
    }
}

static void a_client_may_leave_before_its_answer(void **state)
{
    struct scene *scene = *state;

    serve(scene, scene->address, (struct http_options){.max_connections = 1});
    int fd = client(scene);
    fixture_send(fd, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
    FIXTURE_TURN_UNTIL(scene->loop, scene->waiting_count == 1);
    close(fd);
    for (int i = 0; i < 20; i++)
        loop_run_once(scene->loop);
    http_respond(scene->waiting[0], 200, "text/plain", "late", 4);
    assert_int_equal(exchange(scene, "GET /words HTTP/1.1\r\nHost: x\r\n\r\n").status, 200);
}

static void those_who_wait_at_the_end_get_503(void **state)
{
    struct scene *scene = *state;
    int fds[8];

    serve(scene, scene->address, (struct http_options){0});
    int idle = client(scene);
    fixture_send(idle, "GET /wor");
    for (size_t i = 0; i < 8; i++) {
        fds[i] = client(scene);
        fixture_send(fds[i], "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
        FIXTURE_TURN_UNTIL(scene->loop, scene->waiting_count == i + 1);
    }
    http_server_free(&scene->server);
    for (size_t i = 0; i < 8; i++) {
        struct buf got = {0};
        assert_false(fixture_receive(fds[i], &got));
        assert_true(str_has_prefix(buf_str(&got), "HTTP/1.1 503 "));
        buf_fini(&got);
        close(fds[i]);
    }
    close(idle);
}

/* Whether the connection gives this answer, and ends with it. */
static void assert_last(struct scene *scene, int fd, const char *text)
{
    struct exchange last = {0};
    struct buf got = {0};

    FIXTURE_TURN_UNTIL(scene->loop, exchange_step(fd, &got, true, &last));
    assert_int_equal(last.status, 200);
    assert_string_equal(answer_text(&last), text);
    assert_non_null(strstr(last.text, "Connection: close\r\n"));
    FIXTURE_TURN_UNTIL(scene->loop, !fixture_receive(fd, &got));
    buf_fini(&got);
    close(fd);
}

static void stopped_it_answers_what_was_asked(void **state)
{
    static const char whole[] = "POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi";
    struct scene *scene = *state;
    int fds[3];

    serve(scene, scene->address, (struct http_options){0});
    for (size_t i = 0; i < 3; i++) {
        fds[i] = client(scene);
        assert_int_equal(
            exchange_on(scene, fds[i], "GET /words HTTP/1.1\r\nHost: x\r\n\r\n").status, 200);
    }
    fixture_send(fds[0], "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
    FIXTURE_TURN_UNTIL(scene->loop, scene->waiting_count == 1);
    fixture_send(fds[1], whole); /* lies in the socket: nothing has turned since */
    http_server_stop(scene->server);
    assert_int_equal(fixture_connect(scene->address, 0), -1);
    assert_true(http_server_is_busy(scene->server));
    assert_last(scene, fds[1], "[hi]");
    fixture_send(fds[2], whole); /* who is there may still ask once */
    assert_last(scene, fds[2], "[hi]");
    http_respond(scene->waiting[0], 200, "text/plain", "late", 4);
    assert_last(scene, fds[0], "late");
    FIXTURE_TURN_UNTIL(scene->loop, !http_server_is_busy(scene->server));
    assert_int_equal(http_server_bad_count(scene->server), 0);
}

/* Cut anywhere, it keeps the server busy until it is whole, and is answered. */
static void stopped_it_waits_for_half_a_request(void **state)
{
    static const char whole[] = "POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi";
    struct scene *scene = *state;
    char head[sizeof(whole)];

    for (size_t cut = 1; cut < sizeof(whole) - 1; cut++) {
        serve(scene, scene->address, (struct http_options){0});
        int idle = client(scene), fd = client(scene);
        assert_int_equal(exchange_on(scene, fd, "GET /words HTTP/1.1\r\nHost: x\r\n\r\n").status,
                         200);
        assert_false(http_server_is_busy(scene->server));
        snprintf(head, sizeof(head), "%.*s", (int)cut, whole);
        fixture_send(fd, head);
        FIXTURE_TURN_UNTIL(scene->loop, http_server_is_busy(scene->server));
        http_server_stop(scene->server);
        for (int turn = 0; turn < 5; turn++) {
            loop_run_once(scene->loop);
            assert_true(http_server_is_busy(scene->server));
        }
        fixture_send(fd, whole + cut);
        assert_last(scene, fd, "[hi]");
        assert_false(http_server_is_busy(scene->server));
        close(idle);
        http_server_free(&scene->server);
    }
}

static void silence_ends_a_connection(void **state)
{
    static const char *const cases[] = {
        "",
        "GET /wor",
        "POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf",
        "POST /body HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe",
        "GET /words HTTP/1.1\r\nHost: x\r\n\r\n",
    };
    enum { CASES = sizeof(cases) / sizeof(cases[0]) };
    struct scene *scene = *state;
    struct buf got = {0};
    int fds[CASES];

    serve(scene, scene->address, (struct http_options){.idle_sec = 1, .max_connections = CASES});
    for (size_t i = 0; i < CASES; i++) {
        fds[i] = client(scene);
        fixture_send(fds[i], cases[i]);
    }
    for (size_t i = 0; i < CASES; i++) {
        FIXTURE_TURN_UNTIL(scene->loop, !fixture_receive(fds[i], &got));
        close(fds[i]);
    }
    assert_int_equal(exchange(scene, "GET /words HTTP/1.1\r\nHost: x\r\n\r\n").status, 200);
    assert_int_equal(scene->served, 0);
    buf_fini(&got);
}

/* Whoever sends something now and then is never silent, and is closed all the same. */
static void a_dripping_request_is_closed(void **state)
{
    static const char *const cases[] = {
        "GET /words HTTP/1.1\r\nX: ",
        "POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n",
    };
    struct scene *scene = *state;
    struct buf got = {0};

    serve(scene, scene->address, (struct http_options){.idle_sec = 1, .request_sec = 1});
    for (size_t i = 0; i < 2; i++) {
        int fd = client(scene);
        int64_t began = clock_mono_ms(&clock_system);
        unsigned turn = 0;
        fixture_send(fd, cases[i]);
        FIXTURE_TURN_UNTIL(scene->loop, (++turn % 50 == 0 && send(fd, "x", 1, MSG_NOSIGNAL) < 0) ||
                                            !fixture_receive(fd, &got));
        assert_true(clock_mono_ms(&clock_system) - began >= 1900);
        close(fd);
    }
    buf_fini(&got);
}

static void a_connection_may_serve_on_for_longer_than_a_request(void **state)
{
    struct scene *scene = *state;
    int64_t until = clock_mono_ms(&clock_system) + 2500;

    serve(scene, scene->address, (struct http_options){.idle_sec = 1, .request_sec = 1});
    int fd = client(scene);
    while (clock_mono_ms(&clock_system) < until) {
        int64_t next = clock_mono_ms(&clock_system) + 300;
        assert_int_equal(exchange_on(scene, fd, "GET /words HTTP/1.1\r\nHost: x\r\n\r\n").status,
                         200);
        FIXTURE_TURN_UNTIL(scene->loop, clock_mono_ms(&clock_system) >= next);
    }
    close(fd);
}

static void stopped_it_answers_who_is_there_and_nobody_new(void **state)
{
    struct scene *scene = *state;
    struct exchange result = {0};
    struct buf got = {0};

    serve(scene, scene->address, (struct http_options){0});
    int fd = client(scene);
    fixture_send(fd, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
    FIXTURE_TURN_UNTIL(scene->loop, scene->waiting_count == 1);
    assert_true(http_server_is_busy(scene->server));
    http_server_stop(scene->server);
    assert_int_equal(fixture_connect(scene->address, 0), -1);
    http_respond(scene->waiting[0], 200, "text/plain", "late", 4);
    FIXTURE_TURN_UNTIL(scene->loop, exchange_step(fd, &got, true, &result));
    assert_string_equal(answer_text(&result), "late");
    FIXTURE_TURN_UNTIL(scene->loop, !http_server_is_busy(scene->server));
    buf_fini(&got);
    close(fd);
}

static int64_t cpu_ms(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 +
           (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000;
}

/* Kept, half-sent, waiting for an answer, and refused by the limit: none may keep the loop busy. */
static void idle_connections_cost_nothing(void **state)
{
    struct scene *scene = *state;
    int fds[6];

    serve(scene, scene->address, (struct http_options){.max_connections = 5});
    for (size_t i = 0; i < 6; i++)
        fds[i] = client(scene);
    exchange_on(scene, fds[0], "GET /words HTTP/1.1\r\nHost: x\r\n\r\n");
    fixture_send(fds[1], "GET /wor");
    fixture_send(fds[2], "POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf");
    fixture_send(fds[3], "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
    fixture_send(fds[3], "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
    FIXTURE_TURN_UNTIL(scene->loop, scene->waiting_count == 1);
    struct loop_timer *stop = loop_timer_new(scene->loop, stop_loop, scene);
    loop_timer_start(stop, 1000);
    int64_t before = cpu_ms();
    loop_run(scene->loop);
    assert_true(cpu_ms() - before < 200);
    loop_timer_free(&stop);
    for (size_t i = 0; i < 6; i++)
        close(fds[i]);
}

static void the_limit_holds_and_gives_way(void **state)
{
    struct scene *scene = *state;
    struct exchange result = {0};
    struct buf got = {0};

    serve(scene, scene->address, (struct http_options){.max_connections = 1});
    int first = client(scene);
    assert_int_equal(exchange_on(scene, first, "GET /words HTTP/1.1\r\nHost: x\r\n\r\n").status,
                     200);
    int second = client(scene);
    fixture_send(second, "GET /words HTTP/1.1\r\nHost: x\r\n\r\n");
    for (int i = 0; i < 20; i++)
        loop_run_once(scene->loop);
    assert_true(fixture_receive(second, &got));
    assert_int_equal(got.len, 0);
    close(first);
    FIXTURE_TURN_UNTIL(scene->loop, exchange_step(second, &got, true, &result));
    assert_int_equal(result.status, 200);
    buf_fini(&got);
    close(second);
}

/* Each ends its connection in its own way, or the peer does. */
static void bad_input_is_counted_once_and_good_never(void **state)
{
    static const struct {
        const char *bytes;
        bool leaves; /* the peer, afterwards */
        bool is_bad;
    } cases[] = {
        {"", false, true}, /* what the library refused at once looks the same */
        {"", true, true},
        {"G", false, true},
        {"GET /wor", true, true},
        {"GET /words HTTP/1.1\r\nHost: x\r\n", false, true},
        {"GET /words HTTP/1.1\r\nHost: x\r\n\r\n", false, false},
        {"GET /words HTTP/1.1\r\nHost: x\r\n\r\n", true, false},
        {"GET /words HTTP/9.9\r\nHost: x\r\n\r\n", false, true},
        {"GET /words HTTP/1.1\r\n\r\n", false, true},
        {"POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", false, true},
        {"POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf", false, true},
        {"POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf", true, true},
        {"POST /body HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", false, true},
    };
    struct scene *scene = *state;
    struct buf got = {0};

    serve(scene, scene->address, (struct http_options){.idle_sec = 1});
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t before = http_server_bad_count(scene->server);
        int fd = client(scene);
        print_message("# %zu: %.60s\n", i, cases[i].bytes);
        fixture_send(fd, cases[i].bytes);
        FIXTURE_TURN_UNTIL(scene->loop, http_server_connection_count(scene->server) == 1 ||
                                            !fixture_receive(fd, &got));
        if (cases[i].leaves)
            shutdown(fd, SHUT_WR);
        FIXTURE_TURN_UNTIL(scene->loop, !fixture_receive(fd, &got));
        FIXTURE_TURN_UNTIL(scene->loop, http_server_connection_count(scene->server) == 0);
        assert_int_equal(http_server_bad_count(scene->server) - before, cases[i].is_bad);
        assert_false(http_server_is_busy(scene->server));
        close(fd);
    }
    buf_fini(&got);
}

static unsigned size_status(struct scene *scene, size_t size)
{
    char request[128];
    int fd = client(scene);
    struct exchange result = {0};
    struct buf got = {0};

    snprintf(request, sizeof(request), "GET /size?size=%zu HTTP/1.1\r\nHost: x\r\n\r\n", size);
    fixture_send(fd, request);
    FIXTURE_TURN_UNTIL(scene->loop, exchange_step(fd, &got, true, &result));
    buf_fini(&got);
    close(fd);
    return result.status;
}

static void memory_is_limited_for_all_together(void **state)
{
    enum { LIMIT = 2000000 };
    struct scene *scene = *state;
    char request[128];
    struct buf got = {0};

    serve(scene, scene->address, (struct http_options){.memory_max = LIMIT});
    assert_int_equal(size_status(scene, HTTP_BASE + LIMIT), 200);
    assert_int_equal(size_status(scene, HTTP_BASE + LIMIT + 1), 503);
    /* One that nobody reads takes its part, and gives it back. */
    int deaf = client(scene);
    snprintf(request, sizeof(request), "GET /size?size=%d HTTP/1.1\r\nHost: x\r\n\r\n",
             HTTP_BASE + LIMIT / 2);
    fixture_send(deaf, request);
    FIXTURE_TURN_UNTIL(scene->loop, http_server_is_busy(scene->server));
    assert_int_equal(size_status(scene, HTTP_BASE + LIMIT / 2), 200);
    assert_int_equal(size_status(scene, HTTP_BASE + LIMIT / 2 + 1), 503);
    assert_int_equal(size_status(scene, HTTP_BASE), 200);
    close(deaf);
    FIXTURE_TURN_UNTIL(scene->loop, http_server_connection_count(scene->server) == 0);
    assert_int_equal(size_status(scene, HTTP_BASE + LIMIT), 200);
    buf_fini(&got);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        HTTP_TEST(an_answer_may_come_later),
        HTTP_TEST(a_late_answer_wakes_the_loop),
        HTTP_TEST(a_handler_may_answer_others),
        HTTP_TEST(a_client_may_leave_before_its_answer),
        HTTP_TEST(those_who_wait_at_the_end_get_503),
        HTTP_TEST(stopped_it_answers_what_was_asked),
        HTTP_TEST(stopped_it_waits_for_half_a_request),
        HTTP_TEST(bad_input_is_counted_once_and_good_never),
        HTTP_TEST(memory_is_limited_for_all_together),
        HTTP_TEST(silence_ends_a_connection),
        HTTP_TEST(a_dripping_request_is_closed),
        HTTP_TEST(a_connection_may_serve_on_for_longer_than_a_request),
        HTTP_TEST(stopped_it_answers_who_is_there_and_nobody_new),
        HTTP_TEST(idle_connections_cost_nothing),
        HTTP_TEST(the_limit_holds_and_gives_way),
    };

    log_open("test", LOG_TARGET_NOWHERE, LOG_LEVEL_DEBUG);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
