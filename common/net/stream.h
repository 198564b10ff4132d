/* SPDX-License-Identifier: MIT */
#ifndef PN_NET_STREAM_H
#define PN_NET_STREAM_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/net/loop.h"

/*
 * One connection with bounded buffers in a loop. Protocol code sees bytes that
 * arrived and appends bytes to send; nothing else. A peer that sends but does not
 * read is not read from either, until it is idle for too long.
 *
 * Handlers are called by the loop, one after the other, never from within the
 * functions below; the one exception is stream_abort().
 */
struct stream;

enum stream_end {
    STREAM_END_PEER,   /* the peer closed or reset */
    STREAM_END_IDLE,   /* no byte either way for idle_ms */
    STREAM_END_INPUT,  /* input_max bytes are buffered and on_input took none */
    STREAM_END_OUTPUT, /* the peer reads too slowly: more than output_max waits, or for output_ms */
    STREAM_END_MEMORY, /* too much is buffered in all that share a stream_memory */
    STREAM_END_OURS,   /* stream_close() or stream_abort() */
};

struct stream_handlers {
    /*
     * Bytes are there: take whole requests from the start of `in` with
     * buf_consume(). Called again as long as it takes some and others are left, but
     * not while the stream is paused or output waits for the peer.
     */
    void (*on_input)(struct stream *stream, struct buf *in, void *ctx);
    /* All output is with the kernel; to go on with a long answer. May be NULL. */
    void (*on_drained)(struct stream *stream, void *ctx);
    /* Last call; the stream is gone when it returns. Called exactly once. */
    void (*on_end)(struct stream *stream, enum stream_end why, void *ctx);
};

/*
 * What the buffers of several streams may take together beyond STREAM_BASE bytes of
 * each: the stream that would take more ends.
 */
#define STREAM_BASE 8192u

struct stream_memory {
    size_t max;
    size_t used; /* 0 at first */
};

struct stream_limits {
    size_t input_max;
    size_t output_max;            /* bytes that the kernel has not taken yet */
    int64_t idle_ms;              /* 0: none */
    int64_t output_ms;            /* for the peer to read all that waits; 0: none */
    struct stream_memory *memory; /* lives longer than the stream; NULL: no limit */
};

/* fd is owned from now on. handlers live as long as the stream. */
struct stream *stream_new(struct loop *loop, int fd, const struct stream_handlers *handlers,
                          const struct stream_limits *limits, void *ctx);

/*
 * Append to this, then stream_flush(): it sends what it can now and the rest later.
 * What a handler appended is flushed when it returns.
 */
struct buf *stream_output(struct stream *stream);
void stream_flush(struct stream *stream);

/*
 * Between pause and resume no input is read or handed over: an answer is being made
 * elsewhere. The peer cannot be idle in that time, and that it went away shows later.
 */
void stream_pause(struct stream *stream);
void stream_resume(struct stream *stream);

/* Send what is appended, then end. No more input is handed over. */
void stream_close(struct stream *stream);
/*
 * End at once: on_end is called before this returns, or, from within one of the
 * stream's own handlers, as soon as that has returned.
 */
void stream_abort(struct stream *stream);

const char *stream_strend(enum stream_end why);

#endif
