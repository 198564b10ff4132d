/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/base/endpoint.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/unit.h"

static void addresses_are_parsed(void **state)
{
    static const struct {
        const char *text;
        const char *host; /* NULL: refused; a path: Unix */
        unsigned port;
    } cases[] = {
        {"unix:/run/postern/policy", "/run/postern/policy", 0},
        {"127.0.0.1:10025", "127.0.0.1", 10025},
        {"0.0.0.0:0", "0.0.0.0", 0},
        {"[::1]:65535", "::1", 65535},
        {"[::]:1", "::", 1},
        {"", NULL, 0},
        {":25", NULL, 0},
        {"unix:", NULL, 0},
        {"unix:relative", NULL, 0},
        {"unix:/run/", NULL, 0},
        {"unix:/", NULL, 0},
        {"127.0.0.1", NULL, 0},
        {"127.0.0.1:", NULL, 0},
        {"127.0.0.1:65536", NULL, 0},
        {"127.0.0.1:-1", NULL, 0},
        {"127.0.0.1:25x", NULL, 0},
        {"localhost:25", NULL, 0},
        {"::1:25", NULL, 0},
        {"[::1]", NULL, 0},
        {"[::1:25", NULL, 0},
        {"[127.0.0.1]:25", NULL, 0},
        {"[]:25", NULL, 0},
        {"[:25", NULL, 0},
        {"aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa:25", NULL, 0},
    };
    struct endpoint address;
    char host[ADDR_TEXT_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *reason = NULL;
        int rc = endpoint_parse(cases[i].text, &address, &reason);
        print_message("# %s\n", cases[i].text);
        assert_int_equal(rc, cases[i].host ? 0 : -1);
        if (!cases[i].host) {
            assert_non_null(reason);
            continue;
        }
        assert_int_equal(address.port, cases[i].port);
        assert_string_equal(address.is_unix ? address.path : addr_format(&address.addr, host),
                            cases[i].host);
    }
}

static void a_path_has_107_bytes_at_most(void **state)
{
    struct endpoint address;
    const char *reason = NULL;
    char text[sizeof("unix:") + 108];

    (void)state;
    memset(text, 'x', sizeof(text));
    memcpy(text, "unix:/", strlen("unix:/"));
    text[strlen("unix:") + 107] = '\0';
    assert_int_equal(endpoint_parse(text, &address, &reason), 0);
    text[strlen("unix:") + 107] = 'x';
    text[strlen("unix:") + 108] = '\0';
    assert_int_equal(endpoint_parse(text, &address, &reason), -1);
    assert_non_null(strstr(reason, "107"));
}

static void libmilters_forms_are_parsed_where_they_belong(void **state)
{
    static const struct {
        const char *text;
        const char *host;
        unsigned port;
    } cases[] = {
        {"inet:8891@127.0.0.1", "127.0.0.1", 8891},
        {"inet6:8891@::1", "::1", 8891},
        {"127.0.0.1:25", "127.0.0.1", 25},
        {"inet:8891", NULL, 0},
        {"inet:@127.0.0.1", NULL, 0},
        {"inet:65536@127.0.0.1", NULL, 0},
        {"inet:100000@127.0.0.1", NULL, 0},
        {"inet:8891@localhost", NULL, 0},
        {"inet:8891@", NULL, 0},
    };
    struct endpoint endpoint;
    char host[ADDR_TEXT_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *reason = NULL;
        int rc = endpoint_parse_milter(cases[i].text, &endpoint, &reason);
        print_message("# %s\n", cases[i].text);
        assert_int_equal(rc, cases[i].host ? 0 : -1);
        if (!cases[i].host) {
            assert_non_null(reason);
            continue;
        }
        assert_int_equal(endpoint.port, cases[i].port);
        assert_string_equal(addr_format(&endpoint.addr, host), cases[i].host);
        if (cases[i].text[0] == 'i')
            assert_int_equal(endpoint_parse(cases[i].text, &endpoint, &reason), -1);
    }
}

static void the_kernels_form_says_the_same(void **state)
{
    static const char *const texts[] = {"unix:/run/postern/policy", "203.0.113.7:25",
                                        "[2001:db8::1]:25"};
    struct sockaddr_storage ss;
    struct endpoint ends[3], back;
    const char *reason;

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(endpoint_parse(texts[i], &ends[i], &reason), 0);
        socklen_t len = endpoint_to_sockaddr(&ends[i], &ss);
        assert_int_equal(endpoint_from_sockaddr((struct sockaddr *)&ss, len, &back), 0);
        for (size_t n = 0; n <= i; n++)
            assert_int_equal(endpoint_eq(&back, &ends[n]), n == i);
    }
    ends[0].port = ends[1].port + 1;
    ends[0].addr = ends[1].addr;
    ends[0].is_unix = false;
    assert_false(endpoint_eq(&ends[0], &ends[1]));
}

static void a_name_that_is_no_address_is_none(void **state)
{
    struct sockaddr_un sun = {.sun_family = AF_UNIX, .sun_path = "relative"};
    struct sockaddr other = {.sa_family = AF_UNSPEC};
    struct endpoint endpoint;

    (void)state;
    assert_int_equal(endpoint_from_sockaddr((struct sockaddr *)&sun, sizeof(sun), &endpoint), -1);
    socklen_t unnamed = offsetof(struct sockaddr_un, sun_path);
    assert_int_equal(endpoint_from_sockaddr((struct sockaddr *)&sun, unnamed, &endpoint), -1);
    assert_int_equal(endpoint_from_sockaddr(&other, sizeof(other), &endpoint), -1);
    /* The kernel may give a path of 108 bytes without a NUL. */
    memset(sun.sun_path, '/', sizeof(sun.sun_path));
    assert_int_equal(endpoint_from_sockaddr((struct sockaddr *)&sun, sizeof(sun), &endpoint), -1);
    memcpy(sun.sun_path, "/run/x", sizeof("/run/x"));
    unnamed += (socklen_t)strlen("/run/x");
    assert_int_equal(endpoint_from_sockaddr((struct sockaddr *)&sun, unnamed, &endpoint), 0);
    assert_string_equal(endpoint.path, "/run/x");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_parsed),
        cmocka_unit_test(a_path_has_107_bytes_at_most),
        cmocka_unit_test(libmilters_forms_are_parsed_where_they_belong),
        cmocka_unit_test(the_kernels_form_says_the_same),
        cmocka_unit_test(a_name_that_is_no_address_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
