/* SPDX-License-Identifier: MIT */
#ifndef PN_MAILAUTH_DKIM_SIGNED_H
#define PN_MAILAUTH_DKIM_SIGNED_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Which fields of a header signatures cover (RFC 6376 section 5.4.2): of each name the last ones,
 * as many as the h= that names it most often. All others need not be looked at.
 */

struct dkim_signed_name {
    const char *text; /* borrowed */
    size_t len;
    size_t list; /* which h= it is from */
    size_t left; /* fields of this name that are covered and not taken yet */
};

/* Zeroes: nothing is covered. */
struct dkim_signed {
    struct dkim_signed_name *names;
    size_t count, size;
    size_t lists;
};

void dkim_signed_fini(struct dkim_signed *covered);
/* The names of one h=, borrowed. At most DKIM_SIGNED_MAX of each list are expected. */
void dkim_signed_add(struct dkim_signed *covered, const char *list, size_t len);
/* Once, behind the last dkim_signed_add(). */
void dkim_signed_sort(struct dkim_signed *covered);
/* Whether a field of this name is covered. Asked for each, the last of the header first. */
bool dkim_signed_take(struct dkim_signed *covered, const char *name, size_t len);

#endif
