/* SPDX-License-Identifier: MIT */
#ifndef PN_POLICYD_JAIL_H
#define PN_POLICYD_JAIL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/config/config.h"
#include "common/net/origin.h"
#include "policyd/window.h"

#define JAIL_HASHES_MAX 100 /* different passwords that are told apart for one key */

/* One thing a client did. Text is borrowed for the call. */
struct event {
    unsigned kind;           /* one CONFIG_EVENT_* */
    struct addr client;      /* a known origin's address */
    const char *login;       /* that was tried, or "" */
    const char *fingerprint; /* of the password that was tried, or "" */
    unsigned weight;    /* how many it counts as, 0: none; one that is told: EVENT_WEIGHT_MAX */
    bool is_of_mail;    /* of a honeypot: a recipient, which others can have a part in */
    bool is_known;      /* the login has succeeded from this client in the last week */
    int64_t at_wall_ms; /* when it was, if that is not now; else 0 */
    const struct origin *origin; /* of the client; for the log, as protocol */
    const char *protocol; /* "imap", "smtp", …; for the log, as those below: NULL when unknown */
    const char *recipient;
    const char *session;
};

#define EVENT_WEIGHT_MAX 100
#define JAIL_HIT_MAX     10000 /* an event counts as no more in any jail */
#define JAIL_KNOWN_MAKES 3     /* so many times as many events are too many then */

/* "auth_fail" and kin; event_kind() gives 0 for a word that is no event's. */
const char *event_name(unsigned kind);
unsigned event_kind(const char *name);

/* Whether Dovecot tells of it, not one who takes mail. */
bool event_is_of_login(const struct event *event);

enum jail_decision {
    JAIL_IGNORED, /* not one of its events, or the same password again */
    JAIL_COUNTED,
    JAIL_REACHED, /* counted, and it was the one too many, or there were too many before */
};

/* Whether the jail asks for events of any of these kinds; how many each of one kind counts as. */
bool jail_wants(const struct config_jail *jail, unsigned kinds);
unsigned jail_weight(const struct config_jail *jail, unsigned kind);

/*
 * The same for jails that count alike, over restarts: name, key and time. Which events it
 * asks for, how many are too many and what it does then is no part of it.
 */
uint64_t jail_identity(const struct config_jail *jail);

/* Whether the client is no matter to it: it counts by a login, or by its domain. */
bool jail_is_by_login(const struct config_jail *jail);

/*
 * Whether it counts what a client of such an origin does with this login: by client, of a
 * known one; by login, of a masked one too, and what is submitted, of a local one (webmail);
 * by both, of a known one that gave a login. kind is the event's, 0 for any other.
 */
bool jail_applies(const struct config_jail *jail, enum origin_kind origin, unsigned kind,
                  const char *login);

/* What a jail by login counts of it: all, or "@example.com" by domain, where it has one. */
const char *jail_login(const struct config_jail *jail, const char *login);

/*
 * What it counts an event by: the client's net, or a hash of its login (in any case) or the
 * login's domain, with the client's net or without, as an address of another family, which no net
 * contains. A ban of a login has the first of them, too.
 */
#define JAIL_KEY_LOGIN        16
#define JAIL_KEY_CLIENT_LOGIN 17
struct prefix jail_key(const struct config_jail *jail, const struct event *event);
/* By login alone its key of this one, or, of NULL, by client alone that of net; else false. */
bool jail_key_of(const struct config_jail *jail, const char *login, const struct prefix *net,
                 struct prefix *key_r);
/* The key of a login; whether a key is a hash as these, and no net. */
struct prefix jail_key_of_login(const char *login);
bool jail_key_is_hash(const struct prefix *key);

/* The client's net, whatever the jail counts by. */
struct prefix jail_net(const struct config_jail *jail, const struct addr *client);

/* So many are too many of such a client. */
uint64_t jail_limit(const struct config_jail *jail, bool is_known);

/* How it counts an event. */
struct jail_count {
    int64_t findtime_ms;
    uint64_t limit;    /* so many are too many */
    unsigned weight;   /* 0: it does not count */
    uint32_t hash_max; /* 0: each counts; else it remembers so many hashes, and knows this by */
    uint32_t hash;
};
struct jail_count jail_count_of(const struct config_jail *jail, const struct event *event);
enum jail_decision jail_count(const struct jail_count *by, struct window *window, int64_t now_ms);

/* The count with this event is too many, and without it was not. */
bool jail_is_first_reached(const struct config_jail *jail, const struct event *event,
                           uint64_t count);

/* Seconds of a ban by one who had so many before; chance is any number. */
uint64_t jail_bantime(const struct config_jail *jail, uint64_t bans_before, uint32_t chance);

/*
 * Count the event in the window of its key at now_ms. With
 * distinct_password, the same password for the same login is one event; an event
 * that tells no fingerprint counts each time, or a mechanism without a plain
 * password could be guessed at for ever.
 */
enum jail_decision jail_hit(const struct config_jail *jail, struct window *window,
                            const struct event *event, int64_t now_ms);

#endif
