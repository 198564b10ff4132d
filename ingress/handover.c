/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "ingress/handover.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/net/listener.h"
#include "common/net/stream.h"
#include "common/wire/attr.h"
#include "ingress/successor.h"

#define PIECE_SIZE 32768
#define OUTPUT_MAX (4u << 20) /* told and not read: of thousands of sessions */
#define LOOK_MS    1000       /* between two looks whether the last connection has ended */

enum handover_state {
    HANDOVER_NONE,
    HANDOVER_WAITS, /* for the next process to be ready */
    HANDOVER_DONE,
};

struct handover {
    struct handover_options options;
    enum handover_state state;
    struct stream *stream; /* to the next process; NULL: none, or gone */
    int fd;                /* the stream's */
    pid_t pid;
    const char *reason; /* why it is given up */
    const struct session *cursor;
    bool is_synced; /* all sessions of the beginning are told */
    struct loop_timer *ready;
    struct loop_timer *look;
    int64_t drain_until_ms;
    uint64_t younger;         /* processes than this one */
    struct drain_counts told; /* last */
    size_t closed;            /* connections, at the limit */
};

/* --- what it is told --------------------------------------------------------------------- */

/* Those that came since the beginning stand before the cursor, and were told of then. */
static void tell_more(struct handover *handover)
{
    struct buf *out = stream_output(handover->stream);

    if (handover->is_synced)
        return;
    while (handover->cursor && out->len < PIECE_SIZE) {
        sessions_put_record(handover->cursor, true, out);
        handover->cursor = handover->cursor->next;
    }
    if (handover->cursor)
        return;
    handover->is_synced = true;
    attr_put(out, "sync", "done");
    attr_end(out);
}

/* Before the server can see a new one: the next process is asked whose it is. */
static void on_session(const struct session *session, bool is_new, void *ctx)
{
    struct handover *handover = ctx;

    if (session == handover->cursor)
        handover->cursor = session->next;
    sessions_put_record(session, is_new, stream_output(handover->stream));
    stream_flush(handover->stream);
}

/* With those before this one. */
static void tell_of_draining(struct handover *handover)
{
    struct drain_counts now = *server_draining(handover->options.server);

    now.processes++;
    now.connections += server_open_count(handover->options.server);
    if (!handover->stream || (now.processes == handover->told.processes &&
                              now.connections == handover->told.connections))
        return;
    handover->told = now;
    attr_put_uint(stream_output(handover->stream), "draining", now.processes);
    attr_put_uint(stream_output(handover->stream), "connections", now.connections);
    attr_end(stream_output(handover->stream));
    stream_flush(handover->stream);
}

static void tell_all(struct handover *handover)
{
    handover->cursor = server_sessions(handover->options.server)->first;
    handover->is_synced = false;
    tell_more(handover);
}

/* To one that was not told so far, and finds where it begins. */
static void tell_again(struct handover *handover)
{
    struct buf *out = stream_output(handover->stream);

    attr_put(out, "told", "yes");
    attr_put(out, "again", "yes");
    attr_end(out);
    handover->told = (struct drain_counts){0};
    tell_of_draining(handover);
    tell_all(handover);
}

static void on_told(struct stream *stream, void *ctx)
{
    (void)stream;
    tell_more(ctx);
}

/* --- when it is ready ---------------------------------------------------------------------- */

static void finish_drain(struct handover *handover)
{
    log_info(NULL, "drained", LOG_UINT("closed", handover->closed));
    handover->options.on_drained(handover->options.ctx);
}

static void close_at_limit(struct handover *handover)
{
    if (handover->younger < GENERATIONS_MAX &&
        clock_mono_ms(&clock_system) < handover->drain_until_ms)
        return;
    handover->closed += server_open_count(handover->options.server);
    server_end_connections(handover->options.server);
}

/*
 * One before this tells the next of its sessions by way of this one, which therefore outlives
 * it; the limit of that one may be the later.
 */
static void on_look(void *ctx)
{
    struct handover *handover = ctx;

    close_at_limit(handover);
    tell_of_draining(handover);
    if (!server_open_count(handover->options.server) &&
        !predecessor_is_there(*handover->options.predecessor))
        finish_drain(handover);
    else
        loop_timer_start(handover->look, LOOK_MS);
}

static void hand_over(struct handover *handover)
{
    handover->state = HANDOVER_DONE;
    loop_timer_stop(handover->ready);
    listener_leave_files(true);
    server_drain(handover->options.server);
    log_info(NULL, "handed-over", LOG_INT("pid", handover->pid),
             LOG_UINT("open", server_open_count(handover->options.server)));
    handover->drain_until_ms =
        clock_mono_ms(&clock_system) + (int64_t)handover->options.drain_timeout_sec * 1000;
    loop_timer_start(handover->look, 0);
    tell_of_draining(handover);
    attr_put(stream_output(handover->stream), "go", "yes");
    attr_end(stream_output(handover->stream));
}

/* Ours are the oldest connections, and too many processes are there for those of all. */
static void take_younger(struct handover *handover, const char *text)
{
    if (str_parse_u64(text, 1, UINT32_MAX, &handover->younger))
        return;
    predecessor_tell_younger(*handover->options.predecessor, handover->younger + 1);
    if (handover->younger < GENERATIONS_MAX)
        return;
    log_warning(NULL, "too-many-generations", LOG_UINT("younger", handover->younger),
                LOG_UINT("open", server_open_count(handover->options.server)),
                LOG_STR("effect", "the connections of the oldest process are closed"));
    loop_timer_start(handover->look, 0);
}

/* It was ready, and has ended since: on_end() is next. */
static bool has_ended(const struct handover *handover)
{
    struct pollfd channel = {.fd = handover->fd, .events = POLLRDHUP};

    return poll(&channel, 1, 0) > 0 && channel.revents & (POLLHUP | POLLRDHUP);
}

static void on_input(struct stream *stream, struct buf *in, void *ctx)
{
    static struct attr_list record;
    struct handover *handover = ctx;
    size_t consumed;
    enum attr_status status = attr_parse(in->data, in->len, &record, &consumed);

    if (status == ATTR_MORE)
        return;
    if (status != ATTR_OK) {
        stream_abort(stream);
        return;
    }
    buf_consume(in, consumed);
    if (attr_get(&record, "ready") && handover->state == HANDOVER_WAITS && !has_ended(handover))
        hand_over(handover);
    if (attr_get(&record, "again"))
        tell_again(handover);
    if (attr_get(&record, "younger") && handover->state == HANDOVER_DONE)
        take_younger(handover, attr_get(&record, "younger"));
}

/* It holds its end for as long as it lives, so the number is still its own. */
static void give_up(struct handover *handover, const char *reason)
{
    handover->reason = reason;
    kill(handover->pid, SIGKILL);
    stream_abort(handover->stream);
}

static void on_end(struct stream *stream, enum stream_end why, void *ctx)
{
    struct handover *handover = ctx;

    (void)stream;
    (void)why;
    handover->stream = NULL;
    server_sessions(handover->options.server)->on_change = NULL;
    if (handover->state == HANDOVER_DONE) /* from now on others hear the one before this */
        predecessor_free(handover->options.predecessor);
    if (handover->state != HANDOVER_WAITS)
        return;
    handover->state = HANDOVER_NONE;
    loop_timer_stop(handover->ready);
    log_error(NULL, "handover-failed", LOG_INT("pid", handover->pid),
              LOG_STR("reason", handover->reason),
              LOG_STR("effect", "this process goes on as before"));
}

static void on_late(void *ctx)
{
    give_up(ctx, "the new process is not ready within 30 s");
}

/* --- the beginning ----------------------------------------------------------------------- */

struct handover *handover_new(const struct handover_options *options)
{
    struct handover *handover = x_calloc(1, sizeof(*handover));

    handover->options = *options;
    handover->ready = loop_timer_new(options->loop, on_late, handover);
    handover->look = loop_timer_new(options->loop, on_look, handover);
    return handover;
}

void handover_free(struct handover **handover)
{
    struct handover *old = *handover;

    if (!old)
        return;
    *handover = NULL;
    if (old->state == HANDOVER_WAITS)
        give_up(old, "this process ends");
    else if (old->stream)
        stream_abort(old->stream);
    loop_timer_free(&old->ready);
    loop_timer_free(&old->look);
    free(old);
}

static void follow(struct handover *handover, int fd)
{
    static const struct stream_handlers handlers = {
        .on_input = on_input, .on_drained = on_told, .on_end = on_end};
    static const struct stream_limits limits = {
        .input_max = ATTR_LIST_MAX,
        .output_max = OUTPUT_MAX,
    };
    struct sessions *sessions = server_sessions(handover->options.server);

    handover->state = HANDOVER_WAITS;
    handover->reason = "the new process ended before it was ready";
    handover->fd = fd;
    handover->stream = stream_new(handover->options.loop, fd, &handlers, &limits, handover);
    sessions->on_change = on_session;
    sessions->ctx = handover;
    loop_timer_start(handover->ready, HANDOVER_READY_MS);
    tell_all(handover);
    stream_flush(handover->stream);
}

void handover_begin(struct handover *handover)
{
    struct successor_options next = {.argv = handover->options.argv};
    struct error error = {0};

    if (handover->state != HANDOVER_NONE) {
        log_warning(NULL, "handover-ignored",
                    LOG_STR("reason", handover->state == HANDOVER_DONE
                                          ? "this process has handed over"
                                          : "one is under way"));
        return;
    }
    next.fds = server_listening(handover->options.server, &next.count, &next.managed);
    next.older = predecessor_channels(*handover->options.predecessor, &next.older_count);
    int fd = successor_start(&next, &handover->pid, &error);
    if (fd < 0) {
        log_error(NULL, "handover-failed", LOG_ERR(&error));
        return;
    }
    log_info(NULL, "handing-over", LOG_INT("pid", handover->pid), LOG_UINT("sockets", next.count));
    follow(handover, fd);
}

void handover_look(struct handover *handover)
{
    if (handover_is_done(handover))
        loop_timer_start(handover->look, 0);
}

bool handover_is_done(const struct handover *handover)
{
    return handover && handover->state == HANDOVER_DONE;
}
