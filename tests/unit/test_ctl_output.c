/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "ctl/output.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/unit.h"

static FILE *taken;
static int saved;

/* What is printed until taken_text() goes to a file instead. */
static void take_stdout(void)
{
    fflush(stdout);
    taken = tmpfile();
    saved = dup(STDOUT_FILENO);
    assert_non_null(taken);
    dup2(fileno(taken), STDOUT_FILENO);
}

static const char *taken_text(void)
{
    static char text[4096];

    fflush(stdout);
    dup2(saved, STDOUT_FILENO);
    close(saved);
    rewind(taken);
    text[fread(text, 1, sizeof(text) - 1, taken)] = 0;
    fclose(taken);
    return text;
}

static void test_table(void **state)
{
    (void)state;
    static const char *const cells[] = {
        "prefix", "left", "",  "203.0.113.77", "9m", "in memory only", "x", "59m 12s", "",
        "",       "",     "z",
    };
    struct table table;

    table_init(&table, 3);
    for (size_t i = 0; i < COUNT(cells); i++)
        table_add(&table, cells[i]);
    take_stdout();
    table_print(&table);
    assert_string_equal(taken_text(), "prefix        left\n"
                                      "203.0.113.77  9m       in memory only\n"
                                      "x             59m 12s\n"
                                      "                       z\n");
    table_fini(&table);
}

static void test_table_text(void **state)
{
    (void)state;
    struct table table;

    table_init(&table, 2);
    table_add(&table, "\033[2J\nx\177");
    table_add(&table, "|");
    table_add(&table, "\377");
    table_add(&table, "|");
    table_add(&table, "\303\244");
    table_add(&table, "|");
    table_add(&table, "\302\2332J\302\237\302\240");
    table_add(&table, "|");
    take_stdout();
    table_print(&table);
    assert_string_equal(taken_text(), "?[2J?x?  |\n?        |\n\303\244        |\n"
                                      "??2J??\302\240  |\n");
    table_fini(&table);
}

static void test_json_text(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"plain", "plain"},
        {"\303\244", "\303\244"},
        {"a\377b", "a\357\277\275b"},
        {"\303\244\377", "\357\277\275\357\277\275\357\277\275"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        json_t *text = output_json_text(cases[i].text);
        assert_non_null(text);
        CASE(cases[i].want, strcmp(json_string_value(text), cases[i].want) == 0);
        json_decref(text);
    }
}

static void test_fail(void **state)
{
    (void)state;
    struct ctl ctl = {.json = true};
    struct error error;

    error_set(&error, ERROR_REFUSED, "protected: \"gateway\"");
    take_stdout();
    assert_int_equal(ctl_fail(&ctl, &error), CTL_NO);
    assert_string_equal(taken_text(), "{\"error\":\"protected: \\\"gateway\\\"\"}\n");
    error.code = ERROR_SYSTEM;
    ctl.json = false;
    take_stdout();
    assert_int_equal(ctl_fail(&ctl, &error), CTL_FAILED);
    assert_string_equal(taken_text(), "");
}

/* A table of `columns` from these cells, without its empty columns. */
static const char *without_empty(const char *const *cells, size_t count, size_t columns)
{
    struct table table;

    table_init(&table, columns);
    for (size_t i = 0; i < count; i++)
        table_add(&table, cells[i]);
    table_omit_empty(&table);
    take_stdout();
    table_print(&table);
    table_fini(&table);
    return taken_text();
}

static void test_empty_columns(void **state)
{
    (void)state;
    static const char *const cells[] = {"a", "b", "c", "d", "", "1", "", "", "", "", "2", ""};

    assert_string_equal(without_empty(cells, 12, 4), "b  c\n1\n   2\n");
    assert_string_equal(without_empty(cells, 4, 4), "a\n");
    assert_string_equal(without_empty(cells, 12, 1), "a\nb\nc\nd\n\n1\n\n\n\n\n2\n\n");
}

static void test_times(void **state)
{
    (void)state;
    struct table table;

    setenv("TZ", "UTC", 1);
    table_init(&table, 1);
    table_add_time(&table, "1795168800");
    table_add_time(&table, "99999999999999");
    table_add_time(&table, "x\033");
    table_add_duration(&table, "3552");
    table_add_duration(&table, "-1");
    take_stdout();
    table_print(&table);
    table_fini(&table);
    assert_string_equal(taken_text(), "2026-11-20 10:00:00\n99999999999999\nx?\n59m 12s\n-1\n");
}

static void test_lines(void **state)
{
    (void)state;
    take_stdout();
    output_line("a\033[2J\n\xff b");
    output_json_line(json_pack("{s:s, s:i}", "a", "x\ny", "b", 1));
    assert_string_equal(taken_text(), "a?[2J?? b\n{\"a\":\"x\\ny\",\"b\":1}\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),     cmocka_unit_test(test_table_text),
        cmocka_unit_test(test_json_text), cmocka_unit_test(test_empty_columns),
        cmocka_unit_test(test_times),     cmocka_unit_test(test_lines),
        cmocka_unit_test(test_fail),
    };
    return cmocka_run_group_tests_name("ctl_output", tests, NULL, NULL);
}
