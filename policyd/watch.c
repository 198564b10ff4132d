/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/watch.h"

#include <stdlib.h>

#include "common/base/map.h"
#include "common/base/mem.h"
#include "common/wire/attr.h"
#include "policyd/control.h"
#include "policyd/show.h"

struct watch {
    struct bans_watcher watcher; /* of prefixes */
    struct bans_watcher login_watcher;
    struct service_conn *conn;
    struct engine *engine;
    struct loop_timer *ping;
    struct loop_timer *look; /* for events; NULL: none are wanted */
    uint64_t seen;           /* the number of the event that was told last */
};

static void put_unban(const struct ban *ban, struct buf *out)
{
    char text[PREFIX_TEXT_MAX];

    attr_put(out, ban_login(ban) ? "unban_login" : "unban", ban_who(ban, text));
    attr_put(out, "jail", ban->jail);
    attr_end(out);
}

/* In time before a ban that they have led to. */
static void put_new_events(struct watch *watch, struct buf *out)
{
    const struct history *history = engine_history(watch->engine);
    const struct history_event *event =
        out->len < CONTROL_PIECE ? history_after(history, watch->seen) : NULL;

    for (; event && out->len < CONTROL_PIECE; event = history_newer(history, event)) {
        show_event(event, event->number - watch->seen - 1, out);
        watch->seen = event->number;
    }
}

static void tell(struct watch *watch, const struct ban *ban, bool is_gone)
{
    struct buf *out = service_conn_output(watch->conn);

    if (!out)
        return;
    if (watch->look)
        put_new_events(watch, out);
    if (is_gone)
        put_unban(ban, out);
    else
        control_put_ban(ban, engine_now_mono_ms(watch->engine), out);
    service_conn_push(watch->conn);
}

static void on_change(struct bans_watcher *watcher, const struct ban *ban, bool is_gone)
{
    tell(MAP_ENTRY(watcher, struct watch, watcher), ban, is_gone);
}

static void on_login(struct bans_watcher *watcher, const struct ban *ban, bool is_gone)
{
    tell(MAP_ENTRY(watcher, struct watch, login_watcher), ban, is_gone);
}

static void on_ping(void *ctx)
{
    struct watch *watch = ctx;
    struct buf *out = service_conn_output(watch->conn);

    if (out) {
        attr_put(out, "ping", "");
        attr_end(out);
        service_conn_push(watch->conn);
    }
    loop_timer_start(watch->ping, WATCH_PING_MS);
}

static void on_look(void *ctx)
{
    struct watch *watch = ctx;
    struct buf *out = service_conn_output(watch->conn);

    if (out && history_last(engine_history(watch->engine)) > watch->seen) {
        put_new_events(watch, out);
        service_conn_push(watch->conn);
    }
    loop_timer_start(watch->look, WATCH_EVENTS_MS);
}

static void look_for_events(struct watch *watch)
{
    watch->seen = history_last(engine_history(watch->engine));
    watch->look = loop_timer_new(service_conn_loop(watch->conn), on_look, watch);
    loop_timer_start(watch->look, WATCH_EVENTS_MS);
}

struct watch *watch_new(struct service_conn *conn, struct engine *engine, bool wants_events)
{
    struct watch *watch = x_calloc(1, sizeof(*watch));

    *watch = (struct watch){
        .watcher.fn = on_change, .login_watcher.fn = on_login, .conn = conn, .engine = engine};
    watch->ping = loop_timer_new(service_conn_loop(conn), on_ping, watch);
    loop_timer_start(watch->ping, WATCH_PING_MS);
    if (wants_events)
        look_for_events(watch);
    bans_watch(engine_bans(engine), &watch->watcher);
    bans_watch(engine_logins(engine), &watch->login_watcher);
    return watch;
}

void watch_free(struct watch **watch)
{
    struct watch *old = *watch;

    if (!old)
        return;
    *watch = NULL;
    bans_unwatch(engine_bans(old->engine), &old->watcher);
    bans_unwatch(engine_logins(old->engine), &old->login_watcher);
    if (old->look)
        loop_timer_free(&old->look);
    loop_timer_free(&old->ping);
    free(old);
}

void watch_put_sync(const struct watch *watch, struct buf *out)
{
    attr_put(out, "sync", "done");
    attr_put_uint(out, "bans",
                  engine_bans(watch->engine)->count + engine_logins(watch->engine)->count);
    attr_end(out);
}
