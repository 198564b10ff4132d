/* SPDX-License-Identifier: MIT */
#ifndef PN_POLICYD_REPLAY_ASKER_H
#define PN_POLICYD_REPLAY_ASKER_H

#include <stdbool.h>

#include "policyd/engine.h"
#include "policyd/replay_line.h"

/*
 * Before a client does what a line tells of, its server asks: Dovecot with command=allow where a
 * login is tried, Postfix with a policy request for all else. Asks the same, and the same code
 * answers, counts and logs. The engine's store is not one that several share.
 *
 * Whether the event is still to be reported: not where the answer refuses or defers, for then it
 * does not come to that; nor where the request itself was the event, REPLAY_BY_POSTFIX.
 */
bool replay_ask(struct engine *engine, const struct replay_line *line)
    __attribute__((warn_unused_result));

#endif
