/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/config/schema.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/buf.h"
#include "common/base/str.h"
#include "common/config/syntax.h"
#include "common/config/value.h"
#include "tests/unit/unit.h"

static char *read_source(const char *name)
{
    const char *dir = getenv("POSTERN_SRCDIR");
    char path[4096], part[4096];
    struct buf text;
    FILE *file;
    size_t n;

    snprintf(path, sizeof(path), "%s/%s", dir != NULL ? dir : ".", name);
    file = fopen(path, "r");
    assert_non_null(file);
    buf_init(&text);
    while ((n = fread(part, 1, sizeof(part), file)) > 0)
        buf_put(&text, part, n);
    fclose(file);
    return buf_steal(&text);
}

/* The default as the pages show it, which are written for the prefix /usr. */
static const char *shown_fallback(const struct option *option, char *out, size_t size)
{
    static const struct {
        const char *built, *shown;
    } dirs[] = {
        {"unix:" PN_RUNSTATEDIR "/", "unix:/run/"},
        {"file:" PN_LOCALSTATEDIR "/", "file:/var/"},
    };

    for (size_t i = 0; i < COUNT(dirs); i++) {
        if (!str_has_prefix(option->fallback, dirs[i].built))
            continue;
        snprintf(out, size, "%s%s", dirs[i].shown, option->fallback + strlen(dirs[i].built));
        return out;
    }
    snprintf(out, size, "%s", option->fallback);
    return out;
}

/* The tag that the man page must have for an option. */
static void put_tag(struct buf *page, const struct option *option)
{
    static const char *const types[] = {
        [OPTION_BOOL] = "true or false", [OPTION_NUMBER] = "number",
        [OPTION_SECONDS] = "duration",   [OPTION_MILLISECONDS] = "duration",
        [OPTION_WORD] = "word",          [OPTION_WORDS] = "list of words",
        [OPTION_STRING] = "text",        [OPTION_SECRET] = "file",
        [OPTION_STRINGS] = "list",       [OPTION_PREFIXES] = "list",
        [OPTION_RELAYS] = "list",        [OPTION_KEY] = "file",
    };
    char least[VALUE_DURATION_MAX], most[VALUE_DURATION_MAX], fallback[256];

    buf_printf(page, ".It Cm %s Pq %s", option->name, types[option->type]);
    if (option->type == OPTION_NUMBER)
        buf_printf(page, ", %u to %u", (unsigned)option->min, (unsigned)option->max);
    if (option->type == OPTION_SECONDS || option->type == OPTION_MILLISECONDS)
        buf_printf(page, ", %s to %s", value_duration((unsigned)option->min, least),
                   value_duration((unsigned)option->max, most));
    if (option->fallback == NULL)
        buf_puts(page, "; required\n");
    else if (option->fallback[0] == '\0')
        buf_puts(page, "; default empty\n");
    else
        buf_printf(page, "; default %s\n", shown_fallback(option, fallback, sizeof(fallback)));
}

/* Only the lines that define options: the heads of sections, and the tags below them. */
static char *page_skeleton(const char *page)
{
    struct buf skeleton;

    buf_init(&skeleton);
    for (const char *line = page; *line != '\0'; line += strcspn(line, "\n") + 1) {
        size_t len = strcspn(line, "\n");

        if (str_has_prefix(line, ".It Cm "))
            buf_put(&skeleton, line, len + 1);
        for (const struct section *section = schema; section->name != NULL; section++) {
            const char *name = section->name[0] == '\0' ? "Top level" : section->name;

            if (str_has_prefix(line, ".Ss ") && len == 4 + strlen(name) &&
                strncmp(line + 4, name, len - 4) == 0)
                buf_put(&skeleton, line, len + 1);
        }
        if (line[len] == '\0')
            break;
    }
    return buf_steal(&skeleton);
}

static void test_man_page(void **state)
{
    char *page = read_source("doc/postern.conf.5");
    char *skeleton = page_skeleton(page);
    struct buf want;

    (void)state;
    buf_init(&want);
    for (const struct section *section = schema; section->name != NULL; section++) {
        buf_printf(&want, ".Ss %s\n", section->name[0] == '\0' ? "Top level" : section->name);
        for (const struct option *option = section->options; option->name != NULL; option++)
            put_tag(&want, option);
    }
    assert_string_equal(skeleton, buf_str(&want));
    buf_fini(&want);
    free(skeleton);
    free(page);
}

/* "#name = value" in a line of its own is an option that shows its default. */
static size_t commented_option(const char *line)
{
    size_t indent = strspn(line, " ");
    size_t name;

    if (line[indent] != '#')
        return 0;
    name = strspn(line + indent + 1, "abcdefghijklmnopqrstuvwxyz_0123456789");
    return name > 0 && strncmp(line + indent + 1 + name, " = ", 3) == 0 ? indent + 1 : 0;
}

/* "#name {": up to "#}" each line is one of a section that is an example. */
static bool begins_example(const char *line)
{
    size_t name = strspn(line + (line[0] == '#'), "abcdefghijklmnopqrstuvwxyz");

    return line[0] == '#' && name > 0 && strncmp(line + 1 + name, " {\n", 3) == 0;
}

static char *uncomment(const char *sample)
{
    bool in_example = false;
    struct buf text;

    buf_init(&text);
    for (const char *line = sample; *line != '\0'; line += strcspn(line, "\n") + 1) {
        in_example = in_example || begins_example(line);
        size_t hash = in_example ? 1 : commented_option(line);
        size_t len = strcspn(line, "\n") + 1;

        assert_true(!in_example || line[0] == '#');
        in_example = in_example && line[1] != '}';

        buf_put(&text, line + hash, len - hash);
    }
    return buf_steal(&text);
}

static void join_values(const struct syntax_item *item, struct buf *joined)
{
    for (size_t i = 0; i < item->value_count; i++)
        buf_printf(joined, "%s%s", i > 0 ? " " : "", item->values[i].text);
}

/* An option of the top level, or of the first section of a kind: a second one is an example. */
static bool is_shown(const struct syntax *syntax, const struct syntax_item *item)
{
    if (item->kind == SYNTAX_SECTION || item->in == NULL)
        return item->kind != SYNTAX_SECTION;
    for (size_t i = 0; i < syntax->count; i++) {
        const struct syntax_item *section = syntax->items[i];

        if (section->kind == SYNTAX_SECTION && str_eq(section->name, item->in->name))
            return section == item->in;
    }
    return false;
}

static bool is_in(const struct syntax *syntax, const struct syntax_item *item,
                  const struct section *section)
{
    return is_shown(syntax, item) && str_eq(item->in != NULL ? item->in->name : "", section->name);
}

/* The line of an item in the sample starts with "#": the text there is as it was. */
static bool is_commented(const char *sample, unsigned line)
{
    while (--line > 0)
        sample += strcspn(sample, "\n") + 1;
    return commented_option(sample) > 0;
}

static void test_sample(void **state)
{
    char *sample = read_source("conf/postern.conf");
    char *text = uncomment(sample);
    struct config_errors errors = {0};
    struct syntax syntax;
    size_t items = 0, options = 0;

    (void)state;
    syntax_parse(text, strlen(text), &syntax, &errors);
    assert_int_equal(errors.count, 0);
    for (size_t i = 0; i < syntax.count; i++)
        items += is_shown(&syntax, syntax.items[i]);
    for (const struct section *section = schema; section->name != NULL; section++) {
        for (const struct option *option = section->options; option->name != NULL; option++) {
            size_t found = 0;

            options++;
            for (size_t i = 0; i < syntax.count; i++) {
                const struct syntax_item *item = syntax.items[i];
                char fallback[256];
                struct buf value;

                if (!is_in(&syntax, item, section) || !str_eq(item->name, option->name))
                    continue;
                found++;
                if (!is_commented(sample, item->line))
                    continue;
                CASE(option->name, option->fallback != NULL);
                CASE(option->name, (item->kind == SYNTAX_LIST) == option_is_list(option));
                buf_init(&value);
                join_values(item, &value);
                assert_string_equal(buf_str(&value),
                                    shown_fallback(option, fallback, sizeof(fallback)));
                buf_fini(&value);
            }
            CASE(option->name, found == 1);
        }
    }
    assert_int_equal(items, options);
    syntax_fini(&syntax);
    free(text);
    free(sample);
}

static bool is_explained(const char *sample, unsigned line)
{
    const char *before = sample;

    while (--line > 0) {
        before = sample;
        sample += strcspn(sample, "\n") + 1;
    }
    before += strspn(before, " ");
    if (str_has_prefix(before, "#  #"))
        before += 3;
    return before[0] == '#' && before[1] == ' ';
}

/* prefix6 shares the words above prefix4. */
static void test_sample_explains(void **state)
{
    char *sample = read_source("conf/postern.conf");
    char *text = uncomment(sample);
    struct config_errors errors = {0};
    struct syntax syntax;

    (void)state;
    syntax_parse(text, strlen(text), &syntax, &errors);
    for (size_t i = 0; i < syntax.count; i++) {
        const struct syntax_item *item = syntax.items[i];

        if (is_shown(&syntax, item) && !str_eq(item->name, "prefix6"))
            CASE(item->name, is_explained(sample, item->line));
    }
    syntax_fini(&syntax);
    free(text);
    free(sample);
}

static void test_table(void **state)
{
    (void)state;
    assert_string_equal(schema[0].name, "");
    for (const struct section *section = schema; section->name != NULL; section++) {
        size_t count = 0;

        assert_non_null(section->help);
        for (const struct option *option = section->options; option->name != NULL; option++) {
            size_t index;

            CASE(option->name, option->help != NULL && option->help[0] != '\0');
            CASE(option->name, option->help[strlen(option->help) - 1] != '.');
            CASE(option->name, schema_option(section, option->name, &index) == option);
            CASE(option->name, index == count++);
        }
        CASE(section->name, count <= SECTION_OPTIONS_MAX);
        CASE(section->name, schema_section(section->name) == section);
    }
    assert_null(schema_section("nothing"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_man_page),
        cmocka_unit_test(test_sample),
        cmocka_unit_test(test_sample_explains),
    };

    return cmocka_run_group_tests_name("schema", tests, NULL, NULL);
}
