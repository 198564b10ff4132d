/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/net/service.h"

#include <stdlib.h>

#include "common/base/bug.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/log_limit.h"
#include "common/base/mem.h"

struct service {
    struct loop *loop;
    struct listener *listener;
    struct service_options options;
    struct stream_limits limits;
    struct stream_memory memory;
    struct loop_timer *last_call; /* once it is stopped */
    bool is_over;                 /* nothing is read any more */
    struct service_conn *first;
    size_t count;
    uint64_t bad_count;
    struct log_limit complaints;
};

struct service_conn {
    struct service *service;
    struct stream *stream; /* NULL: gone, and an answer is still due */
    struct loop_timer *request;
    struct addr peer;
    bool request_timed;
    bool waits;
    bool streams;
    void *state;
    struct service_conn *prev;
    struct service_conn *next;
};

static const struct service_protocol *protocol_of(const struct service_conn *conn)
{
    return conn->service->options.protocol;
}

static void conn_free(struct service_conn *conn)
{
    struct service *service = conn->service;

    if (conn->prev)
        conn->prev->next = conn->next;
    else
        service->first = conn->next;
    if (conn->next)
        conn->next->prev = conn->prev;
    service->count--;
    if (service->listener)
        listener_released(service->listener);
    loop_timer_free(&conn->request);
    free(conn);
}

static void log_closed(struct service_conn *conn, const char *reason)
{
    char peer[ADDR_TEXT_MAX];

    conn->service->bad_count++;
    if (!log_limit_allows(&conn->service->complaints, protocol_of(conn)->name,
                          clock_mono_ms(&clock_system)))
        return;
    log_warning(NULL, "connection-closed", LOG_STR("listener", protocol_of(conn)->name),
                LOG_STR("peer", service_conn_peer(conn, peer)), LOG_STR("reason", reason));
}

static void on_request_timeout(void *ctx)
{
    struct service_conn *conn = ctx;

    log_closed(conn, "half a request, and then nothing");
    stream_abort(conn->stream);
}

static void time_request(struct service_conn *conn, bool is_partial)
{
    if (is_partial && !conn->request_timed)
        loop_timer_start(conn->request, conn->service->options.request_ms);
    else if (!is_partial && conn->request_timed)
        loop_timer_stop(conn->request);
    conn->request_timed = is_partial;
}

static void on_input(struct stream *stream, struct buf *in, void *ctx)
{
    struct service_conn *conn = ctx;
    const char *reason = "";
    enum service_step step = protocol_of(conn)->step(conn, in, &reason);

    time_request(conn, step == SERVICE_MORE && in->len);
    switch (step) {
    case SERVICE_MORE:
    case SERVICE_NEXT:
        break;
    case SERVICE_WAIT:
        /* An answer that needed no waiting has been finished within the step. */
        if (conn->waits || conn->streams)
            stream_pause(stream);
        break;
    case SERVICE_STREAM:
        conn->streams = !protocol_of(conn)->more(conn);
        if (conn->streams)
            stream_pause(stream);
        break;
    case SERVICE_CLOSE:
        log_closed(conn, reason);
        stream_abort(stream);
        break;
    }
}

static void on_drained(struct stream *stream, void *ctx)
{
    struct service_conn *conn = ctx;

    if (!conn->streams || !protocol_of(conn)->more(conn))
        return;
    conn->streams = false;
    stream_resume(stream);
}

static void on_end(struct stream *stream, enum stream_end why, void *ctx)
{
    struct service_conn *conn = ctx;

    (void)stream;
    if (why == STREAM_END_IDLE && conn->request_timed)
        log_closed(conn, "half a request, and then nothing");
    if (why == STREAM_END_INPUT || why == STREAM_END_OUTPUT || why == STREAM_END_MEMORY)
        log_closed(conn, stream_strend(why));
    conn->stream = NULL;
    if ((conn->streams || conn->state) && protocol_of(conn)->abandon)
        protocol_of(conn)->abandon(conn);
    conn->streams = false;
    time_request(conn, false);
    if (!conn->waits)
        conn_free(conn);
}

static const struct stream_handlers handlers = {
    .on_input = on_input,
    .on_drained = on_drained,
    .on_end = on_end,
};

static void on_accept(int fd, const struct addr *peer, void *ctx)
{
    struct service *service = ctx;
    struct service_conn *conn = x_calloc(1, sizeof(*conn));

    conn->service = service;
    conn->peer = *peer;
    conn->next = service->first;
    if (conn->next)
        conn->next->prev = conn;
    service->first = conn;
    service->count++;
    conn->request = loop_timer_new(service->loop, on_request_timeout, conn);
    conn->stream = stream_new(service->loop, fd, &handlers, &service->limits, conn);
}

struct service *service_new(struct loop *loop, const struct service_options *options)
{
    const struct service_protocol *protocol = options->protocol;
    struct service *service = x_calloc(1, sizeof(*service));

    service->loop = loop;
    service->options = *options;
    service->memory.max = options->memory_max;
    service->limits = (struct stream_limits){
        .input_max =
            options->request_max < protocol->input_max ? options->request_max : protocol->input_max,
        .output_max = protocol->output_max,
        .idle_ms = options->idle_ms,
        .output_ms = options->request_ms,
        .memory = &service->memory,
    };
    service->listener = listener_new(loop, &(struct listener_options){
                                               .fd = options->fd,
                                               .name = protocol->name,
                                               .max = options->max_connections,
                                               .from = options->from,
                                               .fn = on_accept,
                                               .ctx = service,
                                           });
    return service;
}

/* What waits for the store ends with its answer. */
void service_last_call(struct service *service)
{
    struct service_conn *next = NULL;

    service->is_over = true;
    for (struct service_conn *conn = service->first; conn; conn = next) {
        next = conn->next;
        if (!conn->waits)
            stream_abort(conn->stream);
    }
}

static void on_last_call(void *ctx)
{
    service_last_call(ctx);
}

void service_stop(struct service *service)
{
    int64_t stop_ms = service->options.stop_ms;

    listener_free(&service->listener);
    if (service->last_call)
        return;
    service->last_call = loop_timer_new(service->loop, on_last_call, service);
    loop_timer_start(service->last_call, stop_ms ? stop_ms : SERVICE_STOP_MS);
}

void service_free(struct service **service)
{
    struct service_conn *next = NULL;

    if (!*service)
        return;
    service_stop(*service);
    for (struct service_conn *conn = (*service)->first; conn; conn = next) {
        next = conn->next;
        BUG_ON(conn->waits);
        stream_abort(conn->stream);
    }
    loop_timer_free(&(*service)->last_call);
    free(*service);
    *service = NULL;
}

bool service_is_busy(const struct service *service)
{
    for (const struct service_conn *conn = service->first; conn; conn = conn->next)
        if (conn->waits || conn->streams || conn->request_timed || stream_output(conn->stream)->len)
            return true;
    return false;
}

size_t service_connection_count(const struct service *service)
{
    return service->count;
}

uint64_t service_bad_count(const struct service *service)
{
    return service->bad_count;
}

void *service_conn_ctx(const struct service_conn *conn)
{
    return conn->service->options.ctx;
}

bool service_conn_is_unix(const struct service_conn *conn)
{
    return conn->service->options.is_unix;
}

const char *service_conn_peer(const struct service_conn *conn, char text[ADDR_TEXT_MAX])
{
    return conn->service->options.is_unix ? "unix" : addr_format(&conn->peer, text);
}

struct buf *service_conn_output(struct service_conn *conn)
{
    return conn->stream ? stream_output(conn->stream) : NULL;
}

void service_conn_wait(struct service_conn *conn)
{
    conn->waits = true;
}

void service_conn_finish(struct service_conn *conn)
{
    BUG_ON(!conn->waits);
    conn->waits = false;
    if (!conn->stream) {
        conn_free(conn);
        return;
    }
    if (conn->service->is_over) {
        stream_close(conn->stream);
        return;
    }
    stream_flush(conn->stream);
    if (!conn->streams)
        stream_resume(conn->stream);
}

void service_conn_stream(struct service_conn *conn)
{
    conn->streams = conn->stream && !conn->service->is_over && !protocol_of(conn)->more(conn);
    service_conn_finish(conn);
}

void service_conn_push(struct service_conn *conn)
{
    if (conn->stream)
        stream_flush(conn->stream);
}

struct loop *service_conn_loop(const struct service_conn *conn)
{
    return conn->service->loop;
}

void **service_conn_state(struct service_conn *conn)
{
    return &conn->state;
}
