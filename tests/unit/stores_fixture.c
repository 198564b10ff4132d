/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "tests/unit/stores_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/log.h"
#include "common/base/str.h"
#include "common/net/http.h"
#include "policyd/auth.h"
#include "policyd/policy.h"
#include "policyd/store_file.h"
#include "policyd/store_redis.h"
#include "tests/unit/config_fixture.h"

static struct stores *world; /* of the clock, and of chance */

static int64_t wall_ms(const struct clock *clock)
{
    (void)clock;
    return world->wall_ms;
}

static int64_t mono_ms(const struct clock *clock)
{
    (void)clock;
    return world->mono_ms;
}

/* As often as it is asked for one event it is another, and the same in both stores. */
static uint32_t chance(size_t which)
{
    return (world->event * 7 + world->draws[which]++) * UINT32_C(2654435761) >> 7;
}

static uint32_t chance_of_file(void)
{
    return chance(0);
}

static uint32_t chance_of_shared(void)
{
    return chance(1);
}

static void start_engine(struct stores *stores, size_t i)
{
    struct error error = {0};

    stores->engines[i] = engine_new(&(struct engine_options){
        .config = stores->config,
        .rules = &stores->rules,
        .clock = &stores->clock,
        .store = stores->stores[i],
        .random = i == FILE_STORE ? chance_of_file : chance_of_shared,
    });
    stores->asked[i] = (struct asked){.engine = stores->engines[i], .is_answered = true};
    assert_int_equal(engine_restore(stores->engines[i], &error), 0);
}

static void load_config(struct stores *stores, const char *lines)
{
    struct buf text = {0};

    config_fixture_setup(&stores->config_state);
    /* A busy machine is no Redis that is away. */
    buf_printf(&text,
               "hostname = \"mx.example.com\"\nstore = \"redis://%s/0/socket\"\n"
               "redis { timeout = \"30s\" }\n%s",
               stores->scene->dir, lines);
    stores->config = load(buf_str(&text));
    buf_fini(&text);
    stores->rules.config = stores->config;
}

/* In memory, where there is such a place: thousands of commits, and no power to be cut. */
static void make_dir(struct stores *stores)
{
    static const char *const places[] = {"/dev/shm", "/tmp"};
    bool is_made = false;

    for (size_t i = 0; i < 2 && !is_made; i++) {
        snprintf(stores->dir, sizeof(stores->dir), "%s/postern-two-XXXXXX", places[i]);
        is_made = mkdtemp(stores->dir) != NULL;
    }
    assert_true(is_made);
}

struct stores *stores_new(const char *lines)
{
    struct stores *stores = calloc(1, sizeof(*stores));
    struct error error = {0};

    world = stores;
    scene_setup(&stores->scene_state);
    stores->scene = stores->scene_state;
    if (!stores->scene)
        return stores;
    log_open("test", LOG_TARGET_NOWHERE, LOG_LEVEL_WARNING);
    server_start(stores->scene, 0, "");
    stores->clock = (struct clock){wall_ms, mono_ms};
    stores->wall_ms = INT64_C(1790000000000);
    stores->mono_ms = 1000000;
    load_config(stores, lines);
    make_dir(stores);
    stores->stores[FILE_STORE] = store_file_open(stores->dir, stores->scene->loop, &error);
    assert_non_null(stores->stores[FILE_STORE]);
    start_engine(stores, FILE_STORE);
    for (size_t i = SHARED_A; i < ENGINES; i++) {
        stores->stores[i] = store_redis_open(stores->scene->loop, &stores->clock, stores->config);
        start_engine(stores, i);
    }
    return stores;
}

static void stop_engine(struct stores *stores, size_t i)
{
    engine_finish(stores->engines[i]);
    SCENE_TURN_UNTIL(stores->scene, !engine_pending(stores->engines[i]));
    stores->stores[i]->free(stores->stores[i]);
    engine_free(&stores->engines[i]);
    buf_fini(&stores->asked[i].body);
    buf_fini(&stores->asked[i].out);
}

void stores_restart(struct stores *stores, size_t engine)
{
    stop_engine(stores, engine);
    stores->stores[engine] = store_redis_open(stores->scene->loop, &stores->clock, stores->config);
    start_engine(stores, engine);
}

void stores_free(struct stores *stores)
{
    char line[128];

    if (stores->scene) {
        for (size_t i = 0; i < ENGINES; i++)
            stop_engine(stores, i);
        config_free(&stores->config);
        config_fixture_teardown(&stores->config_state);
        snprintf(line, sizeof(line), "rm -r %s", stores->dir);
        assert_int_equal(system(line), 0);
    }
    scene_teardown(&stores->scene_state);
    free(stores);
}

#define LONG_MS 60000 /* shorter than any ban */

/* A word of the channel that is as late as its ban is long would begin it anew. */
static void hear_all(struct stores *stores)
{
    assert_string_equal(server_do(stores->scene, 0, "ping"), "PONG");
    for (unsigned i = 0; i < 8; i++)
        loop_run_once(stores->scene->loop);
}

void stores_pass(struct stores *stores, int64_t ms)
{
    if (ms > LONG_MS)
        hear_all(stores);
    stores->wall_ms += ms;
    stores->mono_ms += ms;
}

void stores_begin(struct stores *stores, unsigned event)
{
    stores->event = event;
    stores->draws[0] = stores->draws[1] = 0;
}

/* --- whether all have the same bans ------------------------------------------------------- */

static bool is_same(const struct ban *ban, const struct ban *other)
{
    return other && other->until_mono_ms == ban->until_mono_ms && other->acts == ban->acts &&
           other->since_wall_ms == ban->since_wall_ms && str_eq(other->jail, ban->jail);
}

static bool have_same(const struct bans *all, const struct bans *others)
{
    if (all->count != others->count)
        return false;
    for (const struct ban *ban = all->first; ban; ban = ban->next) {
        if (!is_same(ban, bans_find(others, &ban->node.prefix)))
            return false;
    }
    return true;
}

bool stores_are_settled(struct stores *stores)
{
    const struct engine *file = stores->engines[FILE_STORE];
    uint64_t changes = 0;

    for (size_t i = 0; i < ENGINES; i++) {
        struct engine *engine = stores->engines[i];
        engine_expire(engine);
        if (engine_pending(engine))
            return false;
        changes += engine_bans(engine)->changes + engine_logins(engine)->changes;
    }
    if (changes == stores->same)
        return true;
    for (size_t i = SHARED_A; i < ENGINES; i++) {
        const struct engine *engine = stores->engines[i];
        if (!have_same(engine_bans(file), engine_bans(engine)) ||
            !have_same(engine_logins(file), engine_logins(engine)))
            return false;
    }
    stores->same = changes;
    return true;
}

/* --- what is asked ------------------------------------------------------------------------- */

bool stores_are_answered(const struct stores *stores)
{
    for (size_t i = 0; i < ENGINES; i++) {
        if (!stores->asked[i].is_answered)
            return false;
    }
    return true;
}

const char *stores_answer(const struct stores *stores, size_t engine)
{
    return buf_str(&stores->asked[engine].out);
}

static struct asked *begin(struct stores *stores, size_t engine)
{
    struct asked *asked = &stores->asked[engine];

    assert_true(asked->is_answered);
    asked->is_answered = false;
    buf_reset(&asked->body);
    buf_reset(&asked->out);
    return asked;
}

/* The handler of policyd/auth.c without a connection: in place of common/net/http.c. */
static struct asked *asked_by(const struct http_request *http)
{
    return (struct asked *)(void *)(uintptr_t)http;
}

const char *http_request_argument(const struct http_request *http, const char *name)
{
    assert_string_equal(name, "command");
    return asked_by(http)->command;
}

const uint8_t *http_request_body(const struct http_request *http, size_t *len_r)
{
    *len_r = asked_by(http)->body.len;
    return asked_by(http)->body.data;
}

bool http_request_is_too_long(const struct http_request *http)
{
    (void)http;
    return false;
}

const struct addr *http_request_peer(const struct http_request *http)
{
    static const struct addr none = {.family = ADDR_NONE};

    (void)http;
    return &none;
}

void http_respond(struct http_request *http, unsigned status, const char *content_type,
                  const void *body, size_t len)
{
    struct asked *asked = asked_by(http);

    assert_false(asked->is_answered);
    assert_string_equal(content_type, "application/json");
    buf_printf(&asked->out, "%u ", status);
    buf_put(&asked->out, body, len);
    asked->is_answered = true;
}

void stores_ask_auth(struct stores *stores, size_t engine, const char *command, const char *json)
{
    struct asked *asked = begin(stores, engine);

    asked->command = command;
    buf_puts(&asked->body, json);
    auth_handle((struct http_request *)(void *)asked, asked->engine);
}

/* As the server does, from within the call. */
static void on_counted(enum engine_status status, const char *reason, void *ctx)
{
    struct asked *asked = ctx;

    (void)status;
    (void)reason;
    assert_false(asked->is_answered);
    policy_conclude(asked->engine, &asked->list, &asked->origin, &asked->out);
    asked->is_answered = true;
}

void stores_ask_policy(struct stores *stores, size_t engine, const struct buf *request)
{
    struct asked *asked = begin(stores, engine);
    size_t consumed;

    assert_int_equal(attr_parse(request->data, request->len, &asked->list, &consumed), ATTR_OK);
    enum policy_answer answer =
        policy_answer(asked->engine, &asked->list, on_counted, asked, &asked->origin, &asked->out);
    assert_int_not_equal(answer, POLICY_NO_REQUEST);
    asked->is_answered = answer == POLICY_NOW;
}
