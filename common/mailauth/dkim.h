/* SPDX-License-Identifier: MIT */
#ifndef PN_MAILAUTH_DKIM_H
#define PN_MAILAUTH_DKIM_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/error.h"
#include "common/mailauth/result.h"
#include "common/net/dns.h"

/* DKIM verification, RFC 6376, over libopendkim; keys by our own resolver. */

#define DKIM_TEXT_MAX       256
#define DKIM_HEADER_MAX     65536   /* bytes of one field that are looked at */
#define DKIM_HEADERS_MAX    1048576 /* bytes of all fields of one message */
#define DKIM_SIGNATURES_MAX 100     /* upper bound of the configurable cap */

/* One DKIM-Signature, in the order of the header. All texts printable ASCII, "" when unknown. */
struct dkim_result {
    enum auth_result result;
    char domain[DNS_NAME_MAX];   /* d= */
    char selector[DNS_NAME_MAX]; /* s= */
    char algorithm[32];          /* a= */
    char signature[16]; /* the first characters of b=, RFC 6008; >= 8 where there are as many */
    char reason[DKIM_TEXT_MAX]; /* of everything but pass */
    unsigned key_bits;          /* 0: not known (ed25519) */
};

/* One for a process, used from all threads. */
struct dkim_library;
struct dkim_library *dkim_library_new(struct error *error_r);
void dkim_library_free(struct dkim_library **library);

/*
 * One message: all fields in order, then dkim_verifier_end_header(), body chunks as
 * they come (CRLF line ends, no dot-stuffing), then dkim_verifier_finish(). Each
 * step takes what the one before refused as "no further results": a caller needs
 * no error path. One thread at a time.
 *
 * Signatures past max_signatures are not verified and have no result.
 */
struct dkim_verifier;
struct dkim_verifier *dkim_verifier_new(struct dkim_library *library, const char *session,
                                        unsigned max_signatures, struct dns *dns,
                                        struct dns_budget *budget);
void dkim_verifier_free(struct dkim_verifier **verifier);

/* value as milters get it with SMFIP_HDR_LEADSPC: leading space kept, folds as "\n" or "\r\n". */
void dkim_verifier_header(struct dkim_verifier *verifier, const char *name, const char *value);
void dkim_verifier_end_header(struct dkim_verifier *verifier);
void dkim_verifier_body(struct dkim_verifier *verifier, const uint8_t *bytes, size_t len);

/* The results, borrowed until the verifier is freed; count 0: not signed. */
const struct dkim_result *dkim_verifier_finish(struct dkim_verifier *verifier, size_t *count_r);

#endif
