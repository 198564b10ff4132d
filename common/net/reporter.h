/* SPDX-License-Identifier: MIT */
#ifndef PN_NET_REPORTER_H
#define PN_NET_REPORTER_H

#include "common/base/error.h"
#include "common/net/report.h"
#include "common/net/report_queue.h"

/*
 * A thread that tells policyd what happened, for programs whose own threads must not
 * wait for anybody. At most REPORT_QUEUE_MAX reports wait; what is dropped is counted
 * and said in the log once a minute.
 */
struct reporter;

/* address: "unix:PATH" of the control socket, borrowed. Starts a thread: not before a fork. */
struct reporter *reporter_new(const char *address, struct error *error_r);

/*
 * Nobody puts anything in any more. What waits goes out while policyd takes it, for at
 * most REPORTER_GRACE_MS; what does not is said in the log.
 */
#define REPORTER_GRACE_MS 1000
void reporter_free(struct reporter **reporter);

/* Any thread; never waits. */
void reporter_put(struct reporter *reporter, const struct report *report);

/* Any thread. */
struct report_counts reporter_counts(struct reporter *reporter);

#endif
