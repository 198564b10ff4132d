/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/bans.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/bug.h"
#include "common/base/mem.h"
#include "policyd/jail.h"

static struct ban *ban_of(struct prefixset_node *node)
{
    return node ? MAP_ENTRY(node, struct ban, node) : NULL;
}

void bans_init(struct bans *bans)
{
    *bans = (struct bans){0};
    prefixset_init(&bans->set);
    names_init(&bans->jails);
}

void bans_fini(struct bans *bans)
{
    BUG_ON(bans->cursors);
    while (bans->first)
        bans_remove(bans, bans->first);
    prefixset_fini(&bans->set);
    names_fini(&bans->jails);
    free(bans->heap);
    *bans = (struct bans){0};
}

/* --- the heap: who ends first ------------------------------------------------ */

static bool heap_before(const struct bans *bans, size_t a, size_t b)
{
    return bans->heap[a]->until_mono_ms < bans->heap[b]->until_mono_ms;
}

static void heap_place(struct bans *bans, size_t index, struct ban *ban)
{
    bans->heap[index] = ban;
    ban->heap_index = (uint32_t)index;
}

static void heap_swap(struct bans *bans, size_t a, size_t b)
{
    struct ban *was_a = bans->heap[a];
    heap_place(bans, a, bans->heap[b]);
    heap_place(bans, b, was_a);
}

static void heap_up(struct bans *bans, size_t index)
{
    while (index && heap_before(bans, index, (index - 1) / 2)) {
        heap_swap(bans, index, (index - 1) / 2);
        index = (index - 1) / 2;
    }
}

static void heap_down(struct bans *bans, size_t index)
{
    for (;;) {
        size_t least = index, left = 2 * index + 1;
        if (left < bans->count && heap_before(bans, left, least))
            least = left;
        if (left + 1 < bans->count && heap_before(bans, left + 1, least))
            least = left + 1;
        if (least == index)
            return;
        heap_swap(bans, index, least);
        index = least;
    }
}

static void heap_settle(struct bans *bans, size_t index)
{
    heap_up(bans, index);
    heap_down(bans, index);
}

static void heap_add(struct bans *bans, struct ban *ban)
{
    if (bans->count == bans->cap) {
        bans->cap = bans->cap ? bans->cap * 2 : 64;
        bans->heap = x_reallocarray(bans->heap, bans->cap, sizeof(struct ban *));
    }
    heap_place(bans, bans->count++, ban);
    heap_up(bans, ban->heap_index);
}

static void heap_remove(struct bans *bans, struct ban *ban)
{
    size_t index = ban->heap_index;

    bans->count--;
    if (index == bans->count)
        return;
    heap_place(bans, index, bans->heap[bans->count]);
    heap_settle(bans, index);
}

/* --- the list: the order in which they came ----------------------------------- */

static void list_append(struct bans *bans, struct ban *ban)
{
    ban->prev = bans->last;
    ban->next = NULL;
    if (bans->last)
        bans->last->next = ban;
    else
        bans->first = ban;
    bans->last = ban;
}

static void list_remove(struct bans *bans, struct ban *ban)
{
    for (struct bans_cursor *cursor = bans->cursors; cursor; cursor = cursor->other) {
        if (cursor->next == ban)
            cursor->next = ban->next;
    }
    if (ban->prev)
        ban->prev->next = ban->next;
    else
        bans->first = ban->next;
    if (ban->next)
        ban->next->prev = ban->prev;
    else
        bans->last = ban->prev;
}

void bans_cursor_open(struct bans *bans, struct bans_cursor *cursor)
{
    *cursor = (struct bans_cursor){.next = bans->first, .other = bans->cursors};
    bans->cursors = cursor;
}

struct ban *bans_cursor_step(struct bans_cursor *cursor)
{
    struct ban *ban = cursor->next;
    if (ban)
        cursor->next = ban->next;
    return ban;
}

void bans_cursor_close(struct bans *bans, struct bans_cursor *cursor)
{
    struct bans_cursor **link = &bans->cursors;
    while (*link != cursor) {
        BUG_ON(!*link);
        link = &(*link)->other;
    }
    *link = cursor->other;
}

/* --- those who are told --------------------------------------------------------- */

void bans_watch(struct bans *bans, struct bans_watcher *watcher)
{
    watcher->other = bans->watchers;
    bans->watchers = watcher;
}

void bans_unwatch(struct bans *bans, struct bans_watcher *watcher)
{
    struct bans_watcher **link = &bans->watchers;
    while (*link != watcher) {
        BUG_ON(!*link);
        link = &(*link)->other;
    }
    *link = watcher->other;
}

static void tell(struct bans *bans, const struct ban *ban, bool is_gone)
{
    bans->changes++;
    for (struct bans_watcher *watcher = bans->watchers; watcher; watcher = watcher->other)
        watcher->fn(watcher, ban, is_gone);
}

/* --- the table ---------------------------------------------------------------- */

static struct ban *add(struct bans *bans, const struct prefix *prefix, const char *login,
                       const char *jail, int64_t until_mono_ms)
{
    size_t login_len = login ? strnlen(login, BANS_LOGIN_MAX - 1) : 0;
    struct ban *ban = x_calloc(1, sizeof(*ban) + (login ? login_len + 1 : 0));

    if (login)
        memcpy(ban->login, login, login_len);
    ban->node.prefix = *prefix;
    ban->jail = names_take(&bans->jails, jail, BANS_JAIL_MAX - 1);
    ban->until_mono_ms = until_mono_ms;
    ban->number = bans->changes;
    prefixset_insert(&bans->set, &ban->node);
    heap_add(bans, ban);
    list_append(bans, ban);
    return ban;
}

/* jail may be the name that it bears. */
static void rename_jail(struct bans *bans, struct ban *ban, const char *jail)
{
    const char *was = ban->jail;

    ban->jail = names_take(&bans->jails, jail, BANS_JAIL_MAX - 1);
    names_drop(&bans->jails, was);
}

static struct ban *put(struct bans *bans, const struct prefix *prefix, const char *login,
                       const char *jail, unsigned acts, int64_t since_wall_ms,
                       int64_t until_mono_ms)
{
    struct ban *ban = bans_find(bans, prefix);

    if (!ban && bans->count >= BANS_MAX)
        return NULL;
    if (ban)
        rename_jail(bans, ban, jail);
    else
        ban = add(bans, prefix, login, jail, until_mono_ms);
    ban->acts = (uint8_t)acts;
    ban->since_wall_ms = since_wall_ms;
    ban->until_mono_ms = until_mono_ms;
    ban->stored = false;
    heap_settle(bans, ban->heap_index);
    tell(bans, ban, false);
    return ban;
}

struct ban *bans_put(struct bans *bans, const struct prefix *prefix, const char *jail,
                     unsigned acts, int64_t since_wall_ms, int64_t until_mono_ms)
{
    return put(bans, prefix, NULL, jail, acts, since_wall_ms, until_mono_ms);
}

struct ban *bans_put_login(struct bans *bans, const struct prefix *key, const char *login,
                           const char *jail, unsigned acts, int64_t since_wall_ms,
                           int64_t until_mono_ms)
{
    BUG_ON(key->addr.family != JAIL_KEY_LOGIN);
    return put(bans, key, login, jail, acts, since_wall_ms, until_mono_ms);
}

const char *ban_login(const struct ban *ban)
{
    return ban->node.prefix.addr.family == JAIL_KEY_LOGIN ? ban->login : NULL;
}

const char *ban_who(const struct ban *ban, char out[PREFIX_TEXT_MAX])
{
    const char *login = ban_login(ban);
    return login ? login : prefix_format(&ban->node.prefix, out);
}

void bans_remove(struct bans *bans, struct ban *ban)
{
    tell(bans, ban, true);
    prefixset_remove(&bans->set, &ban->node);
    heap_remove(bans, ban);
    list_remove(bans, ban);
    names_drop(&bans->jails, ban->jail);
    free(ban);
}

struct ban *bans_find(const struct bans *bans, const struct prefix *prefix)
{
    return ban_of(prefixset_find(&bans->set, prefix));
}

static bool is_over(const struct ban *ban, int64_t now_mono_ms)
{
    return ban->until_mono_ms <= now_mono_ms;
}

struct ban *bans_held(const struct bans *bans, const struct prefix *prefix, int64_t now_mono_ms)
{
    struct ban *ban = bans_find(bans, prefix);

    return ban && !is_over(ban, now_mono_ms) ? ban : NULL;
}

struct ban *bans_match(const struct bans *bans, const struct addr *addr, unsigned acts,
                       int64_t now_mono_ms)
{
    struct ban *ban = ban_of(prefixset_match(&bans->set, addr));

    while (ban && (!(ban->acts & acts) || is_over(ban, now_mono_ms)))
        ban = ban_of(prefixset_match_wider(&bans->set, addr, &ban->node.prefix));
    return ban;
}

int64_t bans_next_end(const struct bans *bans)
{
    return bans->count ? bans->heap[0]->until_mono_ms : -1;
}

struct ban *bans_next_expired(const struct bans *bans, int64_t now_mono_ms)
{
    return bans->count && is_over(bans->heap[0], now_mono_ms) ? bans->heap[0] : NULL;
}

uint64_t bans_seconds_left(const struct ban *ban, int64_t now_mono_ms)
{
    int64_t left_ms = ban->until_mono_ms - now_mono_ms;
    return left_ms <= 1000 ? 1 : (uint64_t)(left_ms + 999) / 1000;
}

bool bans_join(const struct ban *held, int64_t now_mono_ms, unsigned *acts, uint64_t *seconds)
{
    if (!held)
        return true;
    uint64_t held_sec = bans_seconds_left(held, now_mono_ms);
    unsigned at_logins = *acts & CONFIG_ACTS_AUTH, held_at_logins = held->acts & CONFIG_ACTS_AUTH;
    if (at_logins < held_at_logins || (at_logins == held_at_logins && *seconds < held_sec))
        *seconds = held_sec;
    *acts |= held->acts;
    return *acts != held->acts || *seconds != held_sec;
}
