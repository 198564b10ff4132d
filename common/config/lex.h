/* SPDX-License-Identifier: MIT */
#ifndef PN_CONFIG_LEX_H
#define PN_CONFIG_LEX_H

#include <stdbool.h>
#include <stddef.h>

#include "common/config/config.h"

/*
 * The words of postern.conf(5), each with its line. Pure. Comments are '#' and
 * "//" to the end of the line and C's; a string stands in "double" or 'single' quotes on
 * one line; in double ones \" and \\ are a quote and a backslash. Nothing is ever
 * substituted: "${HOME}" is these seven characters.
 */
enum token_kind {
    TOKEN_END,
    TOKEN_WORD,   /* bare */
    TOKEN_STRING, /* quoted */
    TOKEN_PUNCT,  /* one of { } = , ( ) ; */
    TOKEN_BAD,    /* a value that was already complained about */
};

struct token {
    enum token_kind kind;
    char punct;
    bool first; /* on its line */
    unsigned line;
    char *text; /* TOKEN_WORD and TOKEN_STRING: UTF-8 without control characters */
};

/* The last one is TOKEN_END. */
struct tokens {
    struct token *items;
    size_t count;
};

void lex_text(const char *text, size_t len, struct tokens *tokens_r, struct config_errors *errors);
void tokens_fini(struct tokens *tokens);

#endif
