/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/show.h"

#include "common/wire/attr.h"

static void put_yes_no(struct buf *out, const char *name, bool yes)
{
    attr_put(out, name, yes ? "yes" : "no");
}

static void put_known(struct buf *out, const char *name, const char *text)
{
    if (*text)
        attr_put(out, name, text);
}

static const char *acts_name(unsigned acts)
{
    return acts == CONFIG_ACTS_SMTP ? "smtp" : acts == CONFIG_ACTS_AUTH ? "auth" : "all";
}

static uint64_t seconds_of(int64_t wall_ms)
{
    return wall_ms > 0 ? (uint64_t)wall_ms / 1000 : 0;
}

void show_ban(const struct ban *ban, int64_t now_mono_ms, struct buf *out)
{
    char text[PREFIX_TEXT_MAX];

    attr_put(out, ban_login(ban) ? "ban_login" : "ban", ban_who(ban, text));
    attr_put_uint(out, "seconds", bans_seconds_left(ban, now_mono_ms));
    attr_put(out, "jail", ban->jail);
    attr_put(out, "acts", acts_name(ban->acts));
    attr_put_uint(out, "since", seconds_of(ban->since_wall_ms));
    put_yes_no(out, "stored", ban->stored);
}

void show_event(const struct history_event *event, uint64_t missed, struct buf *out)
{
    char text[ADDR_TEXT_MAX];

    attr_put(out, "event", event_name(event->kind));
    attr_put_uint(out, "at", seconds_of(event->at_wall_ms));
    attr_put(out, "client_address", addr_format(&event->client, text));
    put_known(out, "protocol", event->protocol);
    put_known(out, "login", event->login);
    put_known(out, "recipient", event->recipient);
    put_known(out, "session", event->session);
    attr_put_uint(out, "weight", event->weight);
    attr_put(out, "jails", event->jails);
    if (event->led_to_ban)
        attr_put(out, "led_to", "ban");
    if (missed)
        attr_put_uint(out, "missed", missed);
    attr_end(out);
}

/* --- jails -------------------------------------------------------------------------- */

static const char *count_by_name(const struct config_jail *jail)
{
    static const char *const names[] = {"client", "login", "client+login", "domain"};

    return names[jail->count_by];
}

static void put_action(const struct config_jail *jail, struct buf *out)
{
    switch (jail->action) {
    case JAIL_ACTION_BAN:
        attr_put(out, "action", "ban");
        attr_put_uint(out, "bantime", jail->bantime_sec);
        attr_put(out, "acts", acts_name(jail->acts));
        break;
    case JAIL_ACTION_DELAY:
        attr_put(out, "action", "delay");
        attr_put_uint(out, "delay", jail->delay_sec);
        break;
    case JAIL_ACTION_DEFER:
        attr_put(out, "action", "defer");
        break;
    case JAIL_ACTION_LOG:
        attr_put(out, "action", "log");
        break;
    }
}

static void put_events(const struct config_jail *jail, struct buf *out)
{
    struct buf names = {0};

    for (unsigned kind = 1; kind && kind <= jail->events; kind <<= 1) {
        if (!jail_wants(jail, kind))
            continue;
        buf_printf(&names, "%s%s", names.len ? ", " : "", event_name(kind));
        if (jail_weight(jail, kind) != 1)
            buf_printf(&names, "=%u", jail_weight(jail, kind));
    }
    attr_put(out, "events", buf_str(&names));
    buf_fini(&names);
}

bool show_jail(const struct engine *engine, size_t index, struct buf *out)
{
    const struct jails *jails = engine_jails(engine);

    if (index >= jails->config->jail_count)
        return false;
    const struct config_jail *jail = &jails->config->jails[index];
    attr_put(out, "jail", jail->name);
    put_events(jail, out);
    attr_put(out, "count_by", count_by_name(jail));
    if (!jail_is_by_login(jail)) {
        attr_put_uint(out, "prefix4", jail->prefix4);
        attr_put_uint(out, "prefix6", jail->prefix6);
    }
    attr_put(out, "distinct", jail->distinct_password ? "password" : "");
    attr_put_uint(out, "maxretry", jail->maxretry);
    attr_put_uint(out, "findtime", jail->findtime_sec);
    put_action(jail, out);
    attr_put_uint(out, "keys", counters_count(&jails->counters[index]));
    attr_put_uint(out, "bans", jails->bans[index]);
    attr_end(out);
    return true;
}

/* --- what they count ---------------------------------------------------------------- */

static bool put_counter(const struct config_jail *jail, const char *key,
                        const struct window *window, int64_t now_ms, struct buf *out)
{
    int64_t findtime_ms = (int64_t)jail->findtime_sec * 1000;
    uint64_t count = window_count(window, findtime_ms, now_ms);

    if (!count)
        return false;
    attr_put(out, "jail", jail->name);
    attr_put(out, "key", key);
    attr_put(out, "count_by", count_by_name(jail));
    attr_put_uint(out, "count", count);
    attr_put_uint(out, "maxretry", jail->maxretry);
    attr_put_uint(out, "findtime", jail->findtime_sec);
    attr_put_uint(out, "seconds",
                  (uint64_t)(window_left_ms(window, findtime_ms, now_ms) + 999) / 1000);
    put_action(jail, out);
    attr_end(out);
    return true;
}

/* A jail has one such key at most, or, narrower than what is asked about, many. */
static bool next_key(const struct engine *engine, struct show_cursor *cursor,
                     const struct prefix *key, struct buf *out)
{
    const struct jails *jails = engine_jails(engine);
    const struct config_jail *jail = &jails->config->jails[cursor->jail];
    const struct counters *counters = &jails->counters[cursor->jail];
    const struct prefix *found = NULL;
    const struct window *window = NULL;
    int64_t now_ms = engine_now_mono_ms(engine);
    char text[PREFIX_TEXT_MAX];

    if (cursor->login || key->bits <= cursor->within.bits) {
        window = cursor->at++ ? NULL : counters_look(counters, key);
        return window && put_counter(jail,
                                     cursor->login ? jail_login(jail, cursor->login)
                                                   : prefix_format(key, text),
                                     window, now_ms, out);
    }
    while (counters_next_within(counters, &cursor->within, &cursor->at, &found, &window)) {
        if (put_counter(jail, prefix_format(found, text), window, now_ms, out))
            return true;
    }
    return false;
}

bool show_counter(const struct engine *engine, struct show_cursor *cursor, struct buf *out)
{
    const struct config *config = engine_jails(engine)->config;

    for (; cursor->jail < config->jail_count; cursor->jail++, cursor->at = 0) {
        struct prefix key;
        if (jail_key_of(&config->jails[cursor->jail], cursor->login, &cursor->within, &key) &&
            next_key(engine, cursor, &key, out))
            return true;
    }
    return false;
}

/* --- why ---------------------------------------------------------------------------- */

static const struct ban *find_ban(const struct engine *engine, const struct prefix *prefix)
{
    const struct bans *bans = engine_bans(engine);
    int64_t now_ms = engine_now_mono_ms(engine);
    const struct ban *ban = bans_held(bans, prefix, now_ms);

    if (!ban)
        ban = bans_match(bans, &prefix->addr, CONFIG_ACTS_ALL, now_ms);
    return ban && ban->node.prefix.bits <= prefix->bits ? ban : NULL;
}

/* Whose events tell of it: its own, those of the client that it is a part of, and of its ban. */
static struct prefix scope_of(const struct engine *engine, const struct prefix *prefix)
{
    const struct ban *ban = find_ban(engine, prefix);
    struct prefix net = history_net(&prefix->addr), scope = *prefix;

    if (net.bits < scope.bits)
        scope = net;
    if (ban && ban->node.prefix.bits < scope.bits)
        scope = ban->node.prefix;
    return scope;
}

void show_why_events(const struct engine *engine, const struct prefix *prefix, struct buf *out)
{
    const struct history_event *found[HISTORY_FOUND_MAX];
    struct prefix scope = scope_of(engine, prefix);
    size_t count = history_find(engine_history(engine), &scope, NULL, found);

    for (size_t i = 0; i < count; i++)
        show_event(found[i], 0, out);
}

void show_why_login_events(const struct engine *engine, const char *login, struct buf *out)
{
    const struct history_event *found[HISTORY_FOUND_MAX];
    size_t count = history_find(engine_history(engine), NULL, login, found);

    for (size_t i = 0; i < count; i++)
        show_event(found[i], 0, out);
}

static void put_why(const struct engine *engine, const struct ban *ban, const char *protects,
                    struct buf *out)
{
    put_yes_no(out, "banned", ban != NULL);
    if (ban)
        show_ban(ban, engine_now_mono_ms(engine), out);
    if (protects)
        attr_put(out, "protected", protects);
    put_yes_no(out, "enforce", engine_config(engine)->enforce);
    attr_put_uint(out, "started",
                  seconds_of(engine_now_wall_ms(engine)) - (uint64_t)engine_uptime_sec(engine));
    attr_end(out);
}

void show_why(const struct engine *engine, const struct prefix *prefix, struct buf *out)
{
    char reason[ORIGIN_REASON_MAX], text[PREFIX_TEXT_MAX];

    attr_put(out, "status", "ok");
    attr_put(out, "prefix", prefix_format(prefix, text));
    put_why(engine, find_ban(engine, prefix), engine_protects(engine, prefix, reason), out);
}

void show_why_login(const struct engine *engine, const char *login, struct buf *out)
{
    struct prefix key = jail_key_of_login(login);
    const struct ban *ban = bans_held(engine_logins(engine), &key, engine_now_mono_ms(engine));

    attr_put(out, "status", "ok");
    attr_put(out, "login", login);
    put_why(engine, ban, NULL, out);
}
