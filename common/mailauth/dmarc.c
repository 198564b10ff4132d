/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/mailauth/dmarc.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/mailauth/dmarc_walk.h"

/* A domain that SPF or a signature vouches for, or might. */
struct identifier {
    const char *domain;
    bool is_spf;
    bool passed;            /* false: it is not known whether */
    struct dmarc_walk walk; /* where its organization matters */
};

/* An author domain. */
struct author_case {
    struct dmarc_walk walk;
    const struct dmarc_step *policy; /* NULL: DMARC is not applied */
    const struct dmarc_step *gap;    /* then it is not known what to apply */
    enum dns_status existence;       /* of the domain, where the policy depends on it */
};

struct evaluation {
    struct dns *dns;
    struct dns_budget *budget;
    struct dmarc_walks *walks;
    unsigned queries;
    struct author_case cases[AUTHOR_DOMAINS_MAX];
    size_t case_count;
    bool any_spf; /* SPF might have passed for whichever domain */
    struct identifier *identifiers;
    size_t count;
};

enum alignment { ALIGNMENT_NO, ALIGNMENT_UNKNOWN, ALIGNMENT_YES };

/* All at once, and their silence leaves time for what is asked after them. */
static void ask_walks(struct evaluation *evaluation)
{
    struct dns_budget *whole = evaluation->budget;
    struct dns_budget share = {.left_ms = whole->left_ms / 2};

    whole->left_ms -= share.left_ms;
    evaluation->queries += dmarc_walks_ask(evaluation->walks, evaluation->dns, &share);
    whole->left_ms += share.left_ms;
}

/* --- who vouches for the message ----------------------------------------- */

static void add_identifier(struct evaluation *evaluation, const char *domain, bool is_spf,
                           bool passed)
{
    for (size_t i = 0; i < evaluation->count; i++) {
        const struct identifier *known = &evaluation->identifiers[i];
        if (known->is_spf == is_spf && str_eq(known->domain, domain))
            return;
    }
    evaluation->identifiers[evaluation->count++] =
        (struct identifier){.domain = domain, .is_spf = is_spf, .passed = passed};
}

/* Those that passed first: what is cut off at the limit is the least. */
static void add_identifiers(struct evaluation *evaluation, const struct dmarc_facts *facts)
{
    size_t max = 1 + facts->dkim_count + facts->dkim_unknown_count;

    evaluation->identifiers = x_calloc(max, sizeof(evaluation->identifiers[0]));
    if (facts->spf_domain)
        add_identifier(evaluation, facts->spf_domain, true, !facts->spf_unknown);
    else
        evaluation->any_spf = facts->spf_unknown;
    for (size_t i = 0; i < facts->dkim_count; i++)
        add_identifier(evaluation, facts->dkim_domains[i], false, true);
    for (size_t i = 0; i < facts->dkim_unknown_count; i++)
        add_identifier(evaluation, facts->dkim_unknown_domains[i], false, false);
}

/* --- alignment, RFC 9989 4.10.2 ------------------------------------------ */

static bool is_strict(const struct author_case *author, const struct identifier *identifier)
{
    const struct dmarc_record *record = &author->policy->record;
    return identifier->is_spf ? record->strict_spf : record->strict_dkim;
}

/*
 * An organizational domain is the domain itself or above it: who is not within the author's is of
 * another one, whatever his own DNS says or keeps to itself.
 */
static bool may_share_organization(const struct author_case *author, const char *domain)
{
    for (unsigned guess = 0; guess < DMARC_GUESSES; guess++) {
        if (str_is_domain_within(domain,
                                 dmarc_walk_organization(&author->walk, (enum dmarc_guess)guess)))
            return true;
    }
    return false;
}

static bool is_walk_wanted(const struct evaluation *evaluation, const struct identifier *identifier)
{
    for (size_t i = 0; i < evaluation->case_count; i++) {
        const struct author_case *author = &evaluation->cases[i];
        if (author->policy && !author->gap && !is_strict(author, identifier) &&
            !str_eq(author->walk.domain, identifier->domain) &&
            may_share_organization(author, identifier->domain))
            return true;
    }
    return false;
}

static void walk_identifiers(struct evaluation *evaluation)
{
    size_t signers = 0;

    for (size_t i = 0; i < evaluation->count; i++) {
        struct identifier *identifier = &evaluation->identifiers[i];
        if (!is_walk_wanted(evaluation, identifier))
            continue;
        if (!identifier->is_spf && signers++ >= DMARC_SIGNERS_MAX)
            continue;
        dmarc_walks_add(evaluation->walks, identifier->domain, &identifier->walk);
    }
    ask_walks(evaluation);
}

static bool is_same_organization(const struct author_case *author,
                                 const struct identifier *identifier, enum dmarc_guess guess)
{
    return str_eq(dmarc_walk_organization(&author->walk, guess),
                  dmarc_walk_organization(&identifier->walk, guess));
}

/*
 * Where DNS kept something back: if a plain record at those names does not align them, nothing
 * there does; if they are aligned whatever one takes those names for, they are.
 */
static enum alignment align(const struct author_case *author, const struct identifier *identifier)
{
    if (str_eq(author->walk.domain, identifier->domain))
        return ALIGNMENT_YES;
    if (is_strict(author, identifier) || !identifier->walk.count ||
        !is_same_organization(author, identifier, DMARC_GUESS_RECORD))
        return ALIGNMENT_NO;
    for (unsigned guess = 0; guess < DMARC_GUESSES; guess++) {
        if (!is_same_organization(author, identifier, (enum dmarc_guess)guess))
            return ALIGNMENT_UNKNOWN;
    }
    return ALIGNMENT_YES;
}

/* --- the verdict for one author domain ------------------------------------ */

__attribute__((format(printf, 2, 3))) static void set_temperror(struct dmarc_verdict *verdict,
                                                                const char *format, ...)
{
    va_list arguments;

    if (verdict->result == AUTH_TEMPERROR)
        return;
    verdict->result = AUTH_TEMPERROR;
    va_start(arguments, format);
    vsnprintf(verdict->reason, sizeof(verdict->reason), format, arguments);
    va_end(arguments);
}

static void set_gap(struct dmarc_verdict *verdict, const struct dmarc_step *gap)
{
    set_temperror(verdict, "%s: _dmarc.%s", dns_strstatus(gap->status), gap->domain);
}

/* Takes an alignment that is not known for temperror. */
static void weigh(const struct author_case *author, const struct identifier *identifier,
                  struct dmarc_verdict *verdict)
{
    enum alignment alignment = align(author, identifier);

    if (alignment == ALIGNMENT_NO)
        return;
    if (alignment == ALIGNMENT_YES && identifier->passed) {
        *(identifier->is_spf ? &verdict->spf_aligned : &verdict->dkim_aligned) = true;
        return;
    }
    if (!identifier->passed) {
        set_temperror(verdict, "%s of %s is not known", identifier->is_spf ? "SPF" : "DKIM",
                      identifier->domain);
        return;
    }
    const struct dmarc_step *gap = dmarc_walk_gap(&identifier->walk);
    set_gap(verdict, gap ? gap : dmarc_walk_gap(&author->walk));
}

/* Not so where a record of some type is known of it. */
static bool depends_on_existence(const struct author_case *author)
{
    const struct dmarc_step *policy = author->policy;

    return policy && !author->gap && policy != author->walk.steps[0] &&
           policy->record.nonexistent_policy != policy->record.subdomain_policy &&
           !author->walk.steps[0]->exists;
}

/* p of the domain's own record, sp or np of another's. */
static void choose_policy(const struct author_case *author, struct dmarc_verdict *verdict)
{
    const struct dmarc_record *record = &author->policy->record;

    verdict->published = record->policy;
    if (author->policy == author->walk.steps[0])
        return;
    verdict->published = record->subdomain_policy;
    if (!depends_on_existence(author))
        return;
    if (author->existence == DNS_NXDOMAIN)
        verdict->published = record->nonexistent_policy;
    else if (author->existence != DNS_FOUND && author->existence != DNS_NODATA)
        set_temperror(verdict, "%s: %s", dns_strstatus(author->existence), author->walk.domain);
}

static enum dmarc_policy lower(enum dmarc_policy policy)
{
    return policy == DMARC_POLICY_REJECT ? DMARC_POLICY_QUARANTINE : DMARC_POLICY_NONE;
}

/* What a record says of the message; the result is pass, temperror or fail. */
static void apply(struct evaluation *evaluation, const struct author_case *author,
                  struct dmarc_verdict *verdict)
{
    verdict->result = AUTH_FAIL;
    snprintf(verdict->record_domain, DNS_NAME_MAX, "%s", author->policy->domain);
    choose_policy(author, verdict);
    verdict->testing = author->policy->record.testing;
    verdict->policy = verdict->testing ? lower(verdict->published) : verdict->published;
    for (size_t i = 0; i < evaluation->count; i++)
        weigh(author, &evaluation->identifiers[i], verdict);
    if (evaluation->any_spf)
        set_temperror(verdict, "SPF is not known");
    if (verdict->spf_aligned || verdict->dkim_aligned) {
        verdict->result = AUTH_PASS;
        verdict->reason[0] = 0;
    }
}

static void judge(struct evaluation *evaluation, const struct author_case *author,
                  struct dmarc_verdict *verdict_r)
{
    *verdict_r = (struct dmarc_verdict){.result = AUTH_NONE};
    snprintf(verdict_r->domain, DNS_NAME_MAX, "%s", author->walk.domain);
    if (author->gap)
        set_gap(verdict_r, author->gap);
    else if (author->policy)
        apply(evaluation, author, verdict_r);
}

/* --- the whole -------------------------------------------------------------- */

static void find_policies(struct evaluation *evaluation, const struct author *author)
{
    evaluation->case_count = author->count;
    for (size_t i = 0; i < author->count; i++)
        dmarc_walks_add(evaluation->walks, author->domains[i], &evaluation->cases[i].walk);
    ask_walks(evaluation);
    for (size_t i = 0; i < author->count; i++) {
        struct author_case *found = &evaluation->cases[i];
        found->policy = dmarc_walk_policy(&found->walk, &found->gap);
        if (found->policy && !found->policy->record.applies)
            found->policy = NULL;
    }
}

/* RFC 9989 3.2.12: a name that does not exist, not one without records of some type. */
static void ask_existence(struct evaluation *evaluation)
{
    struct dns_question questions[AUTHOR_DOMAINS_MAX];
    struct dns_answer answers[AUTHOR_DOMAINS_MAX];
    struct author_case *asked[AUTHOR_DOMAINS_MAX];
    size_t count = 0;

    for (size_t i = 0; i < evaluation->case_count; i++) {
        struct author_case *author = &evaluation->cases[i];
        if (!depends_on_existence(author))
            continue;
        questions[count] = (struct dns_question){author->walk.domain, DNS_TYPE_A};
        asked[count++] = author;
    }
    if (count == 0)
        return;
    dns_ask(evaluation->dns, questions, count, evaluation->budget, answers);
    for (size_t i = 0; i < count; i++) {
        asked[i]->existence = answers[i].status;
        dns_answer_fini(&answers[i]);
    }
}

static int strictness(const struct dmarc_verdict *verdict)
{
    switch (verdict->result) {
    case AUTH_PASS:
        return 0;
    case AUTH_NONE:
        return 1;
    case AUTH_TEMPERROR:
        return 2;
    default:
        return 3 + (int)verdict->policy;
    }
}

static void judge_all(struct evaluation *evaluation, struct dmarc_verdict *verdict_r)
{
    for (size_t i = 0; i < evaluation->case_count; i++) {
        struct dmarc_verdict verdict;
        judge(evaluation, &evaluation->cases[i], &verdict);
        if (i == 0 || strictness(&verdict) > strictness(verdict_r))
            *verdict_r = verdict;
    }
    verdict_r->queries = evaluation->queries;
}

void dmarc_evaluate(const struct dmarc_facts *facts, struct dns *dns, struct dns_budget *budget,
                    struct dmarc_verdict *verdict_r)
{
    struct evaluation evaluation = {.dns = dns, .budget = budget};

    *verdict_r = (struct dmarc_verdict){.result = AUTH_PERMERROR};
    if (facts->author->status != AUTHOR_OK) {
        snprintf(verdict_r->reason, sizeof(verdict_r->reason), "%s",
                 author_strstatus(facts->author->status));
        return;
    }
    evaluation.walks = dmarc_walks_new(facts->author->count + 1 + DMARC_SIGNERS_MAX);
    find_policies(&evaluation, facts->author);
    add_identifiers(&evaluation, facts);
    walk_identifiers(&evaluation);
    ask_existence(&evaluation);
    judge_all(&evaluation, verdict_r);
    free(evaluation.identifiers);
    dmarc_walks_free(&evaluation.walks);
}
