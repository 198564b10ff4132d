/* SPDX-License-Identifier: MIT */
#ifndef PN_POLICYD_POLICY_H
#define PN_POLICYD_POLICY_H

#include "common/base/buf.h"
#include "common/wire/attr.h"
#include "policyd/engine.h"
#include "common/net/service.h"

/*
 * Postfix policy delegation (SMTPD_POLICY_README). Nothing is ever sent without a
 * request; a request that is none closes the connection, and Postfix then does
 * what the default_action of its service says.
 */
#define POLICY_OUTPUT_MAX 65536

enum policy_answer {
    POLICY_NO_REQUEST, /* out is untouched */
    POLICY_NOW,
    POLICY_LATER, /* out is untouched until done comes, later from the loop: policy_conclude() */
};

/*
 * Count the event `connect` for a request with protocol_state=CONNECT, and `recipient` and
 * `message`, each once, where a jail asks for them, and append the answer to one request: 421
 * 4.7.0 or 521 5.7.1 for a banned client or login, which also ends its session; 450 4.7.1 for a
 * login that has sent what it may; 554 5.7.1 for a claimed client that cannot be; otherwise DUNNO,
 * so that the restrictions behind decide. Only the answer to a request that itself may lead to a
 * ban is for later: when the ban is on disk, or cannot be written, or the store that several
 * share has counted the event, or is late; else done never comes.
 */
enum policy_answer policy_answer(struct engine *engine, const struct attr_list *request,
                                 engine_done_fn done, void *ctx, struct origin *origin_r,
                                 struct buf *out) __attribute__((warn_unused_result));

/*
 * What comes after POLICY_LATER: appends the answer to the same request. origin is what
 * policy_answer() found: a client that is banned now may be known to nobody any more.
 */
void policy_conclude(struct engine *engine, const struct attr_list *request,
                     const struct origin *origin, struct buf *out);

/* ctx of the service is the engine. */
extern const struct service_protocol policy_protocol;

#endif
