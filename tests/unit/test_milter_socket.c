/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "milter/socket.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_path),
    };
    return cmocka_run_group_tests_name("milter_socket", tests, NULL, NULL);
}
