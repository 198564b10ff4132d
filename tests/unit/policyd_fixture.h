/* SPDX-License-Identifier: MIT */
#ifndef PN_TESTS_UNIT_POLICYD_FIXTURE_H
#define PN_TESTS_UNIT_POLICYD_FIXTURE_H

#include <stdbool.h>

#include "common/wire/attr.h"
#include "policyd/engine.h"
#include "policyd/jail.h"

/*
 * An engine in a test: a configuration made here, a clock that the test turns, and a
 * store that keeps what it is told and answers when the test says so.
 */
#define FIXTURE_STORE_MAX 64   /* bans that are kept */
#define FIXTURE_DUE_MAX   8192 /* answers that wait */

/* What a caller was told. */
struct told {
    unsigned times;
    enum engine_status status;
    char reason[ERROR_TEXT_MAX];
};

struct fixture {
    struct clock clock;
    int64_t wall_ms;
    int64_t mono_ms;

    struct store store;
    struct store_ban records[FIXTURE_STORE_MAX];
    size_t record_count;
    struct {
        store_done_fn done;
        void *ctx;
    } due[FIXTURE_DUE_MAX];
    size_t due_count;
    const char *store_fault; /* when set, every write is answered with it */

    struct prefix tunnel;
    struct config_gateway gateway;
    struct config_jail jail;
    struct config_relay relays[4];
    const struct config_relay *order[4];
    struct config_route routes[3];
    struct config config;
    struct origin_rules rules;
    struct engine *engine;

    char log[16384];
};

/* The store answers all that it was asked so far. */
void fixture_commit(struct fixture *fixture);
void fixture_start(struct fixture *fixture);
struct fixture *fixture_new(void);
void fixture_free(struct fixture *fixture);
/* kill -9 and a restart: memory is gone, the store's content stays, the clocks are as told. */
void fixture_restart(struct fixture *fixture, int64_t away_ms);
void fixture_pass(struct fixture *fixture, int64_t ms);
struct origin_peer fixture_peer(const char *text);
struct prefix fixture_prefix(const char *text);
void fixture_told(enum engine_status status, const char *reason, void *ctx);
/* One wrong password of alice's from this client. */
struct told *fixture_fail(struct fixture *fixture, const char *client, const char *fingerprint,
                          struct told *told);
enum verdict fixture_verdict(struct fixture *fixture, const char *client);
bool fixture_logged(const struct fixture *fixture, const char *part);
/* name, value, ... NULL as a parsed list; it lives until the next call. */
const struct attr_list *fixture_list(const char *name, ...);
/*
 * The whole answer of policyd to a request of Postfix, once the store has what it waits for;
 * it lives until the next call.
 */
const char *fixture_answer(struct fixture *fixture, const struct attr_list *list);
/* What is printed of events that are replayed, up to the error; the caller frees. */
char *fixture_replay(struct fixture *fixture, const char *events, const char *want_error);
/* Four relays, three routes: what test_route, test_socketmap and test_control ask about. */
void fixture_add_routes(struct fixture *fixture);

#endif
