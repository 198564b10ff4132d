/* SPDX-License-Identifier: MIT */
#ifndef PN_TEST_HTTP_FIXTURE_H
#define PN_TEST_HTTP_FIXTURE_H

#include <stdbool.h>

#include "tests/unit/net_fixture.h"

#include "common/base/log.h"
#include "common/base/str.h"
#include "common/net/http.h"
#include "common/net/listener.h"

#define BODY_MAX    1000
#define WAITING_MAX 64
#define TOKEN       "s3cret"

struct scene {
    struct loop *loop;
    struct http_server *server;
    char *dir;
    char address[128];
    uint16_t port; /* of a TCP listener */
    struct http_request *waiting[WAITING_MAX];
    size_t waiting_count;
    unsigned served;
    char peer[ADDR_TEXT_MAX];
    struct prefixlist from;
    struct error error;
};

static inline void answer_body(struct http_request *request, void *ctx)
{
    struct scene *scene = ctx;
    struct buf text = {0};
    size_t len;

    const uint8_t *body = http_request_body(request, &len);
    scene->served++;
    addr_format(http_request_peer(request), scene->peer);
    buf_printf(&text, "[%.*s]", (int)len, (const char *)body);
    http_respond(request, 200, "text/plain", text.data, text.len);
    buf_fini(&text);
}

static inline void answer_words(struct http_request *request, void *ctx)
{
    const char *command = http_request_argument(request, "command");
    const char *header = http_request_header(request, "x-word");
    char text[128];

    (void)ctx;
    assert_null(http_request_argument(request, "absent"));
    assert_null(http_request_header(request, "absent"));
    int len = snprintf(text, sizeof(text), "%s/%s", command ? command : "-", header ? header : "-");
    http_respond(request, 200, "text/plain", text, (size_t)len);
}

static inline void answer_later(struct http_request *request, void *ctx)
{
    struct scene *scene = ctx;

    assert_true(scene->waiting_count < WAITING_MAX);
    scene->waiting[scene->waiting_count++] = request;
}

/* Answers all that wait, then itself: from within another request's handler. */
static inline void answer_all(struct http_request *request, void *ctx)
{
    struct scene *scene = ctx;

    for (size_t i = 0; i < scene->waiting_count; i++)
        http_respond(scene->waiting[i], 200, "text/plain", "late", 4);
    scene->waiting_count = 0;
    http_respond(request, 200, "text/plain", NULL, 0);
}

static inline void answer_long(struct http_request *request, void *ctx)
{
    size_t len;

    (void)ctx;
    http_request_body(request, &len);
    const char *text = http_request_is_too_long(request) ? "too long" : "taken";
    assert_true(!http_request_is_too_long(request) || len == 0);
    http_respond(request, 200, "text/plain", text, strlen(text));
}

/* Of so many bytes as its argument says. */
static inline void answer_size(struct http_request *request, void *ctx)
{
    size_t len = strtoul(http_request_argument(request, "size"), NULL, 10);
    char *text = malloc(len);

    (void)ctx;
    memset(text, 'x', len);
    http_respond(request, 200, "text/plain", text, len);
    free(text);
}

static const struct http_route routes[] = {
    {"POST", "/body", answer_body, false},   {"GET", "/words", answer_words, false},
    {"POST", "/words", answer_words, false}, {"GET", "/later", answer_later, false},
    {"GET", "/all", answer_all, false},      {"POST", "/long", answer_long, true},
    {"GET", "/size", answer_size, false},
};

static inline void serve(struct scene *scene, const char *address, struct http_options options)
{
    options.fd = listener_bind(address, NULL, &scene->error);
    assert_true(options.fd >= 0);
    if (!str_has_prefix(address, "unix:"))
        scene->port = fixture_port(options.fd);
    options.name = "test";
    options.body_max = BODY_MAX;
    options.routes = routes;
    options.route_count = sizeof(routes) / sizeof(routes[0]);
    options.ctx = scene;
    if (!options.max_connections)
        options.max_connections = 100;
    if (!options.idle_sec)
        options.idle_sec = 30;
    scene->server = http_server_new(scene->loop, &options, &scene->error);
    assert_non_null(scene->server);
}

static inline int set_up(void **state)
{
    struct scene *scene = calloc(1, sizeof(*scene));

    scene->loop = loop_new();
    scene->dir = fixture_dir_new();
    snprintf(scene->address, sizeof(scene->address), "unix:%s/http", scene->dir);
    *state = scene;
    return 0;
}

static inline int tear_down(void **state)
{
    struct scene *scene = *state;

    http_server_free(&scene->server);
    assert_null(scene->server);
    loop_free(&scene->loop);
    prefixlist_fini(&scene->from);
    fixture_dir_remove(scene->dir);
    free(scene);
    return 0;
}

static inline int client(struct scene *scene)
{
    int fd = fixture_connect(scene->port ? NULL : scene->address, scene->port);

    assert_true(fd >= 0);
    return fd;
}

/* Whether `got` holds the whole of an answer, by its Content-Length; it is taken off then. */
static inline bool take_answer(struct buf *got, bool has_body, unsigned *status_r, char *text,
                               size_t text_max)
{
    const char *end = got->len ? strstr(buf_str(got), "\r\n\r\n") : NULL;
    const char *length = end ? strcasestr(buf_str(got), "\r\nContent-Length: ") : NULL;
    if (!length)
        return false;
    size_t head = (size_t)(end + 4 - buf_str(got));
    size_t body = has_body ? strtoul(length + strlen("\r\nContent-Length: "), NULL, 10) : 0;
    if (got->len < head + body)
        return false;
    *status_r = (unsigned)strtoul(buf_str(got) + strlen("HTTP/1.1 "), NULL, 10);
    snprintf(text, text_max, "%.*s", (int)(head + body), buf_str(got));
    buf_consume(got, head + body);
    return true;
}

struct exchange {
    unsigned status;
    char text[1024];
    bool open; /* the connection, afterwards */
};

static inline bool exchange_step(int fd, struct buf *got, bool has_body, struct exchange *exchange)
{
    exchange->open = fixture_receive(fd, got);
    return take_answer(got, has_body, &exchange->status, exchange->text, sizeof(exchange->text)) ||
           !exchange->open;
}

static inline struct exchange exchange_on(struct scene *scene, int fd, const char *request)
{
    struct exchange exchange = {0};
    struct buf got = {0};

    fixture_send(fd, request);
    bool has_body = !str_has_prefix(request, "HEAD ");
    FIXTURE_TURN_UNTIL(scene->loop, exchange_step(fd, &got, has_body, &exchange));
    for (int i = 0; i < 5 && exchange.open; i++) {
        loop_run_once(scene->loop);
        exchange.open = fixture_receive(fd, &got);
    }
    /* The library writes the head of some of its own last answers twice. */
    if (exchange.open)
        assert_int_equal(got.len, 0);
    buf_fini(&got);
    return exchange;
}

static inline struct exchange exchange(struct scene *scene, const char *request)
{
    int fd = client(scene);
    struct exchange result = exchange_on(scene, fd, request);

    close(fd);
    return result;
}

static inline const char *answer_text(const struct exchange *exchange)
{
    return strstr(exchange->text, "\r\n\r\n") + 4;
}

#define HTTP_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
