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
/* The next cell, row by row, copied; bytes that are not printable ASCII or UTF-8 become '?'. */
void table_add(struct table *table, const char *text);

/* Print the document and free it. Returns rc, for `return output_json(…)`. */
enum ctl_exit output_json(json_t *document, enum ctl_exit rc);

/* A string whatever its bytes: those that are not UTF-8 become U+FFFD. */
json_t *output_json_text(const char *text);

/* -1, told on stderr, when not all could be written to stdout. */
int output_flush(void);

#endif
