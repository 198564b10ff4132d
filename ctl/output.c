/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "ctl/output.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

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

/* A copy that cannot move the terminal: U+0080 to U+009F are controls, too, U+009B is as ESC [. */
static char *printable(const char *text)
{
    char *copy = x_strdup(text);
    bool utf8 = str_is_utf8(copy);

    for (char *p = copy; *p; p++) {
        unsigned char c = (unsigned char)*p;
        if (c < ' ' || c == 0x7f || (c > 0x7f && !utf8))
            *p = '?';
        else if (c == 0xc2 && (unsigned char)p[1] < 0xa0)
            p[0] = p[1] = '?';
    }
    return copy;
}

void table_add(struct table *table, const char *text)
{
    char *cell = printable(text);

    table->cells = x_reallocarray(table->cells, table->count + 1, sizeof(*table->cells));
    table->cells[table->count++] = cell;
}

void table_add_duration(struct table *table, const char *seconds)
{
    char out[STR_DURATION_MAX];
    uint64_t sec;

    table_add(table, str_parse_u64(seconds, 0, UINT64_MAX, &sec) == 0
                         ? str_format_duration(sec, out)
                         : seconds);
}

void table_add_time(struct table *table, const char *seconds)
{
    char out[64];
    uint64_t sec;
    struct tm tm;

    if (str_parse_u64(seconds, 0, INT32_MAX * (uint64_t)1000, &sec) == 0) {
        time_t at = (time_t)sec;
        if (localtime_r(&at, &tm) && strftime(out, sizeof(out), "%Y-%m-%d %H:%M:%S", &tm)) {
            table_add(table, out);
            return;
        }
    }
    table_add(table, seconds);
}

static bool is_empty(const struct table *table, size_t column)
{
    for (size_t i = table->columns + column; i < table->count; i += table->columns) {
        if (*table->cells[i])
            return false;
    }
    return true;
}

static void omit_column(struct table *table, size_t column)
{
    size_t kept = 0;

    for (size_t i = 0; i < table->count; i++) {
        if (i % table->columns == column)
            free(table->cells[i]);
        else
            table->cells[kept++] = table->cells[i];
    }
    table->count = kept;
    table->columns--;
}

void table_omit_empty(struct table *table)
{
    for (size_t column = table->columns; column-- > 0;) {
        if (table->columns > 1 && is_empty(table, column))
            omit_column(table, column);
    }
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

void output_json_line(json_t *document)
{
    json_dumpf(document, stdout, JSON_COMPACT);
    putchar('\n');
    fflush(stdout);
    json_decref(document);
}

void output_line(const char *text)
{
    char *line = printable(text);

    puts(line);
    fflush(stdout);
    free(line);
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
        output_json_line(json_pack("{s:o}", "error", output_json_text(error->text)));
    return error->code == ERROR_REFUSED ? CTL_NO : CTL_FAILED;
}
