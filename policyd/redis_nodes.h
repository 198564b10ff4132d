/* SPDX-License-Identifier: MIT */
#ifndef PN_POLICYD_REDIS_NODES_H
#define PN_POLICYD_REDIS_NODES_H

#include "policyd/redis_map.h"
#include "policyd/redis_server.h"

/* The masters, each with a connection, and which of them a key is at. */
struct redis_nodes;

struct redis_nodes_options {
    struct loop *loop;
    const struct clock *clock;
    const struct redis_login *login; /* borrowed, with its texts */
    bool has_slots;                  /* a Cluster; otherwise the first master has all */
    void (*up)(const char *address, void *ctx);
    /* After each attempt that failed, too: was_up tells. */
    void (*down)(const char *address, bool was_up, const char *why, void *ctx);
    void *ctx;
};

struct redis_nodes *redis_nodes_new(const struct redis_nodes_options *options);
void redis_nodes_free(struct redis_nodes **nodes);

/*
 * What the map does not have any more is dropped, and what was on its way there lost; but
 * not who was named by a redirection lately. Not from within up or down.
 */
void redis_nodes_set(struct redis_nodes *nodes, const struct redis_map *map);
/* A slot moved there. */
void redis_nodes_move(struct redis_nodes *nodes, unsigned slot, const char *address);

size_t redis_nodes_count(const struct redis_nodes *nodes); /* of masters in the map */
size_t redis_nodes_ready(const struct redis_nodes *nodes); /* of these */
const char *redis_nodes_address(const struct redis_nodes *nodes, size_t i);

/* Whether the map has it. */
bool redis_nodes_have(const struct redis_nodes *nodes, const char *address);

/* NULL: away. By address: one that is not known yet becomes so, and is away until it is up. */
struct redis_link *redis_nodes_link(const struct redis_nodes *nodes, size_t i);
/* Of a master in the map. */
struct redis_link *redis_nodes_link_of_master(const struct redis_nodes *nodes, const char *address);
struct redis_link *redis_nodes_link_of_slot(const struct redis_nodes *nodes, unsigned slot);
struct redis_link *redis_nodes_link_of_address(struct redis_nodes *nodes, const char *address);

#endif
