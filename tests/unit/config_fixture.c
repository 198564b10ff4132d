/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "tests/unit/config_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/str.h"
#include "tests/unit/unit.h"

static char dir[] = "/tmp/postern-test-config.XXXXXX";

const char *in_dir(const char *name)
{
    static char path[2][sizeof(dir) + 64];
    static unsigned turn;

    turn ^= 1;
    snprintf(path[turn], sizeof(path[turn]), "%s/%s", dir, name);
    return path[turn];
}

const char *write_file(const char *name, const void *bytes, size_t len, mode_t mode)
{
    const char *path = in_dir(name);
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, mode), 0);
    return path;
}

/* "@" in a text stands for the directory of the test, but not in an address. */
void put_filled(struct buf *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (str_has_prefix(text, "@/"))
            buf_puts(out, dir);
        else
            buf_putc(out, *text);
    }
}

int load_bytes(const char *bytes, size_t len, struct config **config_r,
               struct config_errors *errors_r)
{
    return config_load(write_file("postern.conf", bytes, len, 0644), config_r, errors_r);
}

/* All errors as "LINE: TEXT" lines; "" when the file is right. */
char *errors_of_bytes(const char *bytes, size_t len)
{
    struct config_errors errors;
    struct config *config;
    struct buf text;
    int result = load_bytes(bytes, len, &config, &errors);

    buf_init(&text);
    buf_puts(&text, "");
    for (size_t i = 0; i < errors.count; i++)
        buf_printf(&text, "%u: %s\n", errors.items[i].line, errors.items[i].text);
    assert_int_equal(result, errors.count == 0 ? 0 : -1);
    assert_true((config == NULL) == (result != 0));
    config_errors_fini(&errors);
    config_free(&config);
    return buf_steal(&text);
}

char *errors_of(const char *text)
{
    struct buf filled;
    char *errors;

    buf_init(&filled);
    put_filled(&filled, text);
    errors = errors_of_bytes(buf_str(&filled), filled.len);
    buf_fini(&filled);
    return errors;
}

struct config *load(const char *text)
{
    struct config_errors errors;
    struct config *config;
    struct buf filled;

    buf_init(&filled);
    put_filled(&filled, text);
    if (load_bytes(buf_str(&filled), filled.len, &config, &errors) != 0)
        fail_msg("%s", errors.items[0].text);
    buf_fini(&filled);
    return config;
}

void check_cases(const struct bad_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct buf text, want;
        char *errors;

        buf_init(&text);
        buf_init(&want);
        buf_printf(&text, "hostname = \"mx.example.com\"\n%s", cases[i].text);
        put_filled(&want, cases[i].errors);
        errors = errors_of(buf_str(&text));
        assert_string_equal(errors, buf_str(&want));
        free(errors);
        buf_fini(&want);
        buf_fini(&text);
    }
}

int config_fixture_setup(void **state)
{
    (void)state;
    if (mkdtemp(dir) == NULL)
        return -1;
    write_file("secret", "s3cret\n", 7, 0600);
    write_file("other", "0ther\n", 6, 0600);
    return 0;
}

int config_fixture_teardown(void **state)
{
    static const char *const names[] = {"postern.conf", "secret", "other", "open", "fifo"};

    (void)state;
    for (size_t i = 0; i < COUNT(names); i++)
        unlink(in_dir(names[i]));
    return rmdir(dir);
}
