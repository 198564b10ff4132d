/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "milter/fields.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/base/mem.h"
#include "common/mailauth/authres.h"

void fields_fini(struct fields *fields)
{
    free(fields->remove);
    *fields = (struct fields){.seen = 0};
}

bool fields_name_is(const char *field, const char *name)
{
    size_t len = strlen(name);

    /* strncasecmp() follows the locale, which no program of ours sets. */
    return strncasecmp(field, name, len) == 0 && field[len + strspn(field + len, " \t")] == '\0';
}

/* A trailing dot names the same host to whoever reads the field less exactly than we do. */
static bool is_ours(const char *id, const char *authserv_id)
{
    size_t len = strlen(authserv_id);

    return strncmp(id, authserv_id, len) == 0 &&
           (id[len] == '\0' || (id[len] == '.' && id[len + 1] == '\0'));
}

static bool must_go(const char *authserv_id, const char *value)
{
    char *id = NULL;
    bool go = authres_parse_id(value, &id) != AUTHRES_OK || is_ours(id, authserv_id);

    free(id);
    return go;
}

void fields_note(struct fields *fields, const char *authserv_id, const char *name,
                 const char *value)
{
    if (!fields_name_is(name, "Authentication-Results"))
        return;
    fields->seen++;
    if (fields->too_many || !must_go(authserv_id, value))
        return;
    if (fields->remove_count == FIELDS_REMOVE_MAX) {
        fields->too_many = true;
        return;
    }
    /* Doubling at the powers of two: most messages need none, some one. */
    if ((fields->remove_count & (fields->remove_count - 1)) == 0) {
        size_t room = fields->remove_count == 0 ? 1 : fields->remove_count * 2;
        fields->remove = x_reallocarray(fields->remove, room, sizeof *fields->remove);
    }
    fields->remove[fields->remove_count++] = fields->seen;
}
