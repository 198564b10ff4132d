/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/mailauth/dkim_signed.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/base/mem.h"

#define FIRST_SIZE 64

void dkim_signed_fini(struct dkim_signed *covered)
{
    free(covered->names);
    memset(covered, 0, sizeof(*covered));
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void add_name(struct dkim_signed *covered, const char *text, size_t len)
{
    while (len && is_blank(*text)) {
        text++;
        len--;
    }
    while (len && is_blank(text[len - 1]))
        len--;
    if (covered->count == covered->size) {
        covered->size = covered->size ? covered->size * 2 : FIRST_SIZE;
        covered->names = x_reallocarray(covered->names, covered->size, sizeof(covered->names[0]));
    }
    covered->names[covered->count++] =
        (struct dkim_signed_name){.text = text, .len = len, .list = covered->lists, .left = 1};
}

void dkim_signed_add(struct dkim_signed *covered, const char *list, size_t len)
{
    const char *end = list + len, *colon;

    for (; (colon = memchr(list, ':', (size_t)(end - list))); list = colon + 1)
        add_name(covered, list, (size_t)(colon - list));
    add_name(covered, list, (size_t)(end - list));
    covered->lists++;
}

static int compare_names(const void *left, const void *right)
{
    const struct dkim_signed_name *a = left, *b = right;

    if (a->len != b->len)
        return a->len < b->len ? -1 : 1;
    return strncasecmp(a->text, b->text, a->len);
}

static int compare_entries(const void *left, const void *right)
{
    const struct dkim_signed_name *a = left, *b = right;
    int order = compare_names(left, right);

    return order ? order : (a->list > b->list) - (a->list < b->list);
}

/* Entries that are alike become one, first within each list, then between them. */
void dkim_signed_sort(struct dkim_signed *covered)
{
    struct dkim_signed_name *names = covered->names;
    size_t kept = 0, run = 0;

    if (covered->count)
        qsort(names, covered->count, sizeof(names[0]), compare_entries);
    for (size_t i = 0; i < covered->count; i++) {
        bool is_known = kept && compare_names(&names[kept - 1], &names[i]) == 0;
        run = is_known && names[kept - 1].list == names[i].list ? run + 1 : 1;
        if (!is_known)
            names[kept++] = names[i];
        names[kept - 1].list = names[i].list;
        if (names[kept - 1].left < run)
            names[kept - 1].left = run;
    }
    covered->count = kept;
}

bool dkim_signed_take(struct dkim_signed *covered, const char *name, size_t len)
{
    struct dkim_signed_name key = {.text = name, .len = len}, *found = NULL;

    if (covered->count)
        found = bsearch(&key, covered->names, covered->count, sizeof(key), compare_names);
    if (!found || !found->left)
        return false;
    found->left--;
    return true;
}
