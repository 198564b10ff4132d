/* SPDX-License-Identifier: MIT */
#ifndef PN_MAILAUTH_DKIM_FIELDS_H
#define PN_MAILAUTH_DKIM_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/mailauth/author.h"
#include "common/mailauth/dkim_signature.h"

/*
 * The header of a message as it is kept until its end: which signatures are worth verifying
 * shows only then.
 */

#define DKIM_HEADERS_MAX     1048576 /* bytes of all fields of one message */
#define DKIM_SIGNATURES_READ 1000
#define DKIM_FIELDS_MAX      50000 /* fields of one message */

struct dkim_field {
    size_t at, len; /* in dkim_fields.text */
    size_t name_len, value_at;
    bool is_signature; /* DKIM-Signature */
    bool is_wanted;    /* set by who verifies: one of the signatures may cover it */
};

/* Zeroes: none yet. */
struct dkim_fields {
    struct buf text;
    struct dkim_field *fields;
    size_t count, size;
    const char *broken;   /* why it is not all here, or NULL; static text */
    bool lacks_signature; /* a DKIM-Signature is among what is not here */
};

void dkim_fields_fini(struct dkim_fields *fields);
/*
 * Kept as on the wire: every fold with CR LF. Kept whole or not at all: of a field that is cut,
 * what is left may be what was signed once blanks are dropped, and the rest anybody's.
 */
void dkim_fields_add(struct dkim_fields *fields, const char *name, const char *value);

/* A signature that is to be verified, or at least to be told of. */
struct dkim_choice {
    size_t field; /* which of the fields it is */
    enum dkim_signature_status status;
    struct dkim_signature signature;
};

/*
 * At most max of the signatures, among the first DKIM_SIGNATURES_READ of them: those of an author's
 * domain (the same, above or below it) before others, and those that are malformed last; each kind
 * in the order of the header, which is the order of the result, too. author may be NULL. Returns
 * how many; to be freed.
 */
size_t dkim_fields_choose(const struct dkim_fields *fields, const struct author *author, size_t max,
                          struct dkim_choice **choices_r);

#endif
