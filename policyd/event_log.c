/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/event_log.h"

#include "common/base/log.h"
#include "policyd/origins.h"

/* A connection and a message are what everybody makes, a wrong password is not. */
static enum log_level level_of(const struct event *event)
{
    return event->kind & (CONFIG_EVENT_CONNECT | CONFIG_EVENTS_OF_SUBMISSION) ? LOG_LEVEL_DEBUG
                                                                              : LOG_LEVEL_INFO;
}

void event_log_uncounted(const struct event *event, const char *reason)
{
    char text[ADDR_TEXT_MAX];

    log_write(level_of(event), event->session, "event-uncounted",
              LOG_FIELDS(LOG_STR("event", event_name(event->kind)),
                         LOG_STR("client", addr_format(&event->client, text)),
                         LOG_ORIGIN(event->origin), LOG_STR("login", event->login),
                         LOG_STR("reason", reason)));
}

void event_log_taken(const struct event *event)
{
    char client[ADDR_TEXT_MAX];

    if (!log_wants(LOG_LEVEL_DEBUG))
        return;
    log_debug(event->session, "event-taken", LOG_STR("event", event_name(event->kind)),
              LOG_STR("client", addr_format(&event->client, client)), LOG_ORIGIN(event->origin),
              LOG_STR("login", event->login), LOG_STR("recipient", event->recipient),
              LOG_UINT("weight", event->weight));
}

static const char *key_text(const struct config_jail *jail, const struct event *event,
                            const struct prefix *key, char text[PREFIX_TEXT_MAX])
{
    if (jail_is_by_login(jail))
        return jail_login(jail, event->login);
    struct prefix net = jail_net(jail, &event->client);
    return prefix_format(jail->count_by == COUNT_BY_CLIENT ? key : &net, text);
}

void event_log_counted(const struct config_jail *jail, const struct event *event,
                       const struct prefix *key, bool is_new, uint64_t count)
{
    char text[PREFIX_TEXT_MAX], client[ADDR_TEXT_MAX];

    if (!log_wants(level_of(event)))
        return;
    log_write(level_of(event), event->session, "event",
              LOG_FIELDS(LOG_STR("event", event_name(event->kind)),
                         LOG_STR("client", addr_format(&event->client, client)),
                         LOG_ORIGIN(event->origin), LOG_STR("protocol", event->protocol),
                         LOG_STR("login", event->login), LOG_STR("jail", jail->name),
                         LOG_STR("key", key_text(jail, event, key, text)),
                         LOG_STR("new", is_new ? "yes" : "no"), LOG_UINT("count", count),
                         LOG_UINT("maxretry", jail_limit(jail, event->is_known))));
}

void event_log_reached(const struct config_jail *jail, const struct event *event,
                       const struct prefix *key, uint64_t count)
{
    char text[PREFIX_TEXT_MAX];

    log_info(event->session, "jail-reached", LOG_STR("jail", jail->name),
             LOG_STR("key", key_text(jail, event, key, text)), LOG_UINT("count", count));
}
