/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/buf.h"
#include "common/base/endpoint.h"
#include "common/config/config.h"
#include "common/config/same.h"
#include "common/config/schema.h"
#include "tests/unit/config_fixture.h"
#include "tests/unit/unit.h"

#define FORMS                                                                                      \
    "\"file:/PATH\" (a directory), \"redis://HOST:PORT\", \"redis:///PATH\" (a Unix socket), "     \
    "\"redis+sentinel://HOST:PORT,...\" or \"redis+cluster://HOST:PORT,...\"\n"
#define NO_SERVER " names a server that is not HOST, HOST:PORT or [IPV6]:PORT\n"
#define BEHIND    " has something behind its servers: the database is an option of the section redis\n"

static size_t options_of(const char *section)
{
    size_t count = 0;

    while (schema_section(section)->options[count].name != NULL)
        count++;
    return count;
}

static void test_url(void **state)
{
    static const struct {
        const char *url;
        enum config_store_kind kind;
        const char *path;
        const char *servers; /* each with a space behind it */
    } cases[] = {
        {"file:/var/lib/postern", CONFIG_STORE_FILE, "/var/lib/postern", ""},
        {"redis://db", CONFIG_STORE_REDIS, NULL, "db:6379 "},
        {"redis://DB.example.com:7000", CONFIG_STORE_REDIS, NULL, "db.example.com:7000 "},
        {"redis://192.0.2.1", CONFIG_STORE_REDIS, NULL, "192.0.2.1:6379 "},
        {"redis://[2001:DB8:0::1]:1", CONFIG_STORE_REDIS, NULL, "[2001:db8::1]:1 "},
        {"redis://[::1]", CONFIG_STORE_REDIS, NULL, "[::1]:6379 "},
        {"redis:///run/redis/redis-server.sock", CONFIG_STORE_REDIS, "/run/redis/redis-server.sock",
         ""},
        {"redis+sentinel://a", CONFIG_STORE_SENTINEL, NULL, "a:26379 "},
        {"redis+sentinel://a:1,b,[::1]:65535", CONFIG_STORE_SENTINEL, NULL,
         "a:1 b:26379 [::1]:65535 "},
        {"redis+cluster://10.0.0.1,10.0.0.1:7001", CONFIG_STORE_CLUSTER, NULL,
         "10.0.0.1:6379 10.0.0.1:7001 "},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char file[256], servers[256] = "";
        struct config *config;

        snprintf(file, sizeof(file), "hostname = mx.example.com\nstore = \"%s\"", cases[i].url);
        config = load(file);
        assert_string_equal(config->store.url, cases[i].url);
        assert_int_equal(config->store.kind, cases[i].kind);
        if (cases[i].path != NULL)
            assert_string_equal(config->store.path, cases[i].path);
        else
            assert_null(config->store.path);
        for (size_t k = 0; k < config->store.servers.count; k++)
            snprintf(servers + strlen(servers), sizeof(servers) - strlen(servers), "%s ",
                     config->store.servers.items[k]);
        assert_string_equal(servers, cases[i].servers);
        config_free(&config);
    }
}

static void test_url_errors(void **state)
{
    static const struct bad_case cases[] = {
        {"store = \"file:state\"", "2: store \"file:state\" is not " FORMS},
        {"store = \"lmdb:/x\"", "2: store \"lmdb:/x\" is not " FORMS},
        {"store = \"redis:\"", "2: store \"redis:\" is not " FORMS},
        {"store = \"rediss://h\"", "2: store \"rediss://h\" asks for TLS, which is not spoken "
                                   "here: redis:// through a tunnel is right\n"},
        {"store = \"redis://h/3\"", "2: store \"redis://h/3\"" BEHIND},
        {"store = \"redis://h?db=3\"", "2: store \"redis://h?db=3\"" BEHIND},
        {"store = \"redis+cluster:///run/x\"", "2: store \"redis+cluster:///run/x\"" BEHIND},
        {"store = \"redis://me:s3cret@h\"", "2: store has a user or a password in it: user and "
                                            "password_file of the section redis are right\n"},
        {"store = \"http://me:s3cret@h\"", "2: store has a user or a password in it: user and "
                                           "password_file of the section redis are right\n"},
        {"store = \"redis://\"", "2: store \"redis://\"" NO_SERVER},
        {"store = \"redis://:6379\"", "2: store \"redis://:6379\"" NO_SERVER},
        {"store = \"redis://h:\"", "2: store \"redis://h:\"" NO_SERVER},
        {"store = \"redis://h:0\"", "2: store \"redis://h:0\"" NO_SERVER},
        {"store = \"redis://h:65536\"", "2: store \"redis://h:65536\"" NO_SERVER},
        {"store = \"redis://h:1x\"", "2: store \"redis://h:1x\"" NO_SERVER},
        {"store = \"redis://::1\"", "2: store \"redis://::1\"" NO_SERVER},
        {"store = \"redis://[::1\"", "2: store \"redis://[::1\"" NO_SERVER},
        {"store = \"redis://[::1]6379\"", "2: store \"redis://[::1]6379\"" NO_SERVER},
        {"store = \"redis://[192.0.2.1]\"", "2: store \"redis://[192.0.2.1]\"" NO_SERVER},
        {"store = \"redis://[h]\"", "2: store \"redis://[h]\"" NO_SERVER},
        {"store = \"redis://a b\"", "2: store \"redis://a b\"" NO_SERVER},
        {"store = \"redis+sentinel://a,\"", "2: store \"redis+sentinel://a,\"" NO_SERVER},
        {"store = \"redis+sentinel://a,,b\"", "2: store \"redis+sentinel://a,,b\"" NO_SERVER},
        {"store = \"redis+sentinel://a,A:26379\"",
         "2: store \"redis+sentinel://a,A:26379\" names a server twice\n"},
        {"store = \"redis://a,b\"", "2: store \"redis://a,b\" names more than one server: "
                                    "redis+sentinel:// and redis+cluster:// take a list\n"},
    };

    (void)state;
    check_cases(cases, COUNT(cases));
}

static void test_limits(void **state)
{
    struct buf file;
    char *errors;

    (void)state;
    for (size_t len = sizeof(((struct endpoint *)0)->path) - 1, more = 0; more <= 1; more++) {
        buf_init(&file);
        buf_printf(&file, "hostname = mx.example.com\nstore = \"redis:///%0*d\"",
                   (int)(len - 1 + more), 7);
        errors = errors_of(buf_str(&file));
        assert_int_equal(errors[0] == '\0', more == 0);
        free(errors);
        buf_fini(&file);
    }
    for (unsigned count = 64; count <= 65; count++) {
        buf_init(&file);
        buf_puts(&file, "hostname = mx.example.com\nstore = \"redis+cluster://a0");
        for (unsigned i = 1; i < count; i++)
            buf_printf(&file, ",a%u", i);
        buf_puts(&file, "\"");
        errors = errors_of(buf_str(&file));
        assert_int_equal(errors[0] == '\0', count == 64);
        free(errors);
        buf_fini(&file);
    }
}

static void test_section(void **state)
{
    static const struct bad_case cases[] = {
        {"redis { prefix = \"{x}\" }",
         "2: redis: prefix \"{x}\" is not the beginning of a key: letters, digits, \"-\", \"_\", "
         "\".\", \":\" and \"/\"\n"},
        {"redis { user = \"a b\" }", "2: redis: user \"a b\" is not a name without blanks\n"},
        {"redis { user = \"me\" }",
         "2: redis: user is set without password_file: both or neither is right\n"},
        {"store = \"redis+cluster://h\"\nredis { database = 1 }",
         "3: redis: database is 1, but a Cluster has database 0 alone: take it out\n"},
        {"store = \"redis+cluster://h\"\nredis { database = 0 }", ""},
        {"redis { timeout = 31s }",
         "2: redis: timeout \"31s\" is not a duration from 1s to 30s (units s, m, h, d, w)\n"},
        {"redis { password_file = \"s3cret\" }",
         "2: redis: password_file does not begin with \"/\": the path of a file that holds the "
         "secret is right, not the secret\n"},
    };

    (void)state;
    check_cases(cases, COUNT(cases));
}

/* What a reload cannot change: each option of the section, where it is Redis. */
static void test_same(void **state)
{
    static const char *const sections[] = {"user = me password_file = \"@/secret\"",
                                           "password_file = \"@/secret\"",
                                           "database = 1",
                                           "prefix = \"p:\"",
                                           "master = other",
                                           "sentinel_password_file = \"@/secret\"",
                                           "timeout = 2s"};
    static const char *const stores[] = {"redis://h", "file:/var/lib/postern"};
    char file[256];

    (void)state;
    for (size_t is_file = 0; is_file < COUNT(stores); is_file++) {
        snprintf(file, sizeof(file), "hostname = mx.example.com\nstore = \"%s\"", stores[is_file]);
        struct config *was = load(file);
        assert_true(same_store(was, was));
        for (size_t i = 0; i < COUNT(sections); i++) {
            snprintf(file, sizeof(file), "hostname = mx.example.com\nstore = \"%s\"\nredis { %s }",
                     stores[is_file], sections[i]);
            struct config *is = load(file);
            CASE(sections[i], same_store(was, is) == (is_file == 1));
            config_free(&is);
        }
        config_free(&was);
    }
    assert_int_equal(COUNT(sections), options_of("redis"));
}

static void test_defaults(void **state)
{
    struct config *config = load("hostname = mx.example.com");

    (void)state;
    assert_null(config->redis.user);
    assert_null(config->redis.password);
    assert_int_equal(config->redis.database, 0);
    assert_string_equal(config->redis.prefix, "postern:");
    assert_string_equal(config->redis.master, "mymaster");
    assert_null(config->redis.sentinel_password);
    assert_int_equal(config->redis.timeout_ms, 1000);
    config_free(&config);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_url),    cmocka_unit_test(test_url_errors),
        cmocka_unit_test(test_limits), cmocka_unit_test(test_section),
        cmocka_unit_test(test_same),   cmocka_unit_test(test_defaults),
    };

    return cmocka_run_group_tests_name("config store", tests, config_fixture_setup,
                                       config_fixture_teardown);
}
