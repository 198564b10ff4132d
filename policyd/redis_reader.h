/* SPDX-License-Identifier: MIT */
#ifndef PN_POLICYD_REDIS_READER_H
#define PN_POLICYD_REDIS_READER_H

#include <stddef.h>

#include "policyd/redis_value.h"

/* Replies from the bytes of a connection, by hiredis. Pure. */
struct redis_reader;

/* Of one reply: its bytes, and the items of all its arrays. */
#define REDIS_REPLY_MAX ((size_t)64 * 1024 * 1024)
#define REDIS_ITEMS_MAX ((size_t)1024 * 1024)

struct redis_reader *redis_reader_new(void);
void redis_reader_free(struct redis_reader **reader);

void redis_reader_feed(struct redis_reader *reader, const char *bytes, size_t len);
/*
 * The next reply, borrowed until the next call; NULL: it is not all there yet. 0, or -1:
 * what comes is no reply, or too long, and nothing will be read any more.
 */
int redis_reader_next(struct redis_reader *reader, const struct redis_value **value_r)
    __attribute__((warn_unused_result));

#endif
