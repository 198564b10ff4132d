/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "ingress/predecessor.h"

#include <stdlib.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/net/stream.h"
#include "common/wire/attr.h"

struct predecessor {
    struct stream *stream; /* NULL: gone */
    struct sessions *sessions;
    predecessor_go_fn on_go;
    void *ctx;
    bool has_gone_on;
};

static void go_on(struct predecessor *predecessor)
{
    if (predecessor->has_gone_on)
        return;
    predecessor->has_gone_on = true;
    predecessor->on_go(predecessor->ctx);
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
    return sessions_take_record(predecessor->sessions, record);
}

static void on_input(struct stream *stream, struct buf *in, void *ctx)
{
    static struct attr_list record;
    size_t consumed;
    enum attr_status status = attr_parse(in->data, in->len, &record, &consumed);

    if (status == ATTR_MORE)
        return;
    if (status != ATTR_OK || take_record(ctx, &record)) {
        log_error(NULL, "sessions-lost",
                  LOG_STR("reason", "the process before this one is of another version"));
        stream_abort(stream);
        return;
    }
    buf_consume(in, consumed);
}

static void on_end(struct stream *stream, enum stream_end why, void *ctx)
{
    struct predecessor *predecessor = ctx;

    (void)stream;
    predecessor->stream = NULL;
    predecessor->sessions->is_following = false;
    sessions_drop_foreign(predecessor->sessions);
    if (why != STREAM_END_OURS)
        log_info(NULL, "predecessor-gone");
    go_on(predecessor);
}

struct predecessor *predecessor_new(struct loop *loop, int fd, struct sessions *sessions,
                                    predecessor_go_fn on_go, void *ctx)
{
    static const struct stream_handlers handlers = {.on_input = on_input, .on_end = on_end};
    static const struct stream_limits limits = {
        .input_max = 4 * (size_t)ATTR_LIST_MAX,
        .output_max = 1024,
    };
    struct predecessor *predecessor = x_calloc(1, sizeof(*predecessor));

    predecessor->sessions = sessions;
    predecessor->on_go = on_go;
    predecessor->ctx = ctx;
    sessions->is_following = true;
    predecessor->stream = stream_new(loop, fd, &handlers, &limits, predecessor);
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
    free(old);
}

bool predecessor_is_there(const struct predecessor *predecessor)
{
    return predecessor && predecessor->stream;
}

void predecessor_tell_younger(struct predecessor *predecessor, uint64_t count)
{
    if (!predecessor_is_there(predecessor))
        return;
    attr_put_uint(stream_output(predecessor->stream), "younger", count);
    attr_end(stream_output(predecessor->stream));
    stream_flush(predecessor->stream);
}
