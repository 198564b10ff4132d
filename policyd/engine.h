/* SPDX-License-Identifier: MIT */
#ifndef PN_POLICYD_ENGINE_H
#define PN_POLICYD_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/clock.h"
#include "common/config/config.h"
#include "common/net/origin.h"
#include "policyd/bans.h"
#include "policyd/history.h"
#include "policyd/jail.h"
#include "policyd/jails.h"
#include "policyd/keeper.h"
#include "policyd/stats.h"
#include "policyd/store.h"

/*
 * Where everything meets: an event goes through its origin, the nets that are
 * never counted, the jails, the ban table and the store; a question goes through
 * the origin and the ban table only, and never waits. No I/O of its own. One
 * thread.
 */
struct engine;

struct engine_options {
    const struct config *config;
    const struct origin_rules *rules;
    const struct clock *clock;
    struct store *store;      /* all live longer than the engine */
    uint32_t (*random)(void); /* for bantime_jitter; NULL: none */
};

struct engine *engine_new(const struct engine_options *options);
/* Nothing may be pending. */
void engine_free(struct engine **engine);

/*
 * Take up the bans of the store, each with what is left of it by the wall clock, and what
 * its jails counted. 0 or -1.
 */
int engine_restore(struct engine *engine, struct error *error_r)
    __attribute__((warn_unused_result));

/*
 * Go on by another configuration. A jail that counts as it did before, by jail_identity(),
 * keeps its counts; bans of what is protected now are lifted. The old configuration is no
 * longer used when this returns.
 */
void engine_reconfigure(struct engine *engine, const struct config *config,
                        const struct origin_rules *rules);

/* Once a second: lets bans end, forgets idle keys, writes again what the store refused. */
void engine_tick(struct engine *engine);

/* Before the end: write out what is counted. engine_pending() tells when that is done. */
void engine_finish(struct engine *engine);

/* --- questions ------------------------------------------------------------------ */

enum verdict {
    VERDICT_GO_ON,
    VERDICT_BANNED,
    VERDICT_REFUSED, /* the claimed client cannot come through a gateway */
};

struct judgement {
    enum verdict verdict;  /* with enforce = false always VERDICT_GO_ON */
    enum verdict unforced; /* what it is but for enforce */
    struct origin origin;
    const struct ban *ban; /* when banned; borrowed until the next call */
    uint64_t seconds;      /* that it still holds */
};

/*
 * act is where it is asked, one of CONFIG_ACTS_*: bans that act elsewhere alone do not count. A
 * ban of the login, "" for none, holds wherever the client is.
 */
struct judgement engine_judge(struct engine *engine, const struct origin_peer *peer,
                              const char *login, unsigned act);
/* The same of an origin that was found before. */
struct judgement engine_judge_origin(struct engine *engine, const struct origin *origin,
                                     const char *login, unsigned act);

/*
 * Seconds that a login from origin must wait before it is tried, as the jail says that is
 * named; 0: none. Nothing of enforce.
 */
unsigned engine_delay(struct engine *engine, const struct origin *origin, const char *login,
                      const struct config_jail **jail_r);

/* The jail with action "defer" whose count of this client is reached, or NULL. */
const struct config_jail *engine_defers(struct engine *engine, const struct origin *origin);

/* --- changes -------------------------------------------------------------------- */

enum engine_status {
    ENGINE_OK,
    ENGINE_UNSTORED,   /* done, in memory only; reason says why */
    ENGINE_PROTECTED,  /* must never be banned; reason says as what */
    ENGINE_FULL,       /* BANS_MAX bans hold */
    ENGINE_NOT_BANNED, /* nothing to lift; reason names a ban that covers it, or is empty */
};

/* Called once, at once or later from the loop; reason is borrowed for the call, never NULL. */
typedef void (*engine_done_fn)(enum engine_status status, const char *reason, void *ctx);

/* For one who does not ask. */
void engine_nobody_waits(enum engine_status status, const char *reason, void *ctx);

/* Whether the file lists it as a login or recipient that nobody has. */
bool engine_is_honeypot(const struct engine *engine, const char *name);

/*
 * Something the client behind peer did; event->client is filled in here. Not
 * counted for an origin that is not known, but by login for a masked one; nor for a
 * protected net, or a client that is banned already. done comes when each ban that follows is
 * durable.
 */
void engine_report(struct engine *engine, const struct origin_peer *peer, struct event *event,
                   engine_done_fn done, void *ctx);

/* A login that succeeds is news again after so long. */
#define ENGINE_LOGIN_NEWS_MS INT64_C(3600000)

/*
 * engine_judge() for a client that has just connected: counts the event `connect` first,
 * where a jail asks for it. True when a ban may follow from that, and has to be durable or
 * shared first: done comes later from the loop, and then its origin has to be judged again. False:
 * done never comes.
 */
bool engine_admit(struct engine *engine, const struct origin_peer *peer, engine_done_fn done,
                  void *ctx, struct judgement *judgement_r) __attribute__((warn_unused_result));

/* What one request of Postfix's says of the message that is being handed in. */
struct handin {
    unsigned kind;         /* CONFIG_EVENT_RECIPIENT, or, behind the last, CONFIG_EVENT_MESSAGE */
    const char *instance;  /* the message's own */
    const char *login;     /* "": nobody has logged in */
    const char *recipient; /* "" where kind is the message */
    unsigned recipient_count; /* of the message, where kind is that */
};

/* A limit on submissions that is reached. */
struct limit {
    const struct config_jail *jail; /* NULL: none */
    uint64_t seconds;               /* until it is not, if nothing is added; at least 1 */
};

/*
 * The events `recipient` and `message` that are to be counted, each once however many requests
 * tell of it, where a jail asks for them; of a message of which no recipient was told before, all
 * that it has. What a limit stands in the way of is not counted: it is told, whatever enforce says.
 * No limit concerns what was counted already. Their texts are the handin's.
 */
#define HANDIN_EVENTS_MAX 2
size_t engine_hand_in(struct engine *engine, const struct origin_peer *peer,
                      const struct handin *handin, struct event events_r[HANDIN_EVENTS_MAX],
                      struct limit *limit_r);

/*
 * engine_report() of all that one request tells: a ban that follows from one of them is no reason
 * not to count the others, as in a store that answers later. True as engine_admit() does: done
 * comes when all of them are durable or shared, with what is said of the last.
 */
bool engine_take(struct engine *engine, const struct origin_peer *peer, struct event *events,
                 size_t count, engine_done_fn done, void *ctx) __attribute__((warn_unused_result));

/* The login succeeded from the client behind peer, if that is known. It clears no count. */
void engine_note_login(struct engine *engine, const struct origin_peer *peer, const char *login);

/* The operator's own: seconds is 1 to BANS_SECONDS_MAX. */
void engine_ban(struct engine *engine, const struct prefix *prefix, uint64_t seconds,
                engine_done_fn done, void *ctx);
void engine_unban(struct engine *engine, const struct prefix *prefix, engine_done_fn done,
                  void *ctx);

/* The same for a login, of at least one byte; nobody protects one. */
void engine_ban_login(struct engine *engine, const char *login, uint64_t seconds,
                      engine_done_fn done, void *ctx);
void engine_unban_login(struct engine *engine, const char *login, engine_done_fn done, void *ctx);

/*
 * Jails set more bans than max_bans_per_minute: no new one may be told to a gateway, until
 * there were fewer within a minute again; engine_tick() finds that.
 */
bool engine_holds_back(const struct engine *engine);
/* Whether this one may be: it is the operator's, or from before. */
bool engine_may_tell(const struct engine *engine, const struct ban *ban);

/* Whether the store is one that several hosts share. */
bool engine_is_shared(const struct engine *engine);
/*
 * Where it is, what all hosts count of a login, or, of NULL, of a prefix, becomes known here.
 * ENGINE_UNSTORED: not all, since it does not say so, or counts by keys within the prefix.
 */
void engine_look(struct engine *engine, const char *login, const struct prefix *prefix,
                 engine_done_fn done, void *ctx);

/* --- for those who show it -------------------------------------------------------- */

/* Drops the bans whose end has come: before a look at all of them. */
void engine_expire(struct engine *engine);
struct bans *engine_bans(const struct engine *engine);
/* The bans of logins: never told to a gateway, or to the ingress. */
struct bans *engine_logins(const struct engine *engine);
const struct jails *engine_jails(const struct engine *engine);
const struct history *engine_history(const struct engine *engine);
/* Why prefix is never banned, or NULL: origin_protects(). */
const char *engine_protects(const struct engine *engine, const struct prefix *prefix,
                            char reason[ORIGIN_REASON_MAX]);
const struct last_ban *engine_last_ban(const struct engine *engine);
struct stats *engine_stats(struct engine *engine);
const struct config *engine_config(const struct engine *engine);
int64_t engine_now_mono_ms(const struct engine *engine);
int64_t engine_now_wall_ms(const struct engine *engine);
int64_t engine_uptime_sec(const struct engine *engine);
size_t engine_key_count(const struct engine *engine);
/* error: also why bans cannot be written now. */
struct store_health engine_store_health(const struct engine *engine);
/* Writes that the store has not answered. */
size_t engine_pending(const struct engine *engine);

#endif
