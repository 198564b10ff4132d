/* SPDX-License-Identifier: MIT */
#ifndef PN_MAILAUTH_DKIM_SIGNKEY_H
#define PN_MAILAUTH_DKIM_SIGNKEY_H

#include "common/base/buf.h"
#include "common/base/error.h"
#include "common/mailauth/dkim_hash.h"
#include "common/mailauth/dkim_key.h"

/* Private keys that DKIM signs with, and the DNS records of their public halves. */

#define DKIM_SIGNKEY_BITS_DEFAULT 2048

enum dkim_signkey_type { DKIM_SIGNKEY_RSA, DKIM_SIGNKEY_ED25519 };

struct dkim_signkey;

/*
 * The private key in a PEM text, PKCS#8 or the traditional form of RSA: rsa of
 * DKIM_KEY_BITS_MIN to DKIM_KEY_BITS_MAX bits, or ed25519. NULL and the reason, a phrase to
 * stand behind the file's name, where it holds another key, an encrypted one or none. Both
 * halves are tried on each other. dkim_signkey_free() wipes.
 */
struct dkim_signkey *dkim_signkey_parse(const char *pem, struct error *error_r)
    __attribute__((warn_unused_result));
/* A new one; bits of rsa alone. */
struct dkim_signkey *dkim_signkey_generate(enum dkim_signkey_type type, unsigned bits,
                                           struct error *error_r)
    __attribute__((warn_unused_result));
void dkim_signkey_free(struct dkim_signkey **key);

enum dkim_signkey_type dkim_signkey_type(const struct dkim_signkey *key);
const char *dkim_signkey_algorithm(const struct dkim_signkey *key); /* a=: "rsa-sha256" */
unsigned dkim_signkey_bits(const struct dkim_signkey *key);

/* The key itself as PEM of PKCS#8, for its file. The caller frees with secret_free(). */
char *dkim_signkey_pem(const struct dkim_signkey *key) __attribute__((warn_unused_result));

/* Append the signature of a SHA-256 hash, RFC 8017 8.2 or RFC 8463 3, in base64. Any thread. */
int dkim_signkey_sign(const struct dkim_signkey *key, const unsigned char hash[DKIM_HASH_LEN],
                      struct buf *base64_r, struct error *error_r)
    __attribute__((warn_unused_result));

/* Append the text of its TXT record, RFC 6376 3.6.1 and RFC 8463 4: "v=DKIM1; k=…; p=…". */
void dkim_signkey_record(const struct dkim_signkey *key, struct buf *out);
/* Append the record as a line of a zone file, without line feed, strings of at most 255 bytes. */
void dkim_signkey_zone_line(const struct dkim_signkey *key, const char *domain,
                            const char *selector, struct buf *out);

#endif
