/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "common/config/errors.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/mem.h"

static void append(struct config_errors *errors, unsigned line, char *text)
{
    errors->items = x_reallocarray(errors->items, errors->count + 1, sizeof(errors->items[0]));
    errors->items[errors->count++] = (struct config_error){line, text};
}

void config_errors_add(struct config_errors *errors, unsigned line, const char *fmt, ...)
{
    struct buf text;
    va_list ap;

    if (errors->count >= CONFIG_ERRORS_MAX)
        return;
    if (errors->count == CONFIG_ERRORS_MAX - 1) {
        append(errors, UINT32_MAX, x_strdup("more errors are not shown: correct these first"));
        return;
    }
    buf_init(&text);
    va_start(ap, fmt);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);
    append(errors, line, buf_steal(&text));
}

void config_errors_sort(struct config_errors *errors)
{
    for (size_t i = 1; i < errors->count; i++) {
        struct config_error error = errors->items[i];
        size_t at = i;

        for (; at > 0 && errors->items[at - 1].line > error.line; at--)
            errors->items[at] = errors->items[at - 1];
        errors->items[at] = error;
    }
    if (errors->count > 0 && errors->items[errors->count - 1].line == UINT32_MAX)
        errors->items[errors->count - 1].line = 0;
}

void config_errors_fini(struct config_errors *errors)
{
    for (size_t i = 0; i < errors->count; i++)
        free(errors->items[i].text);
    free(errors->items);
    memset(errors, 0, sizeof(*errors));
}

void config_errors_print(const struct config_errors *errors, const char *path, FILE *to)
{
    for (size_t i = 0; i < errors->count; i++) {
        const struct config_error *error = &errors->items[i];

        if (error->line == 0)
            fprintf(to, "%s: %s\n", path, error->text);
        else
            fprintf(to, "%s:%u: %s\n", path, error->line, error->text);
    }
}
