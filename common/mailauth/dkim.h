/* SPDX-License-Identifier: MIT */
#ifndef PN_MAILAUTH_DKIM_H
#define PN_MAILAUTH_DKIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/error.h"
#include "common/mailauth/author.h"
#include "common/mailauth/dkim_fields.h"
#include "common/mailauth/dkim_signature.h"
#include "common/mailauth/result.h"
#include "common/net/dns.h"

/*
 * DKIM verification, RFC 6376 with RFC 8301 and RFC 8463. What a signature and its key say is
 * read by our own parsers (dkim_signature.h, dkim_key.h); libopendkim canonicalizes, hashes and
 * does the arithmetic. Keys come by our own resolver, which keeps them as long as their TTL says.
 */

#define DKIM_TEXT_MAX       256
#define DKIM_SIGNATURES_MAX 100 /* upper bound of the configurable cap */

/* One DKIM-Signature, in the order of the header. All texts printable ASCII, "" when unknown. */
struct dkim_result {
    /*
     * neutral: the signature is malformed, or not valid yet; policy: rsa-sha1, or a key that is too
     * small or too large; permerror: no key, or not one for this signature; fail: it does not
     * fit the message, or has expired. With a key that says it is for testing (t=y), no result
     * is worse than neutral: the message must not fare worse than without (RFC 6376 3.6.1).
     */
    enum auth_result result;
    char domain[DNS_NAME_MAX];          /* d=, normalized (domain.h): fit for alignment */
    char selector[DNS_NAME_MAX];        /* s= */
    char algorithm[DKIM_ALGORITHM_MAX]; /* a= */
    /* The start of b=, RFC 6008: 8 characters, or as many as tell it from the others. */
    char signature[DKIM_SIGNATURE_START_MAX];
    char reason[DKIM_TEXT_MAX]; /* of everything but pass */
    unsigned key_bits;          /* 0: not known (ed25519) */
    bool testing;               /* t=y in the key */
    uint64_t body_unsigned;     /* bytes of the canonical body behind what l= covers */
};

/* One for a process, used from all threads. */
struct dkim_library;
struct dkim_library *dkim_library_new(struct error *error_r);
void dkim_library_free(struct dkim_library **library);

/*
 * One message: all fields in order, dkim_verifier_select(), dkim_verifier_end_header(), body
 * chunks as they come (CRLF line ends, no dot-stuffing), then dkim_verifier_finish(). A step
 * that is out of order does nothing; a caller needs no error path. One thread at a time.
 */
struct dkim_verifier;
struct dkim_verifier *dkim_verifier_new(struct dkim_library *library, const char *session,
                                        unsigned max_signatures, struct dns *dns,
                                        struct dns_budget *budget);
void dkim_verifier_free(struct dkim_verifier **verifier);

/* value as milters get it with SMFIP_HDR_LEADSPC: leading space kept, folds as "\n" or "\r\n". */
void dkim_verifier_header(struct dkim_verifier *verifier, const char *name, const char *value);

/*
 * Chooses the signatures that are verified, as dkim_fields_choose() says; others have no
 * result. author may be NULL. Left out, dkim_verifier_end_header() does it without an author.
 */
void dkim_verifier_select(struct dkim_verifier *verifier, const struct author *author);

/*
 * The names whose TXT records dkim_verifier_end_header() will ask for, each once, so that they can
 * be asked for beforehand together with others. Borrowed until the verifier is freed.
 */
size_t dkim_verifier_key_names(const struct dkim_verifier *verifier, const char *const **names_r);

void dkim_verifier_end_header(struct dkim_verifier *verifier);
void dkim_verifier_body(struct dkim_verifier *verifier, const uint8_t *bytes, size_t len);

/* The results, borrowed until the verifier is freed; count 0: not signed. */
const struct dkim_result *dkim_verifier_finish(struct dkim_verifier *verifier, size_t *count_r);

#endif
