/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/mailauth/spf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/str.h"
#include "common/mailauth/domain.h"
#include "common/mailauth/spf_engines.h"

#define LOCAL_PART_MAX 256 /* RFC 5321 has 64; bounce addresses are longer */

const char *spf_identity_name(enum spf_identity identity)
{
    return identity == SPF_IDENTITY_HELO ? "helo" : "mailfrom";
}

const struct spf_engine *spf_engine_find(const char *name)
{
    for (size_t i = 0; spf_engines[i]; i++) {
        if (!name || str_eq(name, spf_engines[i]->name))
            return spf_engines[i];
    }
    return NULL;
}

/* RFC 7208 4.3: the domain of the check; NULL, or why none can have a policy by this name. */
static const char *take_domain(const char *text, struct spf_check *check)
{
    enum domain_status status = domain_normalize(text, strlen(text), check->domain);

    check->is_unconvertible = status == DOMAIN_BAD && !str_is_ascii(text);
    if (status != DOMAIN_OK)
        return domain_strstatus(status);
    if (domain_label_count(check->domain) > 1)
        return NULL;
    check->domain[0] = 0;
    return "a name of one label";
}

__attribute__((format(printf, 2, 3))) static void refuse(struct spf_check *check, const char *fmt,
                                                         ...)
{
    va_list ap;

    check->result = AUTH_NONE;
    va_start(ap, fmt);
    vsnprintf(check->reason, sizeof(check->reason), fmt, ap);
    va_end(ap);
}

/* sender is whole: with a local part and a good domain. */
static void check(const struct spf_engine *engine, const struct spf_request *request,
                  enum spf_identity identity, const char *sender, struct dns *dns,
                  struct dns_budget *budget, struct spf_check *check_r)
{
    struct spf_request asked = *request;

    asked.sender = sender;
    check_r->ran = true;
    engine->check(&asked, identity, check_r->domain, dns, budget, check_r);
}

static void check_helo(const struct spf_engine *engine, const struct spf_request *request,
                       struct dns *dns, struct dns_budget *budget, struct spf_check *check_r)
{
    const char *reason = take_domain(request->helo, check_r);
    char sender[DNS_NAME_MAX + sizeof("postmaster@")];

    if (reason) {
        refuse(check_r, "HELO is %s", reason);
        return;
    }
    snprintf(sender, sizeof(sender), "postmaster@%s", check_r->domain);
    check(engine, request, SPF_IDENTITY_HELO, sender, dns, budget, check_r);
}

static void check_mailfrom(const struct spf_engine *engine, const struct spf_request *request,
                           struct dns *dns, struct dns_budget *budget, struct spf_check *check_r)
{
    const char *at = strrchr(request->sender, '@');
    char sender[LOCAL_PART_MAX + 1 + DNS_NAME_MAX];

    if (!at) {
        refuse(check_r, "the sender has no domain");
        return;
    }
    const char *reason = take_domain(at + 1, check_r);
    if (reason) {
        refuse(check_r, "the sender's domain is %s", reason);
        return;
    }
    size_t local_len = (size_t)(at - request->sender);
    /* Cut, not refused: nobody gets out of his domain's policy by a long name. */
    if (local_len > LOCAL_PART_MAX)
        local_len = LOCAL_PART_MAX;
    /* RFC 7208 4.3: no local part means postmaster. */
    if (local_len)
        snprintf(sender, sizeof(sender), "%.*s@%s", (int)local_len, request->sender,
                 check_r->domain);
    else
        snprintf(sender, sizeof(sender), "postmaster@%s", check_r->domain);
    check(engine, request, SPF_IDENTITY_MAILFROM, sender, dns, budget, check_r);
}

void spf_verify(const struct spf_engine *engine, const struct spf_request *request, struct dns *dns,
                struct dns_budget *budget, struct spf_verdict *verdict_r)
{
    enum addr_scope scope = addr_scope(&request->client);
    struct spf_request asked = *request;
    char helo[DNS_NAME_MAX];

    memset(verdict_r, 0, sizeof(*verdict_r));
    if (!engine || scope != ADDR_SCOPE_GLOBAL) {
        if (!engine)
            refuse(&verdict_r->helo, "this build has no SPF engine");
        else
            refuse(&verdict_r->helo, "the client's address is %s", addr_scope_name(scope));
        verdict_r->mailfrom = verdict_r->helo;
        return;
    }
    /* RFC 8616 4: no U-label goes into a look-up, be it by the macro h. */
    if (domain_normalize(request->helo, strlen(request->helo), helo) == DOMAIN_OK)
        asked.helo = helo;
    /* MAIL FROM first: a HELO on silent servers must not use up the time for it. */
    if (request->sender[0])
        check_mailfrom(engine, &asked, dns, budget, &verdict_r->mailfrom);
    check_helo(engine, &asked, dns, budget, &verdict_r->helo);
    if (!request->sender[0])
        verdict_r->mailfrom = verdict_r->helo; /* postmaster@HELO: the same question */
}
