/* SPDX-License-Identifier: MIT */
#ifndef PN_POLICYD_REDIS_PEER_H
#define PN_POLICYD_REDIS_PEER_H

#include "policyd/redis_link.h"

/*
 * A connection that is made again and again: after the first failure at once, or nearly,
 * and then ever more slowly.
 */
struct redis_peer;

/* None is called from within a function of this file. */
struct redis_peer_handler {
    /* The address to try now, borrowed for the moment; NULL: none is known yet. */
    const char *(*address)(void *ctx);
    void (*up)(void *ctx);
    void (*down)(const char *why, void *ctx); /* after each attempt that failed, too */
    void (*message)(const uint8_t *bytes, size_t len, void *ctx);
    void *ctx;
};

/* login, its texts and channel (NULL: none) are borrowed. */
struct redis_peer *redis_peer_new(struct loop *loop, const struct clock *clock,
                                  const struct redis_login *login, const char *channel,
                                  const struct redis_peer_handler *handler);
/* Nobody is called. Not from within a handler of its own. */
void redis_peer_free(struct redis_peer **peer);
/* The same, after all that was on its way was called lost. */
void redis_peer_drop(struct redis_peer **peer);

/* NULL while there is none that is ready. */
struct redis_link *redis_peer_link(const struct redis_peer *peer);

#endif
