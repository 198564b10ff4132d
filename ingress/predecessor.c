/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "ingress/predecessor.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/net/stream.h"
#include "common/wire/attr.h"

#define AGAIN "\nagain=yes\n\n" /* the end of the record with which telling begins again */

struct predecessor {
    struct predecessor_options options;
    struct stream *stream; /* NULL: gone */
    int fds[GENERATIONS_MAX];
    size_t count;     /* of fds; the first is the stream's */
    bool is_skipping; /* what another process did not read any more */
    uint64_t younger; /* processes than it */
    bool has_gone_on;
};

static void go_on(struct predecessor *predecessor)
{
    if (predecessor->has_gone_on)
        return;
    predecessor->has_gone_on = true;
    predecessor->options.on_go(predecessor->options.ctx);
}

/* --- what it tells ------------------------------------------------------------------------ */

static void set_draining(struct predecessor *predecessor, uint64_t processes, uint64_t connections)
{
    *predecessor->options.draining =
        (struct drain_counts){.processes = processes, .connections = connections};
    predecessor->options.on_draining(predecessor->options.ctx);
}

static int take_draining(struct predecessor *predecessor, const struct attr_list *record)
{
    uint64_t processes, connections;

    if (str_parse_u64(attr_get(record, "draining"), 1, UINT32_MAX, &processes) ||
        str_parse_u64(attr_get_or_empty(record, "connections"), 0, INT64_MAX, &connections))
        return -1;
    set_draining(predecessor, processes, connections);
    return 0;
}

static int take_record(struct predecessor *predecessor, const struct attr_list *record)
{
    if (attr_get(record, "sync")) {
        attr_put(stream_output(predecessor->stream), "ready", "yes");
        attr_end(stream_output(predecessor->stream));
        return 0;
    }
    if (attr_get(record, "go")) {
        predecessor_tell_younger(predecessor, 1);
        go_on(predecessor);
        return 0;
    }
    if (attr_get(record, "draining"))
        return take_draining(predecessor, record);
    if (attr_get(record, "again")) { /* of a process that asked, and is gone */
        sessions_drop_foreign(predecessor->options.sessions);
        return 0;
    }
    return sessions_take_record(predecessor->options.sessions, record);
}

/* It may begin amid a record. No value has a line's end in it. */
static void skip(struct predecessor *predecessor, struct buf *in)
{
    const uint8_t *found = memmem(in->data, in->len, AGAIN, strlen(AGAIN));

    predecessor->is_skipping = !found;
    if (found)
        buf_consume(in, (size_t)(found - in->data) + strlen(AGAIN));
    else if (in->len >= strlen(AGAIN))
        buf_consume(in, in->len - strlen(AGAIN) + 1);
}

static void on_input(struct stream *stream, struct buf *in, void *ctx)
{
    static struct attr_list record;
    struct predecessor *predecessor = ctx;
    size_t consumed;

    if (predecessor->is_skipping) {
        skip(predecessor, in);
        return;
    }
    enum attr_status status = attr_parse(in->data, in->len, &record, &consumed);
    if (status == ATTR_MORE)
        return;
    if (status != ATTR_OK || take_record(predecessor, &record)) {
        log_error(NULL, "sessions-lost",
                  LOG_STR("reason", "the process before this one is of another version"));
        stream_abort(stream);
        return;
    }
    buf_consume(in, consumed);
}

/* --- who it is ---------------------------------------------------------------------------- */

static void follow(struct predecessor *predecessor);

/* The one before it speaks to nobody now, if it is there. */
static void follow_older(struct predecessor *predecessor)
{
    follow(predecessor);
    predecessor->is_skipping = true;
    attr_put(stream_output(predecessor->stream), "again", "yes");
    attr_end(stream_output(predecessor->stream));
    predecessor_tell_younger(predecessor, predecessor->younger);
}

static void on_end(struct stream *stream, enum stream_end why, void *ctx)
{
    struct predecessor *predecessor = ctx;
    bool was_there = !predecessor->is_skipping;

    (void)stream;
    predecessor->stream = NULL;
    predecessor->is_skipping = false;
    predecessor->options.sessions->is_following = false;
    sessions_drop_foreign(predecessor->options.sessions);
    set_draining(predecessor, 0, 0);
    memmove(predecessor->fds, predecessor->fds + 1, --predecessor->count * sizeof(int));
    if (why != STREAM_END_OURS && was_there)
        log_info(NULL, "predecessor-gone");
    if (why != STREAM_END_OURS && predecessor->count)
        follow_older(predecessor);
    go_on(predecessor);
}

static void follow(struct predecessor *predecessor)
{
    static const struct stream_handlers handlers = {.on_input = on_input, .on_end = on_end};
    static const struct stream_limits limits = {
        .input_max = 4 * (size_t)ATTR_LIST_MAX,
        .output_max = 1024,
    };

    predecessor->options.sessions->is_following = true;
    predecessor->stream =
        stream_new(predecessor->options.loop, predecessor->fds[0], &handlers, &limits, predecessor);
}

struct predecessor *predecessor_new(const struct predecessor_options *options)
{
    struct predecessor *predecessor = x_calloc(1, sizeof(*predecessor));

    predecessor->options = *options;
    predecessor->count = options->count;
    predecessor->younger = 1;
    memcpy(predecessor->fds, options->fds, options->count * sizeof(*options->fds));
    follow(predecessor);
    return predecessor;
}

void predecessor_free(struct predecessor **predecessor)
{
    struct predecessor *old = *predecessor;

    if (!old)
        return;
    *predecessor = NULL;
    old->has_gone_on = true;
    if (old->stream)
        stream_abort(old->stream);
    while (old->count)
        close(old->fds[--old->count]);
    free(old);
}

const int *predecessor_channels(const struct predecessor *predecessor, size_t *count_r)
{
    *count_r = predecessor ? predecessor->count : 0;
    return predecessor ? predecessor->fds : NULL;
}

bool predecessor_is_there(const struct predecessor *predecessor)
{
    return predecessor && predecessor->stream;
}

void predecessor_tell_younger(struct predecessor *predecessor, uint64_t count)
{
    if (!predecessor_is_there(predecessor))
        return;
    predecessor->younger = count;
    attr_put_uint(stream_output(predecessor->stream), "younger", count);
    attr_end(stream_output(predecessor->stream));
    stream_flush(predecessor->stream);
}
