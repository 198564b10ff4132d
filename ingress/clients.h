/* SPDX-License-Identifier: MIT */
#ifndef PN_INGRESS_CLIENTS_H
#define PN_INGRESS_CLIENTS_H

#include <stddef.h>

#include "common/base/addr.h"
#include "common/base/map.h"

/*
 * The clients that have connections open, each with a list of them: to limit how many one
 * has, and to cut those of a client that gets banned. An IPv6 client is its /64.
 */
struct client {
    struct map_node node;
    struct prefix key;
    size_t count;
    struct client_link *first;
};

/* Lives in the connection. */
struct client_link {
    struct client *client; /* NULL: in no list */
    struct addr addr;
    struct client_link *prev, *next;
};

struct clients {
    struct map map;
};

void clients_init(struct clients *clients);
/* Nobody may have connections. */
void clients_fini(struct clients *clients);

/* How many connections that client has. */
size_t clients_count(const struct clients *clients, const struct addr *addr);
void clients_add(struct clients *clients, struct client_link *link, const struct addr *addr);
void clients_remove(struct clients *clients, struct client_link *link);

/* fn for each connection of an address within prefix; it may remove the link that it is given. */
typedef void (*clients_fn)(struct client_link *link, void *ctx);
void clients_each_within(struct clients *clients, const struct prefix *prefix, clients_fn fn,
                         void *ctx);

#endif
