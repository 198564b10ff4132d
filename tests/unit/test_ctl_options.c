/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "ctl/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/unit.h"

static enum ctl_exit run_nothing(const struct ctl *ctl)
{
    (void)ctl;
    return CTL_YES;
}

static const struct ctl_option go_options[] = {
    {"speed", 's', "N", "how fast"},
    {"quiet", 0, NULL, "no noise"},
};

const struct ctl_command ctl_commands[] = {
    {"go", "WHERE [WITH]", "Go there", "Details.\n", go_options, COUNT(go_options), 1, 2,
     run_nothing},
    {"stop", "", "Stop", "", NULL, 0, 0, 0, run_nothing},
};
const size_t ctl_command_count = COUNT(ctl_commands);

#define ARGV_MAX 8

static int parse(const char *const *words, struct ctl *ctl, struct error *error)
{
    char *argv[ARGV_MAX + 2] = {(char *)"posternctl"};
    int argc = 1;

    for (; words[argc - 1]; argc++)
        argv[argc] = (char *)(uintptr_t)words[argc - 1];
    return options_parse(ctl, argc, argv, error);
}

static void test_accepted(void **state)
{
    (void)state;
    static const struct {
        const char *words[ARGV_MAX];
        const char *command, *first, *second, *speed, *config;
        bool quiet, json;
    } cases[] = {
        {{"stop"}, "stop", NULL, NULL, NULL, NULL, false, false},
        {{"go", "home"}, "go", "home", NULL, NULL, NULL, false, false},
        {{"go", "home", "bob"}, "go", "home", "bob", NULL, NULL, false, false},
        {{"-c", "f", "go", "home"}, "go", "home", NULL, NULL, "f", false, false},
        {{"-cf", "go", "home"}, "go", "home", NULL, NULL, "f", false, false},
        {{"--config=f", "go", "home"}, "go", "home", NULL, NULL, "f", false, false},
        {{"go", "home", "-c", "f"}, "go", "home", NULL, NULL, "f", false, false},
        {{"go", "--speed", "5", "home"}, "go", "home", NULL, "5", NULL, false, false},
        {{"go", "--speed=5", "home"}, "go", "home", NULL, "5", NULL, false, false},
        {{"go", "--speed=", "home"}, "go", "home", NULL, "", NULL, false, false},
        {{"go", "--speed", "", "home"}, "go", "home", NULL, "", NULL, false, false},
        {{"go", "--speed", "--quiet", "x"}, "go", "x", NULL, "--quiet", NULL, false, false},
        {{"go", "-s5", "home"}, "go", "home", NULL, "5", NULL, false, false},
        {{"--json", "go", "home", "--quiet"}, "go", "home", NULL, NULL, NULL, true, true},
        {{"go", "-"}, "go", "-", NULL, NULL, NULL, false, false},
        {{"go", "--", "--quiet", "-s"}, "go", "--quiet", "-s", NULL, NULL, false, false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct ctl ctl;
        struct error error = {0};
        if (parse(cases[i].words, &ctl, &error) < 0)
            fail_msg("row %zu: %s", i, error.text);
        assert_string_equal(ctl.command->name, cases[i].command);
        assert_int_equal(ctl.json, cases[i].json);
        assert_int_equal(ctl.arg_count, (cases[i].first != NULL) + (cases[i].second != NULL));
        if (cases[i].first)
            assert_string_equal(ctl.args[0], cases[i].first);
        if (cases[i].second)
            assert_string_equal(ctl.args[1], cases[i].second);
        const char *config = ctl_value(&ctl, "config");
        assert_true(!config == !cases[i].config);
        if (config)
            assert_string_equal(config, cases[i].config);
        if (!strcmp(cases[i].command, "stop"))
            continue;
        const char *speed = ctl_value(&ctl, "speed");
        assert_true(!speed == !cases[i].speed);
        if (speed)
            assert_string_equal(speed, cases[i].speed);
        assert_int_equal(ctl_value(&ctl, "quiet") != NULL, cases[i].quiet);
    }
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *words[ARGV_MAX];
        const char *says;
    } cases[] = {
        {{NULL}, "which command?"},
        {{"fly"}, "no command \"fly\""},
        {{""}, "no command \"\""},
        {{"go"}, "usage: posternctl go WHERE [WITH]"},
        {{"go", "a", "b", "c"}, "go does not take \"c\""},
        {{"stop", "now"}, "stop does not take \"now\""},
        {{"--speed", "5", "go", "home"}, "no option --speed here"},
        {{"go", "home", "--loud"}, "go has no option --loud"},
        {{"go", "home", "--spee"}, "go has no option --spee"},
        {{"go", "home", "--speedy=1"}, "go has no option --speedy=1"},
        {{"go", "home", "-x"}, "go has no option -x"},
        {{"go", "home", "--="}, "go has no option --="},
        {{"go", "home", "--speed"}, "--speed wants a value: --speed N"},
        {{"go", "home", "-c"}, "--config wants a value: --config FILE"},
        {{"go", "home", "--quiet=1"}, "--quiet takes no value"},
        {{"go", "home", "-hx"}, "--help takes no value"},
        {{"go", "home", "--quiet", "--quiet"}, "--quiet is given twice"},
        {{"-c", "a", "go", "home", "-c", "b"}, "--config is given twice"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct ctl ctl;
        struct error error = {0};
        if (parse(cases[i].words, &ctl, &error) == 0)
            fail_msg("not refused: %s", cases[i].says);
        if (strncmp(error.text, cases[i].says, strlen(cases[i].says)) != 0)
            fail_msg("\"%s\" instead of \"%s\"", error.text, cases[i].says);
    }
}

/* --json counts for the error that comes behind it, too. */
static void test_json_before_error(void **state)
{
    (void)state;
    const char *words[] = {"--json", "fly", NULL};
    struct ctl ctl;
    struct error error = {0};

    assert_int_equal(parse(words, &ctl, &error), -1);
    assert_true(ctl.json);
}

static void test_help(void **state)
{
    (void)state;
    const char *words[] = {"go", "--help", NULL};
    struct ctl ctl;
    struct error error = {0};
    char *text = NULL;
    size_t len;

    assert_int_equal(parse(words, &ctl, &error), 0);
    FILE *to = open_memstream(&text, &len);
    options_help(ctl.command, to);
    options_help(NULL, to);
    fclose(to);
    static const char *const wanted[] = {
        "usage: posternctl go [OPTION...] WHERE [WITH]\n",
        "Go there.\n",
        "Details.\n",
        "  -s, --speed N           how fast\n",
        "--quiet",
        "-c, --config FILE",
        "  stop                        Stop\n",
    };
    for (size_t i = 0; i < COUNT(wanted); i++)
        CASE(wanted[i], strstr(text, wanted[i]) != NULL);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepted),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_json_before_error),
        cmocka_unit_test(test_help),
    };
    return cmocka_run_group_tests_name("ctl_options", tests, NULL, NULL);
}
