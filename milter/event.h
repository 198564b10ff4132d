/* SPDX-License-Identifier: MIT */
#ifndef PN_MILTER_EVENT_H
#define PN_MILTER_EVENT_H

#include <stdbool.h>

#include "common/config/config.h"
#include "milter/judge.h"

/* What a client did that policyd is told of. Pure. Text is never read, only codes are. */
struct event {
    const char *name; /* "rcpt_unknown" and kin; NULL: nothing to tell */
    unsigned weight;  /* 0: it counts against nobody */
};

/* A recipient that the server refuses, as SMFIP_RCPT_REJ shows it. */
struct event_refusal {
    const char *mailer;    /* {rcpt_mailer}: "error" when it is refused; NULL: unknown */
    const char *status;    /* {rcpt_host}: then the enhanced status (RFC 3463); NULL: unknown */
    const char *recipient; /* NULL: not usable */
    bool is_authenticated;
    bool is_bounce; /* from the null sender */
};

/*
 * "5.1.1" is rcpt_unknown; "5.7.1" for a domain that is none of domains, without
 * authentication, is relay_denied; any other "5.…" rcpt_rejected, which weighs nothing,
 * for it says little of the client. Temporary refusals are no event. An unknown recipient
 * of a bounce, or of somebody who has authenticated, weighs nothing either; nor does a
 * bounce to elsewhere, for anybody may let the MX of his own domain lead here and forge
 * mail from there.
 */
struct event event_of_refusal(const struct config_strings *domains,
                              const struct event_refusal *refusal);

/*
 * spf_fail: the sender's domain denies the client. dkim_fail: the message is signed,
 * and every signature is known to be no good. Both weigh nothing where the client is
 * known by something that it cannot have from somebody else: its HELO name passes SPF
 * and is the one that its address has; spf_fail also where a signature passes.
 */
struct event event_of_spf(const struct judge_facts *facts, const struct judgement *judgement);
struct event event_of_dkim(const struct judge_facts *facts, const struct judgement *judgement);

/* dmarc_fail: the author's domain is not proven. It weighs nothing where anybody is. */
struct event event_of_dmarc(const struct judge_facts *facts, const struct judgement *judgement);

#endif
