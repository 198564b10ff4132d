/* SPDX-License-Identifier: MIT */
#ifndef PN_POLICYD_EVENT_LOG_H
#define PN_POLICYD_EVENT_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "policyd/jail.h"

/* The lines that the engine writes of events: event-uncounted, event-taken, event, jail-reached. */
void event_log_uncounted(const struct event *event, const char *reason);
void event_log_taken(const struct event *event);
void event_log_counted(const struct config_jail *jail, const struct event *event,
                       const struct prefix *key, bool is_new, uint64_t count);
void event_log_reached(const struct config_jail *jail, const struct event *event,
                       const struct prefix *key, uint64_t count);

#endif
