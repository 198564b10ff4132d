/* SPDX-License-Identifier: MIT */
#ifndef PN_MILTER_FIELDS_H
#define PN_MILTER_FIELDS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/config/config.h"

#define FIELDS_REMOVE_MAX 4096 /* fields of one name in one message that are removed */

/* The fields that only this server may write. */
enum fields_kind { FIELDS_AUTHRES, FIELDS_ACTION };
#define FIELDS_KINDS (FIELDS_ACTION + 1)

/* "Authentication-Results", "X-Postern-Action". */
const char *fields_kind_name(enum fields_kind kind);

/*
 * Which fields of a message must go before ours are added. Of Authentication-Results all but
 * those of listed hosts (RFC 8601 section 5: at least those that bear our authserv-id,
 * whoever wrote them, and those whose authserv-id cannot be read, because a reader
 * downstream may read it as ours); of X-Postern-Action all.
 *
 * Zeroes are an empty list.
 */
struct fields {
    struct fields_list {
        unsigned seen;    /* fields of this name so far */
        unsigned *remove; /* their numbers among these, from 1, rising */
        size_t remove_count;
    } lists[FIELDS_KINDS];
    bool too_many; /* more to remove than FIELDS_REMOVE_MAX: the message cannot be cleaned */
};

void fields_fini(struct fields *fields);
size_t fields_remove_count(const struct fields *fields);

/* Whether a header field's name is `name`; blanks before the colon do not count. */
bool fields_name_is(const char *field, const char *name);

/* Look at the next header field, in the order of the message. */
void fields_note(struct fields *fields, const struct config_milter *config, const char *name,
                 const char *value);

#endif
