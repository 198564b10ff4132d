/* SPDX-License-Identifier: MIT */
#ifndef PN_POLICYD_SERVER_H
#define PN_POLICYD_SERVER_H

#include <stdbool.h>

#include "common/base/error.h"
#include "common/config/config.h"
#include "common/net/loop.h"
#include "policyd/engine.h"

/* All listeners of the configuration: bound while the process is still root, served later. */
struct server;

/* Bind every listener that the file names. NULL and error_r when one cannot be. */
struct server *server_bind(const struct config *config, struct error *error_r);

/* Accept and answer. engine outlives the server. 0 or -1. */
int server_start(struct server *server, struct loop *loop, struct engine *engine,
                 struct error *error_r) __attribute__((warn_unused_result));

/*
 * Whether config asks for the same listeners, limits and tokens. Another user or store, which
 * are no listener's, is named in the log.
 */
bool server_fits(const struct server *server, const struct config *config);

/* The engine has another configuration: who follows the bans is told what holds now. */
void server_reconfigured(struct server *server);

/* Accept nobody any more; who is connected is still answered, over HTTP once. */
void server_stop(struct server *server);
/* Whether anybody waits for an answer, or is amid a request. */
bool server_is_busy(const struct server *server);

/* Hear nobody any more, but over HTTP; who waits for the engine is still answered. */
void server_last_call(struct server *server);

/* Closes all connections. Nothing may wait for the engine. */
void server_free(struct server **server);

#endif
