/* SPDX-License-Identifier: MIT */
#ifndef PN_MAILAUTH_DMARC_FINDINGS_H
#define PN_MAILAUTH_DMARC_FINDINGS_H

#include "common/mailauth/dkim.h"
#include "common/mailauth/dmarc.h"
#include "common/mailauth/spf.h"

/* What SPF and DKIM found, as dmarc_evaluate() takes it, with the memory behind it. */
struct dmarc_findings {
    struct dmarc_facts facts;
    char spf_domain[DNS_NAME_MAX];
    char (*signers)[DNS_NAME_MAX];
    const char **domains; /* those that passed, then the unknown ones from the end */
};

/*
 * spf is NULL where it was not or could not be asked, as for a masked client; request is NULL
 * where nothing is known of the transaction. RFC 9989 relies on MAIL FROM alone, which with
 * the null sender is postmaster at HELO (RFC 7208 2.4). Author is borrowed.
 */
void dmarc_findings_init(struct dmarc_findings *findings, const struct author *author,
                         const struct spf_request *request, const struct spf_verdict *spf,
                         const struct dkim_result *dkim, size_t dkim_count);
void dmarc_findings_fini(struct dmarc_findings *findings);

#endif
