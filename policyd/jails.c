/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/jails.h"

#include <stdlib.h>

#include "common/base/mem.h"

/* What has no jail in the file counts by words that none there has. */
enum { COUNT_BY_BANS = 100, COUNT_BY_KNOWN };

static void count_bans_of(const struct config_jail *jail, struct config_jail *bans)
{
    *bans = *jail;
    bans->count_by = (enum config_count_by)COUNT_BY_BANS;
    bans->distinct_password = false;
    bans->findtime_sec = jail->bantime_max_sec + JAILS_BANS_KEPT_SEC;
}

static void count_known(struct config_jail *known)
{
    static char no_name[] = "";

    *known = (struct config_jail){
        .name = no_name,
        .count_by = (enum config_count_by)COUNT_BY_KNOWN,
        .findtime_sec = JAILS_KNOWN_SEC,
        .prefix4 = 32,
        .prefix6 = 64,
    };
}

void jails_init(struct jails *jails, const struct config *config)
{
    size_t jail_count = config->jail_count;

    *jails = (struct jails){.config = config, .count = 2 * jail_count + 1};
    jails->counted = x_calloc(jails->count, sizeof(*jails->counted));
    jails->counters = x_calloc(jails->count, sizeof(*jails->counters));
    jails->bans = x_calloc(jails->count, sizeof(*jails->bans));
    jails->ids = x_calloc(jails->count, sizeof(*jails->ids));
    for (size_t i = 0; i < jail_count; i++) {
        jails->counted[i] = config->jails[i];
        count_bans_of(&config->jails[i], &jails->counted[jail_count + i]);
    }
    count_known(&jails->counted[2 * jail_count]);
    for (size_t i = 0; i < jails->count; i++) {
        counters_init(&jails->counters[i], (int64_t)jails->counted[i].findtime_sec * 1000,
                      config->policyd.max_keys);
        jails->ids[i] = jail_identity(&jails->counted[i]);
    }
}

void jails_fini(struct jails *jails)
{
    for (size_t i = 0; i < jails->count; i++)
        counters_fini(&jails->counters[i]);
    free(jails->counters);
    free(jails->counted);
    free(jails->bans);
    free(jails->ids);
}

size_t jails_find(const struct jails *jails, uint64_t id, uint64_t mask)
{
    size_t i = 0;

    while (i < jails->count && ((jails->ids[i] ^ id) & mask))
        i++;
    return i;
}

size_t jails_bans_of(const struct jails *jails, size_t index)
{
    return jails->config->jail_count + index;
}

size_t jails_known(const struct jails *jails)
{
    return jails->count - 1;
}

static void take_over_counts(struct jails *jails, struct jails *old)
{
    for (size_t i = 0; i < jails->count; i++) {
        for (size_t n = 0; n < old->count; n++) {
            if (jails->ids[i] != old->ids[n])
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

int64_t jails_longest_ms(const struct jails *jails)
{
    int64_t longest_ms = 0;

    for (size_t i = 0; i < jails->count; i++) {
        int64_t ms = 2 * jails->counters[i].findtime_ms;
        longest_ms = ms > longest_ms ? ms : longest_ms;
    }
    return longest_ms;
}

void jails_sweep(struct jails *jails, int64_t now_ms)
{
    for (size_t i = 0; i < jails->count; i++)
        counters_sweep(&jails->counters[i], now_ms);
}

void jails_forget_within(struct jails *jails, const struct prefix *prefix)
{
    for (size_t i = 0; i < jails->count; i++) {
        if (jail_key_is_hash(prefix))
            counters_forget(&jails->counters[i], prefix);
        else
            counters_forget_within(&jails->counters[i], prefix);
    }
}

/* --- bans of before ------------------------------------------------------------------- */

uint64_t jails_bans_before(const struct jails *jails, size_t index, const struct prefix *net,
                           int64_t now_ms)
{
    size_t at = jails_bans_of(jails, index);
    const struct window *window = counters_look(&jails->counters[at], net);

    return window ? window_count(window, jails->counters[at].findtime_ms, now_ms) : 0;
}

void jails_note_ban(struct jails *jails, size_t index, const struct prefix *net, int64_t now_ms)
{
    struct counters *counters = &jails->counters[jails_bans_of(jails, index)];

    jails->bans[index]++;
    if (jails->config->jails[index].bantime_factor > 1)
        window_add(counters_window(counters, net, now_ms), counters->findtime_ms, now_ms);
}

/* --- logins that succeeded ------------------------------------------------------------ */

struct prefix jails_known_key(const struct jails *jails, const struct addr *client,
                              const char *login)
{
    struct config_jail by_both = jails->counted[jails_known(jails)];
    const struct event event = {.client = *client, .login = login};

    by_both.count_by = COUNT_BY_CLIENT_LOGIN;
    return jail_key(&by_both, &event);
}

/* Its time is that of the last one, not of the first. */
void jails_note_login(struct jails *jails, const struct addr *client, const char *login,
                      int64_t now_ms)
{
    struct prefix key = jails_known_key(jails, client, login);

    window_restore(counters_window(&jails->counters[jails_known(jails)], &key, now_ms),
                   &(struct window_state){.start_ms = now_ms, .current = 1});
}

int64_t jails_login_age_ms(const struct jails *jails, const struct addr *client, const char *login,
                           int64_t now_ms)
{
    struct prefix key = jails_known_key(jails, client, login);
    const struct window *window = counters_look(&jails->counters[jails_known(jails)], &key);

    return window ? now_ms - window->start_ms : -1;
}

bool jails_know(const struct jails *jails, const struct addr *client, const char *login,
                int64_t now_ms)
{
    int64_t age_ms = jails_login_age_ms(jails, client, login, now_ms);

    return age_ms >= 0 && age_ms < INT64_C(1000) * JAILS_KNOWN_SEC;
}

/* --- delays --------------------------------------------------------------------------- */

static bool is_reached(const struct jails *jails, size_t index, const struct event *event,
                       int64_t now_ms)
{
    const struct config_jail *jail = &jails->config->jails[index];
    struct prefix key = jail_key(jail, event);
    const struct window *window = counters_look(&jails->counters[index], &key);

    return window && window_count(window, (int64_t)jail->findtime_sec * 1000, now_ms) >=
                         jail_limit(jail, event->is_known);
}

unsigned jails_delay(const struct jails *jails, const struct origin *origin, const char *login,
                     int64_t now_ms, const struct config_jail **jail_r)
{
    const struct event event = {
        .client = origin->addr,
        .login = login,
        .is_known = origin->kind == ORIGIN_KNOWN && jails_know(jails, &origin->addr, login, now_ms),
    };
    unsigned delay_sec = 0;

    for (size_t i = 0; i < jails->config->jail_count; i++) {
        const struct config_jail *jail = &jails->config->jails[i];
        if (jail->action != JAIL_ACTION_DELAY || jail->delay_sec <= delay_sec ||
            !jail_applies(jail, origin->kind, CONFIG_EVENT_AUTH_FAIL, login))
            continue;
        if (!is_reached(jails, i, &event, now_ms))
            continue;
        delay_sec = jail->delay_sec;
        *jail_r = jail;
    }
    return delay_sec;
}

const struct config_jail *jails_defer(const struct jails *jails, const struct origin *origin,
                                      int64_t now_ms)
{
    const struct event event = {.client = origin->addr, .login = ""};

    for (size_t i = 0; i < jails->config->jail_count; i++) {
        const struct config_jail *jail = &jails->config->jails[i];
        if (jail->action == JAIL_ACTION_DEFER && jail_applies(jail, origin->kind, 0, "") &&
            is_reached(jails, i, &event, now_ms))
            return jail;
    }
    return NULL;
}

/* 0: not reached. */
static int64_t wait_ms(const struct jails *jails, size_t index, const struct event *event,
                       int64_t now_ms)
{
    const struct config_jail *jail = &jails->config->jails[index];
    struct prefix key = jail_key(jail, event);
    const struct window *window = counters_look(&jails->counters[index], &key);

    return window ? window_wait_ms(window, (int64_t)jail->findtime_sec * 1000,
                                   jail_limit(jail, false), now_ms)
                  : 0;
}

const struct config_jail *jails_limit(const struct jails *jails, const struct origin *origin,
                                      unsigned kinds, const char *login, int64_t now_ms,
                                      int64_t *wait_ms_r)
{
    const struct event event = {.login = login};
    const struct config_jail *longest = NULL;

    *wait_ms_r = 0;
    for (size_t i = 0; i < jails->config->jail_count; i++) {
        const struct config_jail *jail = &jails->config->jails[i];
        if (jail->action != JAIL_ACTION_DEFER || !jail_is_by_login(jail) ||
            !jail_wants(jail, kinds) || !jail_applies(jail, origin->kind, kinds, login))
            continue;
        int64_t ms = wait_ms(jails, i, &event, now_ms);
        if (ms <= *wait_ms_r)
            continue;
        *wait_ms_r = ms;
        longest = jail;
    }
    return longest;
}
