/* SPDX-License-Identifier: MIT */
#ifndef PN_MILTER_OUTBOUND_H
#define PN_MILTER_OUTBOUND_H

#include <stdbool.h>

#include "common/mailauth/dkim.h"
#include "common/mailauth/sign_keys.h"

/*
 * A message that goes out and is to be signed: whose it is shows at the end of its header, so
 * fields are kept until then. What bears a good signature by one of our keys already, having
 * passed here before, is not signed with that key again.
 */
struct outbound;

/* library: for the signatures that a message bears already. */
struct outbound *outbound_new(const struct sign_keys *keys, struct dkim_library *library,
                              const char *session);
void outbound_free(struct outbound **outbound);

/* As dkim_signer_header() and its kin. */
void outbound_header(struct outbound *outbound, const char *name, const char *value);
void outbound_end_header(struct outbound *outbound);
void outbound_body(struct outbound *outbound, const uint8_t *bytes, size_t len);

/* False where no key of ours is for it: the body need not come. */
bool outbound_is_signed(const struct outbound *outbound);

/*
 * The values of the DKIM-Signature fields, signed at now_sec since 1970, each to be freed with what
 * they are in. 0: none is needed. error_r is set where it should have been signed and cannot be.
 */
size_t outbound_finish(struct outbound *outbound, int64_t now_sec,
                       struct buf fields_r[CONFIG_SIGNATURES_MAX], struct error *error_r);

#endif
