/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/status.h"

#include "common/wire/attr.h"

static void put_time(struct buf *out, const char *name, int64_t wall_ms)
{
    attr_put_uint(out, name, wall_ms > 0 ? (uint64_t)wall_ms / 1000 : 0);
}

static void put_store(struct engine *engine, struct buf *out)
{
    struct store_health health = engine_store_health(engine);

    attr_put(out, "store", health.error ? "degraded" : "ok");
    if (health.error)
        attr_put(out, "store_error", health.error);
    attr_put(out, "store_reading", health.is_reading ? "yes" : "no");
    attr_put_uint(out, "store_pending", health.pending);
    attr_put_uint(out, "store_queued", health.queued);
    attr_put_uint(out, "store_dropped", health.dropped);
}

static void put_bans(struct engine *engine, struct buf *out)
{
    const struct last_ban *last = engine_last_ban(engine);
    char text[PREFIX_TEXT_MAX];

    attr_put_uint(out, "bans", engine_bans(engine)->count);
    attr_put_uint(out, "login_bans", engine_logins(engine)->count);
    if (last) {
        int64_t now_ms = engine_now_mono_ms(engine);
        const struct ban *ban = bans_held(engine_bans(engine), &last->prefix, now_ms);
        attr_put(out, "last_ban", prefix_format(&last->prefix, text));
        attr_put(out, "last_ban_jail", last->jail);
        put_time(out, "last_ban_since", last->since_wall_ms);
        attr_put_uint(out, "last_ban_seconds", ban ? bans_seconds_left(ban, now_ms) : 0);
    }
    attr_put_uint(out, "keys", engine_key_count(engine));
}

static void put_listeners(const struct status_source *source, struct buf *out)
{
    uint64_t open = 0, closed = 0;
    struct status_listener listener;

    for (size_t i = 0; source->listener(source->ctx, i, &listener); i++) {
        open += listener.open;
        closed += listener.closed;
        if (i < STATUS_LISTENERS_MAX)
            status_put_listener(out, &listener);
    }
    attr_put_uint(out, "connections", open);
    attr_put_uint(out, "connections_closed", closed);
}

void status_put(const struct status_source *source, struct buf *out)
{
    struct engine *engine = source->engine;
    const struct stats *stats = engine_stats(engine);

    attr_put(out, "status", "ok");
    attr_put(out, "program", "postern-policyd");
    attr_put(out, "version", PACKAGE_VERSION);
    attr_put_uint(out, "uptime", (uint64_t)engine_uptime_sec(engine));
    attr_put(out, "enforce", engine_config(engine)->enforce ? "yes" : "no");
    put_store(engine, out);
    put_bans(engine, out);
    attr_put(out, "exports", engine_holds_back(engine) ? "held back" : "yes");
    put_listeners(source, out);
    for (enum stat stat = 0; stat < STAT_COUNT; stat++)
        attr_put_uint(out, stat_name(stat), stats->count[stat]);
    origins_put_status(&stats->policy_origins, "policy", out);
    origins_put_status(&stats->auth_origins, "auth", out);
    attr_end(out);
}

void status_handle(struct http_request *request, void *ctx)
{
    struct buf out = {0};

    status_put(ctx, &out);
    status_respond(request, &out);
    buf_fini(&out);
}
