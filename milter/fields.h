/* SPDX-License-Identifier: MIT */
#ifndef PN_MILTER_FIELDS_H
#define PN_MILTER_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FIELDS_REMOVE_MAX 4096 /* Authentication-Results fields of one message that are removed */

/*
 * Which Authentication-Results fields of a message must go before ours is added,
 * RFC 8601 section 5: those that bear our authserv-id, whoever wrote them, and
 * those whose authserv-id cannot be read, because a reader downstream may read it
 * as ours. Fields of other hosts stay, also those of hosts below our name: they are
 * other authserv-ids.
 *
 * Zeroes are an empty list.
 */
struct fields {
    unsigned seen;    /* Authentication-Results fields so far */
    unsigned *remove; /* their numbers among these, from 1, rising */
    size_t remove_count;
    bool too_many; /* more to remove than FIELDS_REMOVE_MAX: the message cannot be cleaned */
};

void fields_fini(struct fields *fields);

/* Whether a header field's name is `name`; blanks before the colon do not count. */
bool fields_name_is(const char *field, const char *name);

/* Look at the next header field, in the order of the message. authserv_id: ours, lower case. */
void fields_note(struct fields *fields, const char *authserv_id, const char *name,
                 const char *value);

#endif
