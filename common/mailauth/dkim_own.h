/* SPDX-License-Identifier: MIT */
#ifndef PN_MAILAUTH_DKIM_OWN_H
#define PN_MAILAUTH_DKIM_OWN_H

#include <stdbool.h>
#include <stddef.h>

#include "common/mailauth/dkim.h"
#include "common/mailauth/dkim_sign.h"
#include "common/net/dns.h"

/*
 * Whether a message bears our own signatures already, as after a content filter: struct
 * dkim_verifier verifies it with dkim_own.dns, which has the public halves of our keys and
 * no other name, asks nobody and takes no time.
 */
struct dkim_own {
    struct dns dns;
    const struct dkim_signing *signings; /* borrowed */
    size_t count;
};

void dkim_own_init(struct dkim_own *own, const struct dkim_signing *signings, size_t count);

/* Whether one of these results is a signature by this key that verifies. */
bool dkim_own_has_signed(const struct dkim_signing *signing, const struct dkim_result *results,
                         size_t count);

#endif
