/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "common/config/config.h"

#include <stdlib.h>

#include <jansson.h>

#include "common/base/mem.h"
#include "common/config/schema.h"
#include "common/config/value.h"

#define SECRET_SHOWN "(set)"

/* All values of an option as texts: what both forms of output show. */
static void add_text(struct config_strings *texts, const char *text)
{
    texts->items = x_reallocarray(texts->items, texts->count + 1, sizeof(texts->items[0]));
    texts->items[texts->count++] = x_strdup(text);
}

static void free_texts(struct config_strings *texts)
{
    for (size_t i = 0; i < texts->count; i++)
        free(texts->items[i]);
    free(texts->items);
}

static void string_texts(const struct option *option, const void *base,
                         struct config_strings *texts)
{
    const char *text = *(char *const *)value_field(option, base);

    if (option->type == OPTION_SECRET || option->type == OPTION_KEY)
        text = text != NULL ? SECRET_SHOWN : NULL;
    add_text(texts, text != NULL ? text : "");
}

static void add_word(const struct option *option, const void *base, const struct option_word *word,
                     struct config_strings *texts)
{
    unsigned weight = option->weights != 0 ? *value_weight(option, base, word->value) : 0;
    char text[64];

    snprintf(text, sizeof(text), "%s=%u", word->word, weight);
    add_text(texts, weight > 1 ? text : word->word);
}

static void word_texts(const struct option *option, const void *base, struct config_strings *texts)
{
    unsigned number = value_number(option, base);

    for (const struct option_word *word = option->words; word->word != NULL; word++) {
        bool is_set =
            option->type == OPTION_WORDS ? (number & word->value) != 0 : number == word->value;

        if (word->value != WORD_LATER && is_set)
            add_word(option, base, word, texts);
    }
}

static void list_texts(const struct option *option, const void *base, struct config_strings *texts)
{
    if (option->type == OPTION_STRINGS) {
        const struct config_strings *strings = value_field(option, base);

        for (size_t i = 0; i < strings->count; i++)
            add_text(texts, strings->items[i]);
    } else if (option->type == OPTION_PREFIXES) {
        const struct prefixlist *list = value_field(option, base);
        char text[PREFIX_TEXT_MAX];

        for (size_t i = 0; i < list->count; i++)
            add_text(texts, prefix_format(&list->items[i], text));
    } else {
        const struct config_route *route = base;

        for (size_t i = 0; i < route->relay_count; i++)
            add_text(texts, route->relays[i]->name);
    }
}

static void collect_texts(const struct option *option, const void *base,
                          struct config_strings *texts)
{
    *texts = (struct config_strings){0};
    if (option->type == OPTION_WORD || option->type == OPTION_WORDS)
        word_texts(option, base, texts);
    else if (option_is_list(option))
        list_texts(option, base, texts);
    else
        string_texts(option, base, texts);
}

static void print_quoted(const char *text, FILE *to)
{
    putc('"', to);
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\')
            putc('\\', to);
        putc(*text, to);
    }
    putc('"', to);
}

static void print_texts(const struct option *option, const void *base, FILE *to)
{
    bool is_list = option_is_list(option);
    struct config_strings texts;

    collect_texts(option, base, &texts);
    if (is_list)
        putc('{', to);
    for (size_t i = 0; i < texts.count; i++) {
        if (i > 0)
            fputs(", ", to);
        print_quoted(texts.items[i], to);
    }
    if (is_list)
        putc('}', to);
    free_texts(&texts);
}

static void print_duration(unsigned sec, FILE *to)
{
    char text[VALUE_DURATION_MAX];

    fprintf(to, "\"%s\"", value_duration(sec, text));
}

static void print_option(const struct option *option, const void *base, const char *indent,
                         FILE *to)
{
    fprintf(to, "%s%s = ", indent, option->name);
    if (option->type == OPTION_BOOL)
        fputs(value_number(option, base) ? "true" : "false", to);
    else if (option->type == OPTION_NUMBER)
        fprintf(to, "%u", value_number(option, base));
    else if (option->type == OPTION_SECONDS)
        print_duration(value_number(option, base), to);
    else if (option->type == OPTION_MILLISECONDS)
        print_duration(value_number(option, base) / 1000, to);
    else
        print_texts(option, base, to);
    putc('\n', to);
}

static void print_section(const struct section *section, const void *base, FILE *to)
{
    bool is_top = section->name[0] == '\0';

    if (!is_top && section->titled)
        fprintf(to, "\n%s \"%s\" {\n", section->name, *(char *const *)base);
    else if (!is_top)
        fprintf(to, "\n%s {\n", section->name);
    for (const struct option *option = section->options; option->name != NULL; option++)
        print_option(option, base, is_top ? "" : "  ", to);
    if (!is_top)
        fputs("}\n", to);
}

/* The structs of a section: one, or as many as the file has. */
static const char *section_bases(const struct section *section, const struct config *config,
                                 size_t *count_r)
{
    const char *at = (const char *)config + section->offset;

    *count_r = 1;
    if (!section->multiple)
        return at;
    *count_r = *(const size_t *)(const void *)((const char *)config + section->count_offset);
    return *(char *const *)(const void *)at;
}

void config_print(const struct config *config, FILE *to)
{
    for (const struct section *section = schema; section->name != NULL; section++) {
        size_t count;
        const char *base = section_bases(section, config, &count);

        for (size_t i = 0; i < count; i++)
            print_section(section, base + i * section->size, to);
    }
}

static json_t *texts_json(const struct option *option, const void *base)
{
    struct config_strings texts;
    json_t *list = json_array();
    json_t *first;

    collect_texts(option, base, &texts);
    for (size_t i = 0; i < texts.count; i++)
        json_array_append_new(list, json_string(texts.items[i]));
    free_texts(&texts);
    if (option_is_list(option))
        return list;
    first = json_incref(json_array_get(list, 0));
    json_decref(list);
    return first;
}

static json_t *option_json(const struct option *option, const void *base)
{
    switch (option->type) {
    case OPTION_BOOL:
        return json_boolean(value_number(option, base));
    case OPTION_NUMBER:
    case OPTION_SECONDS:
        return json_integer(value_number(option, base));
    case OPTION_MILLISECONDS:
        return json_integer(value_number(option, base) / 1000);
    default:
        return texts_json(option, base);
    }
}

static void fill_json(json_t *object, const struct section *section, const void *base)
{
    if (section->titled)
        json_object_set_new(object, "name", json_string(*(char *const *)base));
    for (const struct option *option = section->options; option->name != NULL; option++)
        json_object_set_new(object, option->name, option_json(option, base));
}

static json_t *section_json(const struct section *section, const struct config *config)
{
    size_t count;
    const char *base = section_bases(section, config, &count);
    json_t *list = json_array();

    for (size_t i = 0; i < count; i++) {
        json_t *object = json_object();

        fill_json(object, section, base + i * section->size);
        if (!section->multiple) {
            json_decref(list);
            return object;
        }
        json_array_append_new(list, object);
    }
    return list;
}

void config_print_json(const struct config *config, FILE *to)
{
    json_t *root = json_object();

    fill_json(root, &schema[0], config);
    for (const struct section *section = &schema[1]; section->name != NULL; section++)
        json_object_set_new(root, section->name, section_json(section, config));
    json_dumpf(root, to, JSON_INDENT(2));
    putc('\n', to);
    json_decref(root);
}
