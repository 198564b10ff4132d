/* SPDX-License-Identifier: MIT */
#ifndef PN_CTL_OUTPUT_H
#define PN_CTL_OUTPUT_H

#include <jansson.h>
#include <stddef.h>

#include "common/base/buf.h"
#include "ctl/ctl.h"

/* A table for people: columns as wide as their widest cell, two spaces between. */
struct table {
    size_t columns;
    char **cells; /* row by row */
    size_t count;
};

void table_init(struct table *table, size_t columns);
void table_fini(struct table *table);
void table_print(const struct table *table);
/* The next cell, row by row, copied; bytes that are controls or not UTF-8 become '?'. */
void table_add(struct table *table, const char *text);

/* The next cell: "59m 12s", or local time; the text itself where it is no number of seconds. */
void table_add_duration(struct table *table, const char *seconds);
void table_add_time(struct table *table, const char *seconds);
/* Take out the columns that have nothing but their head. */
void table_omit_empty(struct table *table);

/* Print the document and free it. Returns rc, for `return output_json(…)`. */
enum ctl_exit output_json(json_t *document, enum ctl_exit rc);

/* The same on a line of its own, and at once: for a document that is one of many. */
void output_json_line(json_t *document);

/* Print a line for people, at once; bytes as in table_add(). */
void output_line(const char *text);

/* A string whatever its bytes: those that are not UTF-8 become U+FFFD. */
json_t *output_json_text(const char *text);

/* -1, told on stderr, when not all could be written to stdout. */
int output_flush(void);

#endif
