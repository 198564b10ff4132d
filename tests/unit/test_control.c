/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <pthread.h>
#include <stdbool.h>

#include "tests/unit/net_fixture.h"

#include "common/net/control.h"
#include "common/net/listener.h"

/* One connection: read a request, write `answer` in pieces of `piece` bytes, then close. */
struct server {
    char *dir;
    char address[128];
    int fd;
    const char *answer;
    size_t piece;
    bool stays_open; /* until the client closes */
    char request[128];
    pthread_t thread;
    bool runs;
    struct error error;
};

static void write_answer(const struct server *server, int fd)
{
    size_t len = strlen(server->answer);

    for (size_t at = 0; at < len; at += server->piece) {
        size_t part = len - at < server->piece ? len - at : server->piece;
        if (send(fd, server->answer + at, part, MSG_NOSIGNAL) < 0)
            return;
    }
}

static void *serve(void *ctx)
{
    struct server *server = ctx;
    struct pollfd pfd = {.fd = server->fd, .events = POLLIN};
    size_t used = 0;
    char rest[16];

    poll(&pfd, 1, FIXTURE_PATIENCE_MS);
    int fd = accept(server->fd, NULL, NULL);
    while (!strstr(server->request, "\n\n")) {
        ssize_t n = recv(fd, server->request + used, sizeof(server->request) - 1 - used, 0);
        if (n <= 0)
            break;
        used += (size_t)n;
        server->request[used] = '\0';
    }
    write_answer(server, fd);
    while (server->stays_open && recv(fd, rest, sizeof(rest), 0) > 0)
        continue;
    close(fd);
    return NULL;
}

static int set_up(void **state)
{
    struct server *server = calloc(1, sizeof(*server));

    server->dir = fixture_dir_new();
    snprintf(server->address, sizeof(server->address), "unix:%s/control", server->dir);
    server->fd = listener_bind(server->address, NULL, &server->error);
    server->piece = 4096;
    *state = server;
    return server->fd < 0;
}

static int tear_down(void **state)
{
    struct server *server = *state;

    if (server->runs)
        pthread_join(server->thread, NULL);
    close(server->fd);
    unlink(server->address + strlen("unix:"));
    fixture_dir_remove(server->dir);
    free(server);
    return 0;
}

static struct control *ask(struct server *server, const char *answer, int timeout_ms)
{
    struct buf request = {0};

    server->answer = answer;
    assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
    server->runs = true;
    struct control *control = control_open(server->address, timeout_ms, &server->error);
    assert_non_null(control);
    attr_put(&request, "request", "bans");
    attr_end(&request);
    assert_int_equal(control_send(control, &request, &server->error), 0);
    buf_fini(&request);
    return control;
}

static void records_come_one_by_one(void **state)
{
    struct server *server = *state;
    struct attr_list list;

    for (size_t piece = 1; piece < 5; piece++) {
        server->piece = piece;
        struct control *control =
            ask(server, "ban=192.0.2.1\n\nban=192.0.2.2\n\nstatus=ok\ncount=2\n\n", 5000);
        assert_int_equal(control_next(control, &list, &server->error), 1);
        assert_string_equal(attr_get(&list, "ban"), "192.0.2.1");
        assert_int_equal(control_next(control, &list, &server->error), 1);
        assert_string_equal(attr_get(&list, "ban"), "192.0.2.2");
        assert_int_equal(control_next(control, &list, &server->error), 0);
        assert_string_equal(attr_get(&list, "count"), "2");
        pthread_join(server->thread, NULL);
        server->runs = false;
        assert_string_equal(server->request, "request=bans\n\n");
        memset(server->request, 0, sizeof(server->request));
        control_close(&control);
        assert_null(control);
        control_close(&control);
    }
}

static void failures_say_why(void **state)
{
    static const struct {
        const char *answer;
        bool stays_open;
        enum error_code code;
        const char *text;
    } cases[] = {
        {"status=error\nreason=no such ban\n\n", false, ERROR_REFUSED, "no such ban"},
        {"status=error\n\n", false, ERROR_REFUSED, "refused without a reason"},
        {"", false, ERROR_PEER, "closed in the middle of an answer"},
        {"status=ok\n", false, ERROR_PEER, "closed in the middle of an answer"},
        {"nonsense\n\n", false, ERROR_PEER, "bad answer"},
        {"status=ok\n", true, ERROR_TIMEOUT, "no answer"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct server *server = *state;
        struct attr_list list;
        server->stays_open = cases[i].stays_open;
        struct control *control = ask(server, cases[i].answer, cases[i].stays_open ? 50 : 5000);
        assert_int_equal(control_next(control, &list, &server->error), -1);
        assert_int_equal(server->error.code, cases[i].code);
        assert_non_null(strstr(server->error.text, cases[i].text));
        control_close(&control);
        pthread_join(server->thread, NULL);
        server->runs = false;
        memset(server->request, 0, sizeof(server->request));
    }
}

static void an_endless_record_is_refused(void **state)
{
    struct server *server = *state;
    struct attr_list list;
    char *answer = malloc(1u << 20);

    memset(answer, 'x', (1u << 20) - 1);
    answer[(1u << 20) - 1] = '\0';
    struct control *control = ask(server, answer, 5000);
    assert_int_equal(control_next(control, &list, &server->error), -1);
    assert_int_equal(server->error.code, ERROR_PEER);
    control_close(&control);
    pthread_join(server->thread, NULL);
    server->runs = false;
    free(answer);
}

static void nobody_listens(void **state)
{
    struct server *server = *state;

    assert_null(control_open("unix:/nonexistent/control", 100, &server->error));
    assert_non_null(strstr(server->error.text, "is postern-policyd running?"));
    assert_null(control_open("127.0.0.1:1", 100, &server->error));
    assert_int_equal(server->error.code, ERROR_CONFIG);
    close(server->fd);
    server->fd = -1;
    assert_null(control_open(server->address, 100, &server->error));
    assert_non_null(strstr(server->error.text, "is postern-policyd running?"));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(records_come_one_by_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(failures_say_why, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_endless_record_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nobody_listens, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
