/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/config/program.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/unit.h"

static char good[] = "/tmp/postern-test-good.XXXXXX";
static char bad[] = "/tmp/postern-test-bad.XXXXXX";

struct outcome {
    int status;
    char out[4096];
    char err[4096];
};

static void read_back(FILE *file, char *text, size_t size)
{
    size_t n;

    rewind(file);
    n = fread(text, 1, size - 1, file);
    text[n] = '\0';
    fclose(file);
}

/* The child says what it got and ends with 42 when program_start() returns. */
static void child(int argc, char **argv)
{
    struct program_options options;
    struct config *config = program_start(
        argc, argv, &(struct program){.name = "postern-test", .summary = "tests things"}, &options);

    printf("%s %s%s%s\n", config->hostname, options.config_path, options.foreground ? " -f" : "",
           options.verbose ? " -v" : "");
    config_free(&config);
    exit(42);
}

static struct outcome run(char **argv)
{
    struct outcome outcome;
    FILE *out = tmpfile(), *err = tmpfile();
    int argc = 0, status;
    pid_t pid;

    assert_true(out != NULL && err != NULL);
    while (argv[argc] != NULL)
        argc++;
    fflush(NULL);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        dup2(fileno(out), STDOUT_FILENO);
        dup2(fileno(err), STDERR_FILENO);
        child(argc, argv);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    outcome.status = WEXITSTATUS(status);
    read_back(out, outcome.out, sizeof(outcome.out));
    read_back(err, outcome.err, sizeof(outcome.err));
    return outcome;
}

#define RUN(...)  run((char *[]){(char *)(uintptr_t) "postern-test", __VA_ARGS__, NULL})
#define ARG(text) ((char *)(uintptr_t)(text))

static void test_check(void **state)
{
    struct outcome outcome = RUN(ARG("-t"), ARG("-c"), good);
    char want[256];

    (void)state;
    assert_int_equal(outcome.status, 0);
    snprintf(want, sizeof(want), "%s: ok\n", good);
    assert_string_equal(outcome.out, want);
    assert_string_equal(outcome.err, "");

    outcome = RUN(ARG("-c"), bad, ARG("-t"));
    assert_int_equal(outcome.status, 1);
    assert_string_equal(outcome.out, "");
    snprintf(want, sizeof(want),
             "%s:1: hostname \"x\" is not a full domain name like \"mail.example.com\" "
             "(international ones in their \"xn--\" form)\n%s:2: unknown option \"y\"\n",
             bad, bad);
    assert_string_equal(outcome.err, want);
}

static void test_start(void **state)
{
    struct outcome outcome = RUN(ARG("-c"), good);
    char want[256];

    (void)state;
    assert_int_equal(outcome.status, 42);
    snprintf(want, sizeof(want), "mx.example.com %s\n", good);
    assert_string_equal(outcome.out, want);
    outcome = RUN(ARG("-fvc"), good);
    snprintf(want, sizeof(want), "mx.example.com %s -f -v\n", good);
    assert_string_equal(outcome.out, want);
    outcome = RUN(ARG("-f"), ARG("-c"), bad);
    assert_int_equal(outcome.status, 1);
    assert_non_null(strstr(outcome.err, ":2: unknown option"));
}

static void test_words(void **state)
{
    struct outcome outcome = RUN(ARG("-V"));

    (void)state;
    assert_int_equal(outcome.status, 0);
    assert_string_equal(outcome.out, "postern-test (Postern) " PACKAGE_VERSION "\n");
    outcome = RUN(ARG("-h"));
    assert_int_equal(outcome.status, 0);
    assert_non_null(strstr(outcome.out, "postern-test: tests things\n"));
    assert_non_null(strstr(outcome.out, "instead of " CONFIG_PATH_DEFAULT));
    assert_string_equal(outcome.err, "");
}

static void test_usage(void **state)
{
    static const char *const cases[] = {"-x", "-c", "extra"};

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct outcome outcome = RUN(ARG(cases[i]));

        CASE(cases[i], outcome.status == 2);
        CASE(cases[i], outcome.out[0] == '\0');
        CASE(cases[i], strstr(outcome.err, "usage: postern-test ") != NULL);
    }
}

static void write_temp(char *path, const char *text)
{
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static int setup(void **state)
{
    (void)state;
    write_temp(good, "hostname = mx.example.com\n");
    write_temp(bad, "hostname = x\ny = 1\n");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return unlink(good) != 0 || unlink(bad) != 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_check),
        cmocka_unit_test(test_start),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_usage),
    };

    return cmocka_run_group_tests_name("program", tests, setup, teardown);
}
