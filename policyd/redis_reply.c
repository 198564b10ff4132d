/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/base/log.h"
#include "policyd/redis_internal.h"

#define TRIES_MAX 16 /* of a command that nodes refuse */
#define RETRY_MS  50 /* between two of them */

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
        {"CLUSTERDOWN", "the Cluster lacks a master of some keys"},
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
           redis_now(redis) - command->called_mono_ms < redis->login.timeout_ms &&
           redis->parked.count < REDIS_IN_FLIGHT_MAX;
}

static void park(struct redis *redis, struct redis_command *command)
{
    if (!redis->parked.first)
        loop_timer_start(redis->retry, RETRY_MS);
    redis_queue_put(&redis->parked, command);
}

void redis_reply_retry(void *ctx)
{
    struct redis *redis = ctx;
    struct redis_command *command;

    for (size_t left = redis->parked.count; left > 0; left--) {
        command = redis_queue_take(&redis->parked);
        command->is_asked = false;
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

/* To where ASK sent it. */
static bool send_asked(struct redis_link *link, struct redis_command *command)
{
    struct redis_command *asking = redis_command_new(1, (const char *const[]){"ASKING"}, NULL);

    asking->done = on_asking;
    if (!send_to(link, asking)) {
        redis_command_free(&asking);
        return false;
    }
    return send_to(link, command);
}

static bool send_again(struct redis_link *link, struct redis_command *command)
{
    return command->is_asked ? send_asked(link, command) : send_to(link, command);
}

static void follow(struct redis *redis, struct redis_command *command,
                   const struct redis_value *value, bool is_moved)
{
    char address[REDIS_ADDRESS_MAX];
    unsigned slot;

    if (!may_go_again(redis, command) ||
        redis_map_read_redirect(value, redis_link_address(command->link), &slot, address) != 0) {
        finish(command, REDIS_LOST, NULL);
        return;
    }
    if (is_moved) {
        redis_nodes_move(redis->nodes, slot, address);
        redis_guide_hurry(redis->guide);
    }
    command->is_asked = !is_moved;
    if (!send_again(redis_nodes_link_of_address(redis->nodes, address), command))
        park(redis, command);
}

static void go_again(struct redis *redis, struct redis_command *command,
                     const struct redis_value *value)
{
    if (may_go_again(redis, command)) {
        park(redis, command);
        return;
    }
    tell_refusal(redis, value);
    finish(command, REDIS_LOST, NULL);
}

/* Whether it was no reply to the command but about where or when to send it. */
static bool take_cluster_error(struct redis *redis, struct redis_command *command,
                               const struct redis_value *value)
{
    if (command->is_pinned || !redis_is_cluster(redis))
        return false;
    if (redis_error_is(value, "MOVED"))
        follow(redis, command, value, true);
    else if (redis_error_is(value, "ASK"))
        follow(redis, command, value, false);
    else if (redis_error_is(value, "TRYAGAIN") || redis_error_is(value, "CLUSTERDOWN"))
        go_again(redis, command, value);
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
        if (!send_again(command->link, command))
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

void redis_reply_take(struct redis_command *command, const struct redis_value *value)
{
    struct redis *redis = command->owner;

    if (!value)
        finish(command, REDIS_LOST, NULL);
    else if (redis_kind(value) == REDIS_ERROR)
        take_error(redis, command, value);
    else
        finish(command, REDIS_DONE, value);
}
