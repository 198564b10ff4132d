/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "tests/unit/http_fixture.h"

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

/* More than the socket takes at once. */
static struct exchange exchange_long(struct scene *scene, const char *request)
{
    struct exchange result = {0};
    struct buf got = {0};
    int fd = client(scene);

    for (size_t left = strlen(request); left;) {
        ssize_t n = send(fd, request, left, MSG_NOSIGNAL | MSG_DONTWAIT);
        request += n > 0 ? n : 0;
        left -= n > 0 ? (size_t)n : 0;
        loop_run_once(scene->loop);
    }
    FIXTURE_TURN_UNTIL(scene->loop, exchange_step(fd, &got, true, &result));
    buf_fini(&got);
    close(fd);
    return result;
}

/* A route may take them, without what they say. */
static void a_long_body_may_be_handled(void **state)
{
    static const struct {
        size_t len;
        const char *text;
    } cases[] = {{1000, "taken"}, {1001, "too long"}, {20000, "too long"}, {1049576, "too long"}};
    struct scene *scene = *state;
    char head[128];

    serve(scene, scene->address, (struct http_options){0});
    for (size_t i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
        size_t len = cases[i / 2].len;
        bool chunked = i % 2;
        snprintf(head, sizeof(head), "POST /long HTTP/1.1\r\nHost: x\r\n%s%zu\r\n\r\n",
                 chunked ? "Transfer-Encoding: chunked\r\nX: " : "Content-Length: ", len);
        if (chunked)
            snprintf(head + strlen(head), sizeof(head) - strlen(head), "%zx\r\n", len);
        char *request = long_request(head, len);
        if (chunked) {
            request = realloc(request, strlen(request) + 10);
            strcat(request, "\r\n0\r\n\r\n");
        }
        struct exchange result = exchange_long(scene, request);
        assert_int_equal(result.status, 200);
        assert_string_equal(answer_text(&result), cases[i / 2].text);
        assert_true(result.open);
        free(request);
    }
    struct exchange result =
        exchange(scene, "POST /long HTTP/1.1\r\nHost: x\r\nContent-Length: 1049577\r\n\r\nx");
    assert_int_equal(result.status, 413);
    assert_false(result.open);
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

int main(void)
{
    static const struct CMUnitTest tests[] = {
        HTTP_TEST(requests_meet_their_routes),
        HTTP_TEST(a_request_comes_byte_by_byte),
        HTTP_TEST(a_connection_is_kept),
        HTTP_TEST(a_body_is_bounded),
        HTTP_TEST(a_long_body_may_be_handled),
        HTTP_TEST(a_token_is_asked_for),
        HTTP_TEST(strangers_are_not_heard),
        HTTP_TEST(those_named_are_heard),
        HTTP_TEST(from_does_not_concern_a_unix_socket),
        HTTP_TEST(garbage_is_refused),
    };

    log_open("test", LOG_TARGET_NOWHERE, LOG_LEVEL_DEBUG);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
