/* SPDX-License-Identifier: MIT */
#ifndef PN_MILTER_CALLBACKS_H
#define PN_MILTER_CALLBACKS_H

#include "common/net/reporter.h"
#include "milter/gate.h"
#include "milter/limit.h"
#include "milter/monitor.h"
#include "milter/session.h"
#include "milter/setup.h"

/* Everything that a callback may use; libmilter hands none of it through, so one is set. */
struct milter {
    char *path; /* of the configuration */
    struct workbench tools;
    struct setups setups;
    struct roster roster;
    struct limit sessions;
    struct gate gate;
    struct tally tally;
    struct monitor *monitor;
    struct reporter *reporter; /* NULL: policyd is not told */
};

/*
 * Register the callbacks with libmilter; they use milter, which outlives them. 0, or
 * -1 when libmilter refuses.
 */
int callbacks_register(struct milter *milter) __attribute__((warn_unused_result));

#endif
