/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "common/config/near.h"

#include <string.h>

#define NAME_LEN_MAX 32

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* How many letters to insert, remove or change (Levenshtein), row by row. */
static size_t distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
    size_t row[NAME_LEN_MAX + 1];

    for (size_t j = 0; j <= b_len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t above = row[j];

            row[j] = least(least(above, row[j - 1]) + 1, diagonal + (a[i - 1] != b[j - 1]));
            diagonal = above;
        }
    }
    return row[b_len];
}

/* Keeps the best: two typing mistakes, but not half of a short word. */
static void consider(const char *candidate, const char *name, const char **best, size_t *best_at)
{
    size_t a_len = strlen(candidate);
    size_t b_len = strlen(name);
    size_t d;

    if (a_len > NAME_LEN_MAX || b_len > NAME_LEN_MAX)
        return;
    d = distance(candidate, a_len, name, b_len);
    if (d < *best_at && d <= 2 && 2 * d < a_len) {
        *best = candidate;
        *best_at = d;
    }
}

const char *near_option(const struct section *section, const char *name)
{
    const char *best = NULL;
    size_t best_at = SIZE_MAX;

    for (const struct option *option = section->options; option->name != NULL; option++)
        consider(option->name, name, &best, &best_at);
    return best;
}

const char *near_section(const char *name)
{
    const char *best = NULL;
    size_t best_at = SIZE_MAX;

    for (const struct section *section = &schema[1]; section->name != NULL; section++)
        consider(section->name, name, &best, &best_at);
    return best;
}

const char *near_section_of(const char *option)
{
    size_t index;

    for (const struct section *section = schema; section->name != NULL; section++)
        if (schema_option(section, option, &index) != NULL)
            return section->name;
    return NULL;
}
