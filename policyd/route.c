/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/route.h"

#include <string.h>
#include <strings.h>

#include "common/base/str.h"

enum fit { FIT_NONE, FIT_ANY, FIT_DOMAIN, FIT_EXACT };

static bool is_null_sender(const char *sender)
{
    return !*sender || str_eq(sender, "<>") || str_eq(sender, "\"<>\"");
}

static enum fit fit_of(const struct config_route *route, const char *sender)
{
    const char *at = strrchr(sender, '@');

    if (str_eq_nocase(route->from, sender))
        return FIT_EXACT;
    if (at && route->from[0] == '@' && str_eq_nocase(route->from, at))
        return FIT_DOMAIN;
    return str_eq(route->from, "*") ? FIT_ANY : FIT_NONE;
}

const struct config_route *route_find(const struct config *config, const char *sender)
{
    const struct config_route *best = NULL;
    enum fit best_fit = FIT_NONE;

    if (is_null_sender(sender))
        sender = "<>";
    for (size_t i = 0; i < config->route_count; i++) {
        enum fit fit = fit_of(&config->routes[i], sender);
        if (fit > best_fit) {
            best = &config->routes[i];
            best_fit = fit;
        }
    }
    return best;
}

bool route_uses(const struct config_route *route, size_t index)
{
    return str_eq(route->relays[index]->transport, route->relays[0]->transport);
}

void route_put_nexthop(const struct config_route *route, struct buf *out)
{
    for (size_t i = 0; i < route->relay_count; i++) {
        const struct config_relay *relay = route->relays[i];
        if (!route_uses(route, i))
            continue;
        if (i == 0)
            buf_printf(out, "%s:", relay->transport);
        else
            buf_puts(out, ", ");
        buf_printf(out, "[%s]:%u", relay->host, relay->port);
    }
}

/* A key in its parts, both within the key; port is "" when there is none. */
struct nexthop {
    const char *host;
    size_t host_len;
    const char *port;
};

static struct nexthop nexthop_of(const char *key)
{
    const char *close = key[0] == '[' ? strchr(key, ']') : NULL;
    const char *colon = strchr(key, ':');

    if (close && (close[1] == '\0' || close[1] == ':'))
        return (struct nexthop){key + 1, (size_t)(close - key - 1), close[1] ? close + 2 : ""};
    if (colon && !strchr(colon + 1, ':'))
        return (struct nexthop){key, (size_t)(colon - key), colon + 1};
    return (struct nexthop){key, strlen(key), ""};
}

static bool host_is(const struct nexthop *nexthop, const struct config_relay *relay)
{
    return strlen(relay->host) == nexthop->host_len &&
           strncasecmp(relay->host, nexthop->host, nexthop->host_len) == 0;
}

bool route_key_names(const char *key, const struct config_relay *relay)
{
    struct nexthop nexthop = nexthop_of(key);
    uint64_t port;

    if (!host_is(&nexthop, relay))
        return false;
    if (!*nexthop.port)
        return true;
    return str_parse_u64(nexthop.port, 1, 65535, &port) == 0 && port == relay->port;
}

bool route_key_names_host(const char *key, const struct config_relay *relay)
{
    struct nexthop nexthop = nexthop_of(key);
    return host_is(&nexthop, relay);
}

static bool is_same_login(const struct config_relay *a, const struct config_relay *b)
{
    return str_eq(a->login, b->login) && str_eq_secret(a->password, b->password);
}

const struct config_relay *route_credentials(const struct config *config, const char *relay_name,
                                             const char *key, bool *ambiguous_r)
{
    const struct config_relay *found = NULL;

    *ambiguous_r = false;
    for (size_t i = 0; i < config->relay_count; i++) {
        const struct config_relay *relay = &config->relays[i];
        if (!relay->login || !route_key_names(key, relay))
            continue;
        if (relay_name && !str_eq(relay_name, relay->name))
            continue;
        if (found && !is_same_login(found, relay)) {
            *ambiguous_r = true;
            return NULL;
        }
        found = relay;
    }
    return found;
}
