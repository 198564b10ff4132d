/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/jail.h"

#include <endian.h>
#include <string.h>

#include "common/base/str.h"

static const struct {
    unsigned kind;
    const char *name;
} events[] = {
    {CONFIG_EVENT_AUTH_FAIL, "auth_fail"},       {CONFIG_EVENT_RCPT_UNKNOWN, "rcpt_unknown"},
    {CONFIG_EVENT_RELAY_DENIED, "relay_denied"}, {CONFIG_EVENT_RCPT_REJECTED, "rcpt_rejected"},
    {CONFIG_EVENT_SPF_FAIL, "spf_fail"},         {CONFIG_EVENT_DKIM_FAIL, "dkim_fail"},
    {CONFIG_EVENT_DMARC_FAIL, "dmarc_fail"},     {CONFIG_EVENT_CONNECT, "connect"},
    {CONFIG_EVENT_HONEYPOT, "honeypot"},         {CONFIG_EVENT_MESSAGE, "message"},
    {CONFIG_EVENT_RECIPIENT, "recipient"},
};

const char *event_name(unsigned kind)
{
    for (size_t i = 0; i < sizeof(events) / sizeof(*events); i++) {
        if (events[i].kind == kind)
            return events[i].name;
    }
    return "unknown";
}

unsigned event_kind(const char *name)
{
    for (size_t i = 0; i < sizeof(events) / sizeof(*events); i++) {
        if (str_eq(events[i].name, name))
            return events[i].kind;
    }
    return 0;
}

bool event_is_of_login(const struct event *event)
{
    return event->kind == CONFIG_EVENT_AUTH_FAIL ||
           (event->kind == CONFIG_EVENT_HONEYPOT && !event->is_of_mail);
}

bool jail_wants(const struct config_jail *jail, unsigned kinds)
{
    return (jail->events & kinds) != 0;
}

unsigned jail_weight(const struct config_jail *jail, unsigned kind)
{
    unsigned weight = jail->weights[__builtin_ctz(kind)];
    return weight ? weight : 1;
}

bool jail_is_by_login(const struct config_jail *jail)
{
    return jail->count_by == COUNT_BY_LOGIN || jail->count_by == COUNT_BY_DOMAIN;
}

static bool is_submission(unsigned kind)
{
    return (kind & CONFIG_EVENTS_OF_SUBMISSION) != 0;
}

bool jail_applies(const struct config_jail *jail, enum origin_kind origin, unsigned kind,
                  const char *login)
{
    if (jail_is_by_login(jail))
        return *login && (origin == ORIGIN_KNOWN || origin == ORIGIN_MASKED ||
                          (origin == ORIGIN_LOCAL && is_submission(kind)));
    return origin == ORIGIN_KNOWN && (*login || jail->count_by == COUNT_BY_CLIENT);
}

static int64_t findtime_ms(const struct config_jail *jail)
{
    return (int64_t)jail->findtime_sec * 1000;
}

/*
 * FNV-1a: it must be the same after a restart, so it has no random key. A fingerprint is
 * a keyed hash itself, so that nobody can choose passwords by it.
 */
#define HASH_START UINT64_C(0xcbf29ce484222325)

static uint64_t hash_more(uint64_t hash, const void *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ ((const uint8_t *)bytes)[i]) * UINT64_C(0x100000001b3);
    return hash;
}

/*
 * Two hashes of the login as Dovecot's own default has it, in lower case, behind the net where
 * there is one.
 */
static struct prefix login_key(const char *login, const struct prefix *net)
{
    static const uint64_t starts[] = {HASH_START, ~HASH_START};
    struct prefix key = {.addr.family = net ? JAIL_KEY_CLIENT_LOGIN : JAIL_KEY_LOGIN};

    for (size_t half = 0; half < 2; half++) {
        uint64_t hash = starts[half];
        if (net) {
            hash = hash_more(hash, &net->addr.family, 1);
            hash = hash_more(hash, &net->bits, 1);
            hash = hash_more(hash, net->addr.bytes, sizeof(net->addr.bytes));
        }
        for (const char *p = login; *p; p++) {
            char c = (char)(*p >= 'A' && *p <= 'Z' ? *p + 32 : *p);
            hash = hash_more(hash, &c, 1);
        }
        hash = htobe64(hash);
        memcpy(key.addr.bytes + 8 * half, &hash, sizeof(hash));
    }
    return key;
}

struct prefix jail_net(const struct config_jail *jail, const struct addr *client)
{
    return prefix_of(client, client->family == ADDR_IPV4 ? jail->prefix4 : jail->prefix6);
}

const char *jail_login(const struct config_jail *jail, const char *login)
{
    const char *at = jail->count_by == COUNT_BY_DOMAIN ? strrchr(login, '@') : NULL;
    return at ? at : login;
}

struct prefix jail_key_of_login(const char *login)
{
    return login_key(login, NULL);
}

bool jail_key_is_hash(const struct prefix *key)
{
    return key->addr.family == JAIL_KEY_LOGIN || key->addr.family == JAIL_KEY_CLIENT_LOGIN;
}

struct prefix jail_key(const struct config_jail *jail, const struct event *event)
{
    if (jail_is_by_login(jail))
        return login_key(jail_login(jail, event->login), NULL);
    struct prefix net = jail_net(jail, &event->client);
    return jail->count_by == COUNT_BY_CLIENT ? net : login_key(event->login, &net);
}

bool jail_key_of(const struct config_jail *jail, const char *login, const struct prefix *net,
                 struct prefix *key_r)
{
    if (login ? !jail_is_by_login(jail) : jail->count_by != COUNT_BY_CLIENT)
        return false;
    *key_r = jail_key(jail, &(struct event){.client = net->addr, .login = login});
    return true;
}

uint64_t jail_limit(const struct config_jail *jail, bool is_known)
{
    uint64_t limit = (uint64_t)jail->maxretry * (is_known ? JAIL_KNOWN_MAKES : 1);
    return limit < WINDOW_COUNT_MAX ? limit : WINDOW_COUNT_MAX;
}

static unsigned weight_of(const struct config_jail *jail, const struct event *event)
{
    unsigned weight = event->weight * jail_weight(jail, event->kind);
    return weight < JAIL_HIT_MAX ? weight : JAIL_HIT_MAX;
}

bool jail_is_first_reached(const struct config_jail *jail, const struct event *event,
                           uint64_t count)
{
    uint64_t limit = jail_limit(jail, event->is_known);

    return count >= limit && count - limit < weight_of(jail, event);
}

uint64_t jail_bantime(const struct config_jail *jail, uint64_t bans_before, uint32_t chance)
{
    uint64_t seconds = jail->bantime_sec;
    uint64_t max = jail->bantime_max_sec > seconds ? jail->bantime_max_sec : seconds;

    for (; bans_before && jail->bantime_factor > 1 && seconds < max; bans_before--)
        seconds *= jail->bantime_factor;
    return (seconds < max ? seconds : max) + chance % ((uint64_t)jail->bantime_jitter_sec + 1);
}

/* The login belongs to it: two logins may well have one short fingerprint. */
static uint32_t hash_of(const struct event *event)
{
    uint64_t hash = hash_more(HASH_START, event->login, strlen(event->login) + 1);

    hash = hash_more(hash, event->fingerprint, strlen(event->fingerprint));
    return (uint32_t)(hash ^ hash >> 32);
}

uint64_t jail_identity(const struct config_jail *jail)
{
    uint32_t numbers[] = {(uint32_t)jail->count_by, jail->distinct_password, jail->findtime_sec,
                          jail->prefix4, jail->prefix6};
    uint64_t hash = hash_more(HASH_START, jail->name, strlen(jail->name) + 1);

    for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
        numbers[i] = htobe32(numbers[i]);
    return hash_more(hash, numbers, sizeof(numbers));
}

static uint32_t hash_max(const struct config_jail *jail, const struct event *event)
{
    uint64_t limit = jail_limit(jail, event->is_known);
    return limit < JAIL_HASHES_MAX ? (uint32_t)limit : JAIL_HASHES_MAX;
}

struct jail_count jail_count_of(const struct config_jail *jail, const struct event *event)
{
    bool is_distinct = jail->distinct_password && *event->fingerprint;

    return (struct jail_count){
        .findtime_ms = findtime_ms(jail),
        .limit = jail_limit(jail, event->is_known),
        .weight = jail_wants(jail, event->kind) ? weight_of(jail, event) : 0,
        .hash_max = is_distinct ? hash_max(jail, event) : 0,
        .hash = is_distinct ? hash_of(event) : 0,
    };
}

static bool add(const struct jail_count *by, struct window *window, int64_t now_ms)
{
    bool is_distinct = by->hash_max != 0;

    if (is_distinct &&
        !window_add_distinct(window, by->findtime_ms, by->hash, by->hash_max, now_ms))
        return false;
    window_add_many(window, by->findtime_ms, by->weight - is_distinct, now_ms);
    return true;
}

enum jail_decision jail_count(const struct jail_count *by, struct window *window, int64_t now_ms)
{
    if (!by->weight || !add(by, window, now_ms))
        return JAIL_IGNORED;
    return window_count(window, by->findtime_ms, now_ms) < by->limit ? JAIL_COUNTED : JAIL_REACHED;
}

enum jail_decision jail_hit(const struct config_jail *jail, struct window *window,
                            const struct event *event, int64_t now_ms)
{
    struct jail_count by = jail_count_of(jail, event);

    return jail_count(&by, window, now_ms);
}
