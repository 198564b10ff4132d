/* SPDX-License-Identifier: MIT */
#ifndef PN_MAILAUTH_IPREV_H
#define PN_MAILAUTH_IPREV_H

#include "common/base/addr.h"
#include "common/mailauth/result.h"
#include "common/net/dns.h"

#define IPREV_NAMES_MAX 5 /* PTR names that are looked up again */

/*
 * Whether the client's address has a name that leads back to it, RFC 8601 section
 * 3: pass with that name, fail, permerror where there is no PTR record, temperror.
 */
struct iprev_check {
    enum auth_result result;
    char name[DNS_NAME_MAX]; /* "" unless pass */
};

void iprev_verify(const struct addr *client, struct dns *dns, struct dns_budget *budget,
                  struct iprev_check *check_r);

#endif
