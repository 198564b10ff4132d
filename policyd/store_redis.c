/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/store_redis.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/log.h"
#include "common/base/map.h"
#include "common/base/mem.h"
#include "policyd/redis_scripts.h"
#include "policyd/store_redis_internal.h"
#include "policyd/store_redis_text.h"

#define RETRY_MS 250 /* between two looks at what a part of a Cluster has refused */

static struct redis_store *redis_of(struct store *store)
{
    return MAP_ENTRY(store, struct redis_store, store);
}

/* --- who waits ------------------------------------------------------------------------- */

static void arm(struct redis_store *store)
{
    int64_t left_ms = store->first_wait->due_mono_ms - clock_mono_ms(store->clock);

    store->is_armed = true;
    loop_timer_start(store->wait_timer, left_ms > 0 ? left_ms : 0);
}

static void on_wait(void *ctx)
{
    struct redis_store *store = ctx;
    int64_t now_ms = clock_mono_ms(store->clock);

    store->is_armed = false;
    while (store->first_wait && store->first_wait->due_mono_ms <= now_ms) {
        struct redis_wait *wait = store->first_wait;
        redis_store_stop_waiting(store, wait);
        store->is_silent |= wait->is_sent;
        wait->late(wait);
    }
    if (store->first_wait)
        arm(store);
}

/* All wait equally long, but for those that do not wait at all: they go in front. */
void redis_store_wait(struct redis_store *store, struct redis_wait *wait, bool is_sent)
{
    int64_t ms = is_sent && !store->is_silent ? STORE_WAIT_MS : 0;

    wait->is_waiting = true;
    wait->is_sent = is_sent;
    wait->due_mono_ms = clock_mono_ms(store->clock) + ms;
    wait->prev = ms ? store->last_wait : NULL;
    wait->next = ms ? NULL : store->first_wait;
    *(wait->prev ? &wait->prev->next : &store->first_wait) = wait;
    *(wait->next ? &wait->next->prev : &store->last_wait) = wait;
    if (!store->is_armed || !ms)
        arm(store);
}

void redis_store_hear(struct redis_store *store)
{
    store->is_silent = false;
}

void redis_store_stop_waiting(struct redis_store *store, struct redis_wait *wait)
{
    if (!wait->is_waiting)
        return;
    *(wait->prev ? &wait->prev->next : &store->first_wait) = wait->next;
    *(wait->next ? &wait->next->prev : &store->last_wait) = wait->prev;
    wait->is_waiting = false;
}

const char *redis_store_now(const struct redis_store *store, char text[24])
{
    snprintf(text, 24, "%" PRId64, store->has_own_time ? clock_wall_ms(store->clock) : 0);
    return text;
}

void redis_store_complain(struct redis_store *store, const char *of,
                          const struct redis_value *value)
{
    size_t len;
    const char *text =
        redis_kind(value) == REDIS_ERROR ? redis_string(value, &len) : "not what was asked for";

    if (store->has_complained)
        return;
    store->has_complained = true;
    log_error(NULL, "store-answer-unusable", LOG_STR("of", of), LOG_STR("reason", text),
              LOG_STR("effect", "memory decides"));
}

/* --- what the connection tells ------------------------------------------------------------ */

static void on_retry(void *ctx)
{
    struct redis_store *store = ctx;

    if (!redis_why_down(store->redis)) {
        redis_store_resend(store);
        if (store->is_unsynced && !store->scan &&
            clock_mono_ms(store->clock) >= store->sync_mono_ms)
            redis_store_sync(store);
    }
    loop_timer_start(store->retry_timer, RETRY_MS);
}

static void on_up(void *ctx)
{
    struct redis_store *store = ctx;

    store->has_complained = store->is_silent = false;
    redis_store_sync(store);
    redis_store_resend(store);
}

static void on_down(const char *why, void *ctx)
{
    (void)why; /* the client has logged it */
    redis_store_stop_sync(ctx);
}

/* One that comes back with nothing of what it had is told. */
static void on_joined(void *ctx)
{
    redis_store_sync(ctx);
}

static void on_message(const uint8_t *bytes, size_t len, void *ctx)
{
    struct redis_store *store = ctx;
    const char *text = (const char *)bytes;
    struct store_window window;
    struct store_ban ban;

    if (len > 1 && *text == 'b' &&
        store_redis_read_dated_ban(text + 1, len - 1, clock_wall_ms(store->clock), &ban) == 0)
        store->listener.take_ban(&ban, true, store->listener.ctx);
    else if (len > 1 && *text == 'c' &&
             store_redis_read_window(text + 1, len - 1, store->prefix, &window) == 0)
        store->listener.take_window(&window, store->listener.ctx);
    else
        redis_store_complain(store, "the channel", NULL);
}

/* --- the store --------------------------------------------------------------------------- */

static void listen_to(struct store *store, const struct store_listener *listener)
{
    redis_of(store)->listener = *listener;
}

static void on_limit(void *ctx)
{
    loop_stop(ctx);
}

/* Nobody is served yet: until its bans are here, or it has had its time. */
static int load(struct store *base, store_load_fn fn, void *ctx, struct error *error_r)
{
    struct redis_store *store = redis_of(base);

    (void)fn; /* they come by the listener */
    (void)ctx;
    (void)error_r;
    store->is_loading = true;
    struct loop_timer *limit = loop_timer_new(store->loop, on_limit, store->loop);
    loop_timer_start(limit, STORE_REDIS_LOAD_MS);
    loop_run(store->loop);
    loop_timer_free(&limit);
    store->is_loading = false;
    return 0;
}

static void health(const struct store *base, struct store_health *health_r)
{
    const struct redis_store *store = MAP_ENTRY(base, const struct redis_store, store);

    *health_r = (struct store_health){
        .error = redis_why_down(store->redis),
        .queued = store->queued,
        .dropped = store->dropped,
        .pending = redis_in_flight(store->redis),
        .is_reading = store->scan || store->is_unsynced,
    };
}

static void free_store(struct store *base)
{
    struct redis_store *store = redis_of(base);

    redis_free(&store->redis);
    redis_store_free_hits(store);
    redis_store_free_scans(store);
    redis_store_free_puts(store);
    loop_timer_free(&store->wait_timer);
    loop_timer_free(&store->retry_timer);
    loop_timer_free(&store->retell_timer);
    free(store->channel);
    free(store);
}

struct store *store_redis_open(struct loop *loop, const struct clock *clock,
                               const struct config *config)
{
    struct redis_store *store = x_calloc(1, sizeof(*store));
    struct buf channel = {0};

    *store = (struct redis_store){
        .store = {.load = load,
                  .put_ban = redis_store_put_ban,
                  .listen = listen_to,
                  .hit = redis_store_hit,
                  .health = health,
                  .free = free_store},
        .loop = loop,
        .clock = clock,
        .has_own_time = clock != &clock_system,
        .prefix = config->redis.prefix ? config->redis.prefix : "",
        .is_cluster = config->store.kind == CONFIG_STORE_CLUSTER,
    };
    buf_printf(&channel, "%schanges", store->prefix);
    store->channel = buf_steal(&channel);
    store->wait_timer = loop_timer_new(loop, on_wait, store);
    store->retry_timer = loop_timer_new(loop, on_retry, store);
    loop_timer_start(store->retry_timer, RETRY_MS);
    store->retell_timer = loop_timer_new(loop, redis_store_retell, store);
    redis_script_init(&store->hit_script, redis_hit_lua, sizeof(redis_hit_lua) - 1);
    redis_script_init(&store->ban_script, redis_ban_lua, sizeof(redis_ban_lua) - 1);
    store->redis = redis_new(loop, &clock_system, config, store->channel,
                             &(struct redis_handler){.up = on_up,
                                                     .down = on_down,
                                                     .message = on_message,
                                                     .joined = on_joined,
                                                     .ctx = store});
    return &store->store;
}
