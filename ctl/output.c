/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "ctl/output.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/bug.h"
#include "common/base/mem.h"
#include "common/base/str.h"

void table_init(struct table *table, size_t columns)
{
    *table = (struct table){.columns = columns};
}

void table_fini(struct table *table)
{
    for (size_t i = 0; i < table->count; i++)
        free(table->cells[i]);
    free(table->cells);
    *table = (struct table){0};
}

void table_add(struct table *table, const char *text)
{
    char *cell = x_strdup(text);
    bool utf8 = str_is_utf8(cell);

    for (char *p = cell; *p; p++) {
        unsigned char c = (unsigned char)*p;
        if (c < ' ' || c == 0x7f || (c > 0x7f && !utf8))
            *p = '?';
    }
    table->cells = x_reallocarray(table->cells, table->count + 1, sizeof(*table->cells));
    table->cells[table->count++] = cell;
}

/* Characters, so that a name in UTF-8 stands as wide as it looks in most scripts. */
static size_t width_of(const char *text)
{
    size_t width = 0;
    for (; *text; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

static size_t column_width(const struct table *table, size_t column)
{
    size_t widest = 0;
    for (size_t i = column; i < table->count; i += table->columns) {
        size_t width = width_of(table->cells[i]);
        widest = width > widest ? width : widest;
    }
    return widest;
}

void table_print(const struct table *table)
{
    size_t *widths = x_calloc(table->columns, sizeof(*widths));

    BUG_ON(table->count % table->columns);
    for (size_t column = 0; column < table->columns; column++)
        widths[column] = column_width(table, column);
    size_t gap = 0;
    for (size_t i = 0; i < table->count; i++) {
        size_t column = i % table->columns;
        /* the gap is paid before the next text: no blanks at a line's end */
        if (*table->cells[i])
            printf("%*s%s", (int)gap, "", table->cells[i]);
        gap = (*table->cells[i] ? 0 : gap) + widths[column] - width_of(table->cells[i]) + 2;
        if (column + 1 == table->columns) {
            putchar('\n');
            gap = 0;
        }
    }
    free(widths);
}

enum ctl_exit output_json(json_t *document, enum ctl_exit rc)
{
    json_dumpf(document, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(document);
    return rc;
}

json_t *output_json_text(const char *text)
{
    if (str_is_utf8(text))
        return json_string(text);
    struct buf clean = {0};
    for (; *text; text++) {
        if ((unsigned char)*text < 0x80)
            buf_putc(&clean, *text);
        else
            buf_puts(&clean, "\xef\xbf\xbd");
    }
    json_t *string = json_string(buf_str(&clean));
    buf_fini(&clean);
    return string;
}

int output_flush(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return 0;
    fprintf(stderr, "posternctl: cannot write the answer: %s\n", strerror(errno));
    return -1;
}

enum ctl_exit ctl_fail(const struct ctl *ctl, const struct error *error)
{
    fprintf(stderr, "posternctl: %s\n", error->text);
    if (ctl->json)
        output_json(json_pack("{s:o}", "error", output_json_text(error->text)), CTL_FAILED);
    return error->code == ERROR_REFUSED ? CTL_NO : CTL_FAILED;
}
