/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/redis_reader.h"

#include <stdbool.h>
#include <stdlib.h>

#include <hiredis/hiredis.h>

#include "common/base/bug.h"
#include "common/base/mem.h"

#if HIREDIS_MAJOR < 1
typedef int item_count;
#else
typedef size_t item_count;
#endif

struct redis_reader {
    redisReader *reader;
    redisReplyObjectFunctions functions, *theirs;
    size_t unread; /* bytes that are in no whole reply yet */
    size_t items;  /* that the arrays of this reply have announced */
    bool is_broken;
    void *reply;
};

/* A server announces how many items come before they do. */
static void *create_array(const redisReadTask *task, item_count count)
{
    struct redis_reader *reader = task->privdata;

    if ((size_t)count > REDIS_ITEMS_MAX - reader->items)
        return NULL;
    reader->items += (size_t)count;
    return reader->theirs->createArray(task, count);
}

struct redis_reader *redis_reader_new(void)
{
    struct redis_reader *reader = x_calloc(1, sizeof(*reader));

    reader->reader = redisReaderCreate();
    BUG_ON(!reader->reader); /* no memory */
    reader->theirs = reader->reader->fn;
    reader->functions = *reader->theirs;
    reader->functions.createArray = create_array;
    reader->reader->fn = &reader->functions;
    reader->reader->privdata = reader;
    return reader;
}

static void forget(struct redis_reader *reader)
{
    if (reader->reply)
        freeReplyObject(reader->reply);
    reader->reply = NULL;
}

void redis_reader_free(struct redis_reader **reader)
{
    if (!*reader)
        return;
    forget(*reader);
    redisReaderFree((*reader)->reader);
    free(*reader);
    *reader = NULL;
}

void redis_reader_feed(struct redis_reader *reader, const char *bytes, size_t len)
{
    reader->unread += len;
    if (reader->unread > REDIS_REPLY_MAX || redisReaderFeed(reader->reader, bytes, len) != REDIS_OK)
        reader->is_broken = true;
}

int redis_reader_next(struct redis_reader *reader, const struct redis_value **value_r)
{
    forget(reader);
    *value_r = NULL;
    if (reader->is_broken)
        return -1;
    if (redisReaderGetReply(reader->reader, &reader->reply) != REDIS_OK) {
        reader->is_broken = true;
        return -1;
    }
    if (!reader->reply)
        return 0;
    reader->unread = reader->reader->len - reader->reader->pos;
    reader->items = 0;
    *value_r = (const struct redis_value *)reader->reply;
    return 0;
}
