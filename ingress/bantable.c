/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "ingress/bantable.h"

#include <stdlib.h>

#include "common/base/mem.h"
#include "common/config/config.h"

struct ban {
    struct prefixset_node node;
    int64_t until_mono_ms;
    unsigned round;
    enum bantable_reach reach;
};

static struct ban *ban_of(struct prefixset_node *node)
{
    return node ? (struct ban *)(void *)node : NULL; /* its first member */
}

void bantable_init(struct bantable *table)
{
    *table = (struct bantable){.count = 0};
    prefixset_init(&table->set);
}

static void drop(struct bantable *table, struct ban *ban)
{
    prefixset_remove(&table->set, &ban->node);
    table->count--;
    free(ban);
}

/* Drops every ban that the test picks. */
static void drop_those(struct bantable *table, bool (*test)(const struct ban *ban, int64_t than),
                       int64_t than)
{
    struct prefixset_node *next = NULL;

    for (struct prefixset_node *node = prefixset_next(&table->set, NULL); node; node = next) {
        next = prefixset_next(&table->set, node);
        if (test(ban_of(node), than))
            drop(table, ban_of(node));
    }
}

static bool is_any(const struct ban *ban, int64_t than)
{
    (void)ban;
    (void)than;
    return true;
}

static bool is_of_another_round(const struct ban *ban, int64_t round)
{
    return ban->round != (unsigned)round;
}

static bool is_over(const struct ban *ban, int64_t now_mono_ms)
{
    return ban->until_mono_ms <= now_mono_ms;
}

void bantable_fini(struct bantable *table)
{
    drop_those(table, is_any, 0);
    prefixset_fini(&table->set);
}

bool bantable_put(struct bantable *table, const struct prefix *prefix, enum bantable_reach reach,
                  int64_t until_mono_ms)
{
    struct ban *ban = ban_of(prefixset_find(&table->set, prefix));

    if (!ban) {
        if (table->count == BANTABLE_MAX)
            return false;
        ban = x_calloc(1, sizeof(*ban));
        ban->node.prefix = *prefix;
        prefixset_insert(&table->set, &ban->node);
        table->count++;
    }
    ban->reach = reach;
    ban->until_mono_ms = until_mono_ms;
    ban->round = table->round;
    return true;
}

void bantable_remove(struct bantable *table, const struct prefix *prefix)
{
    struct ban *ban = ban_of(prefixset_find(&table->set, prefix));

    if (ban)
        drop(table, ban);
}

void bantable_begin_round(struct bantable *table)
{
    table->round++;
}

void bantable_end_round(struct bantable *table)
{
    drop_those(table, is_of_another_round, table->round);
}

bool bantable_reaches(enum bantable_reach reach, uint16_t port)
{
    return reach == BANTABLE_EVERY_PORT || port == CONFIG_SMTP_PORT;
}

static bool closes(const struct ban *ban, uint16_t port, int64_t now_mono_ms)
{
    return bantable_reaches(ban->reach, port) && !is_over(ban, now_mono_ms);
}

/* Where the longest prefix closes nothing, being over or of mail alone, a wider one may. */
bool bantable_has(const struct bantable *table, const struct addr *addr, uint16_t port,
                  int64_t now_mono_ms)
{
    const struct ban *ban = ban_of(prefixset_match(&table->set, addr));

    if (!ban)
        return false;
    if (closes(ban, port, now_mono_ms))
        return true;
    for (unsigned bits = ban->node.prefix.bits; bits-- > 0;) {
        struct prefix wider = prefix_of(addr, bits);
        ban = ban_of(prefixset_find(&table->set, &wider));
        if (ban && closes(ban, port, now_mono_ms))
            return true;
    }
    return false;
}

void bantable_sweep(struct bantable *table, int64_t now_mono_ms)
{
    drop_those(table, is_over, now_mono_ms);
}
