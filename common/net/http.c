/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/net/http.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <microhttpd.h>

#include "common/base/bug.h"
#include "common/base/clock.h"
#include "common/base/endpoint.h"
#include "common/base/log.h"
#include "common/base/log_limit.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/net/http_conn.h"
#include "common/net/http_refusal.h"
#include "common/net/http_route.h"
#include "common/net/http_stream.h"
#include "common/net/http_token.h"
#include "common/net/listener.h"

#define HEADERS_MAX   16384u /* of request line and headers, and of the connection's buffers */
#define DISCARD_MAX   65536u /* of a refused body are read, so that the answer arrives */
#define LONG_BODY_MAX (1024u * 1024) /* of one that a route takes however long it is */

enum request_state {
    REQUEST_READING,
    REQUEST_HANDLED, /* its handler is running */
    REQUEST_WAITING, /* for http_respond(); its connection is suspended */
    REQUEST_ANSWERED,
};

struct http_request {
    struct http_server *server;
    struct MHD_Connection *connection;
    struct http_request *prev; /* the server's waiting ones */
    struct http_request *next;
    enum request_state state;
    const struct http_route *route;
    unsigned refusal; /* status to refuse it with, or 0 */
    char allow[HTTP_ALLOW_MAX];
    struct addr peer;
    uint64_t received;
    struct buf body;
    size_t answer_len;
    size_t held;                   /* of the server's memory_used */
    bool is_head;                  /* its answer has no body */
    bool is_too_long;              /* the body, which is not kept */
    bool is_last;                  /* on its connection */
    char etag[HTTP_ETAG_MAX];      /* empty: none */
    struct http_stream *stream;    /* its answer's, if that comes in pieces */
    struct MHD_Response *response; /* made, not handed to libmicrohttpd yet */
    unsigned status;
};

struct http_server {
    struct http_options options;
    struct loop *loop;
    struct http_conns conns;
    size_t request_count; /* begun and not over */
    size_t memory_used;   /* by requests, beyond HTTP_BASE of each */
    char *name;
    struct MHD_Daemon *daemon;
    struct listener *listener; /* NULL: stopped */
    struct loop_io *io;
    struct loop_timer *timer;
    struct http_request *waiting;
    struct http_streams streams;
    struct log_limit refusals;
    bool due;     /* a connection was resumed: libmicrohttpd has to be run */
    bool started; /* it took the connection last given to it, and will say when it closed */
};

/* --- what they may ask ---------------------------------------------------- */

/* 0, or the status to refuse the request with. */
static unsigned request_judge(struct http_request *request, const char *method, const char *path)
{
    const struct http_options *options = &request->server->options;

    if (options->token && !http_token_is_shown(request->connection, options->token))
        return MHD_HTTP_UNAUTHORIZED;
    request->route = http_route_find(options, method, path, request->allow);
    if (!request->route)
        return request->allow[0] ? MHD_HTTP_METHOD_NOT_ALLOWED : MHD_HTTP_NOT_FOUND;
    return 0;
}

/* --- a request's life ----------------------------------------------------- */

/* Whether it may hold what it holds now. */
static bool request_hold(struct http_request *request)
{
    struct http_server *server = request->server;
    size_t total = request->body.cap + request->answer_len;
    size_t held = total > HTTP_BASE ? total - HTTP_BASE : 0;

    server->memory_used += held - request->held;
    request->held = held;
    return !held || !server->options.memory_max ||
           server->memory_used <= server->options.memory_max;
}

static struct http_request *request_new(struct http_server *server,
                                        struct MHD_Connection *connection)
{
    struct http_request *request = x_calloc(1, sizeof(*request));

    request->server = server;
    request->connection = connection;
    server->request_count++;
    request->peer = *http_conn_peer(http_conn_of(connection));
    return request;
}

static void request_free(struct http_request *request)
{
    BUG_ON(request->state == REQUEST_WAITING);
    request->server->request_count--;
    if (request->response)
        MHD_destroy_response(request->response);
    request->server->memory_used -= request->held;
    buf_fini(&request->body);
    free(request);
}

static void waiting_add(struct http_request *request)
{
    struct http_server *server = request->server;

    request->state = REQUEST_WAITING;
    http_conn_pause(http_conn_of(request->connection));
    request->next = server->waiting;
    if (request->next)
        request->next->prev = request;
    server->waiting = request;
}

static void waiting_remove(struct http_request *request)
{
    if (request->prev)
        request->prev->next = request->next;
    else
        request->server->waiting = request->next;
    if (request->next)
        request->next->prev = request->prev;
    http_conn_resume(http_conn_of(request->connection));
}

static enum MHD_Result request_send(struct http_request *request)
{
    enum MHD_Result result =
        MHD_queue_response(request->connection, request->status, request->response);

    MHD_destroy_response(request->response);
    request->response = NULL;
    return result;
}

/* What goes before the body of its response, which is made. */
static void request_head(struct http_request *request, unsigned status, const char *content_type)
{
    request->status = status;
    request->state = REQUEST_ANSWERED;
    http_counts_add(request->server->options.counts, status);
    MHD_add_response_header(request->response, MHD_HTTP_HEADER_CONTENT_TYPE, content_type);
    if (request->etag[0])
        MHD_add_response_header(request->response, MHD_HTTP_HEADER_ETAG, request->etag);
    /* Stopped: what had been asked is answered, and no more is. */
    request->is_last = !request->server->listener;
    if (request->is_last)
        MHD_add_response_header(request->response, MHD_HTTP_HEADER_CONNECTION, "close");
}

static void request_answer(struct http_request *request, unsigned status, const char *content_type,
                           const void *body, size_t len)
{
    static const char full[] = "the memory of this listener is used up\n";
    /* The library copies; its parameter lacks the const. */
    union {
        const void *in;
        void *out;
    } bytes = {.in = body};

    request->answer_len = len;
    if (!request_hold(request)) {
        bytes.in = full;
        len = request->answer_len = sizeof(full) - 1;
        request_hold(request);
        status = MHD_HTTP_SERVICE_UNAVAILABLE;
        content_type = "text/plain";
    }
    request->response = MHD_create_response_from_buffer(len, bytes.out, MHD_RESPMEM_MUST_COPY);
    BUG_ON(!request->response);
    request_head(request, status, content_type);
}

static void request_log_refusal(const struct http_request *request, const char *method,
                                const char *path)
{
    char peer[ADDR_TEXT_MAX];

    if (!log_limit_allows(&request->server->refusals, request->server->name,
                          clock_mono_ms(&clock_system)))
        return;
    log_info(NULL, "http-refused", LOG_STR("listener", request->server->name),
             LOG_STR("peer", addr_format(&request->peer, peer)),
             LOG_UINT("status", request->refusal), LOG_STR("method", method),
             LOG_STR("path", path));
}

static enum MHD_Result request_refuse(struct http_request *request, const char *method,
                                      const char *path)
{
    const char *refused_in_json = request->server->options.refused_in_json;
    bool is_json = refused_in_json && str_has_prefix(path, refused_in_json);
    char text[HTTP_REFUSAL_MAX];

    size_t len = http_refusal_text(request->refusal, is_json, text);
    request_log_refusal(request, method, path);
    request_answer(request, request->refusal, is_json ? "application/json" : "text/plain", text,
                   len);
    http_refusal_head(request->response, request->refusal, request->allow);
    return request_send(request);
}

/* Bytes of a body that are read, whether they are kept or not. */
static uint64_t request_readable(const struct http_request *request)
{
    bool takes_long = request->route && request->route->takes_long_body;

    return request->server->options.body_max + (takes_long ? LONG_BODY_MAX : DISCARD_MAX);
}

static void request_refuse_later(struct http_request *request, unsigned status)
{
    if (!request->refusal)
        request->refusal = status;
    buf_fini(&request->body);
    request_hold(request);
}

static void request_drop_body(struct http_request *request)
{
    if (!request->route || !request->route->takes_long_body)
        request_refuse_later(request, MHD_HTTP_CONTENT_TOO_LARGE);
    request->is_too_long = true;
    buf_fini(&request->body);
    request_hold(request);
}

static enum MHD_Result request_begin(struct http_request *request, const char *method,
                                     const char *path)
{
    const char *text = MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND,
                                                   MHD_HTTP_HEADER_CONTENT_LENGTH);
    uint64_t len;

    request->is_head = str_eq(method, MHD_HTTP_METHOD_HEAD);
    request->refusal = request_judge(request, method, path);
    if (!text || str_parse_u64(text, 0, request->server->options.body_max, &len) == 0)
        return MHD_YES;
    request_drop_body(request);
    /* Too much even to be thrown away: the answer goes now, and the connection ends with it. */
    if (str_parse_u64(text, 0, request_readable(request), &len) < 0) {
        if (!request->refusal)
            request->refusal = MHD_HTTP_CONTENT_TOO_LARGE;
        return request_refuse(request, method, path);
    }
    return MHD_YES;
}

static enum MHD_Result request_take(struct http_request *request, const char *bytes, size_t len)
{
    request->received += len;
    if (request->received > request_readable(request))
        return MHD_NO;
    if (request->received > request->server->options.body_max)
        request_drop_body(request);
    if (request->refusal || request->is_too_long)
        return MHD_YES;
    buf_put(&request->body, bytes, len);
    if (!request_hold(request))
        request_refuse_later(request, MHD_HTTP_SERVICE_UNAVAILABLE);
    return MHD_YES;
}

static enum MHD_Result request_complete(struct http_request *request, const char *method,
                                        const char *path)
{
    if (request->response)
        return request_send(request);
    if (request->refusal)
        return request_refuse(request, method, path);
    request->state = REQUEST_HANDLED;
    request->route->fn(request, request->server->options.ctx);
    if (request->response)
        return request_send(request);
    waiting_add(request);
    MHD_suspend_connection(request->connection);
    return MHD_YES;
}

/* Called with the headers, with each part of the body, at the end, and after being resumed. */
static enum MHD_Result on_access(void *ctx, struct MHD_Connection *connection, const char *path,
                                 const char *method, const char *version, const char *bytes,
                                 size_t *len, void **request_slot)
{
    struct http_request *request = *request_slot;

    (void)version;
    if (!request) {
        *request_slot = request = request_new(ctx, connection);
        return request_begin(request, method, path);
    }
    if (*len) {
        enum MHD_Result result = request_take(request, bytes, *len);
        *len = 0;
        return result;
    }
    return request_complete(request, method, path);
}

static void on_completed(void *ctx, struct MHD_Connection *connection, void **request_slot,
                         enum MHD_RequestTerminationCode why)
{
    struct http_request *request = *request_slot;
    struct http_conn *conn = http_conn_of(connection);

    (void)ctx;
    if (request && request->state == REQUEST_READING)
        http_conn_failed(conn, http_conn_reason(why));
    else if (request && why == MHD_REQUEST_TERMINATED_TIMEOUT_REACHED)
        http_conn_failed(conn, "the peer reads too slowly");
    else if (request)
        http_conn_done(conn, request->is_last);
    if (request)
        request_free(request);
    *request_slot = NULL;
}

/* --- the server in the loop ----------------------------------------------- */

static void server_run(void *ctx)
{
    struct http_server *server = ctx;
    MHD_UNSIGNED_LONG_LONG timeout_ms;

    server->due = false;
    http_conns_look_before(&server->conns);
    MHD_run(server->daemon);
    http_conns_look_after(&server->conns);
    /* A handler answered a request that waited: http_respond() has started the timer. */
    if (server->due)
        return;
    if (MHD_get_timeout(server->daemon, &timeout_ms) == MHD_YES)
        loop_timer_start(server->timer, (int64_t)timeout_ms);
    else
        loop_timer_stop(server->timer);
}

static void on_readable(unsigned events, void *ctx)
{
    (void)events;
    server_run(ctx);
}

/* A connection was resumed. */
static void run_soon(void *ctx)
{
    struct http_server *server = ctx;

    server->due = true;
    loop_timer_start(server->timer, 0);
}

static void on_accept(int fd, const struct addr *peer, void *ctx)
{
    struct http_server *server = ctx;
    struct endpoint from = {.is_unix = peer->family == ADDR_NONE, .addr = *peer};
    struct sockaddr_storage ss;
    socklen_t len = endpoint_to_sockaddr(&from, &ss);

    server->started = false;
    /* Whatever it answers, the descriptor is the library's from here on. */
    if (MHD_add_connection(server->daemon, fd, (const struct sockaddr *)&ss, len) == MHD_YES)
        server_run(server);
    if (!server->started)
        listener_released(server->listener);
}

static void on_connection(void *ctx, struct MHD_Connection *connection, void **slot,
                          enum MHD_ConnectionNotificationCode what)
{
    struct http_server *server = ctx;

    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        *slot = http_conn_new(&server->conns, connection);
        server->started = true;
        return;
    }
    struct http_conn *conn = *slot;
    http_conn_free(&conn);
    listener_released(server->listener);
}

/* No listening socket of its own: our listener knows how to wait when descriptors run out. */
static struct MHD_Daemon *daemon_start(struct http_server *server)
{
    unsigned flags =
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ERROR_LOG;

    return MHD_start_daemon(flags, 0, NULL, NULL, on_access, server, MHD_OPTION_EXTERNAL_LOGGER,
                            http_conns_log, &server->conns, MHD_OPTION_NOTIFY_COMPLETED,
                            on_completed, server, MHD_OPTION_NOTIFY_CONNECTION, on_connection,
                            server, MHD_OPTION_CONNECTION_LIMIT, server->options.max_connections,
                            MHD_OPTION_CONNECTION_TIMEOUT, server->options.idle_sec,
                            MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HEADERS_MAX,
                            MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
}

struct http_server *http_server_new(struct loop *loop, const struct http_options *options,
                                    struct error *error_r)
{
    struct http_server *server = x_calloc(1, sizeof(*server));

    server->options = *options;
    server->loop = loop;
    server->name = x_strdup(options->name);
    server->conns = (struct http_conns){
        .loop = loop,
        .name = server->name,
        .idle_sec = options->idle_sec,
        .within_sec = options->request_sec,
    };
    server->streams =
        (struct http_streams){.unread_sec = options->idle_sec, .run = run_soon, .ctx = server};
    if (http_conns_init(&server->conns) == 0)
        server->daemon = daemon_start(server);
    const union MHD_DaemonInfo *info =
        server->daemon ? MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD) : NULL;
    if (!info) {
        error_set(error_r, ERROR_SYSTEM, "cannot start the HTTP server %s", options->name);
        close(options->fd);
        http_server_free(&server);
        return NULL;
    }
    server->io = loop_io_new(loop, info->epoll_fd, LOOP_READ, on_readable, server);
    server->timer = loop_timer_new(loop, server_run, server);
    server->listener = listener_new(loop, &(struct listener_options){
                                              .fd = options->fd,
                                              .name = options->name,
                                              .max = options->max_connections,
                                              .from = options->from,
                                              .fn = on_accept,
                                              .ctx = server,
                                          });
    return server;
}

bool http_server_is_busy(const struct http_server *server)
{
    return server->request_count > 0 || server->conns.begun_count > 0;
}

static void server_answer_waiting(struct http_server *server)
{
    static const char text[] = "shutting down\n";

    while (server->waiting)
        http_respond(server->waiting, MHD_HTTP_SERVICE_UNAVAILABLE, "text/plain", text,
                     sizeof(text) - 1);
}

void http_server_stop(struct http_server *server)
{
    listener_free(&server->listener);
    http_streams_end(&server->streams);
    /* What lies in their sockets was asked before. */
    server_run(server);
}

void http_server_free(struct http_server **server)
{
    struct http_server *old = *server;

    if (!old)
        return;
    *server = NULL;
    listener_free(&old->listener);
    if (old->daemon) {
        server_answer_waiting(old);
        http_streams_end(&old->streams);
        MHD_run(old->daemon);
        loop_io_free(&old->io);
        old->conns.ending = true;
        MHD_stop_daemon(old->daemon);
    }
    http_conns_fini(&old->conns);
    loop_timer_free(&old->timer);
    free(old->name);
    free(old);
}

size_t http_server_connection_count(const struct http_server *server)
{
    return server->conns.count;
}

uint64_t http_server_bad_count(const struct http_server *server)
{
    return server->conns.bad_count;
}

/* --- for handlers --------------------------------------------------------- */

const char *http_request_argument(const struct http_request *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, name);
}

const char *http_request_header(const struct http_request *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

const uint8_t *http_request_body(const struct http_request *request, size_t *len_r)
{
    *len_r = request->body.len;
    return (const uint8_t *)buf_str(&request->body);
}

bool http_request_is_too_long(const struct http_request *request)
{
    return request->is_too_long;
}

const struct addr *http_request_peer(const struct http_request *request)
{
    return &request->peer;
}

void http_respond(struct http_request *request, unsigned status, const char *content_type,
                  const void *body, size_t len)
{
    struct http_server *server = request->server;
    bool waiting = request->state == REQUEST_WAITING;

    BUG_ON(!waiting && request->state != REQUEST_HANDLED);
    if (waiting)
        waiting_remove(request);
    request_answer(request, status, content_type, body, len);
    if (!waiting)
        return;
    MHD_resume_connection(request->connection);
    run_soon(server);
}

void http_request_tag(struct http_request *request, const char *etag)
{
    snprintf(request->etag, sizeof(request->etag), "%s", etag);
}

void http_respond_stream(struct http_request *request, const char *content_type,
                         const struct http_source *source, void *ctx)
{
    BUG_ON(request->state != REQUEST_HANDLED);
    /* The library would end the chunks that it does not send. */
    if (request->is_head) {
        source->gone(ctx);
        request_answer(request, MHD_HTTP_OK, content_type, NULL, 0);
        return;
    }
    request->response = http_stream_new(&request->server->streams, request->connection, source, ctx,
                                        &request->stream);
    request_head(request, MHD_HTTP_OK, content_type);
    http_conn_pause(http_conn_of(request->connection));
}

void http_wake(struct http_request *request)
{
    http_stream_wake(request->stream);
}

bool http_hold(struct http_request *request, size_t len)
{
    request->answer_len = len;
    return request_hold(request);
}
