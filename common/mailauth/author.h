/* SPDX-License-Identifier: MIT */
#ifndef PN_MAILAUTH_AUTHOR_H
#define PN_MAILAUTH_AUTHOR_H

#include <stddef.h>

#include "common/mailauth/domain.h"

/*
 * Whose mail it says it is: the domains of the addresses in From, RFC 5322 3.4 and 3.6.2, groups
 * as RFC 6854 has them, UTF-8 as RFC 6532. Read strictly: where a mail program could show another
 * address than the one read here, the status says so and there is no domain. Therefore none of
 * these is read, though a grammar has some of them: routes, comments within < >, spaces and
 * comments within an address, a local part of several words or one that holds an @ in quotes or
 * an encoded word. Nor are bytes that are no UTF-8: what they are depends on who guesses; nor
 * lines so long that a server on the way may fold them, be it within the domain.
 *
 * Some forms that the grammar does not have are in use and leave no doubt of the domain: empty
 * members of a list, dots in odd places of a local part or at the end of a domain, and an
 * address as the bare name of another one, "a@example.net <b@example.net>", where both have the
 * same domain.
 */
#define AUTHOR_DOMAINS_MAX 8
#define AUTHOR_FIELD_MAX   65536 /* bytes of a From field that is read */
#define AUTHOR_LINE_MAX    900   /* and of a line of it; RFC 5322 2.1.1 has 998 with the name */

enum author_status {
    AUTHOR_NO_FIELD, /* none has been seen */
    AUTHOR_OK,
    AUTHOR_MANY_FIELDS, /* more than one From field */
    AUTHOR_NO_ADDRESS,  /* an empty group, or nothing at all */
    AUTHOR_MALFORMED,   /* no list of addresses, or one with a domain that is none */
    AUTHOR_TOO_MANY,    /* more than AUTHOR_DOMAINS_MAX domains, or AUTHOR_FIELD_MAX bytes */
};

/* Zeroes: no field has been seen. */
struct author {
    enum author_status status;
    size_t count; /* >= 1 exactly when AUTHOR_OK */
    /* Normalized (domain.h), each once, in the order of the field. */
    char domains[AUTHOR_DOMAINS_MAX][DNS_NAME_MAX];
};

/* The value of a From field, folds included. Call for each there is. */
void author_field(struct author *author, const char *value);

/* "the message has no From field", … */
const char *author_strstatus(enum author_status status);

#endif
