/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "milter/setup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/buf.h"
#include "common/base/log.h"
#include "tests/unit/unit.h"

static char path[] = "/tmp/postern-setup-XXXXXX";
static struct buf logged;

static void keep_log(enum log_level level, const char *line, void *ctx)
{
    (void)level, (void)ctx;
    buf_puts(&logged, line);
    buf_putc(&logged, '\n');
}

static void write_file(const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static struct config *load(const char *text)
{
    struct config_errors errors = {0};
    struct config *config;

    write_file(text);
    assert_int_equal(config_load(path, &config, &errors), 0);
    return config;
}

static int setup(void **state)
{
    int fd = mkstemp(path);

    (void)state;
    log_open("test", LOG_TARGET_NOWHERE, LOG_LEVEL_INFO);
    log_capture(keep_log, NULL);
    return fd < 0 ? -1 : close(fd);
}

static int teardown(void **state)
{
    (void)state;
    buf_fini(&logged);
    return unlink(path);
}

static void test_each_keeps_what_it_took(void **state)
{
    struct workbench tools = {.clock = &clock_system};
    struct setups setups;

    (void)state;
    setups_init(&setups, load("hostname = one.example.com\n"));
    setups_equip(&setups, &tools);
    struct setup *first = setups_take(&setups), *again = setups_take(&setups);
    assert_ptr_equal(first, again);
    setup_release(&again);
    assert_null(again);
    setup_release(&again);
    write_file("hostname = two.example.com\n");
    assert_int_equal(setups_reload(&setups, path), 0);
    struct setup *second = setups_take(&setups);
    assert_string_equal(first->bench.config->hostname, "one.example.com");
    assert_string_equal(second->bench.config->hostname, "two.example.com");
    assert_ptr_equal(second->rules.config, second->config);
    assert_ptr_equal(second->bench.clock, &clock_system);
    write_file("hostname = three.example.com\n");
    assert_int_equal(setups_reload(&setups, path), 0);
    assert_string_equal(second->bench.config->hostname, "two.example.com");
    setup_release(&second);
    setup_release(&first);
    setups_fini(&setups);
}

static void test_a_broken_file_changes_nothing(void **state)
{
    struct setups setups;

    (void)state;
    setups_init(&setups, load("hostname = one.example.com\n"));
    buf_reset(&logged);
    write_file("hostname = one\nenforce = maybe\n");
    assert_int_equal(setups_reload(&setups, path), -1);
    assert_non_null(strstr(buf_str(&logged), "reload-failed"));
    assert_non_null(strstr(buf_str(&logged), "line=1"));
    assert_non_null(strstr(buf_str(&logged), "line=2"));
    assert_string_equal(setups.current->config->hostname, "one.example.com");
    setups_fini(&setups);
}

#define HTTP(name, listen, more)                                                                   \
    "http \"" name "\" { serve = {\"metrics\"} " more " listen = \"" listen "\" }\n"

static void test_what_needs_a_restart_is_named(void **state)
{
    static const struct {
        const char *text, *changed;
    } cases[] = {
        {"", NULL},
        {"enforce = false\ndns_timeout = 3s\ntrusted = {\"192.0.2.0/24\"}\n", NULL},
        {"milter { max_sessions = 3 max_signatures = 3 }\n", NULL},
        {"policyd { max_connections = 3 }\n", NULL},
        {"user = other\n", "changed=user"},
        {"resolver = {\"192.0.2.1\"}\n", "changed=resolver"},
        {"dnssec = true\n", "changed=dnssec"},
        {"milter { listen = \"\" }\n", "changed=milter.listen"},
        {"milter { group = \"\" report = \"\" }\n", "changed=\"milter.group, milter.report\""},
        {"milter { idle_timeout = 1h }\n", "changed=milter.idle_timeout"},
        {"policyd { control = \"\" }\n", "changed=milter.report"},
        {HTTP("p", "unix:/p", ""), NULL},
        {HTTP("m", "unix:/m", "program = milter"), "changed=http"},
    };
    struct setups setups;
    char text[512];

    (void)state;
    setups_init(&setups, load("hostname = one.example.com\n"));
    for (size_t i = 0; i < COUNT(cases); i++) {
        snprintf(text, sizeof(text), "hostname = two.example.com\n%s", cases[i].text);
        write_file(text);
        buf_reset(&logged);
        CASE(cases[i].text, setups_reload(&setups, path) == 0);
        CASE(cases[i].text,
             (strstr(buf_str(&logged), "restart-needed") == NULL) == (cases[i].changed == NULL));
        CASE(cases[i].text,
             cases[i].changed == NULL || strstr(buf_str(&logged), cases[i].changed) != NULL);
    }
    setups_fini(&setups);
}

static atomic_bool ending;

static void *take_and_release(void *ctx)
{
    while (!atomic_load(&ending)) {
        struct setup *taken = setups_take(ctx);
        assert_true(strstr(taken->bench.config->hostname, ".example.com") != NULL);
        setup_release(&taken);
    }
    return NULL;
}

static void test_threads(void **state)
{
    struct workbench tools = {.clock = &clock_system};
    struct setups setups;
    pthread_t threads[4];

    (void)state;
    setups_init(&setups, load("hostname = one.example.com\n"));
    setups_equip(&setups, &tools);
    for (size_t i = 0; i < COUNT(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_and_release, &setups), 0);
    for (unsigned i = 0; i < 200; i++)
        assert_int_equal(setups_reload(&setups, path), 0);
    atomic_store(&ending, true);
    for (size_t i = 0; i < COUNT(threads); i++)
        pthread_join(threads[i], NULL);
    setups_fini(&setups);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_keeps_what_it_took),
        cmocka_unit_test(test_a_broken_file_changes_nothing),
        cmocka_unit_test(test_what_needs_a_restart_is_named),
        cmocka_unit_test(test_threads),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
