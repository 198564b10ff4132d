/* SPDX-License-Identifier: MIT */
#ifndef PN_POLICYD_STORE_FILE_H
#define PN_POLICYD_STORE_FILE_H

#include "common/net/loop.h"
#include "policyd/store.h"

/*
 * The store "file:": an LMDB environment in one file of a directory. A thread of
 * its own commits what has gathered since its last commit as one transaction, so
 * that the loop never waits for a disk.
 *
 * The file records its format; one that a newer Postern wrote is refused. A lock
 * keeps a second daemon out.
 */
#define STORE_FILE_NAME   "policyd.mdb"
#define STORE_FILE_LOCK   "policyd.lock"
#define STORE_FILE_FORMAT 1u
/* Bytes of address space. BANS_MAX bans take 300 MiB, a million counters about as much. */
#define STORE_FILE_MAX ((size_t)1 << (sizeof(size_t) > 4 ? 33 : 30))

/*
 * Make the directory with mode 0700 if there is none; with its owner, when `user`
 * is not NULL. For a process that is still root. 0 or -1.
 */
int store_file_make_directory(const char *path, const char *user, struct error *error_r)
    __attribute__((warn_unused_result));

/* Opens the store in directory path, and starts its thread. NULL and error_r. */
struct store *store_file_open(const char *path, struct loop *loop, struct error *error_r);

#endif
