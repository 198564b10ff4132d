/* SPDX-License-Identifier: MIT */
#ifndef PN_POLICYD_JAILS_H
#define PN_POLICYD_JAILS_H

#include <stddef.h>
#include <stdint.h>

#include "common/net/origin.h"
#include "policyd/counters.h"
#include "policyd/jail.h"

/* All jails of a configuration, each with what it counts. */
struct jails {
    const struct config *config;
    struct counters *counters; /* one for each jail, in its order */
    uint64_t *bans;            /* that each has made */
};

void jails_init(struct jails *jails, const struct config *config);
void jails_fini(struct jails *jails);

/* Another configuration: a jail that counts as one did before, by jail_identity(), goes on. */
void jails_reconfigure(struct jails *jails, const struct config *config);

/* One of its jails has banned somebody. */
void jails_note_ban(struct jails *jails, const struct config_jail *jail);

/* Forget idle keys of all. */
void jails_sweep(struct jails *jails, int64_t now_ms);

/*
 * Seconds that a login from origin has to wait before it is tried: the most that a jail with
 * action "delay" asks for whose count is reached, which jail_r names. 0: none does.
 */
unsigned jails_delay(const struct jails *jails, const struct origin *origin, const char *login,
                     int64_t now_ms, const struct config_jail **jail_r);

#endif
