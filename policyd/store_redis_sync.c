/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "policyd/store_redis_internal.h"
#include "policyd/store_redis_text.h"

#define SYNC_RETRY_MS 5000
#define SCAN_COUNT    "1000" /* keys that Redis looks at in one go */
#define RETELL_MS     1      /* for others, between two parts of what it is told */

/* Of what somebody else has put there no more is read than shows that it is no ban. */
#define LAST_BYTE "512"

/*
 * One reading of all bans. Each master is walked by its cursor; the next step is asked for
 * together with the values of the keys of the step before.
 */
struct redis_scan {
    struct redis_scan *next;
    struct redis_store *store;
    bool is_stopped; /* another one has begun, or it went down */
    size_t due;      /* answers */
    bool has_failed;
    struct buf pattern;
    size_t node_count;
    struct scan_node {
        struct redis_scan *scan;
        char *address;
        int64_t ahead_ms; /* of its clock before our wall clock */
    } nodes[];
};

static void scan_free(struct redis_scan *scan)
{
    struct redis_scan **link = &scan->store->scans;

    while (*link != scan)
        link = &(*link)->next;
    *link = scan->next;
    for (size_t i = 0; i < scan->node_count; i++)
        free(scan->nodes[i].address);
    buf_fini(&scan->pattern);
    free(scan);
}

void redis_store_free_scans(struct redis_store *store)
{
    while (store->scans)
        scan_free(store->scans);
}

/* What failed, or was broken off, is done again when it comes up, or later. */
static void leave_unsynced(struct redis_store *store)
{
    store->is_unsynced = true;
    store->sync_mono_ms = clock_mono_ms(store->clock) + SYNC_RETRY_MS;
    store->listener.break_sync(store->listener.ctx);
}

void redis_store_retell(void *ctx)
{
    struct redis_store *store = ctx;

    if (store->listener.retell(store->listener.ctx))
        loop_timer_start(store->retell_timer, RETELL_MS);
}

/* The last answer has come. */
static void finish(struct redis_scan *scan)
{
    struct redis_store *store = scan->store;
    bool has_failed = scan->has_failed, is_stopped = scan->is_stopped;

    scan_free(scan);
    if (is_stopped)
        return;
    store->scan = NULL;
    if (has_failed) {
        leave_unsynced(store);
        return;
    }
    store->is_unsynced = false;
    store->listener.end_sync(store->listener.ctx);
    redis_store_retell(store);
    if (store->is_loading)
        loop_stop(store->loop);
    store->is_loading = false;
}

/* Each callback: one answer less is due; false: it is of no use any more. */
static bool take(struct redis_scan *scan, enum redis_status status, const struct redis_value *value,
                 enum redis_kind kind)
{
    scan->due--;
    if (status == REDIS_DONE && redis_kind(value) == kind)
        return !scan->is_stopped;
    scan->has_failed = true;
    if (status == REDIS_DONE && !scan->is_stopped)
        redis_store_complain(scan->store, "the bans", value);
    return false;
}

static void end_if_last(struct redis_scan *scan)
{
    if (!scan->due)
        finish(scan);
}

/* --- values -------------------------------------------------------------------------------- */

static void take_value(const struct scan_node *node, const struct redis_value *value)
{
    struct redis_store *store = node->scan->store;
    int64_t wall_ms = clock_wall_ms(store->clock);
    struct store_ban ban;
    size_t len;
    const char *text = redis_string(value, &len);

    if (redis_kind(value) == REDIS_STRING && !len) /* it has ended meanwhile */
        return;
    if (redis_kind(value) == REDIS_STRING &&
        store_redis_read_ban(text, len, wall_ms + node->ahead_ms, wall_ms, &ban) == 0)
        store->listener.take_ban(&ban, false, store->listener.ctx);
    else
        redis_store_complain(store, "a ban", value);
}

static void on_value(enum redis_status status, const struct redis_value *value, void *ctx)
{
    struct scan_node *node = ctx;

    node->scan->due--;
    if (status == REDIS_LOST)
        node->scan->has_failed = true;
    else if (!node->scan->is_stopped)
        take_value(node, value);
    end_if_last(node->scan);
}

static void count_call(struct redis_scan *scan, bool is_sent)
{
    scan->due += is_sent;
    scan->has_failed |= !is_sent;
}

static void ask_value(struct scan_node *node, const char *key, size_t len)
{
    const char *const argv[] = {"GETRANGE", key, "0", LAST_BYTE};
    const size_t lens[] = {strlen(argv[0]), len, 1, strlen(LAST_BYTE)};

    count_call(node->scan,
               redis_call(node->scan->store->redis, key, len, 4, argv, lens, on_value, node));
}

/*
 * One command each: MGET would bring all of what somebody else has put there, a script costs the
 * server more and keeps it from others, and in a Cluster nothing else would do.
 */
static void ask_values(struct scan_node *node, const struct redis_value *keys)
{
    size_t len;

    for (size_t i = 0; i < redis_count(keys); i++) {
        const char *key = redis_string(redis_item(keys, i), &len);
        if (key)
            ask_value(node, key, len);
    }
}

/* --- keys ---------------------------------------------------------------------------------- */

static void on_keys(enum redis_status status, const struct redis_value *value, void *ctx);

static void ask_keys(struct scan_node *node, const char *cursor)
{
    const char *const argv[] = {"SCAN",  cursor,    "MATCH", buf_str(&node->scan->pattern),
                                "COUNT", SCAN_COUNT};

    count_call(node->scan, redis_call_node(node->scan->store->redis, node->address, 6, argv, NULL,
                                           on_keys, node));
}

static void on_keys(enum redis_status status, const struct redis_value *value, void *ctx)
{
    struct scan_node *node = ctx;
    size_t len;

    if (take(node->scan, status, value, REDIS_ARRAY)) {
        const char *cursor = redis_string(redis_item(value, 0), &len);
        if (cursor && !(len == 1 && *cursor == '0'))
            ask_keys(node, cursor);
        ask_values(node, redis_item(value, 1));
    }
    end_if_last(node->scan);
}

static void on_time(enum redis_status status, const struct redis_value *value, void *ctx)
{
    struct scan_node *node = ctx;
    struct redis_scan *scan = node->scan;
    uint64_t sec = 0, usec = 0;
    size_t len;

    if (take(scan, status, value, REDIS_ARRAY)) {
        const char *seconds = redis_string(redis_item(value, 0), &len);
        const char *rest = redis_string(redis_item(value, 1), &len);
        if (!seconds || !rest || str_parse_u64(seconds, 0, UINT32_MAX, &sec) ||
            str_parse_u64(rest, 0, 999999, &usec))
            scan->has_failed = true;
        if (!scan->store->has_own_time)
            node->ahead_ms =
                (int64_t)(sec * 1000 + usec / 1000) - clock_wall_ms(scan->store->clock);
        ask_keys(node, "0");
    }
    end_if_last(scan);
}

/* A master that is away is read when it joins. */
static void ask_time(struct redis_scan *scan, size_t i)
{
    struct redis_store *store = scan->store;
    struct scan_node *node = &scan->nodes[i];

    *node =
        (struct scan_node){.scan = scan, .address = x_strdup(redis_node_address(store->redis, i))};
    bool is_sent = redis_call_node(store->redis, node->address, 1, (const char *[]){"TIME"}, NULL,
                                   on_time, node);
    scan->due += is_sent;
    scan->has_failed |= !is_sent && !store->is_cluster;
}

/* --- beginning and end ---------------------------------------------------------------------- */

void redis_store_stop_sync(struct redis_store *store)
{
    struct redis_scan *scan = store->scan;

    if (!scan)
        return;
    store->scan = NULL;
    scan->is_stopped = true;
    leave_unsynced(store);
}

void redis_store_sync(struct redis_store *store)
{
    size_t count = redis_node_count(store->redis);
    struct redis_scan *scan = x_calloc(1, sizeof(*scan) + count * sizeof(*scan->nodes));

    redis_store_stop_sync(store);
    scan->next = store->scans;
    store->scans = store->scan = scan;
    scan->store = store;
    scan->node_count = count;
    store->listener.begin_sync(store->listener.ctx);
    store_redis_put_ban_pattern(&scan->pattern, store->prefix);
    for (size_t i = 0; i < count; i++)
        ask_time(scan, i);
    end_if_last(scan);
}
