/* SPDX-License-Identifier: MIT */
#ifndef PN_MILTER_MONITOR_H
#define PN_MILTER_MONITOR_H

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/config/config.h"
#include "common/net/reporter.h"
#include "milter/tally.h"

/*
 * The http sections whose program is the milter: GET /metrics and GET /status, in a thread
 * of their own, which only reads counts. No mail ever waits for it.
 */
struct monitor;

/* Open the listeners, while the process may. NULL when one cannot be opened. */
struct monitor *monitor_bind(const struct config *config, struct error *error_r);

/* What is shown; all of it outlives the monitor. */
struct monitor_source {
    const struct tally *tally;
    struct reporter *reporter; /* NULL: policyd is not told */
    const struct clock *clock;
    bool (*enforces)(void *ctx); /* whether enforce is on now; in the monitor's thread */
    void *ctx;
};

/* Serve them, where there is one: starts a thread, so not before a fork. 0 or -1. */
int monitor_start(struct monitor *monitor, const struct monitor_source *source,
                  struct error *error_r) __attribute__((warn_unused_result));

/* Ends the thread and closes everything. */
void monitor_free(struct monitor **monitor);

#endif
