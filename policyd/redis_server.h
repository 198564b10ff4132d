/* SPDX-License-Identifier: MIT */
#ifndef PN_POLICYD_REDIS_SERVER_H
#define PN_POLICYD_REDIS_SERVER_H

#include "policyd/redis_link.h"

/*
 * A server, and the connection to it, which is made again and again: after the first failure
 * at once, or nearly, and then ever more slowly.
 */
struct redis_server;

/* None is called from within a function of this file. */
struct redis_server_handler {
    /* The address to try now, borrowed for the moment; NULL: none is known yet. */
    const char *(*address)(void *ctx);
    void (*up)(void *ctx);
    void (*down)(const char *why, void *ctx); /* after each attempt that failed, too */
    void (*message)(const uint8_t *bytes, size_t len, void *ctx);
    void *ctx;
};

/* login, its texts and channel (NULL: none) are borrowed. */
struct redis_server *redis_server_new(struct loop *loop, const struct clock *clock,
                                      const struct redis_login *login, const char *channel,
                                      const struct redis_server_handler *handler);
/* Nobody is called. Not from within a handler of its own. */
void redis_server_free(struct redis_server **server);
/* The same, after all that was on its way was called lost. */
void redis_server_drop(struct redis_server **server);

/* NULL while there is none that is ready. */
struct redis_link *redis_server_link(const struct redis_server *server);

#endif
