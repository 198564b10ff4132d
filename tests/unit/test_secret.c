/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/config/secret.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/str.h"
#include "tests/unit/unit.h"

static char path[] = "/tmp/postern-test-secret.XXXXXX";

static void write_bytes(const void *bytes, size_t len, mode_t mode)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, mode), 0);
}

static void test_right(void **state)
{
    static const struct {
        const char *bytes;
        mode_t mode;
    } cases[] = {{"s3cret", 0600}, {"s3cret\n", 0640}, {"s3cret\r\n", 0400}};

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct error error;
        char *secret;

        write_bytes(cases[i].bytes, strlen(cases[i].bytes), cases[i].mode);
        secret = secret_read(path, &error);
        CASE(cases[i].bytes, secret != NULL && str_eq(secret, "s3cret"));
        secret_free(&secret);
        assert_null(secret);
    }
}

static void test_wrong(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
        mode_t mode;
        const char *reason;
    } cases[] = {
        {"", 0, 0600, " is empty: one line with the secret is right"},
        {"\n", 1, 0600, " is empty: one line with the secret is right"},
        {"s3cret\n\n", 8, 0600, " is more than one line of text: the secret alone is right"},
        {"s3\ncret", 7, 0600, " is more than one line of text: the secret alone is right"},
        {"s3\0cret", 7, 0600, " is more than one line of text: the secret alone is right"},
        {"s3\177cret", 7, 0600, " is more than one line of text: the secret alone is right"},
        {"s3\377cret", 7, 0600, " is not UTF-8"},
        {"s3cret", 6, 0644, " can be read by everybody (mode 0644): chmod 0640 is right"},
        {"s3cret", 6, 0660,
         " can be written by others than its owner (mode 0660): chmod 0640 is right"},
        {"s3cret", 6, 0602,
         " can be written by others than its owner (mode 0602): chmod 0640 is right"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct error error;

        write_bytes(cases[i].bytes, cases[i].len, cases[i].mode);
        CASE(cases[i].reason, secret_read(path, &error) == NULL);
        assert_true(str_has_prefix(error.text, path));
        assert_string_equal(error.text + strlen(path), cases[i].reason);
    }
}

/* One byte below, at and above the limit, with and without the end of the line. */
static void test_length(void **state)
{
    static const char *const ends[] = {"", "\n", "\r\n"};
    char bytes[SECRET_MAX + 4];

    (void)state;
    for (size_t i = 0; i < COUNT(ends); i++) {
        for (size_t len = SECRET_MAX - 1; len <= SECRET_MAX + 1; len++) {
            struct error error;
            char *secret;

            memset(bytes, 'x', sizeof(bytes));
            memcpy(bytes + len, ends[i], strlen(ends[i]));
            write_bytes(bytes, len + strlen(ends[i]), 0600);
            secret = secret_read(path, &error);
            if (len > SECRET_MAX) {
                assert_null(secret);
                assert_non_null(strstr(error.text, " is longer than 1024 bytes"));
            } else {
                assert_non_null(secret);
                assert_int_equal(strlen(secret), len);
            }
            secret_free(&secret);
        }
    }
}

static void test_text(void **state)
{
    static const char key[] = "-----BEGIN\r\n\tkey\n\n-----END\n";
    struct error error;
    char *text;

    (void)state;
    write_bytes(key, strlen(key), 0640);
    text = secret_read_text(path, &error);
    assert_string_equal(text, key);
    secret_free(&text);
}

static void test_text_wrong(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
        mode_t mode;
        const char *reason;
    } cases[] = {
        {"", 0, 0600, " is empty"},
        {"a\0b", 3, 0600, " is not text"},
        {"a\nb", 3, 0604, " can be read by everybody (mode 0604): chmod 0640 is right"},
        {"a\nb", 3, 0620,
         " can be written by others than its owner (mode 0620): chmod 0640 is right"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct error error;

        write_bytes(cases[i].bytes, cases[i].len, cases[i].mode);
        CASE(cases[i].reason, secret_read_text(path, &error) == NULL);
        assert_string_equal(error.text + strlen(path), cases[i].reason);
    }
}

static void test_text_length(void **state)
{
    static char bytes[SECRET_TEXT_MAX + 2];

    (void)state;
    memset(bytes, '\n', sizeof(bytes));
    for (size_t len = SECRET_TEXT_MAX; len <= SECRET_TEXT_MAX + 2; len++) {
        struct error error;
        char *text;

        write_bytes(bytes, len, 0600);
        text = secret_read_text(path, &error);
        assert_int_equal(text != NULL, len == SECRET_TEXT_MAX);
        if (text)
            assert_int_equal(strlen(text), len);
        else
            assert_non_null(strstr(error.text, " is longer than 16384 bytes"));
        secret_free(&text);
    }
}

static int setup(void **state)
{
    int fd = mkstemp(path);

    (void)state;
    return fd < 0 || close(fd) != 0;
}

static int teardown(void **state)
{
    (void)state;
    return unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_right),      cmocka_unit_test(test_wrong),
        cmocka_unit_test(test_length),     cmocka_unit_test(test_text),
        cmocka_unit_test(test_text_wrong), cmocka_unit_test(test_text_length),
    };

    return cmocka_run_group_tests_name("secret", tests, setup, teardown);
}
