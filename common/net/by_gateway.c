/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/net/by_gateway.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/base/str.h"

/* Items are added in front and never taken out, so a walk needs no lock. */
struct by_gateway_item {
    struct by_gateway_item *next;
    char *name;
    atomic_uint_fast64_t count;
};

static struct by_gateway_item *find(const struct by_gateway *counts, const char *name)
{
    struct by_gateway_item *item = atomic_load(&counts->first);

    while (item && !str_eq(item->name, name))
        item = item->next;
    return item;
}

static void item_free(struct by_gateway_item *item)
{
    free(item->name);
    free(item);
}

/* Two threads may meet a gateway for the first time at once: one of them finds the other's. */
static struct by_gateway_item *find_or_add(struct by_gateway *counts, const char *name)
{
    struct by_gateway_item *found = find(counts, name);

    if (found)
        return found;
    struct by_gateway_item *item = x_calloc(1, sizeof(*item));
    item->name = x_strdup(name);
    item->next = atomic_load(&counts->first);
    while (!(found = find(counts, name)) &&
           !atomic_compare_exchange_strong(&counts->first, &item->next, item))
        continue;
    if (found)
        item_free(item);
    return found ? found : item;
}

void by_gateway_count(struct by_gateway *counts, const struct origin *origin)
{
    if (origin->gateway)
        atomic_fetch_add_explicit(&find_or_add(counts, origin->gateway->name)->count, 1,
                                  memory_order_relaxed);
}

void by_gateway_put(const struct by_gateway *counts, const struct metric *metric, struct buf *out)
{
    for (struct by_gateway_item *item = atomic_load(&counts->first); item; item = item->next)
        metric_put(out, metric, (const char *[]){item->name, NULL},
                   atomic_load_explicit(&item->count, memory_order_relaxed));
}

void by_gateway_fini(struct by_gateway *counts)
{
    struct by_gateway_item *item = atomic_load(&counts->first), *next;

    for (; item; item = next) {
        next = item->next;
        item_free(item);
    }
    atomic_store(&counts->first, NULL);
}
