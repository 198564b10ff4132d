/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/base/bug.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "policyd/engine_internal.h"

void engine_log_ban(const char *event, const char *session, const struct prefix *prefix,
                    const char *jail, uint64_t seconds)
{
    char text[PREFIX_TEXT_MAX];
    log_info(session, event, LOG_STR("ban", prefix_format(prefix, text)), LOG_STR("jail", jail),
             LOG_UINT("seconds", seconds));
}

void engine_log_login_ban(const char *event, const char *session, const char *login,
                          const char *jail, uint64_t seconds)
{
    log_info(session, event, LOG_STR("login", login), LOG_STR("jail", jail),
             LOG_UINT("seconds", seconds));
}

static void on_kept(const struct error *error, void *ctx)
{
    struct engine_request *request = ctx;

    if (error) {
        request->status = ENGINE_UNSTORED;
        snprintf(request->reason, sizeof(request->reason), "%s", error->text);
    }
    request->done(request->status, request->reason, request->ctx);
    free(request);
}

struct engine_request *engine_request_new(struct engine *engine, engine_done_fn done, void *ctx)
{
    struct engine_request *request = x_calloc(1, sizeof(*request));

    request->done = done;
    request->ctx = ctx;
    request->change = keeper_begin(engine->keeper, on_kept, request);
    keeper_expire(engine->keeper);
    return request;
}

static void fail(struct engine_request *request, enum engine_status status, const char *reason)
{
    request->status = status;
    snprintf(request->reason, sizeof(request->reason), "%s", reason);
}

static void fail_full(struct engine_request *request, const char *session)
{
    log_error(session, "ban-table-full", LOG_UINT("bans", BANS_MAX));
    fail(request, ENGINE_FULL, "the table of bans is full");
}

bool engine_set_ban(struct engine_request *request, const struct prefix *prefix, uint64_t seconds,
                    const char *session, const char *jail, unsigned acts)
{
    if (keeper_put(request->change, prefix, seconds, jail, acts) == 0) {
        engine_log_ban("ban", session, prefix, jail, seconds);
        return true;
    }
    fail_full(request, session);
    return false;
}

bool engine_set_login_ban(struct engine_request *request, const char *login, uint64_t seconds,
                          const char *session, const char *jail, unsigned acts)
{
    if (keeper_put_login(request->change, login, seconds, jail, acts) == 0) {
        engine_log_login_ban("ban", session, login, jail, seconds);
        return true;
    }
    fail_full(request, session);
    return false;
}

void engine_ban_login(struct engine *engine, const char *login, uint64_t seconds,
                      engine_done_fn done, void *ctx)
{
    struct engine_request *request = engine_request_new(engine, done, ctx);

    BUG_ON(!*login || !seconds || seconds > (uint64_t)BANS_SECONDS_MAX);
    engine_set_login_ban(request, login, seconds, NULL, BANS_OPERATOR, CONFIG_ACTS_ALL);
    keeper_end(request->change);
}

void engine_ban(struct engine *engine, const struct prefix *prefix, uint64_t seconds,
                engine_done_fn done, void *ctx)
{
    struct engine_request *request = engine_request_new(engine, done, ctx);
    char reason[ORIGIN_REASON_MAX], text[PREFIX_TEXT_MAX];

    BUG_ON(!seconds || seconds > (uint64_t)BANS_SECONDS_MAX);
    const char *why = origin_protects(engine->rules, prefix, reason);
    if (why) {
        engine->stats.count[STAT_BAN_PROTECTED]++;
        log_warning(NULL, "ban-refused", LOG_STR("ban", prefix_format(prefix, text)),
                    LOG_STR("reason", why));
        fail(request, ENGINE_PROTECTED, why);
    } else {
        engine_set_ban(request, prefix, seconds, NULL, BANS_OPERATOR, CONFIG_ACTS_ALL);
    }
    keeper_end(request->change);
}

static void fail_unban(struct engine *engine, struct engine_request *request,
                       const struct prefix *prefix)
{
    const struct ban *wider = bans_match(keeper_bans(engine->keeper), &prefix->addr,
                                         CONFIG_ACTS_ALL, engine_now_mono_ms(engine));
    char text[PREFIX_TEXT_MAX] = "";

    if (wider && wider->node.prefix.bits < prefix->bits)
        prefix_format(&wider->node.prefix, text);
    fail(request, ENGINE_NOT_BANNED, text);
}

static void lift(struct engine *engine, struct engine_request *request, struct ban *ban)
{
    struct prefix prefix = ban->node.prefix;

    uint64_t seconds = bans_seconds_left(ban, engine_now_mono_ms(engine));

    if (ban_login(ban))
        engine_log_login_ban("unban", NULL, ban_login(ban), ban->jail, seconds);
    else
        engine_log_ban("unban", NULL, &prefix, ban->jail, seconds);
    keeper_remove(request->change, ban, true);
    engine->stats.count[STAT_BAN_LIFTED]++;
    jails_forget_within(&engine->jails, &prefix);
    for (size_t i = 0; i < engine->jails.count; i++)
        saver_forget(engine->saver, i, &prefix);
}

void engine_unban(struct engine *engine, const struct prefix *prefix, engine_done_fn done,
                  void *ctx)
{
    struct engine_request *request = engine_request_new(engine, done, ctx);
    struct ban *ban = bans_held(keeper_bans(engine->keeper), prefix, engine_now_mono_ms(engine));

    if (ban)
        lift(engine, request, ban);
    else
        fail_unban(engine, request, prefix);
    keeper_end(request->change);
}

void engine_unban_login(struct engine *engine, const char *login, engine_done_fn done, void *ctx)
{
    struct engine_request *request = engine_request_new(engine, done, ctx);
    struct prefix key = jail_key_of_login(login);
    struct ban *ban = bans_held(keeper_logins(engine->keeper), &key, engine_now_mono_ms(engine));

    if (ban)
        lift(engine, request, ban);
    else
        fail(request, ENGINE_NOT_BANNED, "");
    keeper_end(request->change);
}
