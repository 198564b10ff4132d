/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/names.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/bug.h"
#include "common/base/mem.h"

struct name {
    struct map_node in_map;
    size_t holders;
    size_t len;
    char text[];
};

static bool name_eq(const struct map_node *node, const void *key, size_t key_len)
{
    const struct name *name = MAP_ENTRY(node, const struct name, in_map);
    return name->len == key_len && memcmp(name->text, key, key_len) == 0;
}

static struct name *find(const struct names *names, const char *text, size_t len)
{
    struct map_node *node = map_find(&names->map, text, len);
    return node ? MAP_ENTRY(node, struct name, in_map) : NULL;
}

static struct name *add(struct names *names, const char *text, size_t len)
{
    struct name *name = x_calloc(1, sizeof(*name) + len + 1);

    name->len = len;
    memcpy(name->text, text, len);
    map_insert(&names->map, &name->in_map, name->text, len);
    return name;
}

void names_init(struct names *names)
{
    map_init(&names->map, name_eq);
}

void names_fini(struct names *names)
{
    BUG_ON(names->map.count);
    map_fini(&names->map);
}

const char *names_take(struct names *names, const char *text, size_t max)
{
    size_t len = strnlen(text, max);
    struct name *name = find(names, text, len);

    if (!name)
        name = add(names, text, len);
    name->holders++;
    return name->text;
}

void names_drop(struct names *names, const char *text)
{
    struct name *name = find(names, text, strlen(text));

    BUG_ON(!name || name->text != text);
    if (--name->holders)
        return;
    map_remove(&names->map, &name->in_map);
    free(name);
}
