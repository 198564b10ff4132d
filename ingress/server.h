/* SPDX-License-Identifier: MIT */
#ifndef PN_INGRESS_SERVER_H
#define PN_INGRESS_SERVER_H

#include "common/base/error.h"
#include "common/config/config.h"
#include "common/net/loop.h"
#include "common/net/origin.h"
#include "ingress/predecessor.h"

/* Every ingress section, and the http sections whose program is the ingress. */
struct server;

/* Open the listeners, while the process may. NULL when one cannot be opened. */
struct server *server_bind(const struct config *config, struct error *error_r);

/* Follow policyd's bans, answer over HTTP. rules lives longer than the server. 0 or -1. */
int server_start(struct server *server, struct loop *loop, const struct origin_rules *rules,
                 struct error *error_r) __attribute__((warn_unused_result));

/* Take connections, and answer who they are. A process before this one has stopped to. */
void server_accept(struct server *server);

/* The listening sockets, for the next process: those of a service manager come first. */
const int *server_listening(const struct server *server, size_t *count_r, size_t *managed_r);
/* Another process has the listening sockets: what is open goes on, and nothing new comes. */
void server_drain(struct server *server);
size_t server_open_count(const struct server *server);
/* All that are open: each peer sees a reset. */
void server_end_connections(struct server *server);
struct sessions *server_sessions(struct server *server);
/* Of the processes before this one, as they tell: it is shown, no more. */
struct drain_counts *server_draining(struct server *server);

/* Ends every connection. */
void server_free(struct server **server);

#endif
