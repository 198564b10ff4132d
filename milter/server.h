/* SPDX-License-Identifier: MIT */
#ifndef PN_MILTER_SERVER_H
#define PN_MILTER_SERVER_H

#include "common/base/error.h"
#include "common/config/config.h"
#include "milter/callbacks.h"

/*
 * Before the first thread is started: the signals that end the program wait for
 * server_run(), in this thread and in all that it starts.
 */
void server_block_signals(void);

/*
 * Allow this process the descriptors that DNS and max_sessions need, and those that are told
 * to come back: libmilter ends when it gets none. Says so when the system allows fewer.
 */
void server_reserve_descriptors(const struct config *config);

/*
 * Run libmilter on the open socket until SIGTERM or SIGINT; SIGUSR1 reads the file again. Then let
 * the callbacks that are at work finish, at most the configured time for DNS. Called from the main
 * thread. Afterwards no callback runs, except where *drained_r is false: then what
 * they use must not be freed. 0, or -1 when libmilter ended by itself.
 */
int server_run(struct milter *milter, bool *drained_r, struct error *error_r)
    __attribute__((warn_unused_result));

#endif
