/* SPDX-License-Identifier: MIT */
#ifndef PN_CTL_SIGNING_H
#define PN_CTL_SIGNING_H

#include "common/base/error.h"
#include "common/net/dns.h"

/* Where a DKIM key stands in DNS, as sign and keygen want it. */
struct signing_name {
    char domain[DNS_NAME_MAX];   /* normalized: A-labels in lower case */
    char selector[DNS_NAME_MAX]; /* the same */
};

/* 0, or -1 where "SELECTOR._domainkey.DOMAIN" is no name, and which of the two is wrong. */
int signing_name_parse(const char *domain, const char *selector, struct signing_name *name_r,
                       struct error *error_r) __attribute__((warn_unused_result));

#endif
