/* SPDX-License-Identifier: MIT */
#ifndef PN_POLICYD_ENGINE_INTERNAL_H
#define PN_POLICYD_ENGINE_INTERNAL_H

#include "policyd/ban_rate.h"
#include "policyd/engine.h"
#include "policyd/once.h"
#include "policyd/saver.h"

/* What the engine's own files share. */
struct engine {
    const struct config *config;
    const struct origin_rules *rules;
    const struct clock *clock;
    uint32_t (*random)(void);
    struct keeper *keeper;
    struct jails jails;
    struct saver *saver;
    struct history *history;
    struct once *once;
    struct stats stats;
    int64_t started_mono_ms;
    struct ban_rate rate;
    struct store *store;
    struct shared_event *shared; /* events on their way to a store that several share */
    size_t asked;                /* events that a shared store is to say a first word of */
};

/* What a caller asked for, until it is answered. */
struct engine_request {
    enum engine_status status;
    char reason[ERROR_TEXT_MAX];
    engine_done_fn done;
    void *ctx;
    struct keeper_change *change; /* until the caller's call returns */
};

/* Freed when its change has ended and the store has answered; then done is called. */
struct engine_request *engine_request_new(struct engine *engine, engine_done_fn done, void *ctx);

/* False: the table is full, which is logged, and the request fails. */
bool engine_set_ban(struct engine_request *request, const struct prefix *prefix, uint64_t seconds,
                    const char *session, const char *jail, unsigned acts);
bool engine_set_login_ban(struct engine_request *request, const char *login, uint64_t seconds,
                          const char *session, const char *jail, unsigned acts);
void engine_log_ban(const char *event, const char *session, const struct prefix *prefix,
                    const char *jail, uint64_t seconds);
void engine_log_login_ban(const char *event, const char *session, const char *login,
                          const char *jail, uint64_t seconds);

/* The ban of this login that acts on any of these, or NULL. */
const struct ban *engine_find_login(const struct engine *engine, const char *login, unsigned acts);

/* Whether a jail asks for any of these events. */
bool engine_wants(const struct engine *engine, unsigned kinds);

/* Whether a jail counts such an event of such a client; of a masked one only those by login do. */
bool engine_counts(const struct engine *engine, const struct origin *origin, unsigned kind,
                   const char *login);

/* An event that is being counted. Most lead to no ban, and then nothing has to be waited for. */
struct engine_report {
    const struct event *event;
    int64_t now_ms;
    struct history_place place;
    struct prefix unprotected; /* the net that was looked at last; jails often share one */
    engine_done_fn done;
    void *ctx;
    struct engine_request *request; /* NULL before the first ban */
    struct shared_event *shared;    /* NULL where memory decides */
};

/* A jail has set one, here or on another host that shares the store: max_bans_per_minute. */
void engine_count_ban(struct engine *engine);

/* What the jail does about the one too many. */
void engine_act(struct engine *engine, struct engine_report *report, size_t index,
                const struct prefix *key, uint64_t count);
/* The same, where it was too many; and that the event was counted is told. */
void engine_take_count(struct engine *engine, struct engine_report *report, size_t index,
                       const struct prefix *key, enum jail_decision decision, uint64_t count);

/* An event for a store that several share. Where that does not answer in time, memory counts. */
struct shared_event;

struct shared_event *shared_event_new(struct engine *engine, const struct engine_report *report,
                                      int64_t age_ms);
/* A jail that counts it. */
void shared_event_add(struct shared_event *shared, const struct event *event, size_t index,
                      const struct prefix *key);
/* Takes it; the report's done comes, later. false: no jail counts it, and it is freed. */
bool shared_event_send(struct shared_event *shared);

/* What happened beside events, for the others; nothing for a store of our own. */
void shared_note_ban(struct engine *engine, size_t index, const struct prefix *net);
void shared_note_login(struct engine *engine, const struct addr *client, const char *login);
/* What others know of one who is about to log in, to know it when he has. */
void shared_look_at_login(struct engine *engine, const struct origin *origin, const char *login);

/* At the end: what the store has not answered for good. */
void shared_free_all(struct engine *engine);

/* What the store says by itself. */
void shared_listen(struct engine *engine);

#endif
