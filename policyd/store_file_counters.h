/* SPDX-License-Identifier: MIT */
#ifndef PN_POLICYD_STORE_FILE_COUNTERS_H
#define PN_POLICYD_STORE_FILE_COUNTERS_H

#include <stdbool.h>

#include <lmdb.h>

#include "policyd/store.h"
#include "policyd/store_record.h"

/* The counters' table of the file store: a part of it. Results are LMDB's, 0 for success. */
struct store_file_counters {
    MDB_dbi table;
    /* Where the search for what has ended goes on; the thread's own. */
    uint8_t next_key[STORE_COUNTER_KEY_LEN];
};

/* Opens the table, made if there is none. */
int store_file_counters_open(struct store_file_counters *counters, MDB_txn *txn);

/* Hand over each; *bad_r counts what is no counter. */
int store_file_counters_load(const struct store_file_counters *counters, MDB_txn *txn,
                             store_load_counter_fn fn, void *ctx, size_t *bad_r);

/* Write the batch, and look for some that ended, more of them than were written. */
int store_file_counters_write(struct store_file_counters *counters, MDB_txn *txn,
                              const struct store_counters *batch);

#endif
