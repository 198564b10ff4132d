/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/net/stream.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/mem.h"

#define READ_SIZE    4095u /* with the buffer's NUL a block of 4 KiB */
#define DISCARD_MAX  65536u
#define ANSWERS_SIZE 1024u /* so much waits for more before it is sent */

/*
 * Handlers run from one place, stream_work(), which only the loop calls. What is
 * called from outside changes the state and lets the loop do the rest, so no handler
 * ever runs inside another one and nobody's stream vanishes while it is in use.
 */
struct stream {
    struct loop_io *io;
    struct loop_timer *work; /* started with 0: stream_work() is due */
    struct loop_timer *idle;
    struct loop_timer *late; /* runs while output waits */
    const struct stream_handlers *handlers;
    struct stream_limits limits;
    void *ctx;
    struct buf in;
    struct buf out;
    size_t held; /* of limits.memory */
    int fd;
    enum stream_end why; /* when ended */
    bool working;        /* stream_work() is on the stack */
    bool ended;
    bool paused;
    bool deaf; /* and the peer has sent more meanwhile */
    bool closing;
    bool eof;  /* the peer sends no more, but may still read */
    bool sent; /* output went out since on_drained was last called */
    bool late_runs;
};

static void stream_end(struct stream *stream, enum stream_end why)
{
    if (stream->ended)
        return;
    stream->ended = true;
    stream->why = why;
}

static void stream_touch(struct stream *stream)
{
    if (stream->limits.idle_ms > 0)
        loop_timer_start(stream->idle, stream->limits.idle_ms);
}

/* Input is taken only while no output waits: a peer that does not read is not served on. */
static bool stream_takes_input(const struct stream *stream)
{
    return !stream->ended && !stream->closing && !stream->paused && !stream->out.len;
}

/* From the first byte that waits to the last: a peer that takes one now and then is late too. */
static void stream_time_output(struct stream *stream)
{
    bool waits = stream->out.len != 0 && stream->limits.output_ms > 0;

    if (waits && !stream->late_runs)
        loop_timer_start(stream->late, stream->limits.output_ms);
    else if (!waits && stream->late_runs)
        loop_timer_stop(stream->late);
    stream->late_runs = waits;
}

static void stream_send(struct stream *stream)
{
    while (!stream->ended && stream->out.len) {
        ssize_t n = send(stream->fd, stream->out.data, stream->out.len, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            break;
        if (n < 0) {
            stream_end(stream, STREAM_END_PEER);
            return;
        }
        buf_consume(&stream->out, (size_t)n);
        stream->sent = true;
        stream_touch(stream);
    }
    if (stream->out.len > stream->limits.output_max)
        stream_end(stream, STREAM_END_OUTPUT);
    if (!stream->out.len && stream->out.cap > READ_SIZE + 1)
        buf_fini(&stream->out);
    stream_time_output(stream);
}

/* One read an event: a busy peer does not starve the others. */
static void stream_receive(struct stream *stream)
{
    size_t room = stream->limits.input_max - stream->in.len;
    if (room > READ_SIZE)
        room = READ_SIZE;
    ssize_t n = recv(stream->fd, buf_reserve(&stream->in, room), room, 0);
    if (n > 0) {
        buf_commit(&stream->in, (size_t)n);
        stream_touch(stream);
    } else if (n == 0) {
        stream->eof = true;
    } else if (errno != EINTR && errno != EAGAIN && errno != EWOULDBLOCK) {
        stream_end(stream, STREAM_END_PEER);
    }
}

/* What was answered before a handler aborted the stream is the peer's all the same. */
static void stream_send_last(struct stream *stream, size_t len)
{
    if (len > stream->out.len)
        len = stream->out.len;
    ssize_t sent = len ? send(stream->fd, stream->out.data, len, MSG_NOSIGNAL) : 0;
    (void)sent;
}

/* Answers to what came together leave together. Whether the last call took something. */
static bool stream_hand_over_some(struct stream *stream)
{
    size_t before, answered;

    do {
        before = stream->in.len;
        answered = stream->out.len;
        stream->handlers->on_input(stream, &stream->in, stream->ctx);
    } while (stream->in.len && stream->in.len < before && stream->out.len < ANSWERS_SIZE &&
             !stream->ended && !stream->closing && !stream->paused);
    if (stream->ended)
        stream_send_last(stream, answered);
    stream_send(stream);
    return stream->in.len < before;
}

static void stream_hand_over(struct stream *stream)
{
    while (stream->in.len && stream_takes_input(stream)) {
        if (!stream_hand_over_some(stream))
            break;
    }
    if (stream->in.len >= stream->limits.input_max && stream_takes_input(stream))
        stream_end(stream, STREAM_END_INPUT);
    if (!stream->in.len && stream->in.cap > READ_SIZE + 1)
        buf_fini(&stream->in);
}

static void stream_tell_drained(struct stream *stream)
{
    if (!stream->sent || stream->out.len || stream->ended || stream->closing)
        return;
    stream->sent = false;
    if (stream->handlers->on_drained) {
        stream->handlers->on_drained(stream, stream->ctx);
        stream_send(stream);
    }
}

/* What lies unread would turn our close into a reset, which may overtake the last answer. */
static void stream_discard_input(struct stream *stream)
{
    uint8_t scratch[READ_SIZE];
    size_t total = 0;
    ssize_t n;

    do {
        n = recv(stream->fd, scratch, sizeof(scratch), MSG_DONTWAIT);
        total += n > 0 ? (size_t)n : 0;
    } while (n > 0 && total < DISCARD_MAX);
}

static void stream_account(struct stream *stream)
{
    struct stream_memory *memory = stream->limits.memory;
    size_t buffered = stream->in.cap + stream->out.cap;
    size_t held = buffered > STREAM_BASE ? buffered - STREAM_BASE : 0;

    if (!memory || held == stream->held)
        return;
    memory->used += held - stream->held;
    stream->held = held;
    if (held && memory->used > memory->max)
        stream_end(stream, STREAM_END_MEMORY);
}

static void stream_finish(struct stream *stream)
{
    if (stream->closing)
        stream_discard_input(stream);
    if (stream->limits.memory)
        stream->limits.memory->used -= stream->held;
    loop_io_free(&stream->io);
    loop_timer_free(&stream->work);
    loop_timer_free(&stream->idle);
    loop_timer_free(&stream->late);
    close(stream->fd);
    stream->working = true;
    stream->handlers->on_end(stream, stream->why, stream->ctx);
    buf_fini(&stream->in);
    buf_fini(&stream->out);
    free(stream);
}

static void stream_watch(struct stream *stream)
{
    unsigned events = 0;

    /* Most peers send nothing while they wait: to look away from them costs more than it spares. */
    if (!stream->eof && !stream->out.len && !stream->closing && !stream->deaf)
        events |= LOOP_READ;
    if (stream->out.len)
        events |= LOOP_WRITE;
    loop_io_want(stream->io, events);
    /* on_drained wrote something that went out at once: its next turn comes after the others'. */
    if (stream->sent && !stream->out.len && stream->handlers->on_drained && !stream->closing)
        loop_timer_start(stream->work, 0);
}

static void stream_work(struct stream *stream)
{
    stream->working = true;
    stream_send(stream);
    stream_hand_over(stream);
    stream_tell_drained(stream);
    if (stream->closing && !stream->out.len)
        stream_end(stream, STREAM_END_OURS);
    if (stream->eof && !stream->paused && !stream->out.len && !stream->sent)
        stream_end(stream, STREAM_END_PEER);
    stream_account(stream);
    stream->working = false;
    if (stream->ended)
        stream_finish(stream);
    else
        stream_watch(stream);
}

static void on_io(unsigned events, void *ctx)
{
    struct stream *stream = ctx;

    if ((events & LOOP_READ) && stream_takes_input(stream))
        stream_receive(stream);
    else if (events & LOOP_READ)
        stream->deaf = stream->paused;
    stream_work(stream);
}

static void on_work(void *ctx)
{
    stream_work(ctx);
}

static void on_idle(void *ctx)
{
    struct stream *stream = ctx;

    /* The peer waits for us, not we for it. */
    if (stream->paused && !stream->out.len) {
        stream_touch(stream);
        return;
    }
    stream_end(stream, STREAM_END_IDLE);
    stream_work(stream);
}

static void on_late(void *ctx)
{
    struct stream *stream = ctx;

    stream_end(stream, STREAM_END_OUTPUT);
    stream_work(stream);
}

struct stream *stream_new(struct loop *loop, int fd, const struct stream_handlers *handlers,
                          const struct stream_limits *limits, void *ctx)
{
    struct stream *stream = x_calloc(1, sizeof(*stream));

    stream->fd = fd;
    stream->handlers = handlers;
    stream->limits = *limits;
    stream->ctx = ctx;
    stream->io = loop_io_new(loop, fd, LOOP_READ, on_io, stream);
    stream->work = loop_timer_new(loop, on_work, stream);
    stream->idle = loop_timer_new(loop, on_idle, stream);
    stream->late = loop_timer_new(loop, on_late, stream);
    stream_touch(stream);
    return stream;
}

struct buf *stream_output(struct stream *stream)
{
    return &stream->out;
}

/* Within a handler stream_work() goes on behind it; elsewhere the loop has to come back. */
static void stream_work_later(struct stream *stream)
{
    if (!stream->working)
        loop_timer_start(stream->work, 0);
}

void stream_flush(struct stream *stream)
{
    stream_send(stream);
    stream_work_later(stream);
}

void stream_pause(struct stream *stream)
{
    stream->paused = true;
    stream_work_later(stream);
}

void stream_resume(struct stream *stream)
{
    if (!stream->paused)
        return;
    stream->paused = stream->deaf = false;
    stream_touch(stream);
    stream_work_later(stream);
}

void stream_close(struct stream *stream)
{
    stream->closing = true;
    stream_flush(stream);
}

void stream_abort(struct stream *stream)
{
    stream_end(stream, STREAM_END_OURS);
    if (!stream->working)
        stream_finish(stream);
}

const char *stream_strend(enum stream_end why)
{
    switch (why) {
    case STREAM_END_PEER:
        return "closed by the peer";
    case STREAM_END_IDLE:
        return "idle for too long";
    case STREAM_END_INPUT:
        return "request too long";
    case STREAM_END_OUTPUT:
        return "the peer reads too slowly";
    case STREAM_END_MEMORY:
        return "the memory of this listener is used up";
    case STREAM_END_OURS:
        return "closed by us";
    }
    return "unknown";
}
