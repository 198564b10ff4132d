/* SPDX-License-Identifier: MIT */
#ifndef PN_MAILAUTH_DOMAIN_H
#define PN_MAILAUTH_DOMAIN_H

#include <stdbool.h>
#include <stddef.h>

#include "common/net/dns.h"

/*
 * A domain name as those want it who compare it or look it up: A-labels (RFC 5890; U-labels
 * are converted as RFC 8616 section 3 wants), ASCII in lower case, no dot at its end.
 */
enum domain_status {
    DOMAIN_OK,
    DOMAIN_EMPTY,
    DOMAIN_LITERAL, /* "[192.0.2.1]" */
    DOMAIN_ADDRESS, /* "192.0.2.1": its last label is a number */
    DOMAIN_BAD,     /* not LDH and underscore, an empty or overlong label, no valid U-label, … */
};

/* text[0..len), which may hold any byte, into domain_r; "" there unless DOMAIN_OK. */
enum domain_status domain_normalize(const char *text, size_t len, char domain_r[DNS_NAME_MAX])
    __attribute__((warn_unused_result));
/* "empty", "an address literal", … to follow "is". */
const char *domain_strstatus(enum domain_status status);

/* Of normalized names. */
size_t domain_label_count(const char *domain);
/* The last count labels of it; all of it where it has fewer. */
const char *domain_last_labels(const char *domain, size_t count);

#endif
