/* SPDX-License-Identifier: MIT */
#ifndef PN_NET_REPORT_LINK_H
#define PN_NET_REPORT_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/net/loop.h"
#include "common/net/report.h"
#include "common/net/report_queue.h"

/*
 * From the queue of reports to policyd's control socket, in a loop: in batches, each sent
 * whole before the first answer is read. What was sent and not answered when a
 * connection ends is sent again over the next one, so it may be counted twice, but is
 * not lost. A policyd that answers nothing is waited for; meanwhile the queue fills.
 *
 * All in the loop's thread.
 */
struct report_link;

/* So few that policyd's answers to them always fit into the socket: neither side blocks. */
#define REPORT_BATCH_MAX 64
/* A report for which so many connections in a row end without an answer is given up. */
#define REPORT_TRIES_MAX 3

struct report_link_options {
    const char *address; /* "unix:PATH"; borrowed */
    struct report_queue *queue;
    int64_t retry_min_ms; /* from a failure to the next try; doubled with each in a row */
    int64_t retry_max_ms;
    int64_t summary_ms; /* how often the log may say what was dropped and refused */
};

/* The values that daemons use. */
#define REPORT_RETRY_MIN_MS 100
#define REPORT_RETRY_MAX_MS 5000
#define REPORT_SUMMARY_MS   60000

struct report_link *report_link_new(struct loop *loop, const struct report_link_options *options);
/* How many were sent, or about to be, and not answered: they are lost. */
size_t report_link_free(struct report_link **link);

/* There is something in the queue now, which report_queue_put() said. */
void report_link_wake(struct report_link *link);

/* Whether all that can be done now is done: nothing waits, or policyd is not there. */
bool report_link_is_idle(struct report_link *link);

#endif
