/* SPDX-License-Identifier: MIT */
#ifndef PN_MAILAUTH_SPF_RECORD_H
#define PN_MAILAUTH_SPF_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/addr.h"
#include "common/mailauth/result.h"

/* The SPF record and its grammar, RFC 7208 sections 4.5, 4.6.1, 5, 6, 7.1 and 12. */

#define SPF_RECORD_MAX 16384 /* bytes of one record */
#define SPF_TERM_MAX   255   /* bytes of one term */

enum spf_term_type {
    SPF_TERM_ALL,
    SPF_TERM_INCLUDE,
    SPF_TERM_A,
    SPF_TERM_MX,
    SPF_TERM_PTR,
    SPF_TERM_IP4,
    SPF_TERM_IP6,
    SPF_TERM_EXISTS,
};

struct spf_term {
    enum spf_term_type type;
    enum auth_result qualifier; /* pass, fail, softfail, neutral */
    const char *text;           /* as it stands, qualifier included */
    const char *domain;         /* domain-spec, "" when the term has none */
    unsigned bits4, bits6;      /* a, mx; 32 and 128 when the term has none */
    struct prefix net;          /* ip4, ip6; an IPv6 net here is never folded to IPv4 */
};

/* Texts live as long as the record. */
struct spf_record {
    char *text;
    struct spf_term *terms; /* mechanisms in order */
    size_t count;
    const char *redirect; /* domain-spec or NULL; NULL also when a term is "all" */
    const char *exp;      /* domain-spec or NULL */
};

/* Whether a TXT record is an SPF record: its version section, RFC 7208 4.5. */
bool spf_record_is(const uint8_t *txt, size_t len);

/*
 * Check a record whole and take it apart. Unknown modifiers are checked and dropped.
 * 0, or -1 and in reason_r what is wrong (static text); record_r is then empty.
 */
int spf_record_parse(const uint8_t *txt, size_t len, struct spf_record *record_r,
                     const char **reason_r) __attribute__((warn_unused_result));
void spf_record_fini(struct spf_record *record);

/* Whether text is an explain-string, RFC 7208 6.2. */
bool spf_explanation_is_valid(const char *text);

#endif
