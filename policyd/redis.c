/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/redis.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "policyd/redis_guide.h"
#include "policyd/redis_nodes.h"
#include "policyd/redis_peer.h"

#define TRIES_MAX    16    /* of a command that nodes refuse */
#define RETRY_MS     50    /* between two of them */
#define SAY_AGAIN_MS 60000 /* that it is still away, where the reason is another */
#define ADDRESS_UNIX "unix:"

struct redis {
    struct loop *loop;
    const struct clock *clock;
    const struct config *config;
    char *channel;
    struct redis_handler handler;
    struct redis_login login, guide_login;
    struct redis_nodes *nodes;
    struct redis_peer *subscriber;
    size_t subscriber_turn;
    struct redis_guide *guide; /* NULL: one server */
    struct redis_queue parked; /* to be sent again */
    struct loop_timer *retry;
    size_t in_flight;
    bool is_up;
    unsigned refusals_told;
    char why[REDIS_WHY_MAX];
    char why_told[REDIS_WHY_MAX];
    int64_t told_mono_ms;
};

static bool is_cluster(const struct redis *redis)
{
    return redis->config->store.kind == CONFIG_STORE_CLUSTER;
}

static int64_t now_of(const struct redis *redis)
{
    return clock_mono_ms(redis->clock);
}

/* Once when it goes, and then seldom. */
static void tell_away(struct redis *redis, const char *why)
{
    int64_t now = now_of(redis);

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
                   (!redis->subscriber || redis_peer_link(redis->subscriber));
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

/* An error that will come again for the next command: each kind is told once. */
static void tell_refusal(struct redis *redis, const struct redis_value *value)
{
    static const struct {
        const char *code, *words;
    } refusals[] = {
        {"NOPERM", "the user of section redis lacks a permission"},
        {"NOAUTH", "it asks for a password: password_file in section redis"},
        {"READONLY", "it is a replica, not the master"},
        {"LOADING", "it is still reading its data"},
        {"MASTERDOWN", "it is a replica without its master"},
        {"OOM", "its maxmemory is used up"},
        {"MISCONF", "it cannot write to its disk"},
        {"WRONGTYPE", "another program uses our keys: prefix in section redis"},
    };

    for (unsigned i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        if (!redis_error_is(value, refusals[i].code) || (redis->refusals_told & 1u << i))
            continue;
        redis->refusals_told |= 1u << i;
        log_error(NULL, "store-refused", LOG_STR("code", refusals[i].code),
                  LOG_STR("reason", refusals[i].words));
    }
}

static void finish(struct redis_command *command, enum redis_status status,
                   const struct redis_value *value)
{
    struct redis *redis = command->owner;
    redis_reply_fn fn = command->fn;
    void *ctx = command->ctx;

    redis->in_flight--;
    redis_command_free(&command);
    if (fn)
        fn(status, status == REDIS_DONE ? value : NULL, ctx);
}

/* NULL: away. */
static bool send_to(struct redis_link *link, struct redis_command *command)
{
    return link && redis_link_send(link, command);
}

static bool send_by_slot(struct redis *redis, struct redis_command *command)
{
    return send_to(redis_nodes_link_of_slot(redis->nodes, command->slot), command);
}

/* Nobody has done it: it may be sent again, for as long as a reply may take. */
static bool may_go_again(struct redis *redis, struct redis_command *command)
{
    return ++command->tries <= TRIES_MAX &&
           now_of(redis) - command->called_mono_ms < redis->login.timeout_ms &&
           redis->parked.count < REDIS_IN_FLIGHT_MAX;
}

static void park(struct redis *redis, struct redis_command *command)
{
    if (!redis->parked.first)
        loop_timer_start(redis->retry, RETRY_MS);
    redis_queue_put(&redis->parked, command);
}

static void on_retry(void *ctx)
{
    struct redis *redis = ctx;
    struct redis_command *command;

    for (size_t left = redis->parked.count; left > 0; left--) {
        command = redis_queue_take(&redis->parked);
        if (send_by_slot(redis, command))
            continue;
        if (may_go_again(redis, command))
            park(redis, command);
        else
            finish(command, REDIS_LOST, NULL);
    }
    if (redis->parked.first)
        loop_timer_start(redis->retry, RETRY_MS);
}

static void on_asking(struct redis_command *command, const struct redis_value *value)
{
    (void)value; /* the command behind it tells */
    redis_command_free(&command);
}

/* Before each command that ASK sends elsewhere. */
static bool send_asking(struct redis_link *link, struct redis_command *command)
{
    struct redis_command *asking = redis_command_new(1, (const char *const[]){"ASKING"}, NULL);

    asking->done = on_asking;
    if (!send_to(link, asking)) {
        redis_command_free(&asking);
        return false;
    }
    return send_to(link, command);
}

static void follow(struct redis *redis, struct redis_command *command,
                   const struct redis_value *value, bool is_moved)
{
    char address[REDIS_ADDRESS_MAX];
    struct redis_link *link;
    unsigned slot;
    bool is_sent;

    if (!may_go_again(redis, command) ||
        redis_map_read_redirect(value, redis_link_address(command->link), &slot, address) != 0) {
        finish(command, REDIS_LOST, NULL);
        return;
    }
    if (is_moved) {
        redis_nodes_move(redis->nodes, slot, address);
        redis_guide_hurry(redis->guide);
    }
    link = redis_nodes_link_of_address(redis->nodes, address);
    is_sent = is_moved ? send_to(link, command) : send_asking(link, command);
    if (!is_sent)
        park(redis, command);
}

static void go_again(struct redis *redis, struct redis_command *command)
{
    if (may_go_again(redis, command))
        park(redis, command);
    else
        finish(command, REDIS_LOST, NULL);
}

/* Whether it was no reply to the command but about where or when to send it. */
static bool take_cluster_error(struct redis *redis, struct redis_command *command,
                               const struct redis_value *value)
{
    if (command->is_pinned || !is_cluster(redis))
        return false;
    if (redis_error_is(value, "MOVED"))
        follow(redis, command, value, true);
    else if (redis_error_is(value, "ASK"))
        follow(redis, command, value, false);
    else if (redis_error_is(value, "TRYAGAIN") || redis_error_is(value, "CLUSTERDOWN"))
        go_again(redis, command);
    else
        return false;
    return true;
}

static bool is_no_master(const struct redis_value *value)
{
    return redis_error_is(value, "READONLY") || redis_error_is(value, "LOADING") ||
           redis_error_is(value, "MASTERDOWN");
}

static void take_error(struct redis *redis, struct redis_command *command,
                       const struct redis_value *value)
{
    if (command->script && redis_error_is(value, "NOSCRIPT")) {
        redis_command_spell_out(command);
        if (!redis_link_send(command->link, command))
            finish(command, REDIS_LOST, NULL);
        return;
    }
    if (take_cluster_error(redis, command, value))
        return;
    tell_refusal(redis, value);
    if (is_no_master(value)) {
        redis_link_fail(command->link, "it is no master that can be used");
        finish(command, REDIS_LOST, NULL);
        return;
    }
    finish(command, REDIS_DONE, value);
}

static void on_reply(struct redis_command *command, const struct redis_value *value)
{
    struct redis *redis = command->owner;

    if (!value)
        finish(command, REDIS_LOST, NULL);
    else if (redis_kind(value) == REDIS_ERROR)
        take_error(redis, command, value);
    else
        finish(command, REDIS_DONE, value);
}

static bool call(struct redis *redis, struct redis_command *command, struct redis_link *link,
                 redis_reply_fn fn, void *ctx)
{
    command->done = on_reply;
    command->owner = redis;
    command->fn = fn;
    command->ctx = ctx;
    command->called_mono_ms = now_of(redis);
    if (!send_to(link, command)) {
        redis_command_free(&command);
        return false;
    }
    redis->in_flight++;
    return true;
}

static unsigned slot_of(const struct redis *redis, const char *key, size_t key_len)
{
    return is_cluster(redis) ? redis_map_slot(key, key_len) : 0;
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

bool redis_call_node(struct redis *redis, size_t node, size_t argc, const char *const *argv,
                     const size_t *lens, redis_reply_fn fn, void *ctx)
{
    bool is_one = node < redis_nodes_count(redis->nodes);
    struct redis_link *link = is_one ? redis_nodes_link(redis->nodes, node) : NULL;
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

    if (is_cluster(redis))
        log_info(NULL, "store-node-up", LOG_STR("node", address));
    judge(redis, NULL);
}

static void on_node_down(const char *address, bool was_up, const char *why, void *ctx)
{
    struct redis *redis = ctx;

    if (is_cluster(redis) && was_up)
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

    if (!is_cluster(redis) || i >= redis_nodes_count(redis->nodes))
        return NULL;
    return redis_nodes_address(redis->nodes, i);
}

static void on_learned(const struct redis_map *map, void *ctx)
{
    struct redis *redis = ctx;

    redis_nodes_set(redis->nodes, map);
    judge(redis, "the master is another now");
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
        .wants_master = is_sentinel,
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
        .master = is_cluster(redis) ? NULL : config->redis.master,
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
    redis->retry = loop_timer_new(loop, on_retry, redis);
    redis->nodes = redis_nodes_new(&(struct redis_nodes_options){
        loop, clock, &redis->login, is_cluster(redis), on_node_up, on_node_down, redis});
    if (config->store.kind == CONFIG_STORE_REDIS)
        set_one_server(redis);
    else
        redis->guide = new_guide(redis);
    if (channel)
        redis->subscriber =
            redis_peer_new(loop, clock, &redis->login, redis->channel,
                           &(struct redis_peer_handler){on_subscriber_address, on_subscriber_up,
                                                        on_guide_down, on_message, redis});
    return redis;
}

void redis_free(struct redis **redis)
{
    struct redis_command *command;

    if (!*redis)
        return;
    redis_peer_free(&(*redis)->subscriber);
    redis_guide_free(&(*redis)->guide);
    redis_nodes_free(&(*redis)->nodes);
    while ((command = redis_queue_take(&(*redis)->parked)))
        redis_command_free(&command);
    loop_timer_free(&(*redis)->retry);
    free((*redis)->channel);
    free(*redis);
    *redis = NULL;
}
