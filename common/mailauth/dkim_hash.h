/* SPDX-License-Identifier: MIT */
#ifndef PN_MAILAUTH_DKIM_HASH_H
#define PN_MAILAUTH_DKIM_HASH_H

#include <stddef.h>

#include "common/base/buf.h"

/* SHA-256, the one hash that DKIM has left (RFC 8301), and the base64 that it writes. */

#define DKIM_HASH_LEN 32

struct dkim_hash;
struct dkim_hash *dkim_hash_new(void);
void dkim_hash_free(struct dkim_hash **hash);
void dkim_hash_put(struct dkim_hash *hash, const void *bytes, size_t len);
/* The hash of all that was put; the next put begins another. */
void dkim_hash_finish(struct dkim_hash *hash, unsigned char hash_r[DKIM_HASH_LEN]);

/* Append bytes[0..len) in base64, on one line. */
void dkim_base64(const unsigned char *bytes, size_t len, struct buf *out);

#endif
