/* SPDX-License-Identifier: MIT */
#ifndef PN_INGRESS_SERVER_H
#define PN_INGRESS_SERVER_H

#include "common/base/error.h"
#include "common/config/config.h"
#include "common/net/loop.h"
#include "common/net/origin.h"

/* Every ingress section, and the http sections whose program is the ingress. */
struct server;

/* Open the listeners, while the process may. NULL when one cannot be opened. */
struct server *server_bind(const struct config *config, struct error *error_r);

/* Take connections, and follow policyd's bans. rules lives longer than the server. 0 or -1. */
int server_start(struct server *server, struct loop *loop, const struct origin_rules *rules,
                 struct error *error_r) __attribute__((warn_unused_result));

/* Ends every connection. */
void server_free(struct server **server);

#endif
