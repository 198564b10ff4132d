/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/store_file_counters.h"

#include <string.h>

#define SWEEP_MIN 64 /* keys looked at with each batch, and twice what it wrote */

int store_file_counters_open(struct store_file_counters *counters, MDB_txn *txn)
{
    int rc = mdb_dbi_open(txn, "counters", 0, &counters->table);

    return rc == MDB_NOTFOUND ? mdb_dbi_open(txn, "counters", MDB_CREATE, &counters->table) : rc;
}

int store_file_counters_load(const struct store_file_counters *counters, MDB_txn *txn,
                             store_load_counter_fn fn, void *ctx, size_t *bad_r)
{
    uint32_t hashes[STORE_HASHES_MAX];
    MDB_cursor *cursor;
    MDB_val key, value;
    int rc = mdb_cursor_open(txn, counters->table, &cursor);

    if (rc)
        return rc;
    while (!(rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT))) {
        struct store_counter counter;
        if (store_counter_read(key.mv_data, key.mv_size, value.mv_data, value.mv_size, &counter,
                               hashes) == 0)
            fn(&counter, hashes, ctx);
        else
            (*bad_r)++;
    }
    mdb_cursor_close(cursor);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

/* --- writing --------------------------------------------------------------------------- */

static bool is_gone(const struct store_gone *gone, const MDB_val *key, const MDB_val *value)
{
    uint32_t hashes[STORE_HASHES_MAX];
    struct store_counter counter;

    return store_counter_read(key->mv_data, key->mv_size, value->mv_data, value->mv_size, &counter,
                              hashes) == 0 &&
           counter.jail == gone->jail && counter.key.bits == gone->bits &&
           (jail_key_is_hash(&gone->within) ? prefix_eq(&counter.key, &gone->within)
                                            : prefix_overlaps(&counter.key, &gone->within));
}

/* Those of one jail and one length lie side by side, in the order of their addresses. */
static int forget(MDB_cursor *cursor, const struct store_gone *gone)
{
    uint8_t bytes[STORE_COUNTER_KEY_LEN];
    struct prefix first =
        jail_key_is_hash(&gone->within) ? gone->within : prefix_of(&gone->within.addr, gone->bits);
    MDB_val key = {.mv_size = sizeof(bytes), .mv_data = bytes}, value;
    int rc;

    store_counter_key(gone->jail, &first, bytes);
    rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    while (!rc && is_gone(gone, &key, &value)) {
        rc = mdb_cursor_del(cursor, 0);
        if (!rc)
            rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    return rc == MDB_NOTFOUND ? 0 : rc;
}

static int write_one(const struct store_file_counters *counters, MDB_txn *txn,
                     const struct store_counters *batch, const struct store_counter *counter)
{
    uint8_t key_bytes[STORE_COUNTER_KEY_LEN], value_bytes[STORE_COUNTER_VALUE_MAX];

    store_counter_key(counter->jail, &counter->key, key_bytes);
    MDB_val key = {.mv_size = sizeof(key_bytes), .mv_data = key_bytes};
    MDB_val value = {
        .mv_size = store_counter_value(counter, batch->hashes + counter->hash_at, value_bytes),
        .mv_data = value_bytes,
    };
    return mdb_put(txn, counters->table, &key, &value, 0);
}

static bool has_ended(const MDB_val *key, const MDB_val *value, int64_t now_wall_ms)
{
    uint32_t hashes[STORE_HASHES_MAX];
    struct store_counter counter;

    return store_counter_read(key->mv_data, key->mv_size, value->mv_data, value->mv_size, &counter,
                              hashes) ||
           counter.end_wall_ms <= now_wall_ms;
}

/* Goes round the table, so that it holds little more than what counts. */
static int sweep(struct store_file_counters *counters, MDB_cursor *cursor, size_t looks,
                 int64_t now_wall_ms)
{
    MDB_val key = {.mv_size = STORE_COUNTER_KEY_LEN, .mv_data = counters->next_key}, value;
    int rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);

    for (; !rc && looks; looks--) {
        if (has_ended(&key, &value, now_wall_ms))
            rc = mdb_cursor_del(cursor, 0);
        if (!rc)
            rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    if (!rc && key.mv_size == STORE_COUNTER_KEY_LEN)
        memcpy(counters->next_key, key.mv_data, STORE_COUNTER_KEY_LEN);
    else
        memset(counters->next_key, 0, STORE_COUNTER_KEY_LEN);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

int store_file_counters_write(struct store_file_counters *counters, MDB_txn *txn,
                              const struct store_counters *batch)
{
    MDB_cursor *cursor;
    int rc = mdb_cursor_open(txn, counters->table, &cursor);

    if (rc)
        return rc;
    for (size_t i = 0; i < batch->gone_count && !rc; i++)
        rc = forget(cursor, &batch->gone[i]);
    for (size_t i = 0; i < batch->count && !rc; i++)
        rc = write_one(counters, txn, batch, &batch->items[i]);
    if (!rc)
        rc = sweep(counters, cursor, SWEEP_MIN + 2 * batch->count, batch->now_wall_ms);
    mdb_cursor_close(cursor);
    return rc;
}
