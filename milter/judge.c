/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "milter/judge.h"

#include <stdio.h>

#include "common/mailauth/authres.h"

#define SUMMARY_SIGNATURES_MAX 5

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

static struct dns_budget take_share(const struct dns_budget *whole, int64_t share_ms)
{
    return (struct dns_budget){.left_ms = share_ms < whole->left_ms ? share_ms : whole->left_ms};
}

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
        .receiver = facts->authserv_id,
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
