/* SPDX-License-Identifier: MIT */
#ifndef PN_CONFIG_DRAFT_H
#define PN_CONFIG_DRAFT_H

#include "common/config/config.h"
#include "common/config/schema.h"
#include "common/config/syntax.h"

/*
 * A configuration whose single values are set, and where each came from: what the
 * rules need to name the line.
 */
struct draft_section {
    const struct section *section;
    const struct syntax_item *item; /* NULL: the top level, or not in the file */
    char *where;                    /* how its errors begin: `jail "logins": ` */
    void *base;
    const struct syntax_item *given[SECTION_OPTIONS_MAX]; /* NULL: the default holds */
    bool wrong[SECTION_OPTIONS_MAX]; /* it was complained about, and has no value */
};

struct draft {
    struct config *config;
    struct syntax syntax;
    struct draft_section *sections; /* in the order of schema, then of the file */
    size_t count;
    struct config_errors *errors;
};

/* config is zeroed but for its path; it stays the caller's. */
void draft_init(struct draft *draft, struct config *config, const char *text, size_t len,
                struct config_errors *errors);
void draft_fini(struct draft *draft);

/* The first section of that name behind `after` (NULL: of all), or NULL. */
const struct draft_section *draft_next(const struct draft *draft, const char *name,
                                       const struct draft_section *after);

/* What the file says of an option, NULL when it says nothing. */
const struct syntax_item *draft_given(const struct draft_section *section, const char *option);
/* Whether all of these, NULL at the end, have the value that the file or the default gives. */
bool draft_is_right(const struct draft_section *section, const char *const *options);
/* Its line, or its section's when the default holds. */
unsigned draft_line(const struct draft_section *section, const char *option);

#endif
