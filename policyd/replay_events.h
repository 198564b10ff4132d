/* SPDX-License-Identifier: MIT */
#ifndef PN_POLICYD_REPLAY_EVENTS_H
#define PN_POLICYD_REPLAY_EVENTS_H

#include <stdio.h>

#include "common/base/error.h"
#include "common/config/config.h"
#include "common/net/origin.h"

/*
 * Take events from lines, as replay_line.h has them, through an engine of their own, each at
 * its time and behind the question of Dovecot's or Postfix's that comes before it, and print
 * what the daemon would have logged, each line behind that time; at the end what each jail did.
 * Nothing is stored. 0, or -1 at the first line that is wrong.
 */
int replay_events(const struct config *config, const struct origin_rules *rules, FILE *from,
                  FILE *to, struct error *error_r) __attribute__((warn_unused_result));

#endif
