/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "milter/socket.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <libmilter/mfapi.h>

#include <cmocka.h>

#include "tests/unit/unit.h"

static void test_forms(void **state)
{
    static const struct {
        const char *listen, *form;
    } cases[] = {
        {"unix:/run/postern/milter", "unix:/run/postern/milter"},
        {"local:/run/postern/milter", "local:/run/postern/milter"},
        {"inet:8891@127.0.0.1", "inet:8891@127.0.0.1"},
        {"inet6:8891@[::1]", "inet6:8891@[::1]"},
        {"127.0.0.1:8891", "inet:8891@127.0.0.1"},
        {"[::1]:8891", "inet6:8891@[::1]"},
        {"localhost:8891", "inet:8891@localhost"},
        {"::1:8891", NULL},
        {"[::1]", NULL},
        {"[::1]8891", NULL},
        {"127.0.0.1", NULL},
        {"127.0.0.1:", NULL},
        {":8891", NULL},
        {"", NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char *form = socket_libmilter_form(cases[i].listen);
        if (cases[i].form == NULL)
            assert_null(form);
        else
            assert_string_equal(form, cases[i].form);
        free(form);
    }
}

static void test_path(void **state)
{
    (void)state;
    assert_string_equal(socket_path("unix:/a/b"), "/a/b");
    assert_string_equal(socket_path("local:/a/b"), "/a/b");
    assert_null(socket_path("inet:1@host"));
    assert_null(socket_path("unixoid:1"));
}

/* The descriptor of the socket that listens on TCP in this process. */
static int find_listener(void)
{
    for (int fd = 0; fd < 64; fd++) {
        int listens = 0, domain = 0;
        socklen_t len = sizeof listens;
        if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) != 0 || !listens)
            continue;
        len = sizeof domain;
        if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 && domain == AF_INET)
            return fd;
    }
    return -1;
}

/* libmilter's small writes must not wait for each other. */
static void test_tcp_sends_at_once(void **state)
{
    static char name[] = "test";
    struct sockaddr_in sin;
    socklen_t len = sizeof sin;
    struct error error;
    int listener, client, server, nodelay = 0;

    (void)state;
    assert_int_equal(
        smfi_register((struct smfiDesc){.xxfi_name = name, .xxfi_version = SMFI_VERSION}),
        MI_SUCCESS);
    assert_int_equal(socket_open("inet:0@127.0.0.1", NULL, &error), 0);
    listener = find_listener();
    assert_true(listener >= 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&sin, &len), 0);
    client = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(client, (const struct sockaddr *)&sin, sizeof sin), 0);
    server = accept(listener, NULL, NULL);
    assert_true(server >= 0);
    len = sizeof nodelay;
    assert_int_equal(getsockopt(server, IPPROTO_TCP, TCP_NODELAY, &nodelay, &len), 0);
    assert_int_not_equal(nodelay, 0);
    close(server);
    close(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_path),
        cmocka_unit_test(test_tcp_sends_at_once),
    };
    return cmocka_run_group_tests_name("milter_socket", tests, NULL, NULL);
}
