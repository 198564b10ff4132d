/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/map.h"
#include "common/base/mem.h"
#include "policyd/store_redis_internal.h"
#include "policyd/store_redis_text.h"

/* One ban on its way. */
struct redis_put {
    struct redis_wait wait;
    struct redis_put *prev, *next; /* of all */
    struct redis_store *store;
    uint64_t version;
    bool is_sent;
    store_done_fn done;
    void *ctx;
};

static void put_free(struct redis_put *put)
{
    struct redis_store *store = put->store;

    redis_store_stop_waiting(store, &put->wait);
    *(put->prev ? &put->prev->next : &store->puts) = put->next;
    if (put->next)
        put->next->prev = put->prev;
    free(put);
}

void redis_store_free_puts(struct redis_store *store)
{
    struct redis_put *next = NULL;

    for (struct redis_put *put = store->puts; put; put = next) {
        next = put->next;
        put_free(put);
    }
}

/* --- the answer ------------------------------------------------------------------------- */

/* Once: who asked is not told again of what comes after its time. */
static void say(struct redis_put *put, const struct error *error)
{
    store_done_fn done = put->done;

    redis_store_stop_waiting(put->store, &put->wait);
    put->done = NULL;
    if (done)
        done(error, put->ctx);
}

static void say_error(struct redis_put *put, const char *text)
{
    struct error error = {0};

    error_set(&error, ERROR_SYSTEM, "%s", text);
    say(put, &error);
}

/* It stays on its way, if it is. */
static void on_late(struct redis_wait *wait)
{
    struct redis_put *put = MAP_ENTRY(wait, struct redis_put, wait);
    const char *why = redis_why_down(put->store->redis);

    say_error(put, why            ? why
                   : put->is_sent ? "Redis has not answered in time"
                                  : "Redis does not take it now");
    if (!put->is_sent)
        put_free(put);
}

static void on_put(enum redis_status status, const struct redis_value *value, void *ctx)
{
    struct redis_put *put = ctx;
    struct redis_store *store = put->store;
    struct store_ban ban;
    size_t len;
    const char *text = redis_string(value, &len);

    if (status == REDIS_LOST) {
        say_error(put, "Redis was lost before it answered");
        put_free(put);
        return;
    }
    redis_store_hear(store);
    if (redis_kind(value) != REDIS_STRING ||
        store_redis_read_dated_ban(text, len, clock_wall_ms(store->clock), &ban)) {
        redis_store_complain(store, "a ban", value);
        say_error(put, redis_kind(value) == REDIS_ERROR ? text : "Redis answers what no ban is");
    } else {
        if (!put->done || ban.version != put->version)
            store->listener.take_ban(&ban, true, store->listener.ctx);
        say(put, NULL);
    }
    put_free(put);
}

/* --- the call --------------------------------------------------------------------------- */

static bool send_ban(struct redis_store *store, const struct store_ban *ban, struct redis_put *put)
{
    int64_t now_ms = clock_wall_ms(store->clock), left_ms = ban->until_wall_ms - now_ms;
    char now[24], version[24], left[24], age[24], acts[24];
    struct buf key = {0}, net = {0};

    snprintf(version, sizeof(version), "%" PRIu64, ban->version);
    snprintf(left, sizeof(left), "%" PRId64, left_ms > 0 ? left_ms : 1);
    snprintf(age, sizeof(age), "%" PRId64, now_ms - ban->since_wall_ms);
    snprintf(acts, sizeof(acts), "%u", ban->is_lifted ? 0 : ban->acts);
    store_redis_put_ban_key(&key, store->prefix, &ban->prefix);
    store_redis_put_ban_net(&net, ban);
    const char *const argv[] = {redis_store_now(store, now),
                                store->channel,
                                version,
                                left,
                                age,
                                acts,
                                buf_str(&net),
                                ban->jail};
    bool is_sent = redis_eval(store->redis, &store->ban_script, buf_str(&key), key.len,
                              sizeof(argv) / sizeof(*argv), argv, NULL, on_put, put);
    buf_fini(&key);
    buf_fini(&net);
    return is_sent;
}

void redis_store_put_ban(struct store *base, const struct store_ban *ban, store_done_fn done,
                         void *ctx)
{
    struct redis_store *store = MAP_ENTRY(base, struct redis_store, store);
    struct redis_put *put = x_calloc(1, sizeof(*put));

    *put = (struct redis_put){
        .wait.late = on_late,
        .next = store->puts,
        .store = store,
        .version = ban->version,
        .done = done,
        .ctx = ctx,
    };
    if (put->next)
        put->next->prev = put;
    store->puts = put;
    put->is_sent = send_ban(store, ban, put);
    redis_store_wait(store, &put->wait, put->is_sent);
}
