/* SPDX-License-Identifier: MIT */
#ifndef PN_TESTS_UNIT_STORES_FIXTURE_H
#define PN_TESTS_UNIT_STORES_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/wire/attr.h"
#include "policyd/engine.h"
#include "tests/unit/redis_fixture.h"

/*
 * One engine with a file store, and two that share a Redis, under a clock of the test's and
 * with the same chance; and what Dovecot and Postfix ask of them, as bytes.
 */
enum { FILE_STORE, SHARED_A, SHARED_B, ENGINES };

/* A request to one of them, and what was answered, once it was. */
struct asked {
    struct engine *engine;
    const char *command;
    struct buf body, out;
    struct attr_list list;
    struct origin origin;
    bool is_answered;
};

struct stores {
    void *scene_state, *config_state;
    struct scene *scene; /* NULL: there is no redis-server here */
    struct config *config;
    struct clock clock;
    int64_t wall_ms, mono_ms;
    struct origin_rules rules;
    char dir[64];
    struct store *stores[ENGINES];
    struct engine *engines[ENGINES];
    struct asked asked[ENGINES];
    unsigned event;    /* for chance: the number of what happens now */
    unsigned draws[2]; /* since it began to: of the file store's engine, and of the others */
    uint64_t same;     /* changes of all tables, when they were the same last */
};

/* lines is the configuration but for the store. The scene is NULL where there is no Redis. */
struct stores *stores_new(const char *lines);
void stores_free(struct stores *stores);

/* One of those that share a Redis: it has nothing but what stands there. */
void stores_restart(struct stores *stores, size_t engine);

void stores_pass(struct stores *stores, int64_t ms);
/* Another event: chance begins anew. */
void stores_begin(struct stores *stores, unsigned event);

/* Nothing is on its way, and all three have the same bans, to the millisecond. */
bool stores_are_settled(struct stores *stores);
#define STORES_SETTLE(stores)                                                                      \
    SCENE_TURN_UNTIL((stores)->scene, stores_are_answered(stores) && stores_are_settled(stores))

/* Dovecot's POST with this command, NULL for none; or Postfix's list of attributes. */
void stores_ask_auth(struct stores *stores, size_t engine, const char *command, const char *json);
void stores_ask_policy(struct stores *stores, size_t engine, const struct buf *request);
/* All that was asked. */
bool stores_are_answered(const struct stores *stores);
/* Borrowed until that engine is asked again. */
const char *stores_answer(const struct stores *stores, size_t engine);

#endif
