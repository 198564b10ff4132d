/* SPDX-License-Identifier: MIT */
#ifndef PN_MILTER_JUDGE_H
#define PN_MILTER_JUDGE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/buf.h"
#include "common/mailauth/dkim.h"
#include "common/mailauth/dmarc.h"
#include "common/mailauth/iprev.h"
#include "common/mailauth/spf.h"
#include "common/net/dns_memo.h"
#include "common/net/origin.h"

/* From the facts of one message to its Authentication-Results. No milter in it. */

struct judge_facts {
    const char *authserv_id;
    const char *receiver;        /* our host name, for SPF */
    const struct origin *origin; /* known, masked, or refused where that is not enforced */
    const char *hidden;          /* why its Received field names no client, or NULL */
    const char *helo;            /* "" when the client gave none */
    const char *sender;          /* "" for the null sender; NULL: not to be judged */
    const struct author *author;
    const struct dkim_result *dkim; /* once they are known */
    size_t dkim_count;
};

#define JUDGE_MASKED_MAX 160

struct judgement {
    bool is_masked;
    char masked[JUDGE_MASKED_MAX]; /* why the client cannot be judged */
    bool has_spf;
    struct spf_request spf_request; /* borrows from the facts */
    struct spf_verdict spf;
    bool has_iprev;
    struct iprev_check iprev;
    bool has_dmarc;
    struct dmarc_verdict dmarc;
};

/*
 * Ask in one batch for what is wanted of a message in any case: the records of SPF for sender
 * and HELO, the client's name, the keys of the signatures (key_names), DMARC's records of
 * the first author domains. It takes at most half of the budget: else a sender could name keys
 * on servers that never answer, and turn the SPF failure of the domain that he claims into
 * a temperror.
 */
void judge_ask_ahead(const struct judge_facts *facts, const char *const *key_names,
                     size_t key_count, struct dns_memo *memo, struct dns_budget *budget);

/*
 * Run SPF for both identities and iprev for a known client; for any other say why
 * nothing can be said of it. Local and authenticated mail does not come here.
 *
 * SPF takes at most half of the budget, iprev a quarter; the rest is DMARC's.
 *
 * Needs nothing of DKIM in the facts.
 */
void judge_client(const struct judge_facts *facts, const struct spf_engine *engine, struct dns *dns,
                  struct dns_budget *budget, struct judgement *judgement_r);

/* DMARC, when DKIM's results are among the facts. */
void judge_author(const struct judge_facts *facts, struct dns *dns, struct dns_budget *budget,
                  struct judgement *judgement);

/* The domain that SPF proves the message to be of, or NULL: the sender's, of a bounce HELO's. */
const char *judge_spf_domain(const struct judge_facts *facts, const struct judgement *judgement);

/* Append the value of the field, as authres_build(). */
void judge_field(const struct judge_facts *facts, const struct judgement *judgement,
                 struct buf *out);

/* "pass:example.com fail:example.net", for the log; "none" where nothing is signed. */
void judge_dkim_summary(const struct judge_facts *facts, struct buf *out);

#endif
