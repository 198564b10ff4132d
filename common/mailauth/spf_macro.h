/* SPDX-License-Identifier: MIT */
#ifndef PN_MAILAUTH_SPF_MACRO_H
#define PN_MAILAUTH_SPF_MACRO_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/addr.h"
#include "common/base/buf.h"

/* Macro-strings of domain-specs and explanations, RFC 7208 section 7. */

/* What the letters stand for. Borrowed, none NULL. */
struct spf_macro_values {
    const char *sender;   /* s, and in its parts l and o: local part and domain, parted by "@" */
    const char *domain;   /* d */
    const char *helo;     /* h */
    const char *receiver; /* r */
    const struct addr *client; /* i, v, c */
    int64_t now_sec;           /* t */
    /*
     * p: the validated name of the client, "unknown" when it has none, borrowed until the
     * next call. NULL: it may not be asked for any more.
     */
    const char *(*validated_name)(void *ctx);
    void *ctx;
};

/* Whether text, which has passed the grammar, holds s or l. */
bool spf_macro_has_local_part(const char *text);

/* Append text expanded; it has passed the grammar of spf_record.h. 0, or -1 without p. */
int spf_macro_expand(const char *text, const struct spf_macro_values *values, struct buf *out)
    __attribute__((warn_unused_result));

#endif
