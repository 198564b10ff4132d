/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/redis_nodes.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/base/str.h"

#define NAMED_MS 60000 /* a node that takes over its first slots is in no map yet */

struct node {
    struct redis_nodes *nodes;
    char address[REDIS_ADDRESS_MAX];
    struct redis_server *server;
    bool is_up;
    bool is_kept;          /* while the map changes */
    int64_t named_mono_ms; /* by the last redirection; 0: by none */
};

struct redis_nodes {
    struct redis_nodes_options options;
    struct node **items; /* first the masters of the map, then those that were named */
    size_t count, master_count;
    uint16_t slots[REDIS_SLOTS];
};

struct redis_nodes *redis_nodes_new(const struct redis_nodes_options *options)
{
    struct redis_nodes *nodes = x_calloc(1, sizeof(*nodes));

    nodes->options = *options;
    for (size_t i = 0; i < REDIS_SLOTS; i++)
        nodes->slots[i] = REDIS_NOBODY;
    return nodes;
}

void redis_nodes_free(struct redis_nodes **nodes)
{
    if (!*nodes)
        return;
    for (size_t i = 0; i < (*nodes)->count; i++) {
        redis_server_free(&(*nodes)->items[i]->server);
        free((*nodes)->items[i]);
    }
    free((*nodes)->items);
    free(*nodes);
    *nodes = NULL;
}

static const char *on_address(void *ctx)
{
    const struct node *node = ctx;

    return node->address;
}

static void on_up(void *ctx)
{
    struct node *node = ctx;

    node->is_up = true;
    node->nodes->options.up(node->address, node->nodes->options.ctx);
}

static void on_down(const char *why, void *ctx)
{
    struct node *node = ctx;
    bool was_up = node->is_up;

    node->is_up = false;
    node->nodes->options.down(node->address, was_up, why, node->nodes->options.ctx);
}

static struct node *new_node(struct redis_nodes *nodes, const char *address)
{
    const struct redis_nodes_options *options = &nodes->options;
    struct node *node = x_calloc(1, sizeof(*node));

    node->nodes = nodes;
    snprintf(node->address, sizeof(node->address), "%s", address);
    node->server =
        redis_server_new(options->loop, options->clock, options->login, NULL,
                         &(struct redis_server_handler){on_address, on_up, on_down, NULL, node});
    return node;
}

static size_t find(const struct redis_nodes *nodes, const char *address)
{
    size_t i = 0;

    while (i < nodes->count && !str_eq(nodes->items[i]->address, address))
        i++;
    return i;
}

/* The index of one that may be new; REDIS_NOBODY: there are too many. */
static size_t name(struct redis_nodes *nodes, const char *address)
{
    size_t i = find(nodes, address);

    if (i == nodes->count && i == REDIS_NODES_MAX)
        return REDIS_NOBODY;
    if (i == nodes->count) {
        nodes->items = x_reallocarray(nodes->items, i + 1, sizeof(nodes->items[0]));
        nodes->items[nodes->count++] = new_node(nodes, address);
    }
    nodes->items[i]->named_mono_ms = clock_mono_ms(nodes->options.clock);
    return i;
}

static bool was_named(const struct redis_nodes *nodes, const struct node *node)
{
    return node->named_mono_ms != 0 &&
           clock_mono_ms(nodes->options.clock) - node->named_mono_ms < NAMED_MS;
}

static void drop(struct node **old, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (old[i]->is_kept)
            continue;
        redis_server_drop(&old[i]->server);
        free(old[i]);
    }
    free(old);
}

void redis_nodes_set(struct redis_nodes *nodes, const struct redis_map *map)
{
    struct node **old = nodes->items;
    size_t old_count = nodes->count, at, room = map->masters.count + old_count;
    struct node **items = x_calloc(room, sizeof(struct node *));

    for (size_t i = 0; i < old_count; i++)
        old[i]->is_kept = false;
    for (size_t i = 0; i < map->masters.count; i++) {
        at = find(nodes, map->masters.items[i]);
        items[i] = at < old_count ? old[at] : new_node(nodes, map->masters.items[i]);
        items[i]->is_kept = true;
    }
    at = map->masters.count;
    for (size_t i = 0; i < old_count && at < REDIS_NODES_MAX; i++) {
        if (old[i]->is_kept || !was_named(nodes, old[i]))
            continue;
        old[i]->is_kept = true;
        items[at++] = old[i];
    }
    nodes->items = items;
    nodes->count = at;
    nodes->master_count = map->masters.count;
    for (size_t i = 0; i < REDIS_SLOTS; i++)
        nodes->slots[i] = map->slots[i];
    drop(old, old_count);
}

void redis_nodes_move(struct redis_nodes *nodes, unsigned slot, const char *address)
{
    nodes->slots[slot] = (uint16_t)name(nodes, address);
}

size_t redis_nodes_count(const struct redis_nodes *nodes)
{
    return nodes->master_count;
}

size_t redis_nodes_ready(const struct redis_nodes *nodes)
{
    size_t ready = 0;

    for (size_t i = 0; i < nodes->master_count; i++)
        ready += redis_nodes_link(nodes, i) != NULL;
    return ready;
}

const char *redis_nodes_address(const struct redis_nodes *nodes, size_t i)
{
    return nodes->items[i]->address;
}

bool redis_nodes_have(const struct redis_nodes *nodes, const char *address)
{
    return find(nodes, address) < nodes->master_count;
}

struct redis_link *redis_nodes_link(const struct redis_nodes *nodes, size_t i)
{
    return i < nodes->count ? redis_server_link(nodes->items[i]->server) : NULL;
}

struct redis_link *redis_nodes_link_of_master(const struct redis_nodes *nodes, const char *address)
{
    return redis_nodes_have(nodes, address) ? redis_nodes_link(nodes, find(nodes, address)) : NULL;
}

struct redis_link *redis_nodes_link_of_slot(const struct redis_nodes *nodes, unsigned slot)
{
    return redis_nodes_link(nodes, nodes->options.has_slots ? nodes->slots[slot] : 0);
}

struct redis_link *redis_nodes_link_of_address(struct redis_nodes *nodes, const char *address)
{
    return redis_nodes_link(nodes, name(nodes, address));
}
