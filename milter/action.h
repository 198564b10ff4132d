/* SPDX-License-Identifier: MIT */
#ifndef PN_MILTER_ACTION_H
#define PN_MILTER_ACTION_H

#include "common/config/config.h"
#include "milter/judge.h"

/*
 * What becomes of a message by what was found out about its client, as the file says. No
 * milter in it, and nothing of enforce.
 */
#define ACTION_TEXT_MAX 480 /* with code and status it is one reply line, RFC 5321 4.5.3.1.5 */

struct action {
    enum config_action kind;
    const char *code;           /* of the reply, "550" or "451"; NULL: accepted */
    const char *status;         /* RFC 7372: "5.7.23" of a fail, "5.7.24" of an error */
    char text[ACTION_TEXT_MAX]; /* of the reply: what is wrong, and who can mend it */
};

/*
 * By SPF: the result for the sender, for the null sender that for HELO. What is not known of a
 * client that nobody can know is no temperror: then, and where SPF was not asked, the
 * message is accepted.
 */
struct action action_by_spf(const struct config_spf *rules, const struct judge_facts *facts,
                            const struct judgement *judgement);

/* "accept", "reject", "tempfail". */
const char *action_name(enum config_action kind);

#endif
