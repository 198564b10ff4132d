/* SPDX-License-Identifier: MIT */
#ifndef PN_CONFIG_SYNTAX_H
#define PN_CONFIG_SYNTAX_H

#include <stdbool.h>
#include <stddef.h>

#include "common/config/config.h"

/*
 * postern.conf(5) as a list of what it says, without any knowledge of options. Pure.
 *
 *     item    = NAME "=" value | NAME "=" "{" [value {"," value} [","]] "}"
 *             | NAME [TITLE] "{" {item} "}"
 *
 * Sections do not nest. After a mistake the reader goes on at the next line that
 * looks like an item, so that one run finds them all; behind SYNTAX_ITEMS_MAX items
 * it stops with an error.
 */
#define SYNTAX_ITEMS_MAX 10000

enum syntax_kind { SYNTAX_VALUE, SYNTAX_LIST, SYNTAX_SECTION };

struct syntax_value {
    char *text;
    unsigned line;
};

struct syntax_item {
    enum syntax_kind kind;
    bool bad; /* its value was complained about already */
    unsigned line;
    char *name;
    char *title;                  /* of a section, or NULL */
    const struct syntax_item *in; /* the section around it, or NULL */
    struct syntax_value *values;
    size_t value_count;
};

struct syntax {
    struct syntax_item **items;
    size_t count;
};

void syntax_parse(const char *text, size_t len, struct syntax *syntax_r,
                  struct config_errors *errors);
void syntax_fini(struct syntax *syntax);

#endif
