/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/base/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/buf.h"
#include "common/base/log_limit.h"
#include "tests/unit/unit.h"

static struct buf lines;
static size_t line_count;

static void take_line(enum log_level level, const char *line, void *ctx)
{
    (void)ctx;
    (void)level;
    line_count++;
    buf_reset(&lines);
    buf_puts(&lines, line);
}

static int set_up(void **state)
{
    (void)state;
    log_open("test", LOG_TARGET_NOWHERE, LOG_LEVEL_INFO);
    log_capture(take_line, NULL);
    line_count = 0;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    log_capture(NULL, NULL);
    buf_fini(&lines);
    return 0;
}

static void test_line(void **state)
{
    (void)state;
    log_info("4d1f", "ban", LOG_STR("prefix", "203.0.113.7"), LOG_UINT("seconds", UINT64_MAX),
             LOG_INT("offset", INT64_MIN));
    assert_string_equal(buf_str(&lines), "4d1f ban prefix=203.0.113.7 seconds=18446744073709551615"
                                         " offset=-9223372036854775808");
    log_info(NULL, "start");
    assert_string_equal(buf_str(&lines), "- start");
    struct error error;
    error_set(&error, ERROR_SYSTEM, "open %s", "x");
    log_error(NULL, "store", LOG_ERR(&error));
    assert_string_equal(buf_str(&lines), "- store error=\"open x\"");
}

static void test_escape(void **state)
{
    (void)state;
    static const struct {
        const char *name, *value, *want;
    } cases[] = {
        {"plain", "mail.example.com", "v=mail.example.com"},
        {"NULL", NULL, "v=-"},
        {"empty", "", "v=\"\""},
        {"space", "a b", "v=\"a b\""},
        {"equals", "a=b", "v=\"a=b\""},
        {"quote", "a\"b", "v=\"a\\\"b\""},
        {"backslash", "a\\b", "v=\"a\\\\b\""},
        {"escape spelled out", "\\x0a", "v=\"\\\\x0a\""},
        {"line feed", "a\nb", "v=\"a\\x0ab\""},
        {"carriage return", "a\rb", "v=\"a\\x0db\""},
        {"tab", "a\tb", "v=\"a\\x09b\""},
        {"terminal escape", "\033[2J", "v=\"\\x1b[2J\""},
        {"DEL", "\177", "v=\"\\x7f\""},
        {"UTF-8", "\303\244", "v=\"\\xc3\\xa4\""},
        {"format", "%s%n", "v=%s%n"},
        {"forged line", "x\n- ban prefix=192.0.2.1", "v=\"x\\x0a- ban prefix=192.0.2.1\""},
        {"forged field", "x\" login=\"root", "v=\"x\\\" login=\\\"root\""},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        log_info("s", "e", LOG_STR("v", cases[i].value));
        CASE(cases[i].name, strcmp(buf_str(&lines) + 4, cases[i].want) == 0);
    }
    log_info("x\n- ban", "e");
    assert_string_equal(buf_str(&lines), "\"x\\x0a- ban\" e");
}

/* Whatever a byte is, the line stays one line of printable ASCII with one field. */
static void test_every_byte(void **state)
{
    (void)state;
    for (int byte = 1; byte < 256; byte++) {
        char value[] = {'a', (char)byte, 'b', 0};
        log_info("s", "e", LOG_STR("v", value), LOG_STR("end", "1"));
        const char *line = buf_str(&lines);
        for (const char *p = line; *p; p++)
            assert_true(*p >= ' ' && *p < 0x7f);
        assert_string_equal(line + strlen(line) - 6, " end=1");
    }
}

static void test_cut(void **state)
{
    (void)state;
    static char value[LOG_VALUE_MAX + 2];

    memset(value, 'x', LOG_VALUE_MAX);
    log_info("s", "e", LOG_STR("v", value));
    assert_int_equal(lines.len, strlen("s e v=") + LOG_VALUE_MAX);
    value[LOG_VALUE_MAX] = 'y';
    log_info("s", "e", LOG_STR("v", value));
    assert_int_equal(lines.len, strlen("s e v=\"...\"") + LOG_VALUE_MAX);
    assert_string_equal(buf_str(&lines) + lines.len - 5, "x...\"");
}

static void test_level(void **state)
{
    (void)state;
    log_debug("s", "e");
    assert_int_equal(line_count, 0);
    log_info("s", "e");
    log_warning("s", "e");
    log_error("s", "e");
    assert_int_equal(line_count, 3);
    log_open("test", LOG_TARGET_NOWHERE, LOG_LEVEL_DEBUG);
    log_debug("s", "e");
    assert_int_equal(line_count, 4);
}

/* What reaches stderr when JOURNAL_STREAM names this stderr, with `suffix` behind; the caller
 * frees. */
static char *on_stderr(const char *suffix)
{
    char text[256], journal[64];
    FILE *file = tmpfile();
    struct stat st;
    int saved = dup(STDERR_FILENO);

    assert_non_null(file);
    assert_int_equal(fstat(fileno(file), &st), 0);
    snprintf(journal, sizeof(journal), "%llu:%llu%s", (unsigned long long)st.st_dev,
             (unsigned long long)st.st_ino, suffix);
    setenv("JOURNAL_STREAM", journal, 1);
    dup2(fileno(file), STDERR_FILENO);
    log_open("test", LOG_TARGET_STDERR, LOG_LEVEL_INFO);
    log_warning("s", "e");
    dup2(saved, STDERR_FILENO);
    close(saved);
    unsetenv("JOURNAL_STREAM");
    rewind(file);
    text[fread(text, 1, sizeof(text) - 1, file)] = 0;
    fclose(file);
    return strdup(text);
}

/* systemd.exec(5): JOURNAL_STREAM is inherited; only its device and inode say whose stderr it is.
 */
static void test_journal(void **state)
{
    (void)state;
    char *text = on_stderr("");
    assert_string_equal(text, "<4>test: s e\n");
    free(text);
    text = on_stderr("7");
    assert_string_equal(text, "test: s e\n");
    free(text);
}

static void test_limit(void **state)
{
    struct log_limit limit = {0};
    int64_t now_ms = 5000;

    (void)state;
    for (unsigned minute = 0; minute < 3; minute++, now_ms += LOG_LIMIT_MS) {
        for (unsigned i = 0; i < 100; i++)
            assert_int_equal(log_limit_allows(&limit, "policy", now_ms + i), i < LOG_LIMIT_LINES);
        assert_int_equal(line_count, minute);
    }
    assert_string_equal(buf_str(&lines), "- held-back listener=policy lines=90");
    assert_true(log_limit_allows(&limit, "policy", now_ms + LOG_LIMIT_MS));
    assert_int_equal(line_count, 3);
    assert_true(log_limit_allows(&limit, "policy", now_ms + LOG_LIMIT_MS));
    assert_int_equal(line_count, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_line, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_escape, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_every_byte, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_cut, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_level, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_journal, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_limit, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
