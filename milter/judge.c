/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "milter/judge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/mailauth/authres.h"
#include "common/mailauth/dmarc_findings.h"

#define SUMMARY_SIGNATURES_MAX 5
#define AUTHORS_AHEAD_MAX      2 /* more than one are rare, and none needs be good */

static const char *gateway_name(const struct origin *origin)
{
    return origin->gateway == NULL ? "?" : origin->gateway->name;
}

static void explain_masked(const struct judge_facts *facts, struct judgement *judgement)
{
    const struct origin *origin = facts->origin;
    char text[ADDR_TEXT_MAX];

    judgement->is_masked = true;
    if (origin->kind == ORIGIN_REFUSED)
        snprintf(judgement->masked, sizeof judgement->masked,
                 "gateway %s names %s as the client, which cannot come through it",
                 gateway_name(origin), addr_format(&origin->addr, text));
    else
        snprintf(judgement->masked, sizeof judgement->masked,
                 "the client is hidden by gateway %s%s%s", gateway_name(origin),
                 facts->hidden == NULL ? "" : ": its Received field ",
                 facts->hidden == NULL ? "" : facts->hidden);
}

/* --- what is asked ahead ------------------------------------------------------ */

struct batch {
    struct dns_question questions[3 + DKIM_SIGNATURES_MAX + AUTHORS_AHEAD_MAX * DMARC_QUERIES_MAX];
    size_t count;
    char domains[2][DNS_NAME_MAX]; /* of sender and HELO */
    char reverse[ADDR_REVERSE_MAX];
    char records[AUTHORS_AHEAD_MAX][DMARC_QUERIES_MAX][DNS_NAME_MAX];
};

static void add_question(struct batch *batch, const char *name, uint16_t type)
{
    batch->questions[batch->count++] = (struct dns_question){name, type};
}

static void add_domain(struct batch *batch, const char *name, char domain[DNS_NAME_MAX])
{
    if (domain_normalize(name, strlen(name), domain) == DOMAIN_OK)
        add_question(batch, domain, DNS_TYPE_TXT);
}

static void add_client(struct batch *batch, const struct judge_facts *facts)
{
    const char *at = facts->sender == NULL ? NULL : strrchr(facts->sender, '@');

    if (facts->origin->kind != ORIGIN_KNOWN)
        return;
    if (at != NULL)
        add_domain(batch, at + 1, batch->domains[0]);
    if (facts->sender != NULL)
        add_domain(batch, facts->helo, batch->domains[1]);
    add_question(batch, addr_format_reverse(&facts->origin->addr, batch->reverse), DNS_TYPE_PTR);
}

static void add_author(struct batch *batch, const char *domain, char (*records)[DNS_NAME_MAX])
{
    size_t count = dmarc_walk_names(domain, records);

    for (size_t i = 0; i < count; i++)
        add_question(batch, records[i], DNS_TYPE_TXT);
}

static struct dns_budget take_share(const struct dns_budget *whole, int64_t share_ms)
{
    return (struct dns_budget){.left_ms = share_ms < whole->left_ms ? share_ms : whole->left_ms};
}

void judge_ask_ahead(const struct judge_facts *facts, const char *const *key_names,
                     size_t key_count, struct dns_memo *memo, struct dns_budget *budget)
{
    struct dns_budget share = take_share(budget, budget->left_ms / 2);
    struct batch *batch = x_calloc(1, sizeof *batch);

    add_client(batch, facts);
    for (size_t i = 0; i < key_count && i < DKIM_SIGNATURES_MAX; i++)
        add_question(batch, key_names[i], DNS_TYPE_TXT);
    for (size_t i = 0; i < facts->author->count && i < AUTHORS_AHEAD_MAX; i++)
        add_author(batch, facts->author->domains[i], batch->records[i]);
    budget->left_ms -= share.left_ms;
    dns_memo_ask_ahead(memo, batch->questions, batch->count, &share);
    budget->left_ms += share.left_ms;
    free(batch);
}

/* --- the judgement ------------------------------------------------------------ */

static void check_spf(const struct judge_facts *facts, const struct spf_engine *engine,
                      struct dns *dns, struct dns_budget *budget, struct judgement *judgement)
{
    if (facts->sender == NULL)
        return;
    judgement->has_spf = true;
    judgement->spf_request = (struct spf_request){
        .client = facts->origin->addr,
        .helo = facts->helo,
        .sender = facts->sender,
        .receiver = facts->receiver,
    };
    spf_verify(engine, &judgement->spf_request, dns, budget, &judgement->spf);
}

void judge_client(const struct judge_facts *facts, const struct spf_engine *engine, struct dns *dns,
                  struct dns_budget *budget, struct judgement *judgement_r)
{
    const int64_t whole_ms = budget->left_ms;
    struct dns_budget share;

    *judgement_r = (struct judgement){.is_masked = false};
    if (facts->origin->kind != ORIGIN_KNOWN) {
        explain_masked(facts, judgement_r);
        return;
    }
    share = take_share(budget, whole_ms / 2);
    budget->left_ms -= share.left_ms;
    check_spf(facts, engine, dns, &share, judgement_r);
    budget->left_ms += share.left_ms;

    share = take_share(budget, whole_ms / 4);
    budget->left_ms -= share.left_ms;
    judgement_r->has_iprev = true;
    iprev_verify(&facts->origin->addr, dns, &share, &judgement_r->iprev);
    budget->left_ms += share.left_ms;
}

const char *judge_spf_domain(const struct judge_facts *facts, const struct judgement *judgement)
{
    const struct spf_check *check;

    if (!judgement->has_spf)
        return NULL;
    check = *facts->sender == '\0' ? &judgement->spf.helo : &judgement->spf.mailfrom;
    return check->ran && check->result == AUTH_PASS ? check->domain : NULL;
}

void judge_author(const struct judge_facts *facts, struct dns *dns, struct dns_budget *budget,
                  struct judgement *judgement)
{
    struct dmarc_findings findings;
    const struct spf_request request = {
        .helo = facts->helo,
        /* What cannot be used has no domain that could be proven. */
        .sender = facts->sender == NULL ? "unusable" : facts->sender,
    };

    dmarc_findings_init(&findings, facts->author, &request,
                        judgement->has_spf ? &judgement->spf : NULL, facts->dkim,
                        facts->dkim_count);
    judgement->has_dmarc = true;
    dmarc_evaluate(&findings.facts, dns, budget, &judgement->dmarc);
    dmarc_findings_fini(&findings);
}

void judge_field(const struct judge_facts *facts, const struct judgement *judgement,
                 struct buf *out)
{
    const struct origin *origin = facts->origin;
    char comment[JUDGE_MASKED_MAX];
    struct authres results = {
        .authserv_id = facts->authserv_id,
        .client = origin->kind == ORIGIN_KNOWN ? &origin->addr : NULL,
        .iprev = judgement->has_iprev ? &judgement->iprev : NULL,
        .masked = judgement->is_masked ? judgement->masked : NULL,
        .spf = judgement->has_spf ? &judgement->spf : NULL,
        .spf_request = judgement->has_spf ? &judgement->spf_request : NULL,
        .dkim = facts->dkim,
        .dkim_count = facts->dkim_count,
        .dkim_evaluated = true,
        .dmarc = judgement->has_dmarc ? &judgement->dmarc : NULL,
    };

    if (origin->kind == ORIGIN_KNOWN && origin->gateway != NULL) {
        snprintf(comment, sizeof comment, "through gateway %s, %s", gateway_name(origin),
                 origin_source_name(origin->source));
        results.comment = comment;
    }
    authres_build(out, &results);
}

void judge_dkim_summary(const struct judge_facts *facts, struct buf *out)
{
    if (facts->dkim_count == 0)
        buf_puts(out, "none");
    for (size_t i = 0; i < facts->dkim_count && i < SUMMARY_SIGNATURES_MAX; i++) {
        const struct dkim_result *result = &facts->dkim[i];
        const char *colon = *result->domain == '\0' ? "" : ":";
        buf_printf(out, "%s%s%s%s", i == 0 ? "" : " ", auth_result_name(result->result), colon,
                   result->domain);
    }
    if (facts->dkim_count > SUMMARY_SIGNATURES_MAX)
        buf_printf(out, " +%zu", facts->dkim_count - SUMMARY_SIGNATURES_MAX);
}
