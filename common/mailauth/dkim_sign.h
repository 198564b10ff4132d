/* SPDX-License-Identifier: MIT */
#ifndef PN_MAILAUTH_DKIM_SIGN_H
#define PN_MAILAUTH_DKIM_SIGN_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/error.h"
#include "common/mailauth/dkim_signkey.h"

/*
 * DKIM signatures, RFC 6376 and RFC 8463: relaxed/relaxed, with t=, without l= and z=. Done
 * here and not by libopendkim, which reads the private key again for each message (four times
 * the work of rsa-2048 itself), leaks it with ed25519, and refuses a body whose last line
 * has no end.
 *
 * Signed, where it is there: all that RFC 6376 5.4.1 names, and Sender, Message-ID,
 * MIME-Version, Content-Type, Content-Transfer-Encoding, List-Unsubscribe-Post. Oversigned,
 * there or not, is what a reader or a mail program goes by, so that none can be added on the
 * way: From, Reply-To, To, Cc, Subject, Date, Message-ID, In-Reply-To, References,
 * MIME-Version, Content-Type, Content-Transfer-Encoding. Not Sender, nor the fields of lists
 * and of resending: others may add those rightly.
 */

#define DKIM_SIGN_FIELDS_MAX 500 /* fields that one signature covers */

/* A signature that is wanted; everything borrowed, for as long as the signer is there. */
struct dkim_signing {
    const char *domain;   /* d= */
    const char *selector; /* s= */
    const struct dkim_signkey *key;
};

/*
 * One message, in the steps of struct dkim_verifier: all fields in order, the end of the
 * header, body chunks as they come, then dkim_signer_finish(), once. The body is hashed once
 * for all signings. Keys may serve several threads at a time, a signer one.
 */
struct dkim_signer;
struct dkim_signer *dkim_signer_new(const struct dkim_signing *signings, size_t count);
void dkim_signer_free(struct dkim_signer **signer);

/* value as milters get it with SMFIP_HDR_LEADSPC: leading space kept, folds as "\n" or "\r\n". */
void dkim_signer_header(struct dkim_signer *signer, const char *name, const char *value);
void dkim_signer_end_header(struct dkim_signer *signer);
/* CRLF line ends: a line feed alone is signed as it stands, and broken by whoever mends it. */
void dkim_signer_body(struct dkim_signer *signer, const uint8_t *bytes, size_t len);

/*
 * For each signing the value of a DKIM-Signature field, without leading space and folded
 * with "\n\t", appended to fields_r[i]; now_sec, since 1970, is its t=. 0, or -1 and the
 * reason, and none of fields_r is to be used; ERROR_REFUSED where the message cannot be
 * signed: it has no From or more than one, or its header is too large.
 */
int dkim_signer_finish(struct dkim_signer *signer, int64_t now_sec, struct buf *fields_r,
                       struct error *error_r) __attribute__((warn_unused_result));

#endif
