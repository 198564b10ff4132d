/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "common/config/draft.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/bug.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/config/errors.h"
#include "common/config/near.h"
#include "common/config/value.h"

static bool is_section_item(const struct syntax_item *item, const struct section *section)
{
    return item->kind == SYNTAX_SECTION && item->in == NULL && str_eq(item->name, section->name);
}

static char *make_where(const struct section *section, const struct syntax_item *item)
{
    struct buf where;

    buf_init(&where);
    if (section->titled && item != NULL && item->title != NULL)
        buf_printf(&where, "%s \"%s\": ", section->name, item->title);
    else if (section->name[0] != '\0')
        buf_printf(&where, "%s: ", section->name);
    else
        buf_puts(&where, "");
    return buf_steal(&where);
}

static void unknown_option(struct draft *draft, const struct draft_section *in,
                           const struct syntax_item *item)
{
    const char *near = near_option(in->section, item->name);

    if (in->item == NULL && schema_section(item->name) != NULL)
        config_errors_add(draft->errors, item->line,
                          "\"%s\" is a section: %s { ... } is right, without \"=\"", item->name,
                          item->name);
    else if (near != NULL)
        config_errors_add(draft->errors, item->line,
                          "%sunknown option \"%.100s\"; did you mean \"%s\"?", in->where,
                          item->name, near);
    else if ((near = near_section_of(item->name)) != NULL)
        config_errors_add(draft->errors, item->line, "%sunknown option \"%.100s\"; it belongs %s%s",
                          in->where, item->name,
                          near[0] == '\0' ? "outside of all sections" : "to ", near);
    else
        config_errors_add(draft->errors, item->line, "%sunknown option \"%.100s\"", in->where,
                          item->name);
}

static void place_option(struct draft *draft, struct draft_section *in,
                         const struct syntax_item *item)
{
    size_t index;

    if (schema_option(in->section, item->name, &index) == NULL)
        unknown_option(draft, in, item);
    else if (in->given[index] != NULL)
        config_errors_add(draft->errors, item->line,
                          "%s%s is set again; line %u has it already, one of them is right",
                          in->where, item->name, in->given[index]->line);
    else
        in->given[index] = item;
}

/* Whether item stands inside of `in`. A section that may be there once is one, however often it is.
 */
static bool is_inside(const struct draft_section *in, const struct syntax_item *item)
{
    if (item->kind == SYNTAX_SECTION)
        return false;
    if (in->section->multiple)
        return item->in == in->item;
    if (in->section->name[0] == '\0')
        return item->in == NULL;
    return item->in != NULL && str_eq(item->in->name, in->section->name);
}

static void fill_section(struct draft *draft, struct draft_section *in)
{
    const struct section *section = in->section;
    unsigned line = in->item != NULL ? in->item->line : 0;

    for (size_t i = 0; i < draft->syntax.count; i++)
        if (is_inside(in, draft->syntax.items[i]))
            place_option(draft, in, draft->syntax.items[i]);
    for (size_t i = 0; section->options[i].name != NULL; i++) {
        size_t before = draft->errors->count;

        value_set(&section->options[i], in->given[i], line, in->where, in->base, draft->errors);
        in->wrong[i] = draft->errors->count > before || (in->given[i] && in->given[i]->bad);
    }
}

static void check_title(struct draft *draft, const struct draft_section *in)
{
    const struct syntax_item *item = in->item;
    const char *name = in->section->name;
    const char *phrase;

    if (!in->section->titled) {
        if (item->title != NULL)
            config_errors_add(draft->errors, item->line, "%s has no name: %s { ... } is right",
                              name, name);
        return;
    }
    if (item->title == NULL) {
        config_errors_add(draft->errors, item->line,
                          "this %s has no name: %s \"NAME\" { ... } is right", name, name);
        return;
    }
    phrase = form_name(item->title);
    if (phrase != NULL)
        config_errors_add(draft->errors, item->line, "%s \"%.100s\" is not %s", name, item->title,
                          phrase);
    *(char **)in->base = x_strdup(item->title);
}

static void check_unique(struct draft *draft, const struct draft_section *in)
{
    for (const struct draft_section *other = draft->sections; other < in; other++) {
        if (other->section != in->section || other->item->title == NULL ||
            in->item->title == NULL || !str_eq(other->item->title, in->item->title))
            continue;
        config_errors_add(draft->errors, in->item->line,
                          "%s \"%s\" is there already, in line %u: each needs a name of its own",
                          in->section->name, in->item->title, other->item->line);
        return;
    }
}

static void add_section(struct draft *draft, const struct section *section,
                        const struct syntax_item *item, void *base)
{
    struct draft_section *in = &draft->sections[draft->count++];

    *in = (struct draft_section){section, item, make_where(section, item), base, {NULL}, {false}};
    if (item != NULL) {
        check_title(draft, in);
        if (section->titled)
            check_unique(draft, in);
    }
    fill_section(draft, in);
}

static void add_multiple(struct draft *draft, const struct section *section)
{
    char *config = (char *)draft->config;
    size_t *count_r = (size_t *)(void *)(config + section->count_offset);
    size_t count = 0, n = 0;
    char *items;

    for (size_t i = 0; i < draft->syntax.count; i++)
        count += is_section_item(draft->syntax.items[i], section);
    if (count == 0)
        return;
    items = x_calloc(count, section->size);
    *(void **)(void *)(config + section->offset) = items;
    *count_r = count;
    for (size_t i = 0; i < draft->syntax.count; i++)
        if (is_section_item(draft->syntax.items[i], section))
            add_section(draft, section, draft->syntax.items[i], items + n++ * section->size);
}

static void add_single(struct draft *draft, const struct section *section)
{
    const struct syntax_item *first = NULL;

    for (size_t i = 0; i < draft->syntax.count; i++) {
        const struct syntax_item *item = draft->syntax.items[i];

        if (!is_section_item(item, section))
            continue;
        if (first == NULL)
            first = item;
        else
            config_errors_add(draft->errors, item->line,
                              "%s is there already, in line %u: one section holds it all",
                              section->name, first->line);
    }
    add_section(draft, section, first, (char *)draft->config + section->offset);
}

static void check_unknown_sections(struct draft *draft)
{
    for (size_t i = 0; i < draft->syntax.count; i++) {
        const struct syntax_item *item = draft->syntax.items[i];
        const char *near;
        size_t index;

        if (item->kind != SYNTAX_SECTION || item->in != NULL || schema_section(item->name) != NULL)
            continue;
        near = near_section(item->name);
        if (schema_option(&schema[0], item->name, &index) != NULL)
            config_errors_add(draft->errors, item->line, "\"%s\" is an option: %s = VALUE is right",
                              item->name, item->name);
        else if (near != NULL)
            config_errors_add(draft->errors, item->line,
                              "unknown section \"%.100s\"; did you mean \"%s\"?", item->name, near);
        else
            config_errors_add(draft->errors, item->line, "unknown section \"%.100s\"", item->name);
    }
}

void draft_init(struct draft *draft, struct config *config, const char *text, size_t len,
                struct config_errors *errors)
{
    size_t schema_count = 0;

    *draft = (struct draft){.config = config, .errors = errors};
    syntax_parse(text, len, &draft->syntax, errors);
    while (schema[schema_count].name != NULL)
        schema_count++;
    draft->sections = x_calloc(schema_count + draft->syntax.count, sizeof(draft->sections[0]));
    for (const struct section *section = schema; section->name != NULL; section++) {
        if (section->multiple)
            add_multiple(draft, section);
        else
            add_single(draft, section);
    }
    check_unknown_sections(draft);
}

void draft_fini(struct draft *draft)
{
    for (size_t i = 0; i < draft->count; i++)
        free(draft->sections[i].where);
    free(draft->sections);
    syntax_fini(&draft->syntax);
}

const struct draft_section *draft_next(const struct draft *draft, const char *name,
                                       const struct draft_section *after)
{
    const struct draft_section *in = after == NULL ? draft->sections : after + 1;

    for (; in < draft->sections + draft->count; in++)
        if (str_eq(in->section->name, name))
            return in;
    return NULL;
}

const struct syntax_item *draft_given(const struct draft_section *section, const char *option)
{
    size_t index;

    if (schema_option(section->section, option, &index) == NULL)
        BUG("no option %s", option);
    return section->given[index];
}

bool draft_is_right(const struct draft_section *section, const char *const *options)
{
    size_t index;

    for (; *options != NULL; options++)
        if (schema_option(section->section, *options, &index) == NULL || section->wrong[index])
            return false;
    return true;
}

unsigned draft_line(const struct draft_section *section, const char *option)
{
    const struct syntax_item *item = draft_given(section, option);

    if (item == NULL)
        item = section->item;
    return item != NULL ? item->line : 0;
}
