/* SPDX-License-Identifier: MIT */
#ifndef PN_POLICYD_POLICY_H
#define PN_POLICYD_POLICY_H

#include "common/base/buf.h"
#include "common/wire/attr.h"
#include "policyd/engine.h"
#include "policyd/service.h"

/*
 * Postfix policy delegation (SMTPD_POLICY_README). Nothing is ever sent without a
 * request; a request that is none closes the connection, and Postfix then does
 * what the default_action of its service says.
 */
#define POLICY_OUTPUT_MAX 65536

/*
 * Count the event `connect` for a request with protocol_state=CONNECT, where a jail asks
 * for it, and append the answer to one request: 421 4.7.0 for a banned client, which also ends
 * its session; 554 5.7.1 for a claimed client that cannot be; otherwise DUNNO, so
 * that the restrictions behind decide. The answer does not wait until a ban that follows
 * from its own request is on disk. 0, or -1 and out untouched when the list is
 * no policy request.
 */
int policy_answer(struct engine *engine, const struct attr_list *request, struct buf *out)
    __attribute__((warn_unused_result));

/* ctx of the service is the engine. */
extern const struct service_protocol policy_protocol;

#endif
