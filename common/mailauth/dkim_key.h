/* SPDX-License-Identifier: MIT */
#ifndef PN_MAILAUTH_DKIM_KEY_H
#define PN_MAILAUTH_DKIM_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A DKIM key record, RFC 6376 section 3.6.1, with the limits of RFC 8301 section 3.2, read
 * strictly. Sizes are known before any arithmetic is done with the key.
 */

#define DKIM_KEY_BITS_MIN   1024
#define DKIM_KEY_BITS_MAX   4096 /* what RFC 8301 says a verifier must be able to do */
#define DKIM_KEY_RECORD_MAX 4096 /* bytes of a record that is read */
#define DKIM_KEY_P_MAX      768  /* characters of base64: 4096 bits take 736 */

enum dkim_key_status {
    DKIM_KEY_OK,
    DKIM_KEY_TOO_LONG, /* more than DKIM_KEY_RECORD_MAX */
    DKIM_KEY_NUL,
    DKIM_KEY_NO_LIST, /* no tag list, a tag twice, or other bytes than ASCII */
    DKIM_KEY_BAD_V,   /* not DKIM1, or not the first tag */
    DKIM_KEY_BAD_H,   /* not for sha256 */
    DKIM_KEY_BAD_K,   /* no known type */
    DKIM_KEY_BAD_S,   /* not for mail */
    DKIM_KEY_NO_P,
    DKIM_KEY_REVOKED, /* p= is empty */
    DKIM_KEY_BAD_P,   /* no base64, or no public key of this type */
    DKIM_KEY_TOO_SMALL,
    DKIM_KEY_TOO_LARGE, /* more bits, or an exponent that would cost as much */
};

struct dkim_key {
    bool is_ed25519;            /* else rsa */
    bool is_testing;            /* t=y */
    bool is_exact;              /* t=s: i= must have the very domain of d= */
    unsigned bits;              /* of rsa; known with TOO_SMALL, too */
    char p[DKIM_KEY_P_MAX + 1]; /* base64 without blanks */
};

/* record[0..len) may hold any byte. */
enum dkim_key_status dkim_key_parse(const uint8_t *record, size_t len, struct dkim_key *key_r)
    __attribute__((warn_unused_result));
/* A sentence for a reason. */
const char *dkim_key_strstatus(enum dkim_key_status status);

#endif
