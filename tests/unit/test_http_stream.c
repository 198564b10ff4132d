/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <sys/socket.h>

#include "tests/unit/http_fixture.h"
#include "tests/unit/unit.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: x\r\n\r\n"

/* What the source has, and what became of it. */
static struct {
    struct http_request *request;
    struct buf text; /* not taken yet */
    size_t endless;  /* bytes that a piece has without end, or 0 */
    bool is_all;     /* nothing comes after text */
    unsigned asked;  /* times */
    unsigned gone;
} source;

static bool more(void *ctx, struct buf *out)
{
    (void)ctx;
    source.asked++;
    for (size_t i = 0; i < source.endless; i++)
        buf_putc(out, 'x');
    size_t len = source.text.len < HTTP_PIECE ? source.text.len : HTTP_PIECE;
    buf_put(out, source.text.data, len);
    buf_consume(&source.text, len);
    return source.is_all && !source.text.len;
}

static void gone(void *ctx)
{
    (void)ctx;
    source.gone++;
}

static void answer_stream(struct http_request *request, void *ctx)
{
    static const struct http_source of = {more, gone};

    source.request = request;
    http_respond_stream(request, "text/plain", &of, ctx);
}

static void answer_tagged(struct http_request *request, void *ctx)
{
    (void)ctx;
    http_request_tag(request, "\"v1\"");
    if (http_request_has(request, "\"v1\""))
        http_respond(request, 304, "text/plain", NULL, 0);
    else
        http_respond(request, 200, "text/plain", "all", 3);
}

static void answer_hold(struct http_request *request, void *ctx)
{
    bool fits = http_hold(request, strtoul(http_request_argument(request, "size"), NULL, 10));

    (void)ctx;
    http_respond(request, 200, "text/plain", fits ? "fits" : "full", 4);
}

static const struct http_route stream_routes[] = {
    {"GET", "/stream", answer_stream, false},
    {"GET", "/tagged", answer_tagged, false},
    {"GET", "/hold", answer_hold, false},
};

static void begin(struct scene *scene, struct http_options options)
{
    buf_fini(&source.text);
    memset(&source, 0, sizeof(source));
    options.fd = listener_bind(scene->address, NULL, &scene->error);
    options.name = "test";
    options.body_max = BODY_MAX;
    options.routes = stream_routes;
    options.route_count = 3;
    options.max_connections = 10;
    if (!options.idle_sec)
        options.idle_sec = 30;
    options.request_sec = 1;
    scene->server = http_server_new(scene->loop, &options, &scene->error);
    assert_non_null(scene->server);
}

/* Body of what came in chunks (RFC 9112 7.1), up to the last whole one. */
static bool body_of(const struct buf *got, struct buf *body)
{
    const char *at = strstr(buf_str(got), "\r\n\r\n");
    size_t len = 1;

    buf_reset(body);
    for (at = at ? at + 4 : NULL; at && len && strstr(at, "\r\n");) {
        len = strtoul(at, NULL, 16);
        at = strstr(at, "\r\n") + 2;
        if ((size_t)(buf_str(got) + got->len - at) < len + 2)
            return false;
        buf_put(body, at, len);
        at += len + 2;
    }
    return at && !len;
}

static bool has_body(int fd, struct buf *got, size_t len)
{
    struct buf body = {0};

    fixture_receive(fd, got);
    body_of(got, &body);
    bool has = body.len >= len;
    buf_fini(&body);
    return has;
}

static bool is_whole(int fd, struct buf *got, struct buf *body)
{
    fixture_receive(fd, got);
    return body_of(got, body);
}

static void a_body_comes_in_pieces(void **state)
{
    struct scene *scene = *state;
    struct buf got = {0}, body = {0}, wanted = {0};

    begin(scene, (struct http_options){0});
    for (unsigned i = 0; i < 20000; i++)
        buf_printf(&wanted, "%u\n", i);
    buf_put(&source.text, wanted.data, wanted.len);
    source.is_all = true;
    int fd = client(scene);
    fixture_send(fd, GET("/stream"));
    FIXTURE_TURN_UNTIL(scene->loop, is_whole(fd, &got, &body));
    assert_non_null(strstr(buf_str(&got), "Transfer-Encoding: chunked"));
    assert_string_equal(buf_str(&body), buf_str(&wanted));
    assert_int_equal(source.gone, 1);
    /* The connection goes on. */
    struct exchange next = exchange_on(scene, fd, GET("/tagged"));
    assert_int_equal(next.status, 200);
    assert_true(next.open);
    assert_int_equal(http_server_bad_count(scene->server), 0);
    close(fd);
    buf_fini(&got);
    buf_fini(&body);
    buf_fini(&wanted);
}

static void waiting_it_costs_nothing_and_wakes(void **state)
{
    struct scene *scene = *state;
    struct buf got = {0};

    begin(scene, (struct http_options){0});
    int fd = client(scene);
    fixture_send(fd, GET("/stream"));
    FIXTURE_TURN_UNTIL(scene->loop, source.asked);
    for (size_t round = 1; round <= 3; round++) {
        unsigned asked = source.asked;
        for (int i = 0; i < 50; i++)
            loop_run_once(scene->loop);
        assert_in_range(source.asked, asked, asked + 1);
        buf_puts(&source.text, "news\n");
        http_wake(source.request);
        http_wake(source.request);
        FIXTURE_TURN_UNTIL(scene->loop, has_body(fd, &got, 5 * round));
    }
    assert_true(http_server_is_busy(scene->server));
    close(fd);
    /* Asleep it does not see that; the second write at the latest does. */
    for (int i = 0; i < 2 && !source.gone; i++) {
        buf_puts(&source.text, "beat\n");
        http_wake(source.request);
        for (int turn = 0; turn < 20; turn++)
            loop_run_once(scene->loop);
    }
    assert_int_equal(source.gone, 1);
    assert_false(http_server_is_busy(scene->server));
    buf_fini(&got);
}

static void stopped_it_breaks_off(void **state)
{
    struct scene *scene = *state;
    struct buf got = {0}, body = {0};

    begin(scene, (struct http_options){0});
    int fd = client(scene);
    fixture_send(fd, GET("/stream"));
    FIXTURE_TURN_UNTIL(scene->loop, source.asked);
    http_server_stop(scene->server);
    FIXTURE_TURN_UNTIL(scene->loop, !fixture_receive(fd, &got));
    assert_false(body_of(&got, &body));
    assert_int_equal(source.gone, 1);
    close(fd);
    buf_fini(&got);
    buf_fini(&body);
}

static void freed_it_is_gone_asleep_or_not(void **state)
{
    struct scene *scene = *state;

    begin(scene, (struct http_options){0});
    int asleep = client(scene), deaf = client(scene);
    fixture_send(asleep, GET("/stream"));
    FIXTURE_TURN_UNTIL(scene->loop, source.asked);
    source.endless = HTTP_PIECE;
    fixture_send(deaf, GET("/stream"));
    FIXTURE_TURN_UNTIL(scene->loop, source.asked > 10);
    http_server_free(&scene->server);
    assert_int_equal(source.gone, 2);
    close(asleep);
    close(deaf);
}

static void a_deaf_reader_is_cut(void **state)
{
    struct scene *scene = *state;

    begin(scene, (struct http_options){.idle_sec = 1});
    source.endless = HTTP_PIECE;
    int fd = client(scene);
    fixture_send(fd, GET("/stream"));
    FIXTURE_TURN_UNTIL(scene->loop, http_server_connection_count(scene->server) == 0);
    assert_int_equal(source.gone, 1);
    assert_int_equal(http_server_bad_count(scene->server), 1);
    close(fd);
}

/* Longer than idle_sec and request_sec together. */
static void a_reader_may_take_its_time(void **state)
{
    struct scene *scene = *state;
    struct buf got = {0};

    begin(scene, (struct http_options){.idle_sec = 1});
    int fd = client(scene);
    fixture_send(fd, GET("/stream"));
    FIXTURE_TURN_UNTIL(scene->loop, source.asked);
    struct loop_timer *timer =
        loop_timer_new(scene->loop, (void (*)(void *))loop_stop, scene->loop);
    loop_timer_start(timer, 3000);
    loop_run(scene->loop);
    assert_int_equal(source.gone, 0);
    buf_puts(&source.text, "news\n");
    http_wake(source.request);
    FIXTURE_TURN_UNTIL(scene->loop, has_body(fd, &got, 5));
    loop_timer_free(&timer);
    close(fd);
    buf_fini(&got);
}

static void head_has_no_body(void **state)
{
    struct scene *scene = *state;
    struct buf got = {0};

    begin(scene, (struct http_options){0});
    source.endless = HTTP_PIECE;
    int fd = client(scene);
    fixture_send(fd, "HEAD /stream HTTP/1.1\r\nHost: x\r\n\r\n");
    FIXTURE_TURN_UNTIL(scene->loop, source.gone);
    FIXTURE_TURN_UNTIL(scene->loop, fixture_receive(fd, &got) && got.len);
    assert_string_equal(strstr(buf_str(&got), "\r\n\r\n"), "\r\n\r\n");
    assert_int_equal(source.asked, 0);
    close(fd);
    buf_fini(&got);
}

static void who_has_it_is_not_sent_it_again(void **state)
{
    static const struct {
        const char *header;
        unsigned status;
    } cases[] = {
        {"", 200},
        {"If-None-Match: \"v1\"\r\n", 304},
        {"If-None-Match: \"v0\", W/\"v1\"\r\n", 304},
        {"If-None-Match: *\r\n", 304},
        {"If-None-Match: \"v10\"\r\n", 200},
        {"If-None-Match: v1\r\n", 200},
    };
    struct scene *scene = *state;
    char request[128];

    begin(scene, (struct http_options){0});
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct buf got = {0};
        int fd = client(scene);
        snprintf(request, sizeof(request), "GET /tagged HTTP/1.1\r\nHost: x\r\n%s\r\n",
                 cases[i].header);
        fixture_send(fd, request);
        FIXTURE_TURN_UNTIL(scene->loop,
                           fixture_receive(fd, &got) && strstr(buf_str(&got), "\r\n\r\n"));
        CASE(cases[i].header, strtoul(buf_str(&got) + 9, NULL, 10) == cases[i].status);
        assert_non_null(strstr(buf_str(&got), "ETag: \"v1\"\r\n"));
        close(fd);
        buf_fini(&got);
    }
}

static void what_a_source_holds_counts(void **state)
{
    struct scene *scene = *state;

    begin(scene, (struct http_options){.memory_max = 1000});
    struct exchange fits = exchange(scene, GET("/hold?size=9192"));
    assert_string_equal(answer_text(&fits), "fits");
    struct exchange full = exchange(scene, GET("/hold?size=9193"));
    assert_string_equal(answer_text(&full), "full");
    fits = exchange(scene, GET("/hold?size=9192"));
    assert_string_equal(answer_text(&fits), "fits");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        HTTP_TEST(a_body_comes_in_pieces),     HTTP_TEST(waiting_it_costs_nothing_and_wakes),
        HTTP_TEST(stopped_it_breaks_off),      HTTP_TEST(freed_it_is_gone_asleep_or_not),
        HTTP_TEST(a_deaf_reader_is_cut),       HTTP_TEST(a_reader_may_take_its_time),
        HTTP_TEST(head_has_no_body),           HTTP_TEST(who_has_it_is_not_sent_it_again),
        HTTP_TEST(what_a_source_holds_counts),
    };

    log_open("test", LOG_TARGET_NOWHERE, LOG_LEVEL_DEBUG);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
