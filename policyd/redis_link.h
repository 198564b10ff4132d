/* SPDX-License-Identifier: MIT */
#ifndef PN_POLICYD_REDIS_LINK_H
#define PN_POLICYD_REDIS_LINK_H

#include "policyd/redis_command.h"
#include "policyd/redis_greeting.h"

/*
 * One connection to one server, from its beginning to its end: it connects, logs in,
 * subscribes where it is told to, carries commands in their order, and ends when a reply
 * is late.
 */
struct redis_link;

/* None is called from within a function of this file. */
struct redis_link_handler {
    void (*ready)(void *ctx);
    void (*ended)(const char *why, void *ctx); /* the last call; the link may be freed in it */
    void (*message)(const uint8_t *bytes, size_t len, void *ctx);
    void *ctx;
};

#define REDIS_ADDRESS_MAX 300 /* "HOST:PORT", "[IPV6]:PORT" or "unix:/PATH" */
#define REDIS_WHY_MAX     512

/* login's texts and channel are borrowed. turn: which of a name's addresses is tried. */
struct redis_link *redis_link_new(struct loop *loop, const struct clock *clock, const char *address,
                                  unsigned turn, const struct redis_login *login,
                                  const char *channel, const struct redis_link_handler *handler);
/* What is on its way is freed, and nobody called. */
void redis_link_free(struct redis_link **link);
/* The same, after all that was on its way was called lost. */
void redis_link_drop(struct redis_link **link);

bool redis_link_is_ready(const struct redis_link *link);
const char *redis_link_address(const struct redis_link *link);
/* false: not ready, or too much on its way; the command stays the caller's. */
bool redis_link_send(struct redis_link *link, struct redis_command *command);
/* Has it end soon, as if the connection had been lost. */
void redis_link_fail(struct redis_link *link, const char *why);

#endif
