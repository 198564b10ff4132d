/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/log.h"
#include "common/base/str.h"
#include "common/config/schema.h"
#include "tests/unit/config_fixture.h"
#include "tests/unit/unit.h"

/* What the daemon was started with: NAME = VALUE, "@/" is the directory of the test. */
struct setting {
    const char *name, *value;
};

static const struct setting top[] = {
    {"hostname", "\"mx.example.com\""}, {"user", "\"nobody\""}, {"store", "\"file:@/store\""}};
static const struct setting policyd[] = {{"policy", "{\"unix:@/policy\"}"},
                                         {"socketmap", "{\"unix:@/socketmap\"}"},
                                         {"control", "\"unix:@/control\""},
                                         {"group", "\"\""}};
static const struct setting http[] = {{"listen", "\"unix:@/auth\""},
                                      {"token_file", "\"@/secret\""}};

/* Another value for one option of one section, and what a reload makes of it. */
static const struct change {
    const char *section, *name, *value;
    bool fits;
    const char *named; /* of restart-needed */
} changes[] = {
    {"", "user", "\"daemon\"", true, "changed=user"},
    {"", "store", "\"file:@/other\"", true, "changed=store"},
    {"", "enforce", "false", true, NULL},
    {"", "trusted", "{\"192.0.2.0/24\"}", true, NULL},
    {"", "ignoreip", "{\"192.0.2.0/24\"}", true, NULL},
    {"policyd", "policy", "{\"unix:@/policy\", \"unix:@/second\"}", false, NULL},
    {"policyd", "socketmap", "{}", false, NULL},
    {"policyd", "control", "\"\"", false, NULL},
    {"policyd", "group", "\"daemon\"", false, NULL},
    {"policyd", "control_group", "\"daemon\"", false, NULL},
    {"policyd", "ban_ports", "{25, 2525}", true, NULL},
    {"policyd", "from", "{\"192.0.2.0/24\"}", false, NULL},
    {"policyd", "max_connections", "201", false, NULL},
    {"policyd", "max_request", "16383", false, NULL},
    {"policyd", "max_memory", "17", false, NULL},
    {"policyd", "idle_timeout", "21m", false, NULL},
    {"policyd", "request_timeout", "31s", false, NULL},
    {"policyd", "max_keys", "200001", true, NULL},
    {"policyd", "honeypots", "{\"root@example.com\"}", true, NULL},
    {"policyd", "max_bans_per_minute", "101", true, NULL},
    {"policyd", "aggregate", "true", true, NULL},
    {"policyd", "ban_reply", "521", true, NULL},
    {"http", "program", "milter  serve = metrics", false, NULL},
    {"http", "listen", "\"\"", false, NULL},
    {"http", "group", "\"daemon\"", false, NULL},
    {"http", "serve", "{\"auth\", \"status\"}", false, NULL},
    {"http", "token_file", "\"@/other\"", false, NULL},
    {"http", "from", "{\"192.0.2.0/24\"}", false, NULL},
    {"http", "max_connections", "201", false, NULL},
    {"http", "max_request", "16383", false, NULL},
    {"http", "max_memory", "17", false, NULL},
    {"http", "idle_timeout", "2m", false, NULL},
    {"http", "request_timeout", "31s", false, NULL},
};

static struct buf logged;
static struct config *started;
static struct server *server;

static void keep_log(enum log_level level, const char *line, void *ctx)
{
    (void)level, (void)ctx;
    buf_puts(&logged, line);
    buf_putc(&logged, '\n');
}

/* The settings of a section; the change in place of the one it is of, or behind them all. */
static void put_settings(struct buf *out, const struct setting *settings, size_t count,
                         const struct change *change)
{
    for (size_t i = 0; i < count; i++) {
        bool is_it = change && str_eq(settings[i].name, change->name);
        buf_printf(out, "%s = %s\n", settings[i].name, is_it ? change->value : settings[i].value);
        if (is_it)
            change = NULL;
    }
    if (change)
        buf_printf(out, "%s = %s\n", change->name, change->value);
}

static const struct change *if_of(const struct change *change, const char *section)
{
    return change && str_eq(change->section, section) ? change : NULL;
}

/* The file that it was started with, but for one change (NULL: none), and with more behind it. */
static struct config *config_with(const struct change *change, const char *more)
{
    struct buf text = {0};

    put_settings(&text, top, COUNT(top), if_of(change, ""));
    buf_puts(&text, "policyd {\n");
    put_settings(&text, policyd, COUNT(policyd), if_of(change, "policyd"));
    buf_puts(&text, "}\nhttp \"auth\" {\n");
    put_settings(&text, http, COUNT(http), if_of(change, "http"));
    buf_printf(&text, "}\n%s", more);
    struct config *config = load(buf_str(&text));
    buf_fini(&text);
    return config;
}

static bool fits(const struct change *change, const char *more)
{
    struct config *config = config_with(change, more);

    buf_reset(&logged);
    bool answer = server_fits(server, config);
    config_free(&config);
    return answer;
}

static bool has_named(const char *what)
{
    const char *line = strstr(buf_str(&logged), "restart-needed");

    return what ? line && strstr(line, what) : !line;
}

static int setup(void **state)
{
    struct error error;

    if (config_fixture_setup(state))
        return -1;
    log_open("test", LOG_TARGET_NOWHERE, LOG_LEVEL_DEBUG);
    log_capture(keep_log, NULL);
    started = config_with(NULL, "");
    server = server_bind(started, &error);
    return server ? 0 : -1;
}

static int teardown(void **state)
{
    static const char *const sockets[] = {"policy", "socketmap", "control", "auth"};

    server_free(&server);
    config_free(&started);
    log_capture(NULL, NULL);
    buf_fini(&logged);
    for (size_t i = 0; i < COUNT(sockets); i++)
        unlink(in_dir(sockets[i]));
    return config_fixture_teardown(state);
}

static void test_the_same_fits(void **state)
{
    (void)state;
    assert_true(fits(NULL, ""));
    assert_string_equal(buf_str(&logged), "");
}

static void test_what_a_reload_may_change(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(changes); i++) {
        bool answer = fits(&changes[i], "");
        CASE(changes[i].name, answer == changes[i].fits);
        CASE(changes[i].name, has_named(changes[i].named));
    }
}

/* Whoever adds an option to these sections says here what a reload makes of it. */
static void test_each_option_has_a_case(void **state)
{
    static const char *const sections[] = {"policyd", "http"};

    (void)state;
    for (size_t i = 0; i < COUNT(sections); i++) {
        const struct option *option = schema_section(sections[i])->options;
        for (; option->name; option++) {
            bool found = false;
            for (size_t j = 0; j < COUNT(changes); j++)
                found = found || (str_eq(changes[j].section, sections[i]) &&
                                  str_eq(changes[j].name, option->name));
            CASE(option->name, found);
        }
    }
}

static void test_user_and_store_are_named_together(void **state)
{
    struct config *config = load("hostname = mx.example.com\n"
                                 "user = daemon\nstore = \"file:@/other\"\n");

    (void)state;
    buf_reset(&logged);
    assert_false(server_fits(server, config)); /* its listeners are the default ones */
    assert_true(has_named("changed=\"user, store\""));
    config_free(&config);
}

static void test_sections_that_come_and_go(void **state)
{
    struct config *none = load("hostname = mx.example.com\npolicyd { policy = \"unix:@/policy\" "
                               "socketmap = \"unix:@/socketmap\" control = \"unix:@/control\" "
                               "group = \"\" }\n");

    (void)state;
    assert_false(fits(NULL, "http \"more\" { serve = {\"metrics\"} listen = \"unix:@/more\" }\n"));
    assert_false(server_fits(server, none));
    assert_true(fits(NULL, "http \"m\" { program = milter serve = {\"metrics\"} "
                           "listen = \"unix:@/m\" }\n"));
    assert_true(fits(NULL, "jail \"more\" { }\nrelay \"r\" { host = \"r.example.net\" }\n"
                           "milter { max_sessions = 3 }\n"));
    config_free(&none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_same_fits),
        cmocka_unit_test(test_what_a_reload_may_change),
        cmocka_unit_test(test_each_option_has_a_case),
        cmocka_unit_test(test_user_and_store_are_named_together),
        cmocka_unit_test(test_sections_that_come_and_go),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
