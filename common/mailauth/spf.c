/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/mailauth/spf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/str.h"
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

static bool is_domain_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
}

/*
 * RFC 7208 4.3: text without a trailing dot into domain_r. NULL, or why it is no
 * domain name that can have a policy.
 */
static const char *take_domain(const char *text, char domain_r[DNS_NAME_MAX])
{
    size_t len = strlen(text);

    domain_r[0] = 0;
    if (!len)
        return "empty";
    if (text[len - 1] == '.')
        len--;
    if (text[0] == '[')
        return "an address literal";
    if (len >= DNS_NAME_MAX || !dns_name_is_valid(text))
        return "not a domain name";
    for (size_t i = 0; i < len; i++) {
        if (!is_domain_char(text[i]))
            return "not a domain name";
    }
    const char *dot = memrchr(text, '.', len);
    if (!dot)
        return "a name of one label";
    if (strspn(dot + 1, "0123456789.") == strlen(dot + 1))
        return "an address, not a name";
    memcpy(domain_r, text, len);
    domain_r[len] = 0;
    return NULL;
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
    const char *reason = take_domain(request->helo, check_r->domain);
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
    const char *reason = take_domain(at + 1, check_r->domain);
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

    memset(verdict_r, 0, sizeof(*verdict_r));
    if (!engine || scope != ADDR_SCOPE_GLOBAL) {
        if (!engine)
            refuse(&verdict_r->helo, "this build has no SPF engine");
        else
            refuse(&verdict_r->helo, "the client's address is %s", addr_scope_name(scope));
        verdict_r->mailfrom = verdict_r->helo;
        return;
    }
    /* MAIL FROM first: a HELO on silent servers must not use up the time for it. */
    if (request->sender[0])
        check_mailfrom(engine, request, dns, budget, &verdict_r->mailfrom);
    check_helo(engine, request, dns, budget, &verdict_r->helo);
    if (!request->sender[0])
        verdict_r->mailfrom = verdict_r->helo; /* postmaster@HELO: the same question */
}
