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
#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/config/config.h"
#include "common/config/draft.h"
#include "common/config/rules.h"
#include "common/config/schema.h"
#include "common/config/syntax.h"
#include "tests/unit/unit.h"

/*
 * What goes wrong with any option, derived from the schema: a file with every
 * option is right, and wrong exactly where one of them is made so.
 */

static char secret[] = "/tmp/postern-test-secret.XXXXXX";

/* Values where the default does not do in a file that has every option. */
static const struct {
    const char *section, *option, *value;
} samples[] = {
    {"", "hostname", "mx.example.com"},
    {"", "domains", "example.com"},
    {"gateway", "public_addresses", "192.0.2.1"},
    {"gateway", "tunnel_addresses", "10.8.0.1"},
    {"gateway", "mta", "postfix"},
    {"gateway", "mta_name", "mx.example.net"},
    {"ingress", "listen", "10.8.0.2:25"},
    {"ingress", "to", "127.0.0.1:10025"},
    {"redis", "user", "me"},
    {"redis", "password_file", secret},
    {"http", "listen", "unix:/a"},
    {"http", "token_file", secret},
    {"jail", "action", "delay"},
    {"sign", "from", "*"},
    {"sign", "selector", "202611"},
    {"sign", "key_file", secret},
    {"relay", "host", "relay.example"},
    {"relay", "login", "me"},
    {"relay", "password_file", secret},
    {"route", "relays", "name"},
};

static void put_value(struct buf *out, const struct section *section, const struct option *option)
{
    const char *value = option->fallback;

    for (size_t i = 0; i < COUNT(samples); i++)
        if (str_eq(samples[i].section, section->name) && str_eq(samples[i].option, option->name))
            value = samples[i].value;
    assert_non_null(value);
    if (option_is_list(option) && value[0] == '\0')
        buf_puts(out, "{}");
    else
        buf_printf(out, "\"%s\"", value);
}

typedef void (*spoil_fn)(struct buf *out, const struct section *section,
                         const struct option *option);

/*
 * Every option in a line of its own; `spoil` writes the line of `victim` (NULL: of
 * each). Returns the line of the last one that it wrote.
 */
static unsigned put_file(struct buf *out, const struct option *victim, spoil_fn spoil)
{
    unsigned line = 0, spoilt = 0;

    for (const struct section *section = schema; section->name != NULL; section++) {
        if (section->name[0] != '\0') {
            buf_printf(out, section->titled ? "%s \"name\" {\n" : "%s {\n", section->name);
            line++;
        }
        for (const struct option *option = section->options; option->name != NULL; option++) {
            line++;
            if (spoil != NULL && (victim == NULL || victim == option)) {
                spoil(out, section, option);
                spoilt = line;
            } else {
                buf_printf(out, "%s = ", option->name);
                put_value(out, section, option);
            }
            buf_putc(out, '\n');
        }
        if (section->name[0] != '\0') {
            buf_puts(out, "}\n");
            line++;
        }
    }
    return spoilt;
}

static struct config *load(const char *text, size_t len, struct config_errors *errors_r)
{
    struct config *config = x_calloc(1, sizeof(*config));
    struct draft draft;

    *errors_r = (struct config_errors){0};
    draft_init(&draft, config, text, len, errors_r);
    rules_apply(&draft);
    draft_fini(&draft);
    return config;
}

static bool has_error(const struct config_errors *errors, unsigned line, const char *part)
{
    for (size_t i = 0; i < errors->count; i++)
        if (errors->items[i].line == line && strstr(errors->items[i].text, part) != NULL)
            return true;
    return false;
}

/* Spoils each option in turn. count is how many errors that may make, 0: any number. */
static void spoil_each(spoil_fn spoil, const char *part, size_t count)
{
    for (const struct section *section = schema; section->name != NULL; section++) {
        for (const struct option *option = section->options; option->name != NULL; option++) {
            struct config_errors errors;
            struct config *config;
            struct buf text;
            unsigned line;

            buf_init(&text);
            line = put_file(&text, option, spoil);
            config = load(buf_str(&text), text.len, &errors);
            CASE(option->name, has_error(&errors, line, option->name));
            CASE(option->name, has_error(&errors, line, part));
            CASE(option->name, count == 0 || errors.count == count);
            config_errors_fini(&errors);
            config_free(&config);
            buf_fini(&text);
        }
    }
}

static void test_all_right(void **state)
{
    struct config_errors errors;
    struct config *config;
    struct buf text;

    (void)state;
    buf_init(&text);
    put_file(&text, NULL, NULL);
    config = load(buf_str(&text), text.len, &errors);
    if (errors.count > 0)
        fail_msg("%u: %s", errors.items[0].line, errors.items[0].text);
    config_free(&config);
    buf_fini(&text);
}

/* A list where one value belongs; a value of another form in a list. */
static void wrong_type(struct buf *out, const struct section *section, const struct option *option)
{
    (void)section;
    if (option_is_list(option))
        buf_printf(out, "%s = {\"no such thing\"}", option->name);
    else
        buf_printf(out, "%s = {\"one\", \"two\"}", option->name);
}

static void test_wrong_type(void **state)
{
    (void)state;
    spoil_each(wrong_type, "", 1);
}

static void wrong_text(struct buf *out, const struct section *section, const struct option *option)
{
    (void)section;
    if (option->form == form_login)
        buf_printf(out, "%s = \"%0300d\"", option->name, 0);
    else
        buf_printf(out, "%s = \"no such thing\"", option->name);
}

static void test_wrong_text(void **state)
{
    (void)state;
    spoil_each(wrong_text, " not ", 1);
}

static void misspelt(struct buf *out, const struct section *section, const struct option *option)
{
    buf_printf(out, "%sx = ", option->name);
    put_value(out, section, option);
}

static void test_unknown(void **state)
{
    (void)state;
    spoil_each(misspelt, "unknown option", 0);
}

static void repeated(struct buf *out, const struct section *section, const struct option *option)
{
    for (int i = 0; i < 2; i++) {
        buf_printf(out, " %s = ", option->name);
        put_value(out, section, option);
    }
}

static void test_duplicate(void **state)
{
    (void)state;
    spoil_each(repeated, "is set again", 1);
}

static void not_closed(struct buf *out, const struct section *section, const struct option *option)
{
    (void)section;
    buf_printf(out, "%s = {\"a\", ", option->name);
}

static void test_not_closed(void **state)
{
    (void)state;
    for (const struct option *option = schema[0].options; option[1].name != NULL; option++) {
        struct config_errors errors;
        struct config *config;
        struct buf text;
        unsigned line;

        buf_init(&text);
        line = put_file(&text, option, not_closed);
        config = load(buf_str(&text), text.len, &errors);
        CASE(option->name, has_error(&errors, line, "is not closed") && errors.count == 1);
        config_errors_fini(&errors);
        config_free(&config);
        buf_fini(&text);
    }
}

/* One run names them all: each line of an option has its error, and no other line has. */
static void test_all_at_once(void **state)
{
    struct config_errors errors;
    struct config *config;
    size_t options = 0;
    struct buf text;

    (void)state;
    for (const struct section *section = schema; section->name != NULL; section++)
        for (const struct option *option = section->options; option->name != NULL; option++)
            options++;
    buf_init(&text);
    put_file(&text, NULL, wrong_type);
    config = load(buf_str(&text), text.len, &errors);
    assert_int_equal(errors.count, options);
    config_errors_fini(&errors);
    config_free(&config);
    buf_fini(&text);
}

static uint64_t edge;

static void at_edge(struct buf *out, const struct section *section, const struct option *option)
{
    (void)section;
    buf_printf(out, "%s = %llu", option->name, (unsigned long long)edge);
}

static size_t errors_at_edge(const struct option *option, uint64_t value)
{
    struct config_errors errors;
    struct config *config;
    struct buf text;
    unsigned line;
    size_t count;

    edge = value;
    buf_init(&text);
    line = put_file(&text, option, at_edge);
    config = load(buf_str(&text), text.len, &errors);
    count = errors.count;
    if (count > 0)
        CASE(option->name, has_error(&errors, line, " from "));
    config_errors_fini(&errors);
    config_free(&config);
    buf_fini(&text);
    return count;
}

static void test_range(void **state)
{
    size_t ranges = 0;

    (void)state;
    for (const struct section *section = schema; section->name != NULL; section++) {
        for (const struct option *option = section->options; option->name != NULL; option++) {
            if (option->type != OPTION_NUMBER && option->type != OPTION_SECONDS &&
                option->type != OPTION_MILLISECONDS)
                continue;
            ranges++;
            CASE(option->name, errors_at_edge(option, option->min) == 0);
            CASE(option->name, errors_at_edge(option, option->max) == 0);
            CASE(option->name, errors_at_edge(option, option->min - 1) == 1);
            CASE(option->name, errors_at_edge(option, option->max + 1) == 1);
            CASE(option->name, errors_at_edge(option, UINT64_MAX) == 1);
        }
    }
    assert_true(ranges >= 9);
}

static void too_many(struct buf *out, const struct section *section, const struct option *option)
{
    (void)section;
    buf_printf(out, "%s = {", option->name);
    for (uint64_t i = 0; i <= option->max; i++)
        buf_puts(out, "x, ");
    buf_puts(out, "}");
}

static void none(struct buf *out, const struct section *section, const struct option *option)
{
    (void)section;
    buf_printf(out, "%s = {}", option->name);
}

static void check_count(const struct option *option, spoil_fn spoil, bool is_wrong)
{
    struct config_errors errors;
    struct config *config;
    struct buf text;
    unsigned line;

    buf_init(&text);
    line = put_file(&text, option, spoil);
    config = load(buf_str(&text), text.len, &errors);
    CASE(option->name, errors.count == is_wrong);
    CASE(option->name, !is_wrong || has_error(&errors, line, " values: "));
    config_errors_fini(&errors);
    config_free(&config);
    buf_fini(&text);
}

static void test_count(void **state)
{
    (void)state;
    for (const struct section *section = schema; section->name != NULL; section++) {
        for (const struct option *option = section->options; option->name != NULL; option++) {
            if (!option_is_list(option))
                continue;
            check_count(option, too_many, true);
            /* Without any domain nothing can be signed, which section sign is complained of for. */
            if (!str_eq(option->name, "domains"))
                check_count(option, none, option->min > 0);
        }
    }
}

static char *print(const struct config *config, void (*print_fn)(const struct config *, FILE *))
{
    char *text = NULL;
    size_t len = 0;
    FILE *to = open_memstream(&text, &len);

    print_fn(config, to);
    fclose(to);
    return text;
}

static void put_replaced(struct buf *out, const char *text, const char *from, const char *to)
{
    const char *at;

    for (; (at = strstr(text, from)) != NULL; text = at + strlen(from)) {
        buf_put(out, text, (size_t)(at - text));
        buf_puts(out, to);
    }
    buf_puts(out, text);
}

/* What config_print() prints is a file that says the same, but for the secrets. */
static void test_print(void **state)
{
    struct config_errors errors;
    char *first, *second, *json;
    struct config *config;
    struct buf text;

    (void)state;
    buf_init(&text);
    put_file(&text, NULL, NULL);
    config = load(buf_str(&text), text.len, &errors);
    first = print(config, config_print);
    json = print(config, config_print_json);
    config_free(&config);
    assert_null(strstr(first, "s3cret"));
    assert_null(strstr(json, "s3cret"));
    assert_non_null(strstr(first, "  password_file = \"(set)\"\n"));
    assert_non_null(strstr(first, "  findtime = \"10m\"\n"));
    assert_non_null(strstr(json, "\"findtime\": 600"));
    assert_non_null(strstr(json, "\"store\": \"file:" PN_LOCALSTATEDIR "/lib/postern\""));

    buf_reset(&text);
    put_replaced(&text, first, "(set)", secret);
    config = load(buf_str(&text), text.len, &errors);
    assert_int_equal(errors.count, 0);
    second = print(config, config_print);
    assert_string_equal(first, second);
    config_free(&config);
    free(json);
    free(second);
    free(first);
    buf_fini(&text);
}

/* Cut behind every byte, and each byte replaced by one that means something: never a crash. */
static void test_damaged(void **state)
{
    static const char meant[] = {'"', '\'', '{',  '}',  '=', ',',
                                 '#', '\\', '\n', '\0', '/', (char)0xff};
    struct config_errors errors;
    struct config *config;
    struct buf text;
    char *copy;

    (void)state;
    buf_init(&text);
    put_file(&text, NULL, NULL);
    for (size_t len = 0; len < text.len; len++) {
        copy = x_malloc(len + 1);
        memcpy(copy, buf_str(&text), len);
        config = load(copy, len, &errors);
        config_errors_fini(&errors);
        config_free(&config);
        free(copy);
    }
    for (size_t at = 0; at < text.len; at++) {
        struct syntax syntax;
        uint8_t was = text.data[at];

        for (size_t i = 0; i < COUNT(meant); i++) {
            errors = (struct config_errors){0};
            text.data[at] = (uint8_t)meant[i];
            syntax_parse(buf_str(&text), text.len, &syntax, &errors);
            syntax_fini(&syntax);
            config_errors_fini(&errors);
        }
        text.data[at] = was;
    }
    buf_fini(&text);
}

/* The shipped sample is right once the secret files that it names are there. */
static void test_sample(void **state)
{
    const char *srcdir = getenv("POSTERN_SRCDIR");
    struct config_errors errors;
    struct config *config;
    struct buf text, filled;
    char path[4096];
    FILE *file;
    int c;

    (void)state;
    snprintf(path, sizeof(path), "%s/conf/postern.conf", srcdir != NULL ? srcdir : ".");
    file = fopen(path, "r");
    assert_non_null(file);
    buf_init(&text);
    while ((c = getc(file)) != EOF)
        buf_putc(&text, (char)c);
    fclose(file);
    config = load(buf_str(&text), text.len, &errors);
    assert_int_equal(errors.count, 2);
    CASE("token", strstr(errors.items[0].text, "/etc/postern/auth.token") != NULL);
    CASE("key", strstr(errors.items[1].text, "/etc/postern/brevo.key") != NULL);
    config_errors_fini(&errors);
    config_free(&config);

    buf_init(&filled);
    put_replaced(&filled, buf_str(&text), "/etc/postern/auth.token", secret);
    buf_reset(&text);
    put_replaced(&text, buf_str(&filled), "/etc/postern/brevo.key", secret);
    config = load(buf_str(&text), text.len, &errors);
    assert_int_equal(errors.count, 0);
    assert_false(config->enforce);
    config_free(&config);
    buf_fini(&filled);
    buf_fini(&text);
}

static int setup(void **state)
{
    int fd = mkstemp(secret);

    (void)state;
    return fd < 0 || write(fd, "s3cret\n", 7) != 7 || close(fd) != 0;
}

static int teardown(void **state)
{
    (void)state;
    return unlink(secret);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_right),   cmocka_unit_test(test_wrong_type),
        cmocka_unit_test(test_wrong_text),  cmocka_unit_test(test_unknown),
        cmocka_unit_test(test_duplicate),   cmocka_unit_test(test_not_closed),
        cmocka_unit_test(test_all_at_once), cmocka_unit_test(test_range),
        cmocka_unit_test(test_count),       cmocka_unit_test(test_print),
        cmocka_unit_test(test_damaged),     cmocka_unit_test(test_sample),
    };

    return cmocka_run_group_tests_name("options", tests, setup, teardown);
}
