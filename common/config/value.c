/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "common/config/value.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/bug.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/config/errors.h"
#include "common/config/secret.h"

struct setter {
    const struct option *option;
    const char *where;
    void *base;
    unsigned line;
    struct config_errors *errors;
};

void *value_field(const struct option *option, const void *base)
{
    return (char *)(uintptr_t)base + option->offset;
}

unsigned value_number(const struct option *option, const void *base)
{
    if (option->size == sizeof(bool))
        return *(const bool *)value_field(option, base);
    BUG_ON(option->size != sizeof(unsigned));
    return *(const unsigned *)value_field(option, base);
}

const char *value_duration(unsigned sec, char out[VALUE_DURATION_MAX])
{
    static const struct {
        unsigned sec;
        char unit;
    } units[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};
    size_t i = 0;

    while (i < 3 && (sec == 0 || sec % units[i].sec != 0))
        i++;
    snprintf(out, VALUE_DURATION_MAX, "%u%c", sec / units[i].sec, units[i].unit);
    return out;
}

static void store_number(struct setter *setter, unsigned number)
{
    void *field = value_field(setter->option, setter->base);

    if (setter->option->size == sizeof(bool))
        *(bool *)field = number != 0;
    else
        *(unsigned *)field = number;
}

static void is_not(struct setter *setter, const char *text, const char *phrase)
{
    config_errors_add(setter->errors, setter->line, "%s%s \"%.100s\" is not %s", setter->where,
                      setter->option->name, text, phrase);
}

static void twice(struct setter *setter, const char *text)
{
    config_errors_add(setter->errors, setter->line, "%s%s has \"%.100s\" twice", setter->where,
                      setter->option->name, text);
}

static void set_bool(struct setter *setter, char *text)
{
    static const char *const words[] = {"false", "no", "off", "true", "yes", "on"};

    for (unsigned i = 0; i < 6; i++) {
        if (str_eq_nocase(text, words[i])) {
            store_number(setter, i >= 3);
            return;
        }
    }
    is_not(setter, text, "true or false");
}

static void set_number(struct setter *setter, char *text)
{
    const struct option *option = setter->option;
    char phrase[64];
    uint64_t number;

    if (str_parse_u64(text, option->min, option->max, &number) == 0) {
        store_number(setter, (unsigned)number);
        return;
    }
    snprintf(phrase, sizeof(phrase), "a number from %u to %u", (unsigned)option->min,
             (unsigned)option->max);
    is_not(setter, text, phrase);
}

static void set_duration(struct setter *setter, char *text)
{
    const struct option *option = setter->option;
    char least[VALUE_DURATION_MAX], most[VALUE_DURATION_MAX], phrase[96];
    unsigned unit = option->type == OPTION_MILLISECONDS ? 1000 : 1;
    uint64_t sec;

    if (str_parse_duration(text, &sec) == 0 && sec >= option->min && sec <= option->max) {
        store_number(setter, (unsigned)sec * unit);
        return;
    }
    snprintf(phrase, sizeof(phrase), "a duration from %s to %s (units s, m, h, d, w)",
             value_duration((unsigned)option->min, least),
             value_duration((unsigned)option->max, most));
    is_not(setter, text, phrase);
}

static void list_words(const struct option *option, struct buf *phrase)
{
    buf_puts(phrase, option->words[1].word == NULL || option->words[1].value == WORD_LATER
                         ? ""
                         : "one of ");
    for (const struct option_word *word = option->words; word->word != NULL; word++)
        if (word->value != WORD_LATER)
            buf_printf(phrase, "%s\"%s\"", word == option->words ? "" : ", ", word->word);
}

uint8_t *value_weight(const struct option *option, const void *base, unsigned bit)
{
    return (uint8_t *)(uintptr_t)base + option->weights + __builtin_ctz(bit);
}

/* Takes "=2" off text; 0 when there is none, and -1 for no weight. */
static int cut_weight(const struct option *option, char *text, uint64_t *weight_r)
{
    char *sign = option->weights != 0 ? strchr(text, '=') : NULL;

    *weight_r = 0;
    if (sign == NULL)
        return 0;
    *sign = '\0';
    return str_parse_u64(sign + 1, 1, OPTION_WEIGHT_MAX, weight_r);
}

static void store_word(struct setter *setter, const struct option_word *word, uint64_t weight)
{
    const struct option *option = setter->option;
    unsigned before = option->type == OPTION_WORDS ? value_number(option, setter->base) : 0;

    store_number(setter, before | word->value);
    if (option->weights != 0)
        *value_weight(option, setter->base, word->value) = (uint8_t)weight;
}

static void set_word(struct setter *setter, char *text)
{
    const struct option *option = setter->option;
    const struct option_word *word = option->words;
    struct buf phrase;
    uint64_t weight;

    if (cut_weight(option, text, &weight) != 0) {
        is_not(setter, text, "followed by a weight from 1 to 100");
        return;
    }
    while (word->word != NULL && !str_eq(word->word, text))
        word++;
    if (word->word != NULL && word->value != WORD_LATER) {
        store_word(setter, word, weight);
        return;
    }
    buf_init(&phrase);
    if (word->word != NULL)
        buf_puts(&phrase, "in this version: there is ");
    list_words(option, &phrase);
    is_not(setter, text, buf_str(&phrase));
    buf_fini(&phrase);
}

/* Whether text has the right form; it is canonical then. */
static bool check_form(struct setter *setter, char *text)
{
    char *original = x_strdup(text);
    const char *phrase = setter->option->form != NULL ? setter->option->form(text) : NULL;

    if (phrase != NULL)
        is_not(setter, original, phrase);
    free(original);
    return phrase == NULL;
}

static void set_string(struct setter *setter, char *text)
{
    const struct option *option = setter->option;
    char phrase[64];
    size_t len = strlen(text);

    if (len == 0 && option->min == 0)
        return;
    if (len < option->min || len > option->max) {
        snprintf(phrase, sizeof(phrase), "a text of %u to %u bytes", (unsigned)option->min,
                 (unsigned)option->max);
        is_not(setter, text, phrase);
    } else if (check_form(setter, text)) {
        *(char **)value_field(option, setter->base) = x_strdup(text);
    }
}

/* The text itself never shows: it could be the secret, put in the wrong place. */
static void set_content(struct setter *setter, const char *text,
                        char *(*read)(const char *path, struct error *error_r))
{
    const struct option *option = setter->option;
    struct error error;
    char *secret;

    if (text[0] == '\0')
        return;
    if (text[0] != '/' || strlen(text) > option->max) {
        config_errors_add(setter->errors, setter->line,
                          "%s%s does not begin with \"/\": the path of a file that holds the "
                          "secret is right, not the secret",
                          setter->where, option->name);
        return;
    }
    secret = read(text, &error);
    if (secret == NULL)
        config_errors_add(setter->errors, setter->line, "%s%s: %s", setter->where, option->name,
                          error.text);
    *(char **)value_field(option, setter->base) = secret;
}

static void set_secret(struct setter *setter, char *text)
{
    set_content(setter, text, secret_read);
}

static void set_key(struct setter *setter, char *text)
{
    set_content(setter, text, secret_read_text);
}

static void add_string(struct setter *setter, char *text)
{
    struct config_strings *strings = value_field(setter->option, setter->base);

    if (!check_form(setter, text))
        return;
    for (size_t i = 0; i < strings->count; i++) {
        if (str_eq(strings->items[i], text)) {
            twice(setter, text);
            return;
        }
    }
    strings->items = x_reallocarray(strings->items, strings->count + 1, sizeof(strings->items[0]));
    strings->items[strings->count++] = x_strdup(text);
}

static void add_prefix(struct setter *setter, char *text)
{
    struct prefixlist *list = value_field(setter->option, setter->base);
    struct prefix prefix;

    if (!check_form(setter, text))
        return;
    if (prefix_parse(text, &prefix) != 0)
        BUG("a form let \"%s\" pass", text);
    for (size_t i = 0; i < list->count; i++) {
        if (prefix_eq(&list->items[i], &prefix)) {
            twice(setter, text);
            return;
        }
    }
    prefixlist_add(list, &prefix);
}

static void check_only(struct setter *setter, char *text)
{
    (void)check_form(setter, text);
}

static void set_text(struct setter *setter, char *text)
{
    static void (*const setters[])(struct setter *, char *) = {
        [OPTION_BOOL] = set_bool,        [OPTION_NUMBER] = set_number,
        [OPTION_SECONDS] = set_duration, [OPTION_MILLISECONDS] = set_duration,
        [OPTION_WORD] = set_word,        [OPTION_WORDS] = set_word,
        [OPTION_STRING] = set_string,    [OPTION_SECRET] = set_secret,
        [OPTION_KEY] = set_key,          [OPTION_STRINGS] = add_string,
        [OPTION_PREFIXES] = add_prefix,  [OPTION_RELAYS] = check_only,
    };

    setters[setter->option->type](setter, text);
}

static void set_fallback(struct setter *setter)
{
    const struct option *option = setter->option;
    char *text;

    if (option->fallback == NULL) {
        config_errors_add(setter->errors, setter->line, "%s%s is missing: %s", setter->where,
                          option->name, option->help);
        return;
    }
    if (option_is_list(option) && option->fallback[0] == '\0')
        return;
    text = x_strdup(option->fallback);
    set_text(setter, text);
    free(text);
}

static bool count_is_right(struct setter *setter, const struct syntax_item *item)
{
    const struct option *option = setter->option;

    if (!option_is_list(option)) {
        if (item->kind == SYNTAX_VALUE)
            return true;
        config_errors_add(setter->errors, item->line, "%s%s takes one value, not a list",
                          setter->where, option->name);
        return false;
    }
    if (item->value_count >= option->min && item->value_count <= option->max)
        return true;
    config_errors_add(setter->errors, item->line, "%s%s has %zu values: %u to %u are right",
                      setter->where, option->name, item->value_count, (unsigned)option->min,
                      (unsigned)option->max);
    return false;
}

void value_set(const struct option *option, const struct syntax_item *item, unsigned line,
               const char *where, void *base, struct config_errors *errors)
{
    struct setter setter = {option, where, base, line, errors};

    if (item == NULL) {
        set_fallback(&setter);
        return;
    }
    if (item->bad || !count_is_right(&setter, item))
        return;
    for (size_t i = 0; i < item->value_count; i++) {
        setter.line = item->values[i].line;
        set_text(&setter, item->values[i].text);
    }
}

static void fini_strings(struct config_strings *strings)
{
    for (size_t i = 0; i < strings->count; i++)
        free(strings->items[i]);
    free(strings->items);
}

void value_fini(const struct option *option, void *base)
{
    void *field = value_field(option, base);

    if (option->type == OPTION_STRING)
        free(*(char **)field);
    else if (option->type == OPTION_SECRET || option->type == OPTION_KEY)
        secret_free(field);
    else if (option->type == OPTION_STRINGS)
        fini_strings(field);
    else if (option->type == OPTION_PREFIXES)
        prefixlist_fini(field);
    else if (option->type == OPTION_RELAYS)
        free(*(void **)field);
    memset(field, 0, option->size);
}
