/* SPDX-License-Identifier: MIT */
#ifndef PN_MAILAUTH_AUTHRES_H
#define PN_MAILAUTH_AUTHRES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/mailauth/dkim.h"
#include "common/mailauth/dmarc.h"
#include "common/mailauth/iprev.h"
#include "common/mailauth/spf.h"

/* The Authentication-Results header field, RFC 8601. */

/* What one field says. A NULL part was not evaluated and is left out. */
struct authres {
    const char *authserv_id;
    const struct addr *client; /* for policy.iprev */
    const struct iprev_check *iprev;
    const char *masked; /* reason; then spf=temperror with it and no iprev */
    const struct spf_verdict *spf;
    const struct spf_request *spf_request;
    const struct dkim_result *dkim;
    size_t dkim_count;
    bool dkim_evaluated;               /* with dkim_count 0: dkim=none */
    const struct dmarc_verdict *dmarc; /* policy.dmarc, RFC 9989 9.1, on fail: what it asks for */
    const char *comment; /* behind the authserv-id's first result, e.g. the gateway; may be NULL */
};

/*
 * Append the field's value (what follows "Authentication-Results:", without the
 * leading space), folded with "\n\t" between results. Every value from outside is
 * a token, a quoted string, or dropped when it holds what neither can carry; the
 * whole is at most AUTHRES_MAX bytes.
 */
#define AUTHRES_MAX 16384
void authres_build(struct buf *out, const struct authres *results);

enum authres_status {
    AUTHRES_OK,
    AUTHRES_BAD, /* does not begin as RFC 8601 section 2.2 says */
};

/*
 * The authserv-id of a field's value (folds and comments allowed), lower case, into
 * id_r (to be freed). On AUTHRES_BAD id_r is NULL.
 */
enum authres_status authres_parse_id(const char *value, char **id_r)
    __attribute__((warn_unused_result));

#endif
