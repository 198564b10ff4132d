/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "ingress/clients.h"

#include <stdlib.h>

#include "common/base/bug.h"
#include "common/base/mem.h"

#define IPV6_BITS 64

static struct client *client_of(const struct map_node *node)
{
    return node ? MAP_ENTRY(node, struct client, node) : NULL;
}

static bool has_key(const struct map_node *node, const void *key, size_t len)
{
    (void)len;
    return addr_eq(&client_of(node)->key.addr, key);
}

static struct prefix key_of(const struct addr *addr)
{
    return prefix_of(addr, addr->family == ADDR_IPV6 ? IPV6_BITS : 32);
}

void clients_init(struct clients *clients)
{
    map_init(&clients->map, has_key);
}

void clients_fini(struct clients *clients)
{
    BUG_ON(clients->map.count);
    map_fini(&clients->map);
}

static struct client *find(const struct clients *clients, const struct prefix *key)
{
    return client_of(map_find(&clients->map, &key->addr, sizeof(key->addr)));
}

size_t clients_count(const struct clients *clients, const struct addr *addr)
{
    struct prefix key = key_of(addr);
    const struct client *client = find(clients, &key);

    return client ? client->count : 0;
}

void clients_add(struct clients *clients, struct client_link *link, const struct addr *addr)
{
    struct prefix key = key_of(addr);
    struct client *client = find(clients, &key);

    if (!client) {
        client = x_calloc(1, sizeof(*client));
        client->key = key;
        map_insert(&clients->map, &client->node, &client->key.addr, sizeof(client->key.addr));
    }
    *link = (struct client_link){.client = client, .addr = *addr, .next = client->first};
    if (link->next)
        link->next->prev = link;
    client->first = link;
    client->count++;
}

void clients_remove(struct clients *clients, struct client_link *link)
{
    struct client *client = link->client;

    if (!client)
        return;
    if (link->prev)
        link->prev->next = link->next;
    else
        client->first = link->next;
    if (link->next)
        link->next->prev = link->prev;
    link->client = NULL;
    if (--client->count)
        return;
    map_remove(&clients->map, &client->node);
    free(client);
}

/* The last fn may free client: its links were all in prefix and removed. */
static void each_of(struct client *client, const struct prefix *prefix, clients_fn fn, void *ctx)
{
    struct client_link *next = NULL;

    for (struct client_link *link = client->first; link; link = next) {
        next = link->next;
        if (prefix_contains(prefix, &link->addr))
            fn(link, ctx);
    }
}

void clients_each_within(struct clients *clients, const struct prefix *prefix, clients_fn fn,
                         void *ctx)
{
    struct prefix key = key_of(&prefix->addr);
    struct map_node *next = NULL;

    if (prefix->bits >= key.bits) {
        struct client *client = find(clients, &key);
        if (client)
            each_of(client, prefix, fn, ctx);
        return;
    }
    for (struct map_node *node = map_next(&clients->map, NULL); node; node = next) {
        next = map_next(&clients->map, node);
        if (prefix_overlaps(prefix, &client_of(node)->key))
            each_of(client_of(node), prefix, fn, ctx);
    }
}
