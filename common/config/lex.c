/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "common/config/lex.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/config/errors.h"

struct lexer {
    const char *at;
    const char *end;
    unsigned line;
    bool first; /* nothing but space on this line so far */
    size_t cap;
    struct tokens *tokens;
    struct config_errors *errors;
};

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_control(char c)
{
    return ((unsigned char)c < 0x20 && c != '\t') || c == 0x7f;
}

static bool is_punct(char c)
{
    return c != '\0' && strchr("{}=,();", c) != NULL;
}

static bool is_word(char c)
{
    return !is_space(c) && !is_control(c) && !is_punct(c) && c != '"' && c != '\'' && c != '#';
}

static void push(struct lexer *lexer, enum token_kind kind, char punct, char *text)
{
    struct tokens *tokens = lexer->tokens;

    if (tokens->count == lexer->cap) {
        lexer->cap = lexer->cap == 0 ? 64 : lexer->cap * 2;
        tokens->items = x_reallocarray(tokens->items, lexer->cap, sizeof(tokens->items[0]));
    }
    tokens->items[tokens->count++] = (struct token){kind, punct, lexer->first, lexer->line, text};
    lexer->first = false;
}

static void push_text(struct lexer *lexer, enum token_kind kind, char *text)
{
    if (!str_is_utf8(text)) {
        config_errors_add(lexer->errors, lexer->line, "this text is not UTF-8");
        free(text);
        push(lexer, TOKEN_BAD, 0, NULL);
        return;
    }
    push(lexer, kind, 0, text);
}

static bool looking_at(const struct lexer *lexer, const char *text)
{
    size_t len = strlen(text);

    return (size_t)(lexer->end - lexer->at) >= len && memcmp(lexer->at, text, len) == 0;
}

static void next_line(struct lexer *lexer)
{
    lexer->line++;
    lexer->first = true;
}

static void skip_block_comment(struct lexer *lexer)
{
    unsigned start = lexer->line;

    for (lexer->at += 2; lexer->at < lexer->end; lexer->at++) {
        if (looking_at(lexer, "*/")) {
            lexer->at += 2;
            return;
        }
        if (*lexer->at == '\n')
            next_line(lexer);
    }
    config_errors_add(lexer->errors, start, "the comment that begins here has no end: \"*/\"");
}

static void skip_line(struct lexer *lexer)
{
    while (lexer->at < lexer->end && *lexer->at != '\n')
        lexer->at++;
}

/* In single quotes a backslash is a backslash, as in the shell. 0 or -1. */
static int string_char(struct lexer *lexer, char quote, struct buf *text)
{
    char c = *lexer->at++;

    if (is_control(c)) {
        config_errors_add(lexer->errors, lexer->line, "byte 0x%02x has no place in a string",
                          (unsigned char)c);
        return -1;
    }
    if (c == '\\' && quote == '"') {
        c = lexer->at < lexer->end ? *lexer->at : '\n';
        if (c != '"' && c != '\\') {
            config_errors_add(lexer->errors, lexer->line,
                              "only \\\" and \\\\ may follow a backslash in double quotes; "
                              "write \\\\ for the backslash itself");
            return -1;
        }
        lexer->at++;
    }
    buf_putc(text, c);
    return 0;
}

static void lex_string(struct lexer *lexer)
{
    char quote = *lexer->at++;
    bool bad = false;
    struct buf text;

    buf_init(&text);
    while (lexer->at < lexer->end && *lexer->at != '\n' && *lexer->at != quote)
        if (string_char(lexer, quote, &text) != 0)
            bad = true;
    if (lexer->at < lexer->end && *lexer->at == quote) {
        lexer->at++;
    } else {
        config_errors_add(lexer->errors, lexer->line,
                          "the string that begins with %c is not closed on its line", quote);
        bad = true;
    }
    if (bad)
        push(lexer, TOKEN_BAD, 0, NULL);
    else
        push_text(lexer, TOKEN_STRING, x_strdup(buf_str(&text)));
    buf_fini(&text);
}

static void lex_word(struct lexer *lexer)
{
    const char *start = lexer->at;

    while (lexer->at < lexer->end && is_word(*lexer->at))
        lexer->at++;
    push_text(lexer, TOKEN_WORD, x_strndup(start, (size_t)(lexer->at - start)));
}

static void lex_one(struct lexer *lexer)
{
    char c = *lexer->at;

    if (is_space(c)) {
        if (c == '\n')
            next_line(lexer);
        lexer->at++;
    } else if (c == '#' || looking_at(lexer, "//")) {
        skip_line(lexer);
    } else if (looking_at(lexer, "/*")) {
        skip_block_comment(lexer);
    } else if (c == '"' || c == '\'') {
        lex_string(lexer);
    } else if (is_punct(c)) {
        push(lexer, TOKEN_PUNCT, c, NULL);
        lexer->at++;
    } else if (is_word(c)) {
        lex_word(lexer);
    } else {
        config_errors_add(lexer->errors, lexer->line,
                          "byte 0x%02x has no place in this file: it is text", (unsigned char)c);
        push(lexer, TOKEN_BAD, 0, NULL);
        lexer->at++;
    }
}

void lex_text(const char *text, size_t len, struct tokens *tokens_r, struct config_errors *errors)
{
    const char *end = len ? text + len : text; /* an empty text may be NULL */
    struct lexer lexer = {text, end, 1, true, 0, tokens_r, errors};

    *tokens_r = (struct tokens){0};
    while (lexer.at < lexer.end)
        lex_one(&lexer);
    push(&lexer, TOKEN_END, 0, NULL);
}

void tokens_fini(struct tokens *tokens)
{
    for (size_t i = 0; i < tokens->count; i++)
        free(tokens->items[i].text);
    free(tokens->items);
    *tokens = (struct tokens){0};
}
