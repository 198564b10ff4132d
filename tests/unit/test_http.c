/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <stdbool.h>
#include <sys/resource.h>

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

static void answer_body(struct http_request *request, void *ctx)
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

static void answer_words(struct http_request *request, void *ctx)
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

static void answer_later(struct http_request *request, void *ctx)
{
    struct scene *scene = ctx;

    assert_true(scene->waiting_count < WAITING_MAX);
    scene->waiting[scene->waiting_count++] = request;
}

/* Answers all that wait, then itself: from within another request's handler. */
static void answer_all(struct http_request *request, void *ctx)
{
    struct scene *scene = ctx;

    for (size_t i = 0; i < scene->waiting_count; i++)
        http_respond(scene->waiting[i], 200, "text/plain", "late", 4);
    scene->waiting_count = 0;
    http_respond(request, 200, "text/plain", NULL, 0);
}

static const struct http_route routes[] = {
    {"POST", "/body", answer_body},   {"GET", "/words", answer_words},
    {"POST", "/words", answer_words}, {"GET", "/later", answer_later},
    {"GET", "/all", answer_all},
};

static void serve(struct scene *scene, const char *address, struct http_options options)
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

static int set_up(void **state)
{
    struct scene *scene = calloc(1, sizeof(*scene));

    scene->loop = loop_new();
    scene->dir = fixture_dir_new();
    snprintf(scene->address, sizeof(scene->address), "unix:%s/http", scene->dir);
    *state = scene;
    return 0;
}

static int tear_down(void **state)
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

static int client(struct scene *scene)
{
    int fd = fixture_connect(scene->port ? NULL : scene->address, scene->port);

    assert_true(fd >= 0);
    return fd;
}

/* Whether `got` holds the whole of an answer, by its Content-Length; it is taken off then. */
static bool take_answer(struct buf *got, bool has_body, unsigned *status_r, char *text,
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

static bool exchange_step(int fd, struct buf *got, bool has_body, struct exchange *exchange)
{
    exchange->open = fixture_receive(fd, got);
    return take_answer(got, has_body, &exchange->status, exchange->text, sizeof(exchange->text)) ||
           !exchange->open;
}

static struct exchange exchange_on(struct scene *scene, int fd, const char *request)
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

static struct exchange exchange(struct scene *scene, const char *request)
{
    int fd = client(scene);
    struct exchange result = exchange_on(scene, fd, request);

    close(fd);
    return result;
}

static const char *answer_text(const struct exchange *exchange)
{
    return strstr(exchange->text, "\r\n\r\n") + 4;
}

static void requests_meet_their_routes(void **state)
{
    static const struct {
        const char *request;
        unsigned status;
        const char *text; /* in the answer */
    } cases[] = {
        {"POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello", 200,
         "\r\n\r\n[hello]"},
        {"POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", 200, "\r\n\r\n[]"},
        {"POST /body HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
         "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
         200, "\r\n\r\n[hello]"},
        {"GET /words?command=allow&x=1 HTTP/1.1\r\nHost: x\r\nX-Word: w\r\n\r\n", 200,
         "\r\n\r\nallow/w"},
        {"GET /words HTTP/1.1\r\nHost: x\r\n\r\n", 200, "\r\n\r\n-/-"},
        {"HEAD /words HTTP/1.1\r\nHost: x\r\n\r\n", 200, "Content-Length: 3"},
        {"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n", 404, "Not Found"},
        {"GET /words/ HTTP/1.1\r\nHost: x\r\n\r\n", 404, "Not Found"},
        {"POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello", 404, "Not Found"},
        {"GET /body HTTP/1.1\r\nHost: x\r\n\r\n", 405, "Allow: POST\r\n"},
        {"HEAD /body HTTP/1.1\r\nHost: x\r\n\r\n", 405, "Allow: POST\r\n"},
        {"DELETE /words HTTP/1.1\r\nHost: x\r\n\r\n", 405, "Allow: GET, POST\r\n"},
    };
    struct scene *scene = *state;

    serve(scene, scene->address, (struct http_options){0});
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct exchange result = exchange(scene, cases[i].request);
        assert_int_equal(result.status, cases[i].status);
        assert_non_null(strstr(result.text, cases[i].text));
        assert_true(result.open);
    }
    assert_string_equal(scene->peer, "none");
}

static void a_request_comes_byte_by_byte(void **state)
{
    struct scene *scene = *state;
    const char *request = "POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nok";
    struct exchange result = {0};
    struct buf got = {0};

    serve(scene, scene->address, (struct http_options){0});
    int fd = client(scene);
    for (const char *p = request; *p; p++) {
        fixture_send(fd, (char[]){*p, '\0'});
        loop_run_once(scene->loop);
        loop_run_once(scene->loop);
    }
    FIXTURE_TURN_UNTIL(scene->loop, exchange_step(fd, &got, true, &result));
    assert_string_equal(answer_text(&result), "[ok]");
    buf_fini(&got);
    close(fd);
}

static void a_connection_is_kept(void **state)
{
    struct scene *scene = *state;

    serve(scene, "127.0.0.1:0", (struct http_options){0});
    int fd = client(scene);
    for (int i = 0; i < 20; i++) {
        struct exchange result =
            exchange_on(scene, fd, "POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi");
        assert_int_equal(result.status, 200);
        assert_true(result.open);
        result = exchange_on(scene, fd, "GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n");
        assert_int_equal(result.status, 404);
        assert_true(result.open);
    }
    assert_string_equal(scene->peer, "127.0.0.1");
    close(fd);
}

static char *long_request(const char *head, size_t len)
{
    struct buf text = {0};

    buf_puts(&text, head);
    memset(buf_reserve(&text, len), 'x', len);
    buf_commit(&text, len);
    return buf_steal(&text);
}

static void a_body_is_bounded(void **state)
{
    static const struct {
        const char *head;
        size_t len;
        unsigned status;
        bool open;
    } cases[] = {
        {"POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n", 1000, 200, true},
        {"POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n", 1001, 413, true},
        {"POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n", 60000, 413, true},
        {"POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n", 60000, 404, true},
        {"POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n", 10, 413, false},
        {"POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999\r\n\r\n", 10, 0,
         false},
        {"POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 10, 400, false},
        {"POST /body HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\n", 1000, 200,
         true},
        {"POST /body HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n", 1001, 413,
         true},
        {"POST /body HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfffff\r\n", 100000, 0,
         false},
    };
    struct scene *scene = *state;

    serve(scene, scene->address, (struct http_options){0});
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *request = long_request(cases[i].head, cases[i].len);
        if (strstr(request, "\r\n3e")) {
            request = realloc(request, strlen(request) + 10);
            strcat(request, "\r\n0\r\n\r\n");
        }
        print_message("# %zu\n", i);
        struct exchange result = exchange(scene, request);
        if (cases[i].status)
            assert_int_equal(result.status, cases[i].status);
        assert_int_equal(result.open, cases[i].open);
        free(request);
    }
    assert_int_equal(scene->served, 2);
}

static void a_token_is_asked_for(void **state)
{
    static const struct {
        const char *header;
        unsigned status;
    } cases[] = {
        {"", 401},
        {"Authorization: Bearer " TOKEN "\r\n", 200},
        {"authorization: bearer " TOKEN "\r\n", 200},
        {"Authorization: Bearer s3cre\r\n", 401},
        {"Authorization: Bearer " TOKEN "x\r\n", 401},
        {"Authorization: Bearer \r\n", 401},
        {"Authorization: Bearer\r\n", 401},
        {"Authorization: " TOKEN "\r\n", 401},
        {"X-API-Key: " TOKEN "\r\n", 200},
        {"X-Api-Key: wrong\r\n", 401},
        {"X-Api-Key:\r\n", 401},
        {"Authorization: Basic ZG92ZWNvdDpzM2NyZXQ=\r\n", 200}, /* dovecot:s3cret */
        {"Authorization: Basic OnMzY3JldA==\r\n", 200},         /* :s3cret */
        {"Authorization: Basic czNjcmV0Og==\r\n", 401},         /* s3cret: */
        {"Authorization: Basic czNjcmV0\r\n", 401},             /* s3cret */
        {"Authorization: Basic ZG92ZWNvdDp3cm9uZw==\r\n", 401}, /* dovecot:wrong */
        {"Authorization: Basic !!!\r\n", 401},
    };
    struct scene *scene = *state;

    serve(scene, scene->address, (struct http_options){.token = TOKEN});
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char request[256];
        snprintf(request, sizeof(request), "GET /words HTTP/1.1\r\nHost: x\r\n%s\r\n",
                 cases[i].header);
        print_message("# %s", cases[i].header[0] ? cases[i].header : "none\n");
        struct exchange result = exchange(scene, request);
        assert_int_equal(result.status, cases[i].status);
        if (result.status == 401)
            assert_non_null(strstr(result.text, "WWW-Authenticate: "));
    }
    struct exchange result = exchange(scene, "GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_int_equal(result.status, 401);
}

static void add_from(struct scene *scene, const char *text)
{
    struct prefix prefix;

    assert_int_equal(prefix_parse(text, &prefix), 0);
    prefixlist_add(&scene->from, &prefix);
}

static void strangers_are_not_heard(void **state)
{
    struct scene *scene = *state;

    add_from(scene, "10.8.0.1");
    serve(scene, "127.0.0.1:0", (struct http_options){.from = &scene->from, .max_connections = 2});
    for (int i = 0; i < 5; i++) {
        struct exchange result = exchange(scene, "GET /words HTTP/1.1\r\nHost: x\r\n\r\n");
        assert_int_equal(result.status, 0);
        assert_false(result.open);
    }
}

static void those_named_are_heard(void **state)
{
    struct scene *scene = *state;

    add_from(scene, "10.8.0.1");
    add_from(scene, "127.0.0.0/8");
    serve(scene, "127.0.0.1:0", (struct http_options){.from = &scene->from});
    assert_int_equal(exchange(scene, "GET /words HTTP/1.1\r\nHost: x\r\n\r\n").status, 200);
}

static void from_does_not_concern_a_unix_socket(void **state)
{
    struct scene *scene = *state;

    add_from(scene, "10.8.0.1");
    serve(scene, scene->address, (struct http_options){.from = &scene->from});
    assert_int_equal(exchange(scene, "GET /words HTTP/1.1\r\nHost: x\r\n\r\n").status, 200);
}

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

static void garbage_is_refused(void **state)
{
    static const char *const cases[] = {
        "\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n",
        "\x16\x03\x01\x02\x01\x01\xff\xfe\r\n\r\n",
        "PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\n\r\n",
        "GET\r\n\r\n",
        "GET /words HTTP/9.9\r\n\r\n",
        "POST /body HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
        "request=status\n\n",
        "EHLO example.com\r\n",
    };
    struct scene *scene = *state;

    serve(scene, scene->address, (struct http_options){.max_connections = 2});
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct buf got = {0};
        int fd = client(scene);
        fixture_send(fd, cases[i]);
        for (int turn = 0; turn < 20; turn++)
            loop_run_once(scene->loop);
        fixture_receive(fd, &got);
        assert_null(strstr(buf_str(&got), " 200 "));
        buf_fini(&got);
        close(fd);
    }
    char *request = long_request("GET /words HTTP/1.1\r\nHost: x\r\nX-Long: ", 40000);
    struct exchange result = exchange(scene, request);
    assert_int_equal(result.status, 431);
    assert_false(result.open);
    free(request);
    assert_int_equal(exchange(scene, "GET /words HTTP/1.1\r\nHost: x\r\n\r\n").status, 200);
    assert_int_equal(scene->served, 0);
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

#define HTTP_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        HTTP_TEST(requests_meet_their_routes),
        HTTP_TEST(a_request_comes_byte_by_byte),
        HTTP_TEST(a_connection_is_kept),
        HTTP_TEST(a_body_is_bounded),
        HTTP_TEST(a_token_is_asked_for),
        HTTP_TEST(strangers_are_not_heard),
        HTTP_TEST(those_named_are_heard),
        HTTP_TEST(from_does_not_concern_a_unix_socket),
        HTTP_TEST(an_answer_may_come_later),
        HTTP_TEST(a_late_answer_wakes_the_loop),
        HTTP_TEST(a_handler_may_answer_others),
        HTTP_TEST(a_client_may_leave_before_its_answer),
        HTTP_TEST(those_who_wait_at_the_end_get_503),
        HTTP_TEST(garbage_is_refused),
        HTTP_TEST(silence_ends_a_connection),
        HTTP_TEST(idle_connections_cost_nothing),
        HTTP_TEST(the_limit_holds_and_gives_way),
    };

    log_open("test", LOG_TARGET_NOWHERE, LOG_LEVEL_DEBUG);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
