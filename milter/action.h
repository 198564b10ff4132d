/* SPDX-License-Identifier: MIT */
#ifndef PN_MILTER_ACTION_H
#define PN_MILTER_ACTION_H

#include "common/config/config.h"
#include "milter/judge.h"

/*
 * What becomes of a message by what was found out about it, as the file says. No milter in it,
 * and nothing of enforce.
 */
#define ACTION_TEXT_MAX 480 /* with code and status it is one reply line, RFC 5321 4.5.3.1.5 */

struct action {
    enum config_action kind;
    const char *method;         /* that it follows from, "spf"; NULL: accepted */
    const char *code;           /* of a reply, "550" or "451"; NULL: there is none */
    const char *status;         /* RFC 7372: "5.7.23" of an SPF fail, …; NULL: no reply */
    char text[ACTION_TEXT_MAX]; /* what is wrong, and who can mend it; printable ASCII */
};

/*
 * By SPF: the result for the sender, for the null sender that for HELO. What is not known of a
 * client that nobody can know is no temperror: then, and where SPF was not asked, the
 * message is accepted.
 */
struct action action_by_spf(const struct config_spf *rules, const struct judge_facts *facts,
                            const struct judgement *judgement);

/* By DKIM: the best result among the signatures. */
struct action action_by_dkim(const struct config_dkim *rules, const struct judge_facts *facts);

/*
 * By DMARC: the policy of the author's domain as far as the file follows it; never for a masked
 * client, whose SPF is not known, nor on a temporary error. A From that names no author for
 * sure is treated at least as a domain that says "reject": else it would be the way around it.
 */
struct action action_by_dmarc(const struct config_dmarc *rules, const struct judge_facts *facts,
                              const struct judgement *judgement);

/* The strictest of them. */
struct action action_find(const struct config *config, const struct judge_facts *facts,
                          const struct judgement *judgement);

/* "accept", "header", "quarantine", "tempfail", "reject". */
const char *action_name(enum config_action kind);

#endif
