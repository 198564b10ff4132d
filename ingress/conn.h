/* SPDX-License-Identifier: MIT */
#ifndef PN_INGRESS_CONN_H
#define PN_INGRESS_CONN_H

#include <stddef.h>

#include "common/base/addr.h"
#include "common/base/clock.h"
#include "common/base/endpoint.h"
#include "common/base/log_limit.h"
#include "common/config/config.h"
#include "common/net/listener.h"
#include "common/net/loop.h"
#include "common/net/origin.h"
#include "ingress/bantable.h"
#include "ingress/clients.h"
#include "ingress/pipes.h"
#include "ingress/sessions.h"
#include "ingress/stats.h"

/* What all connections of the daemon share. */
struct conn_world {
    struct loop *loop;
    const struct clock *clock;
    const struct config *config;
    const struct origin_rules *rules;
    struct bantable *bans;
    struct clients *clients;
    struct pipes *pipes;
    struct sessions *sessions;
};

struct conn;

/* One ingress section at work. */
struct conn_port {
    struct conn_world *world;
    const struct config_ingress *config;
    struct endpoint upstream;
    struct listener *listener;
    struct conn *first; /* all that are open */
    size_t count;
    struct port_stats stats;
    struct log_limit complaints;
    struct transparent_check *check; /* of a transparent one, at the start; NULL: none, or done */
    bool is_upstream_down;           /* the last connect(2) failed: said once */
};

/*
 * A connection, from accept(2) on: whatever happens to it ends with its descriptors closed
 * and its place at the listener given back. fd is owned from now on. ctx: struct conn_port.
 */
void conn_accept(int fd, const struct addr *peer, void *ctx);

/*
 * The client of this link is banned: its connection ends now, if the ban reaches its port.
 * ctx: enum bantable_reach.
 */
void conn_cut(struct client_link *link, void *ctx);

/* Ends every connection of the port. */
void conn_end_all(struct conn_port *port);

#endif
