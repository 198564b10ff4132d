/* SPDX-License-Identifier: MIT */
#ifndef PN_MAILAUTH_SPF_H
#define PN_MAILAUTH_SPF_H

#include <stdbool.h>

#include "common/base/addr.h"
#include "common/mailauth/result.h"
#include "common/net/dns.h"

/* SPF, RFC 7208; with addresses that are not ASCII, RFC 8616 section 4. */

#define SPF_LOOKUPS_MAX 10 /* RFC 7208 4.6.4: terms that cause look-ups */
#define SPF_VOIDS_MAX   2  /* RFC 7208 4.6.4: look-ups that find nothing */
#define SPF_TEXT_MAX    256

enum spf_identity { SPF_IDENTITY_HELO, SPF_IDENTITY_MAILFROM };
const char *spf_identity_name(enum spf_identity identity); /* "helo", "mailfrom" */

/* What is known of the SMTP transaction. Borrowed strings, none NULL. */
struct spf_request {
    struct addr client;
    const char *helo;     /* "" when the client gave none */
    const char *sender;   /* MAIL FROM without <>; "" for the null sender */
    const char *receiver; /* our host name, for the macro r */
};

/* One run of check_host(). */
struct spf_check {
    bool ran; /* false: the identity does not exist, or must not be asked; result is none */
    enum auth_result result;
    char domain[DNS_NAME_MAX]; /* normalized (domain.h); "" where there is none */
    /* It is none, but not ASCII: others may read a name there that has a policy. */
    bool is_unconvertible;
    char mechanism[SPF_TEXT_MAX];   /* that decided, "-all"; "" when none did */
    char explanation[SPF_TEXT_MAX]; /* for the client on fail, printable ASCII; may be "" */
    char reason[SPF_TEXT_MAX]; /* of none, temperror and permerror, printable ASCII; may be "" */
    unsigned lookups;
    unsigned void_lookups;
};

/* Both identities; they are always both checked where they exist. */
struct spf_verdict {
    struct spf_check helo;
    struct spf_check mailfrom;
};

/* check_host() for one identity: domain is checked already, the sender is never empty. */
struct spf_engine {
    const char *name;
    void (*check)(const struct spf_request *request, enum spf_identity identity, const char *domain,
                  struct dns *dns, struct dns_budget *budget, struct spf_check *check_r);
};

/* By name; NULL gives the default. NULL when this build has no such engine. */
const struct spf_engine *spf_engine_find(const char *name);

/*
 * Judge both identities. An address that is not global (loopback, private, CGNAT, …) is never
 * put to an engine: the result is none. A HELO that is no domain name (a literal,
 * one label, empty) is none. With the null sender the mailfrom identity is
 * postmaster@HELO (RFC 7208 2.4).
 */
void spf_verify(const struct spf_engine *engine, const struct spf_request *request, struct dns *dns,
                struct dns_budget *budget, struct spf_verdict *verdict_r);

#endif
