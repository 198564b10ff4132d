/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/mailauth/dkim_fields.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/mailauth/domain.h"

#define SIGNATURE_NAME "DKIM-Signature"
#define FIRST_SIZE     32
#define TEXT_LIMIT     (DKIM_HEADERS_MAX + 1) /* and then there is more than may be */

void dkim_fields_fini(struct dkim_fields *fields)
{
    buf_fini(&fields->text);
    free(fields->fields);
    memset(fields, 0, sizeof(*fields));
}

/* Blanks may stand before the colon (RFC 5322 4.5.8): libopendkim takes such a signature too. */
static bool is_signature(const char *name)
{
    size_t len = sizeof(SIGNATURE_NAME) - 1;

    return strncasecmp(name, SIGNATURE_NAME, len) == 0 && !name[len + strspn(name + len, " \t")];
}

/*
 * No tab in the name: libopendkim would drop the field, and what it does not see could be a
 * second From.
 */
static void write_name(struct buf *out, const char *name)
{
    for (; *name && out->len < TEXT_LIMIT; name++)
        buf_putc(out, *name == '\t' ? ' ' : *name);
    buf_putc(out, ':');
}

static void write_value(struct buf *out, const char *value)
{
    while (*value && out->len < TEXT_LIMIT) {
        size_t run = strcspn(value, "\n"), room = TEXT_LIMIT - out->len;
        buf_put(out, value, run < room ? run : room);
        value += run;
        if (*value) {
            buf_puts(out, run && value[-1] == '\r' ? "\n" : "\r\n");
            value++;
        }
    }
}

void dkim_fields_add(struct dkim_fields *fields, const char *name, const char *value)
{
    struct dkim_field field = {.at = fields->text.len, .is_signature = is_signature(name)};

    if (fields->broken) {
        fields->lacks_signature |= field.is_signature;
        return;
    }
    /* What is not seen could be a second From: then nothing is judged. */
    if (fields->count == DKIM_FIELDS_MAX) {
        fields->broken = "the header has too many fields";
        fields->lacks_signature = field.is_signature;
        return;
    }
    write_name(&fields->text, name);
    field.value_at = fields->text.len;
    field.name_len = field.value_at - 1 - field.at;
    while (field.name_len && fields->text.data[field.at + field.name_len - 1] == ' ')
        field.name_len--;
    write_value(&fields->text, value);
    if (fields->text.len > DKIM_HEADERS_MAX) {
        fields->broken = "the header is too large";
        fields->lacks_signature = field.is_signature;
        return;
    }
    field.len = fields->text.len - field.at;
    if (fields->count == fields->size) {
        fields->size = fields->size ? fields->size * 2 : FIRST_SIZE;
        fields->fields = x_reallocarray(fields->fields, fields->size, sizeof(field));
    }
    fields->fields[fields->count++] = field;
}

/* --- which of them -------------------------------------------------------------------- */

enum rank { RANK_AUTHOR, RANK_OTHER, RANK_MALFORMED, RANKS };

static bool is_of_author(const char *domain, const struct author *author)
{
    if (!author || author->status != AUTHOR_OK)
        return false;
    for (size_t i = 0; i < author->count; i++) {
        if (str_is_domain_within(domain, author->domains[i]) ||
            str_is_domain_within(author->domains[i], domain))
            return true;
    }
    return false;
}

static enum rank rank_of(const struct dkim_choice *choice, const struct author *author)
{
    if (choice->status != DKIM_SIGNATURE_OK)
        return RANK_MALFORMED;
    return is_of_author(choice->signature.domain, author) ? RANK_AUTHOR : RANK_OTHER;
}

static void read_signature(const struct dkim_fields *fields, size_t index,
                           struct dkim_choice *choice_r)
{
    const struct dkim_field *field = &fields->fields[index];
    const char *value = (const char *)fields->text.data + field->value_at;

    choice_r->field = index;
    choice_r->status =
        dkim_signature_parse(value, field->at + field->len - field->value_at, &choice_r->signature);
}

static size_t read_signatures(const struct dkim_fields *fields, struct dkim_choice **all_r)
{
    size_t count = 0;

    for (size_t i = 0; i < fields->count; i++)
        count += fields->fields[i].is_signature;
    if (count > DKIM_SIGNATURES_READ)
        count = DKIM_SIGNATURES_READ;
    *all_r = x_calloc(count, sizeof(**all_r));
    for (size_t i = 0, found = 0; found < count; i++) {
        if (fields->fields[i].is_signature)
            read_signature(fields, i, &(*all_r)[found++]);
    }
    return count;
}

/* How many are left when those of the lowest ranks, and the last of the others, are dropped. */
static size_t keep_best(struct dkim_choice *all, size_t count, const struct author *author,
                        size_t max)
{
    size_t quota[RANKS] = {0}, kept = 0;

    for (size_t i = 0; i < count; i++)
        quota[rank_of(&all[i], author)]++;
    for (size_t rank = 0; rank < RANKS; rank++) {
        quota[rank] = quota[rank] < max ? quota[rank] : max;
        max -= quota[rank];
    }
    for (size_t i = 0; i < count; i++) {
        enum rank rank = rank_of(&all[i], author);
        if (!quota[rank])
            continue;
        quota[rank]--;
        all[kept++] = all[i];
    }
    return kept;
}

size_t dkim_fields_choose(const struct dkim_fields *fields, const struct author *author, size_t max,
                          struct dkim_choice **choices_r)
{
    size_t count = read_signatures(fields, choices_r);

    return count > max ? keep_best(*choices_r, count, author, max) : count;
}
