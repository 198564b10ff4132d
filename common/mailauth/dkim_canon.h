/* SPDX-License-Identifier: MIT */
#ifndef PN_MAILAUTH_DKIM_CANON_H
#define PN_MAILAUTH_DKIM_CANON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/mailauth/dkim_hash.h"

/* The relaxed canonicalizations of RFC 6376: 3.4.2 of a header field, 3.4.4 of a body. */

/*
 * Append the field without line end. value is what follows the colon, with folds as "\n" or
 * "\r\n" as milters get them; blanks may stand behind the name (RFC 5322 4.5.8).
 */
void dkim_canon_field(struct buf *out, const char *name, const char *value);

/*
 * A body that comes in chunks, split anywhere, hashed as it goes. A line ends in CR LF; a CR
 * or LF alone is a byte like others. A last line without an end gets one.
 */
struct dkim_canon_body {
    struct dkim_hash *hash; /* borrowed */
    size_t empty_lines;     /* not hashed yet: they may be the last */
    bool in_line;           /* something of this line is hashed */
    bool blank, cr;         /* seen, not hashed yet */
    uint8_t staged[512];    /* to be hashed */
    size_t staged_len;
};

void dkim_canon_body_init(struct dkim_canon_body *body, struct dkim_hash *hash);
void dkim_canon_body_put(struct dkim_canon_body *body, const uint8_t *bytes, size_t len);
/* Once, at the end; then the hash is that of the whole body. */
void dkim_canon_body_finish(struct dkim_canon_body *body);

#endif
