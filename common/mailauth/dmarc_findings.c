/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/mailauth/dmarc_findings.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

/* The domain that SPF is asked for. */
static bool take_spf_domain(const struct spf_request *request, char domain_r[DNS_NAME_MAX])
{
    const char *at = strrchr(request->sender, '@');
    const char *domain = at ? at + 1 : request->helo;

    if (!at && *request->sender)
        return false;
    return domain_normalize(domain, strlen(domain), domain_r) == DOMAIN_OK;
}

static void add_spf(struct dmarc_findings *findings, const struct spf_request *request,
                    const struct spf_verdict *spf)
{
    enum auth_result result = AUTH_TEMPERROR;

    if (request && spf)
        result = *request->sender ? spf->mailfrom.result : spf->helo.result;
    if (result != AUTH_PASS && result != AUTH_TEMPERROR)
        return;
    if (!request) {
        findings->facts.spf_unknown = true;
    } else if (take_spf_domain(request, findings->spf_domain)) {
        findings->facts.spf_domain = findings->spf_domain;
        findings->facts.spf_unknown = result == AUTH_TEMPERROR;
    }
}

static void add_signers(struct dmarc_findings *findings, const struct dkim_result *dkim,
                        size_t count)
{
    struct dmarc_facts *facts = &findings->facts;

    for (size_t i = 0; i < count; i++) {
        bool passed = dkim[i].result == AUTH_PASS;
        char *domain = findings->signers[i];
        if ((!passed && dkim[i].result != AUTH_TEMPERROR) ||
            domain_normalize(dkim[i].domain, strlen(dkim[i].domain), domain) != DOMAIN_OK)
            continue;
        if (passed)
            findings->domains[facts->dkim_count++] = domain;
        else
            findings->domains[count - ++facts->dkim_unknown_count] = domain;
    }
    facts->dkim_domains = findings->domains;
    facts->dkim_unknown_domains = findings->domains + (count - facts->dkim_unknown_count);
}

void dmarc_findings_init(struct dmarc_findings *findings, const struct author *author,
                         const struct spf_request *request, const struct spf_verdict *spf,
                         const struct dkim_result *dkim, size_t dkim_count)
{
    *findings = (struct dmarc_findings){.facts = {.author = author}};
    findings->signers = x_calloc(dkim_count + 1, sizeof(findings->signers[0]));
    findings->domains = x_calloc(dkim_count + 1, sizeof(findings->domains[0]));
    add_spf(findings, request, spf);
    add_signers(findings, dkim, dkim_count);
}

void dmarc_findings_fini(struct dmarc_findings *findings)
{
    free(findings->signers);
    free(findings->domains);
    *findings = (struct dmarc_findings){0};
}
