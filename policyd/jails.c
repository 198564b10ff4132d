/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/jails.h"

#include <stdlib.h>

#include "common/base/mem.h"

static struct counters *counters_for(const struct config *config)
{
    struct counters *counters = x_calloc(config->jail_count, sizeof(*counters));

    for (size_t i = 0; i < config->jail_count; i++)
        counters_init(&counters[i], (int64_t)config->jails[i].findtime_sec * 1000,
                      config->policyd.max_keys);
    return counters;
}

void jails_init(struct jails *jails, const struct config *config)
{
    jails->config = config;
    jails->counters = counters_for(config);
    jails->bans = x_calloc(config->jail_count, sizeof(*jails->bans));
}

void jails_fini(struct jails *jails)
{
    for (size_t i = 0; i < jails->config->jail_count; i++)
        counters_fini(&jails->counters[i]);
    free(jails->counters);
    free(jails->bans);
}

static void take_over_counts(struct jails *jails, struct jails *old)
{
    for (size_t i = 0; i < jails->config->jail_count; i++) {
        for (size_t n = 0; n < old->config->jail_count; n++) {
            if (jail_identity(&jails->config->jails[i]) != jail_identity(&old->config->jails[n]))
                continue;
            struct counters empty = jails->counters[i];
            jails->counters[i] = old->counters[n];
            old->counters[n] = empty;
            jails->counters[i].max = jails->config->policyd.max_keys;
            jails->bans[i] = old->bans[n];
        }
    }
}

void jails_reconfigure(struct jails *jails, const struct config *config)
{
    struct jails old = *jails;

    jails_init(jails, config);
    take_over_counts(jails, &old);
    jails_fini(&old);
}

void jails_note_ban(struct jails *jails, const struct config_jail *jail)
{
    jails->bans[jail - jails->config->jails]++;
}

void jails_sweep(struct jails *jails, int64_t now_ms)
{
    for (size_t i = 0; i < jails->config->jail_count; i++)
        counters_sweep(&jails->counters[i], now_ms);
}

static bool is_reached(const struct jails *jails, size_t index, const struct prefix *key,
                       int64_t now_ms)
{
    const struct config_jail *jail = &jails->config->jails[index];
    const struct window *window = counters_look(&jails->counters[index], key);

    return window &&
           window_count(window, (int64_t)jail->findtime_sec * 1000, now_ms) >= jail->maxretry;
}

unsigned jails_delay(const struct jails *jails, const struct origin *origin, const char *login,
                     int64_t now_ms, const struct config_jail **jail_r)
{
    const struct event event = {.client = origin->addr, .login = login};
    unsigned delay_sec = 0;

    for (size_t i = 0; i < jails->config->jail_count; i++) {
        const struct config_jail *jail = &jails->config->jails[i];
        if (jail->action != JAIL_ACTION_DELAY || jail->delay_sec <= delay_sec ||
            !jail_applies(jail, origin->kind, login))
            continue;
        struct prefix key = jail_key(jail, &event);
        if (!is_reached(jails, i, &key, now_ms))
            continue;
        delay_sec = jail->delay_sec;
        *jail_r = jail;
    }
    return delay_sec;
}
