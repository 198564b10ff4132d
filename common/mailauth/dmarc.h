/* SPDX-License-Identifier: MIT */
#ifndef PN_MAILAUTH_DMARC_H
#define PN_MAILAUTH_DMARC_H

#include <stdbool.h>
#include <stddef.h>

#include "common/mailauth/author.h"
#include "common/mailauth/result.h"
#include "common/net/dns.h"

/* DMARC, RFC 9989: policy discovery by tree walk, identifier alignment, the verdict. */

#define DMARC_QUERIES_MAX 8 /* RFC 9989 section 4.10: of one walk */
#define DMARC_SIGNERS_MAX 8 /* whose walks are made for alignment, beside the SPF domain's */
#define DMARC_TEXT_MAX    256

enum dmarc_policy { DMARC_POLICY_NONE, DMARC_POLICY_QUARANTINE, DMARC_POLICY_REJECT };
const char *dmarc_policy_name(enum dmarc_policy policy); /* "none", "quarantine", "reject" */

/* What SPF and DKIM found. Domains are normalized (domain.h). */
struct dmarc_facts {
    const struct author *author;
    /*
     * MAIL FROM's domain, HELO's with the null sender, where SPF passed, or could have:
     * on temperror, or with a masked client (spf_unknown). NULL: no pass; with spf_unknown, any
     * domain. Without it a stranger's broken DNS would make a temperror of every fail.
     */
    const char *spf_domain;
    bool spf_unknown;
    const char *const *dkim_domains; /* d= of each signature that passed */
    size_t dkim_count;
    const char *const *dkim_unknown_domains; /* d= of each with temperror */
    size_t dkim_unknown_count;
};

struct dmarc_verdict {
    /*
     * none: no policy; pass; fail; temperror: DNS gave no answer that could change it;
     * permerror: there is no one author domain. With several author domains that of the
     * strictest: fail by its policy, temperror, none, pass.
     */
    enum auth_result result;
    char domain[DNS_NAME_MAX];        /* the author domain that decided; "" on permerror */
    char record_domain[DNS_NAME_MAX]; /* whose record the policy is of; "" without one */
    enum dmarc_policy published;      /* p, sp or np, whichever applies */
    enum dmarc_policy policy;         /* the same, a step lower with t=y */
    bool testing;                     /* t=y */
    bool spf_aligned;                 /* with domain */
    bool dkim_aligned;
    char reason[DMARC_TEXT_MAX]; /* of temperror and permerror, printable ASCII; else "" */
    unsigned queries;            /* for records, of all walks */
};

/*
 * Asks DNS within the budget: the walks of all author domains in one batch, in a second one those
 * of the identifiers that could be of the same organization (the SPF domain and 8 signatures at
 * most), and, where np differs from sp, whether the author domain exists.
 */
void dmarc_evaluate(const struct dmarc_facts *facts, struct dns *dns, struct dns_budget *budget,
                    struct dmarc_verdict *verdict_r);

/*
 * The names that the walk from a domain may ask for, all TXT, nearest first: so that they can be
 * asked for beforehand in one batch. Each is DNS_NAME_MAX; returns how many, at most
 * DMARC_QUERIES_MAX.
 */
size_t dmarc_walk_names(const char *domain, char (*names_r)[DNS_NAME_MAX]);

#endif
