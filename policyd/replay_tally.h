/* SPDX-License-Identifier: MIT */
#ifndef PN_POLICYD_REPLAY_TALLY_H
#define PN_POLICYD_REPLAY_TALLY_H

#include "common/config/config.h"

/*
 * What each jail did, by the lines of the log that name it, those of LOG_LEVEL_DEBUG too: the
 * events that it counted, its bans, deferrals and delays; with enforce = false those that would
 * have been.
 */
struct replay_tally;

/* config lives longer. */
struct replay_tally *replay_tally_new(const struct config *config);
void replay_tally_free(struct replay_tally **tally);

/* A line as log_capture() hands it over. */
void replay_tally_take(struct replay_tally *tally, const char *line);

/* Logs a line jail-total for each jail. */
void replay_tally_log(const struct replay_tally *tally);

#endif
