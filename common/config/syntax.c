/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "common/config/syntax.h"

#include <stdlib.h>

#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/config/errors.h"
#include "common/config/lex.h"

struct parser {
    struct token *at; /* TOKEN_END is never passed */
    const struct syntax_item *in;
    struct syntax *syntax;
    struct config_errors *errors;
};

static bool is_punct(const struct token *token, char c)
{
    return token->kind == TOKEN_PUNCT && token->punct == c;
}

static bool is_value(const struct token *token)
{
    return token->kind == TOKEN_WORD || token->kind == TOKEN_STRING || token->kind == TOKEN_BAD;
}

static bool begins_item(const struct token *token)
{
    if (token->kind != TOKEN_WORD)
        return false;
    if (is_punct(token + 1, '=') || is_punct(token + 1, '{'))
        return true;
    return is_value(token + 1) && !token[1].first && is_punct(token + 2, '{');
}

/* There is no "+=", but who writes it means an option. */
static bool begins_append(const struct token *token)
{
    return token->kind == TOKEN_WORD && token[1].kind == TOKEN_WORD && str_eq(token[1].text, "+") &&
           is_punct(token + 2, '=');
}

static bool begins_line(const struct token *token)
{
    return token->first && (begins_item(token) || begins_append(token));
}

static void advance(struct parser *parser)
{
    if (parser->at->kind != TOKEN_END)
        parser->at++;
}

/* To the next line that looks like an item, or to the brace that closes what is open here. */
static void recover(struct parser *parser)
{
    unsigned depth = 0;

    for (; parser->at->kind != TOKEN_END; advance(parser)) {
        if (depth == 0 && begins_line(parser->at))
            return;
        if (is_punct(parser->at, '{'))
            depth++;
        if (is_punct(parser->at, '}') && depth-- == 0)
            return;
    }
}

static struct syntax_item *add_item(struct parser *parser, enum syntax_kind kind)
{
    struct syntax *syntax = parser->syntax;
    struct syntax_item *item = x_calloc(1, sizeof(*item));

    item->kind = kind;
    item->line = parser->at->line;
    item->name = x_strdup(parser->at->text);
    item->in = parser->in;
    syntax->items = x_reallocarray(syntax->items, syntax->count + 1, sizeof(syntax->items[0]));
    syntax->items[syntax->count++] = item;
    return item;
}

static void take_value(struct parser *parser, struct syntax_item *item)
{
    if (parser->at->kind == TOKEN_BAD) {
        item->bad = true;
    } else {
        item->values = x_reallocarray(item->values, item->value_count + 1, sizeof(item->values[0]));
        item->values[item->value_count++] =
            (struct syntax_value){x_strdup(parser->at->text), parser->at->line};
    }
    advance(parser);
}

/* Behind the opening brace. */
static void parse_list(struct parser *parser, struct syntax_item *item)
{
    while (!is_punct(parser->at, '}')) {
        if (parser->at->kind == TOKEN_END || begins_line(parser->at)) {
            config_errors_add(parser->errors, item->line,
                              "the list of \"%s\" is not closed: \"}\" is missing", item->name);
            item->bad = true;
            return;
        }
        if (!is_value(parser->at)) {
            config_errors_add(
                parser->errors, parser->at->line,
                "\"%c\" has no place in the list of \"%s\": {\"one\", \"two\"} is right",
                parser->at->punct, item->name);
            item->bad = true;
            recover(parser);
            continue;
        }
        take_value(parser, item);
        if (is_punct(parser->at, ',')) {
            advance(parser);
        } else if (is_value(parser->at) && !begins_line(parser->at)) {
            config_errors_add(parser->errors, parser->at->line,
                              "a comma is missing between two values of \"%s\"", item->name);
        }
    }
    advance(parser);
}

/* Behind the equal sign. */
static void parse_value(struct parser *parser, struct syntax_item *item)
{
    if (is_punct(parser->at, '{')) {
        item->kind = SYNTAX_LIST;
        advance(parser);
        parse_list(parser, item);
    } else if (is_value(parser->at) && !begins_line(parser->at)) {
        take_value(parser, item);
    } else {
        config_errors_add(parser->errors, item->line, "\"%s\" has no value", item->name);
        item->bad = true;
        recover(parser);
    }
}

/* "domains {" with a value next: a list whose equal sign was forgotten, not a section. */
static bool is_list_without_equal(const struct token *brace)
{
    return brace[1].kind == TOKEN_STRING ||
           (brace[1].kind == TOKEN_WORD && (is_punct(brace + 2, ',') || is_punct(brace + 2, '}')));
}

static void parse_section(struct parser *parser)
{
    struct syntax_item *item = add_item(parser, SYNTAX_SECTION);

    advance(parser);
    if (!is_punct(parser->at, '{')) {
        item->title = x_strdup(parser->at->text != NULL ? parser->at->text : "");
        advance(parser);
    } else if (is_list_without_equal(parser->at)) {
        config_errors_add(parser->errors, item->line, "\"=\" is missing after \"%s\"", item->name);
        parse_value(parser, item);
        return;
    }
    advance(parser);
    if (parser->in != NULL) {
        config_errors_add(parser->errors, item->line,
                          "\"%s {\" inside of \"%s {\": sections do not nest", item->name,
                          parser->in->name);
        item->bad = true;
        recover(parser);
        advance(parser);
        return;
    }
    parser->in = item;
}

static void complain(struct parser *parser)
{
    const struct token *token = parser->at;
    unsigned line = token->line;

    if (token->kind == TOKEN_BAD)
        return;
    if (token->kind == TOKEN_STRING)
        config_errors_add(parser->errors, line, "\"%.100s\" stands where an option should begin",
                          token->text);
    else if (token->kind == TOKEN_PUNCT)
        config_errors_add(parser->errors, line,
                          "\"%c\" has no place here: NAME = VALUE or NAME { ... } is right",
                          token->punct);
    else if (begins_append(token))
        config_errors_add(parser->errors, line,
                          "\"%.100s +=\": there is no \"+=\", write the whole list after one \"=\"",
                          token->text);
    else if (is_punct(token + 1, '('))
        config_errors_add(parser->errors, line,
                          "\"%.100s(\": there are no functions and no include, one file says all",
                          token->text);
    else
        config_errors_add(parser->errors, line, "\"=\" is missing after \"%.100s\"", token->text);
}

static void parse_item(struct parser *parser)
{
    if (is_punct(parser->at, '}') && parser->in != NULL) {
        parser->in = NULL;
        advance(parser);
    } else if (parser->at->kind == TOKEN_WORD && is_punct(parser->at + 1, '=')) {
        struct syntax_item *item = add_item(parser, SYNTAX_VALUE);

        advance(parser);
        advance(parser);
        parse_value(parser, item);
    } else if (begins_item(parser->at)) {
        parse_section(parser);
    } else {
        complain(parser);
        advance(parser);
        recover(parser);
    }
}

void syntax_parse(const char *text, size_t len, struct syntax *syntax_r,
                  struct config_errors *errors)
{
    struct tokens tokens;
    struct parser parser = {NULL, NULL, syntax_r, errors};

    *syntax_r = (struct syntax){0};
    lex_text(text, len, &tokens, errors);
    parser.at = tokens.items;
    while (parser.at->kind != TOKEN_END && syntax_r->count <= SYNTAX_ITEMS_MAX)
        parse_item(&parser);
    if (syntax_r->count > SYNTAX_ITEMS_MAX)
        config_errors_add(errors, syntax_r->items[SYNTAX_ITEMS_MAX]->line,
                          "more than %d options and sections", SYNTAX_ITEMS_MAX);
    else if (parser.in != NULL)
        config_errors_add(errors, parser.in->line,
                          "the section \"%s\" is not closed: \"}\" is missing", parser.in->name);
    tokens_fini(&tokens);
}

void syntax_fini(struct syntax *syntax)
{
    for (size_t i = 0; i < syntax->count; i++) {
        struct syntax_item *item = syntax->items[i];

        for (size_t n = 0; n < item->value_count; n++)
            free(item->values[n].text);
        free(item->values);
        free(item->title);
        free(item->name);
        free(item);
    }
    free(syntax->items);
    *syntax = (struct syntax){0};
}
