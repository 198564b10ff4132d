/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/redis.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "policyd/redis_internal.h"

#define SAY_AGAIN_MS 60000 /* that it is still away, where the reason is another */
#define ADDRESS_UNIX "unix:"

/* Once when it goes, and then seldom. */
static void tell_away(struct redis *redis, const char *why)
{
    int64_t now = redis_now(redis);

    if (redis->why_told[0] != '\0' &&
        (str_eq(redis->why_told, why) || now - redis->told_mono_ms < SAY_AGAIN_MS))
        return;
    log_warning(NULL, "store-down", LOG_STR("reason", why));
    snprintf(redis->why_told, sizeof(redis->why_told), "%s", why);
    redis->told_mono_ms = now;
}

/* why: what happened, when something was lost. */
static void judge(struct redis *redis, const char *why)
{
    bool was_up = redis->is_up;

    redis->is_up = redis_nodes_ready(redis->nodes) > 0 &&
                   (!redis->subscriber || redis_server_link(redis->subscriber));
    if (!redis->is_up && why) {
        snprintf(redis->why, sizeof(redis->why), "%s", why);
        tell_away(redis, why);
    }
    if (redis->is_up && !was_up) {
        log_info(NULL, "store-up", LOG_STR("store", redis->config->store.url));
        redis->why_told[0] = '\0';
        redis->refusals_told = 0;
        if (redis->handler.up)
            redis->handler.up(redis->handler.ctx);
    } else if (!redis->is_up && was_up && redis->handler.down) {
        redis->handler.down(redis->why, redis->handler.ctx);
    }
}

static bool call(struct redis *redis, struct redis_command *command, struct redis_link *link,
                 redis_reply_fn fn, void *ctx)
{
    command->done = redis_reply_take;
    command->owner = redis;
    command->fn = fn;
    command->ctx = ctx;
    command->called_mono_ms = redis_now(redis);
    if (!redis_link_send(link, command)) {
        redis_command_free(&command);
        return false;
    }
    redis->in_flight++;
    return true;
}

static unsigned slot_of(const struct redis *redis, const char *key, size_t key_len)
{
    return redis_is_cluster(redis) ? redis_map_slot(key, key_len) : 0;
}

bool redis_call(struct redis *redis, const char *key, size_t key_len, size_t argc,
                const char *const *argv, const size_t *lens, redis_reply_fn fn, void *ctx)
{
    unsigned slot = slot_of(redis, key, key_len);
    struct redis_link *link = redis_nodes_link_of_slot(redis->nodes, slot);
    struct redis_command *command = link ? redis_command_new(argc, argv, lens) : NULL;

    if (!command)
        return false;
    command->slot = slot;
    return call(redis, command, link, fn, ctx);
}

bool redis_eval(struct redis *redis, const struct redis_script *script, const char *key,
                size_t key_len, size_t argc, const char *const *argv, const size_t *lens,
                redis_reply_fn fn, void *ctx)
{
    unsigned slot = slot_of(redis, key, key_len);
    struct redis_link *link = redis_nodes_link_of_slot(redis->nodes, slot);
    struct redis_command *command =
        link ? redis_command_eval(script, key, key_len, argc, argv, lens) : NULL;

    if (!command)
        return false;
    command->slot = slot;
    return call(redis, command, link, fn, ctx);
}

size_t redis_node_count(const struct redis *redis)
{
    return redis_nodes_count(redis->nodes);
}

const char *redis_node_address(const struct redis *redis, size_t i)
{
    return redis_nodes_address(redis->nodes, i);
}

bool redis_call_node(struct redis *redis, const char *address, size_t argc, const char *const *argv,
                     const size_t *lens, redis_reply_fn fn, void *ctx)
{
    struct redis_link *link = redis_nodes_link_of_master(redis->nodes, address);
    struct redis_command *command = link ? redis_command_new(argc, argv, lens) : NULL;

    if (!command)
        return false;
    command->is_pinned = true;
    return call(redis, command, link, fn, ctx);
}

const char *redis_why_down(const struct redis *redis)
{
    return redis->is_up ? NULL : redis->why;
}

size_t redis_in_flight(const struct redis *redis)
{
    return redis->in_flight;
}

static void on_node_up(const char *address, void *ctx)
{
    struct redis *redis = ctx;
    bool was_up = redis->is_up;

    if (redis_is_cluster(redis))
        log_info(NULL, "store-node-up", LOG_STR("node", address));
    judge(redis, NULL);
    if (was_up && redis->handler.joined)
        redis->handler.joined(redis->handler.ctx);
}

static void on_node_down(const char *address, bool was_up, const char *why, void *ctx)
{
    struct redis *redis = ctx;

    if (redis_is_cluster(redis) && was_up)
        log_warning(NULL, "store-node-down", LOG_STR("node", address), LOG_STR("reason", why));
    if (redis->guide)
        redis_guide_hurry(redis->guide);
    judge(redis, why);
}

static void on_guide_down(const char *why, void *ctx)
{
    judge(ctx, why);
}

static const char *on_other_guide(size_t i, void *ctx)
{
    const struct redis *redis = ctx;

    if (!redis_is_cluster(redis) || i >= redis_nodes_count(redis->nodes))
        return NULL;
    return redis_nodes_address(redis->nodes, i);
}

/* Who is no master any more may soon hear nothing of the others. */
static void move_subscriber(struct redis *redis)
{
    struct redis_link *link = redis->subscriber ? redis_server_link(redis->subscriber) : NULL;

    if (link && !redis_nodes_have(redis->nodes, redis_link_address(link)))
        redis_link_fail(link, "it is not a master any more");
}

static bool on_learned(const struct redis_map *map, void *ctx)
{
    struct redis *redis = ctx;

    redis_nodes_set(redis->nodes, map);
    move_subscriber(redis);
    judge(redis, redis->is_up ? "the master is another now" : NULL);
    return redis_nodes_ready(redis->nodes) == redis_nodes_count(redis->nodes);
}

/* Any node hears what is published anywhere in a Cluster. */
static const char *on_subscriber_address(void *ctx)
{
    struct redis *redis = ctx;
    size_t count = redis_nodes_count(redis->nodes);

    for (size_t i = 0; i < count; i++) {
        size_t at = redis->subscriber_turn++ % count;
        if (redis_nodes_link(redis->nodes, at))
            return redis_nodes_address(redis->nodes, at);
    }
    return NULL;
}

static void on_subscriber_up(void *ctx)
{
    judge(ctx, NULL);
}

static void on_message(const uint8_t *bytes, size_t len, void *ctx)
{
    struct redis *redis = ctx;

    if (redis->handler.message)
        redis->handler.message(bytes, len, redis->handler.ctx);
}

static void set_logins(struct redis *redis)
{
    const struct config_redis *config = &redis->config->redis;
    bool is_sentinel = redis->config->store.kind == CONFIG_STORE_SENTINEL;

    redis->login = (struct redis_login){
        .user = config->user,
        .password = config->password,
        .database = config->database,
        .needs = "NOAUTH: it asks for a password (password_file in section redis)",
        .role = is_sentinel               ? REDIS_ROLE_MASTER
                : redis_is_cluster(redis) ? REDIS_ROLE_ANY
                                          : REDIS_ROLE_NO_REPLICA,
        .timeout_ms = config->timeout_ms,
    };
    redis->guide_login = redis->login;
    if (!is_sentinel)
        return;
    redis->guide_login = (struct redis_login){
        .password = config->sentinel_password,
        .needs = "NOAUTH: it asks for a password (sentinel_password_file in section redis)",
        .timeout_ms = config->timeout_ms,
    };
}

/* One server is a map that never changes. */
static void set_one_server(struct redis *redis)
{
    const struct config_store *store = &redis->config->store;
    struct redis_map *map = redis_map_new();
    char path[sizeof(ADDRESS_UNIX) + REDIS_ADDRESS_MAX];
    char *items[] = {path};

    snprintf(path, sizeof(path), "%s%s", store->path ? ADDRESS_UNIX : "",
             store->path ? store->path : store->servers.items[0]);
    map->masters = (struct config_strings){items, 1};
    redis_nodes_set(redis->nodes, map);
    map->masters = (struct config_strings){0};
    redis_map_free(&map);
}

static struct redis_guide *new_guide(struct redis *redis)
{
    const struct config *config = redis->config;

    return redis_guide_new(&(struct redis_guide_options){
        .loop = redis->loop,
        .clock = redis->clock,
        .login = &redis->guide_login,
        .servers = &config->store.servers,
        .master = redis_is_cluster(redis) ? NULL : config->redis.master,
        .other = on_other_guide,
        .learned = on_learned,
        .down = on_guide_down,
        .ctx = redis,
    });
}

struct redis *redis_new(struct loop *loop, const struct clock *clock, const struct config *config,
                        const char *channel, const struct redis_handler *handler)
{
    struct redis *redis = x_calloc(1, sizeof(*redis));

    redis->loop = loop;
    redis->clock = clock;
    redis->config = config;
    redis->channel = x_strdup(channel);
    redis->handler = *handler;
    snprintf(redis->why, sizeof(redis->why), "it was not reached yet");
    set_logins(redis);
    redis->retry = loop_timer_new(loop, redis_reply_retry, redis);
    redis->nodes = redis_nodes_new(&(struct redis_nodes_options){
        loop, clock, &redis->login, redis_is_cluster(redis), on_node_up, on_node_down, redis});
    if (config->store.kind == CONFIG_STORE_REDIS)
        set_one_server(redis);
    else
        redis->guide = new_guide(redis);
    if (channel)
        redis->subscriber =
            redis_server_new(loop, clock, &redis->login, redis->channel,
                             &(struct redis_server_handler){on_subscriber_address, on_subscriber_up,
                                                            on_guide_down, on_message, redis});
    return redis;
}

void redis_free(struct redis **redis)
{
    struct redis_command *command;

    if (!*redis)
        return;
    redis_server_free(&(*redis)->subscriber);
    redis_guide_free(&(*redis)->guide);
    redis_nodes_free(&(*redis)->nodes);
    while ((command = redis_queue_take(&(*redis)->parked)))
        redis_command_free(&command);
    loop_timer_free(&(*redis)->retry);
    free((*redis)->channel);
    free(*redis);
    *redis = NULL;
}
