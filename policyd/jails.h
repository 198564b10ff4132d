/* SPDX-License-Identifier: MIT */
#ifndef PN_POLICYD_JAILS_H
#define PN_POLICYD_JAILS_H

#include <stddef.h>
#include <stdint.h>

#include "common/net/origin.h"
#include "policyd/counters.h"
#include "policyd/jail.h"

/*
 * All jails of a configuration, each with what it counts. Behind them, as jails of their
 * own, for each how often it banned whom, and which login succeeded from which client.
 */
struct jails {
    const struct config *config;
    struct config_jail *counted; /* the jails, as many for their bans, one for logins */
    struct counters *counters;   /* one for each of those */
    uint64_t *ids;               /* jail_identity() of each */
    size_t count;
    uint64_t *bans; /* that each jail has made since the start */
};

/* A ban is forgotten so long behind the longest one. */
#define JAILS_BANS_KEPT_SEC 86400
#define JAILS_KNOWN_SEC     604800 /* a week */

void jails_init(struct jails *jails, const struct config *config);
void jails_fini(struct jails *jails);

/* Another configuration: a jail that counts as one did before, by jail_identity(), goes on. */
void jails_reconfigure(struct jails *jails, const struct config *config);

/* Which of counted has this identity, by the bits of mask; count: none has. */
size_t jails_find(const struct jails *jails, uint64_t id, uint64_t mask);
/* That of the bans of a jail, and that of logins. */
size_t jails_bans_of(const struct jails *jails, size_t index);
size_t jails_known(const struct jails *jails);

/* After so long nothing counts any more in any of them. */
int64_t jails_longest_ms(const struct jails *jails);

/* Forget idle keys of all. */
void jails_sweep(struct jails *jails, int64_t now_ms);

/* What is counted of those whom prefix contains, or by this key of a login, by all jails. */
void jails_forget_within(struct jails *jails, const struct prefix *prefix);

/* How often this jail banned the net before: what is left of that. */
uint64_t jails_bans_before(const struct jails *jails, size_t index, const struct prefix *net,
                           int64_t now_ms);
void jails_note_ban(struct jails *jails, size_t index, const struct prefix *net, int64_t now_ms);

/* The login succeeded from this client; whether it has in the last JAILS_KNOWN_SEC. */
void jails_note_login(struct jails *jails, const struct addr *client, const char *login,
                      int64_t now_ms);
struct prefix jails_known_key(const struct jails *jails, const struct addr *client,
                              const char *login);
/* How long ago that was, ms; -1: it is not known to have. */
int64_t jails_login_age_ms(const struct jails *jails, const struct addr *client, const char *login,
                           int64_t now_ms);
bool jails_know(const struct jails *jails, const struct addr *client, const char *login,
                int64_t now_ms);

/*
 * Seconds that a login from origin has to wait before it is tried: the most that a jail with
 * action "delay" asks for whose count is reached, which jail_r names. 0: none does.
 */
unsigned jails_delay(const struct jails *jails, const struct origin *origin, const char *login,
                     int64_t now_ms, const struct config_jail **jail_r);

/* The jail with action "defer" whose count of this client is reached, or NULL. */
const struct config_jail *jails_defer(const struct jails *jails, const struct origin *origin,
                                      int64_t now_ms);

/*
 * The jail with action "defer" that counts some of these kinds of events by login or by domain
 * and whose count of this login is reached, or NULL. Of several the one that holds longest, for
 * so many ms, if nothing is added.
 */
const struct config_jail *jails_limit(const struct jails *jails, const struct origin *origin,
                                      unsigned kinds, const char *login, int64_t now_ms,
                                      int64_t *wait_ms_r);

#endif
