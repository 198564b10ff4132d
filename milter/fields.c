/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "milter/fields.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/mailauth/authres.h"

const char *fields_kind_name(enum fields_kind kind)
{
    return kind == FIELDS_AUTHRES ? "Authentication-Results" : "X-Postern-Action";
}

void fields_fini(struct fields *fields)
{
    for (size_t i = 0; i < FIELDS_KINDS; i++)
        free(fields->lists[i].remove);
    *fields = (struct fields){.too_many = false};
}

size_t fields_remove_count(const struct fields *fields)
{
    return fields->lists[FIELDS_AUTHRES].remove_count + fields->lists[FIELDS_ACTION].remove_count;
}

bool fields_name_is(const char *field, const char *name)
{
    size_t len = strlen(name);

    /* strncasecmp() follows the locale, which no program of ours sets. */
    return strncasecmp(field, name, len) == 0 && field[len + strspn(field + len, " \t")] == '\0';
}

/* A trailing dot names the same host to whoever reads the field less exactly than we do. */
static bool is_named(const char *id, const char *authserv_id)
{
    size_t len = strlen(authserv_id);

    return strncmp(id, authserv_id, len) == 0 &&
           (id[len] == '\0' || (id[len] == '.' && id[len + 1] == '\0'));
}

static bool must_go(const struct config_milter *config, const char *value)
{
    char *id = NULL;
    bool go = authres_parse_id(value, &id) != AUTHRES_OK || is_named(id, config->authserv_id) ||
              !config_strings_have(&config->upstream_authserv_ids, id);

    free(id);
    return go;
}

static void remove_last(struct fields *fields, struct fields_list *list)
{
    if (list->remove_count == FIELDS_REMOVE_MAX) {
        fields->too_many = true;
        return;
    }
    /* Doubling at the powers of two: most messages need none, some one. */
    if ((list->remove_count & (list->remove_count - 1)) == 0) {
        size_t room = list->remove_count == 0 ? 1 : list->remove_count * 2;
        list->remove = x_reallocarray(list->remove, room, sizeof *list->remove);
    }
    list->remove[list->remove_count++] = list->seen;
}

void fields_note(struct fields *fields, const struct config_milter *config, const char *name,
                 const char *value)
{
    for (enum fields_kind kind = 0; kind < FIELDS_KINDS; kind++) {
        struct fields_list *list = &fields->lists[kind];
        if (!fields_name_is(name, fields_kind_name(kind)))
            continue;
        list->seen++;
        if (!fields->too_many && (kind == FIELDS_ACTION || must_go(config, value)))
            remove_last(fields, list);
    }
}
