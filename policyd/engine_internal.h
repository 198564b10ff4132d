/* SPDX-License-Identifier: MIT */
#ifndef PN_POLICYD_ENGINE_INTERNAL_H
#define PN_POLICYD_ENGINE_INTERNAL_H

#include "policyd/ban_rate.h"
#include "policyd/engine.h"
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
    struct stats stats;
    int64_t started_mono_ms;
    struct ban_rate rate;
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
void engine_log_ban(const char *event, const char *session, const struct prefix *prefix,
                    const char *jail, uint64_t seconds);

/* engine_judge() for an origin that is known already. */
struct judgement engine_judge_origin(struct engine *engine, const struct origin *origin,
                                     unsigned act);

#endif
