/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/history.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/bug.h"
#include "common/base/map.h"
#include "common/base/mem.h"
#include "common/base/str.h"

#define NOBODY UINT32_MAX

/* Its events are a list by next_of_client, the oldest first. */
struct client {
    struct map_node in_map;
    struct prefix net;
    uint32_t oldest;
    uint32_t newest;
    uint32_t count;
};

struct entry {
    struct history_event event; /* the first member */
    struct client *client;
    uint32_t older; /* of all, in the order in which they came here */
    uint32_t newer;
    uint32_t next_of_client;
};

_Static_assert(sizeof(struct entry) <= 320, "7 MiB of them, with their clients");

struct ring {
    struct entry *entries;
    uint32_t taken; /* entries below this are in use */
    uint32_t oldest;
    uint32_t newest;
    struct map clients;
};

struct history {
    struct ring recent;
    struct ring kept; /* copies of what those who were banned had done */
    uint64_t last;
};

static bool client_has_net(const struct map_node *node, const void *key, size_t key_len)
{
    (void)key_len;
    return prefix_eq(&MAP_ENTRY(node, struct client, in_map)->net, key);
}

static void ring_init(struct ring *ring)
{
    *ring = (struct ring){
        .entries = x_calloc(HISTORY_MAX, sizeof(*ring->entries)),
        .oldest = NOBODY,
        .newest = NOBODY,
    };
    map_init(&ring->clients, client_has_net);
}

struct history *history_new(void)
{
    struct history *history = x_calloc(1, sizeof(*history));

    ring_init(&history->recent);
    ring_init(&history->kept);
    return history;
}

/* --- one ring --------------------------------------------------------------------------- */

static void unlink_entry(struct ring *ring, const struct entry *entry)
{
    if (entry->older != NOBODY)
        ring->entries[entry->older].newer = entry->newer;
    else
        ring->oldest = entry->newer;
    if (entry->newer != NOBODY)
        ring->entries[entry->newer].older = entry->older;
    else
        ring->newest = entry->older;
}

/* Always a client's oldest: the oldest of all is that, too. */
static uint32_t drop_oldest_of(struct ring *ring, struct client *client)
{
    uint32_t index = client->oldest;

    unlink_entry(ring, &ring->entries[index]);
    client->oldest = ring->entries[index].next_of_client;
    if (--client->count == 0) {
        map_remove(&ring->clients, &client->in_map);
        free(client);
    }
    return index;
}

static struct client *find_client(const struct ring *ring, const struct prefix *net)
{
    struct map_node *node = map_find(&ring->clients, net, sizeof(*net));
    return node ? MAP_ENTRY(node, struct client, in_map) : NULL;
}

static struct client *add_client(struct ring *ring, const struct prefix *net)
{
    struct client *client = x_calloc(1, sizeof(*client));

    client->net = *net;
    client->oldest = NOBODY;
    map_insert(&ring->clients, &client->in_map, &client->net, sizeof(client->net));
    return client;
}

/* The client's count has the new one already: what makes room for it does not end him. */
static uint32_t take_entry(struct ring *ring, struct client *client)
{
    if (client->count > HISTORY_CLIENT_MAX)
        return drop_oldest_of(ring, client);
    if (ring->taken < HISTORY_MAX)
        return ring->taken++;
    return drop_oldest_of(ring, ring->entries[ring->oldest].client);
}

/* The place of a new event of this client, the newest now. */
static struct history_event *ring_add(struct ring *ring, const struct addr *addr)
{
    struct prefix net = history_net(addr);
    struct client *client = find_client(ring, &net);

    if (!client)
        client = add_client(ring, &net);
    client->count++;
    uint32_t index = take_entry(ring, client);
    struct entry *entry = &ring->entries[index];
    entry->client = client;
    entry->older = ring->newest;
    entry->newer = entry->next_of_client = NOBODY;
    if (ring->newest != NOBODY)
        ring->entries[ring->newest].newer = index;
    else
        ring->oldest = index;
    ring->newest = index;
    if (client->oldest != NOBODY)
        ring->entries[client->newest].next_of_client = index;
    else
        client->oldest = index;
    client->newest = index;
    return &entry->event;
}

static void ring_fini(struct ring *ring)
{
    while (ring->oldest != NOBODY)
        drop_oldest_of(ring, ring->entries[ring->oldest].client);
    map_fini(&ring->clients);
    free(ring->entries);
}

void history_free(struct history **history)
{
    if (!*history)
        return;
    ring_fini(&(*history)->recent);
    ring_fini(&(*history)->kept);
    free(*history);
    *history = NULL;
}

/* --- what comes in ------------------------------------------------------------------------ */

struct prefix history_net(const struct addr *client)
{
    return prefix_of(client, client->family == ADDR_IPV4 ? 32 : 64);
}

/* Cut before a character that does not fit whole. */
static void copy_text(char *out, size_t size, const char *text)
{
    size_t len = text ? strnlen(text, size) : 0;

    if (len == size) {
        len--;
        while (len && ((unsigned char)text[len] & 0xc0) == 0x80)
            len--;
    }
    if (len)
        memcpy(out, text, len);
    out[len] = 0;
}

#define COPY_TEXT(out, text) copy_text(out, sizeof(out), text)

struct history_place history_add(struct history *history, const struct event *event,
                                 int64_t at_wall_ms)
{
    struct history_event *added = ring_add(&history->recent, &event->client);

    added->number = ++history->last;
    added->at_wall_ms = at_wall_ms;
    added->client = event->client;
    added->kind = event->kind;
    added->weight = event->weight;
    COPY_TEXT(added->protocol, event->protocol);
    COPY_TEXT(added->login, event->login);
    COPY_TEXT(added->recipient, event->recipient);
    COPY_TEXT(added->session, event->session);
    added->jails[0] = 0;
    added->led_to_ban = false;
    return (struct history_place){added, added->number};
}

static bool is_there(const struct history_place *place)
{
    return place->event && place->event->number == place->number;
}

void history_add_jail(const struct history_place *place, const char *jail)
{
    if (!is_there(place))
        return;
    char *jails = place->event->jails;
    size_t used = strlen(jails), comma = used ? 2 : 0, len = strlen(jail);
    if (used + comma + len >= sizeof(place->event->jails))
        return;
    memcpy(jails + used, ", ", comma);
    memcpy(jails + used + comma, jail, len + 1);
}

/* Of two jails that ban for one event the second finds all kept. */
void history_keep(struct history *history, const struct history_place *place)
{
    if (!is_there(place))
        return;
    struct prefix net = history_net(&place->event->client);
    const struct client *client = find_client(&history->recent, &net);
    const struct client *kept = find_client(&history->kept, &net);
    uint64_t seen = kept ? history->kept.entries[kept->newest].event.number : 0;

    place->event->led_to_ban = true;
    for (uint32_t i = client->oldest; i != NOBODY; i = history->recent.entries[i].next_of_client) {
        const struct history_event *event = &history->recent.entries[i].event;
        if (event->number > seen)
            *ring_add(&history->kept, &event->client) = *event;
    }
}

/* --- what is asked ------------------------------------------------------------------------ */

static size_t find_in(const struct ring *ring, const struct prefix *within, const char *login,
                      const struct history_event **found)
{
    size_t count = 0;

    for (uint32_t i = ring->newest; i != NOBODY && count < HISTORY_FOUND_MAX;
         i = ring->entries[i].older) {
        const struct history_event *event = &ring->entries[i].event;
        if (within ? prefix_contains(within, &event->client) : str_eq_nocase(login, event->login))
            found[count++] = event;
    }
    return count;
}

static int newest_first(const void *a, const void *b)
{
    const struct history_event *const *x = a, *const *y = b;
    return (*x)->number < (*y)->number ? 1 : (*x)->number > (*y)->number ? -1 : 0;
}

size_t history_find(const struct history *history, const struct prefix *within, const char *login,
                    const struct history_event *found[HISTORY_FOUND_MAX])
{
    const struct history_event *all[2 * HISTORY_FOUND_MAX];
    size_t all_count = find_in(&history->recent, within, login, all), count = 0;

    all_count += find_in(&history->kept, within, login, all + all_count);
    if (all_count)
        qsort(all, all_count, sizeof(*all), newest_first);
    for (size_t i = 0; i < all_count && count < HISTORY_FOUND_MAX; i++) {
        if (!count || all[i]->number != found[count - 1]->number)
            found[count++] = all[i];
    }
    return count;
}

uint64_t history_last(const struct history *history)
{
    return history->last;
}

const struct history_event *history_after(const struct history *history, uint64_t number)
{
    const struct ring *ring = &history->recent;
    const struct history_event *found = NULL;

    for (uint32_t i = ring->newest; i != NOBODY; i = ring->entries[i].older) {
        if (ring->entries[i].event.number <= number)
            break;
        found = &ring->entries[i].event;
    }
    return found;
}

const struct history_event *history_newer(const struct history *history,
                                          const struct history_event *event)
{
    const struct entry *entry = (const struct entry *)(const void *)event; /* its first member */
    return entry->newer == NOBODY ? NULL : &history->recent.entries[entry->newer].event;
}
