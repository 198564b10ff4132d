/* SPDX-License-Identifier: MIT */
#ifndef PN_MAILAUTH_DKIM_SIGNATURE_H
#define PN_MAILAUTH_DKIM_SIGNATURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/net/dns.h"

/*
 * The value of a DKIM-Signature field, RFC 6376 section 3.5, read strictly: what leaves a
 * doubt about what was signed, and by whom, is refused before any key is asked for.
 */

#define DKIM_SIGNATURE_MAX       16384 /* bytes of a value that is read */
#define DKIM_SIGNED_MAX          256   /* names in h= */
#define DKIM_ALGORITHM_MAX       32
#define DKIM_SIGNATURE_START_MAX 33 /* characters of b= that are kept, with a NUL */

enum dkim_signature_status {
    DKIM_SIGNATURE_OK,
    DKIM_SIGNATURE_TOO_LONG,
    DKIM_SIGNATURE_CHARACTERS, /* other bytes than printable ASCII, blanks and folds */
    DKIM_SIGNATURE_NO_LIST,    /* a piece that is no tag */
    DKIM_SIGNATURE_TWICE,      /* a tag twice, or two that differ in case alone */
    DKIM_SIGNATURE_BAD_V,
    DKIM_SIGNATURE_BAD_A,
    DKIM_SIGNATURE_OBSOLETE, /* rsa-sha1, RFC 8301 3.1 */
    DKIM_SIGNATURE_BAD_C,
    DKIM_SIGNATURE_BAD_D,
    DKIM_SIGNATURE_BAD_S,
    DKIM_SIGNATURE_BAD_H,
    DKIM_SIGNATURE_TOO_MANY, /* more than DKIM_SIGNED_MAX names */
    DKIM_SIGNATURE_NO_FROM,
    DKIM_SIGNATURE_BAD_I, /* no address, or its domain is not d= or below it */
    DKIM_SIGNATURE_BAD_Q, /* none of the ways to the key is DNS */
    DKIM_SIGNATURE_BAD_L,
    DKIM_SIGNATURE_BAD_T,
    DKIM_SIGNATURE_BAD_X,
    DKIM_SIGNATURE_EXPIRES_FIRST, /* x= is not behind t= */
    DKIM_SIGNATURE_BAD_BH,
    DKIM_SIGNATURE_BAD_B,
};

struct dkim_signature {
    /* Known as far as these tags themselves are good, whatever the status; else "". */
    char domain[DNS_NAME_MAX]; /* d=, normalized (domain.h) */
    char selector[DNS_NAME_MAX];
    char algorithm[DKIM_ALGORITHM_MAX];
    char start[DKIM_SIGNATURE_START_MAX]; /* of b=, without blanks */
    /* With DKIM_SIGNATURE_OK alone. */
    bool is_ed25519; /* else rsa; both with sha256 */
    bool is_exact;   /* i= has the very domain of d=, or there is no i= */
    bool has_relaxed_body;
    bool signs_signatures; /* h= names DKIM-Signature: others than this one */
    bool has_length;       /* l= */
    uint64_t length;       /* UINT64_MAX: that or more */
    const char *names;     /* h=, borrowed from the value */
    size_t names_len;
};

/* value[0..len) may hold any byte. */
enum dkim_signature_status dkim_signature_parse(const char *value, size_t len,
                                                struct dkim_signature *signature_r)
    __attribute__((warn_unused_result));
/* A sentence for a reason. */
const char *dkim_signature_strstatus(enum dkim_signature_status status);

#endif
