/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/net/http.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <microhttpd.h>

#include "common/base/buf.h"
#include "common/base/bug.h"
#include "common/base/clock.h"
#include "common/base/endpoint.h"
#include "common/base/log.h"
#include "common/base/log_limit.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/net/http_token.h"
#include "common/net/listener.h"

#define HEADERS_MAX                                                                                \
    16384u /* bytes of request line and headers, and of the connection's buffers                   \
            */
#define DISCARD_MAX    65536u /* of a refused body are read, so that the answer arrives */
#define ALLOW_TEXT_MAX 128
#define LOG_LINE_MAX   512

enum request_state {
    REQUEST_READING,
    REQUEST_HANDLED, /* its handler is running */
    REQUEST_WAITING, /* for http_respond(); its connection is suspended */
    REQUEST_ANSWERED,
};

/* A connection, with the time that is left until a request on it has to be over. */
struct http_conn {
    struct http_server *server;
    struct MHD_Connection *connection;
    struct loop_timer *deadline;
};

struct http_request {
    struct http_server *server;
    struct MHD_Connection *connection;
    struct http_request *prev; /* the server's waiting ones */
    struct http_request *next;
    enum request_state state;
    const struct http_route *route;
    unsigned refusal; /* status to refuse it with, or 0 */
    char allow[ALLOW_TEXT_MAX];
    struct addr peer;
    size_t received;
    struct buf body;
    struct MHD_Response *response; /* made, not handed to libmicrohttpd yet */
    unsigned status;
};

struct http_server {
    struct http_options options;
    struct loop *loop;
    size_t conn_count;
    size_t request_count; /* begun and not over */
    char *name;
    struct MHD_Daemon *daemon;
    struct listener *listener; /* NULL: stopped */
    struct loop_io *io;
    struct loop_timer *timer;
    struct http_request *waiting;
    struct log_limit refusals;
    bool due;     /* a connection was resumed: libmicrohttpd has to be run */
    bool started; /* it took the connection last given to it, and will say when it closed */
};

/* --- what they may ask ---------------------------------------------------- */

/* RFC 9110 9.3.2: HEAD is GET whose answer has no body; libmicrohttpd leaves it out. */
static bool route_takes(const struct http_route *route, const char *method)
{
    return str_eq(route->method, method) ||
           (str_eq(method, MHD_HTTP_METHOD_HEAD) && str_eq(route->method, MHD_HTTP_METHOD_GET));
}

static void allow_add(char allow[ALLOW_TEXT_MAX], const char *method)
{
    size_t used = strlen(allow);

    snprintf(allow + used, ALLOW_TEXT_MAX - used, "%s%s", used ? ", " : "", method);
}

/* The route, or NULL; allow then names what the path takes, and is empty for no such path. */
static const struct http_route *route_find(const struct http_options *options, const char *method,
                                           const char *path, char allow[ALLOW_TEXT_MAX])
{
    for (size_t i = 0; i < options->route_count; i++) {
        const struct http_route *route = &options->routes[i];
        if (!str_eq(route->path, path))
            continue;
        if (route_takes(route, method))
            return route;
        allow_add(allow, route->method);
    }
    return NULL;
}

/* 0, or the status to refuse the request with. */
static unsigned request_judge(struct http_request *request, const char *method, const char *path)
{
    const struct http_options *options = &request->server->options;

    if (options->token && !http_token_is_shown(request->connection, options->token))
        return MHD_HTTP_UNAUTHORIZED;
    request->route = route_find(options, method, path, request->allow);
    if (!request->route)
        return request->allow[0] ? MHD_HTTP_METHOD_NOT_ALLOWED : MHD_HTTP_NOT_FOUND;
    return 0;
}

/* --- a connection's life -------------------------------------------------- */

/*
 * libmicrohttpd closes who is silent; who sends a byte now and then it would keep for
 * ever. It does not say when the first byte of a request comes, so the time for
 * silence before it is part of the deadline.
 */
static void conn_restart(struct http_conn *conn)
{
    const struct http_options *options = &conn->server->options;

    if (options->request_sec)
        loop_timer_start(conn->deadline,
                         ((int64_t)options->idle_sec + options->request_sec) * 1000);
}

static struct http_conn *conn_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

    return info->socket_context;
}

/* The library has no call to close a connection; it finds this one closed by the peer. */
static void on_deadline(void *ctx)
{
    struct http_conn *conn = ctx;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(conn->connection, MHD_CONNECTION_INFO_CONNECTION_FD);

    if (log_limit_allows(&conn->server->refusals, conn->server->name, clock_mono_ms(&clock_system)))
        log_info(NULL, "connection-closed", LOG_STR("listener", conn->server->name),
                 LOG_STR("reason", "no whole request in request_timeout"));
    shutdown(info->connect_fd, SHUT_RDWR);
}

static struct http_conn *conn_new(struct http_server *server, struct MHD_Connection *connection)
{
    struct http_conn *conn = x_calloc(1, sizeof(*conn));

    server->conn_count++;
    conn->server = server;
    conn->connection = connection;
    conn->deadline = loop_timer_new(server->loop, on_deadline, conn);
    conn_restart(conn);
    return conn;
}

static void conn_free(struct http_conn *conn)
{
    conn->server->conn_count--;
    loop_timer_free(&conn->deadline);
    free(conn);
}

/* --- a request's life ----------------------------------------------------- */

static void request_read_peer(struct http_request *request)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);

    if (!info || !info->client_addr ||
        addr_from_sockaddr(info->client_addr, &request->peer, NULL) < 0)
        memset(&request->peer, 0, sizeof(request->peer));
}

static struct http_request *request_new(struct http_server *server,
                                        struct MHD_Connection *connection)
{
    struct http_request *request = x_calloc(1, sizeof(*request));

    request->server = server;
    request->connection = connection;
    server->request_count++;
    request_read_peer(request);
    return request;
}

static void request_free(struct http_request *request)
{
    BUG_ON(request->state == REQUEST_WAITING);
    request->server->request_count--;
    if (request->response)
        MHD_destroy_response(request->response);
    buf_fini(&request->body);
    free(request);
}

static void waiting_add(struct http_request *request)
{
    struct http_server *server = request->server;

    request->state = REQUEST_WAITING;
    loop_timer_stop(conn_of(request->connection)->deadline);
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
    conn_restart(conn_of(request->connection));
}

static enum MHD_Result request_send(struct http_request *request)
{
    enum MHD_Result result =
        MHD_queue_response(request->connection, request->status, request->response);

    MHD_destroy_response(request->response);
    request->response = NULL;
    return result;
}

static void count_answer(struct http_counts *counts, unsigned status)
{
    size_t i = 0;

    if (!counts)
        return;
    while (i < counts->count && counts->items[i].status != status)
        i++;
    if (i == HTTP_STATUSES_MAX)
        return;
    if (i == counts->count)
        counts->items[counts->count++].status = status;
    counts->items[i].count++;
}

static void request_answer(struct http_request *request, unsigned status, const char *content_type,
                           const void *body, size_t len)
{
    /* The library copies; its parameter lacks the const. */
    union {
        const void *in;
        void *out;
    } bytes = {.in = body};

    request->response = MHD_create_response_from_buffer(len, bytes.out, MHD_RESPMEM_MUST_COPY);
    BUG_ON(!request->response);
    request->status = status;
    request->state = REQUEST_ANSWERED;
    count_answer(request->server->options.counts, status);
    MHD_add_response_header(request->response, MHD_HTTP_HEADER_CONTENT_TYPE, content_type);
}

static bool may_log_refusal(struct http_server *server)
{
    return log_limit_allows(&server->refusals, server->name, clock_mono_ms(&clock_system));
}

static void request_log_refusal(const struct http_request *request, const char *method,
                                const char *path)
{
    char peer[ADDR_TEXT_MAX];

    if (!may_log_refusal(request->server))
        return;
    log_info(NULL, "http-refused", LOG_STR("listener", request->server->name),
             LOG_STR("peer", addr_format(&request->peer, peer)),
             LOG_UINT("status", request->refusal), LOG_STR("method", method),
             LOG_STR("path", path));
}

static enum MHD_Result request_refuse(struct http_request *request, const char *method,
                                      const char *path)
{
    char text[64];

    int len = snprintf(text, sizeof(text), "%s\n", MHD_get_reason_phrase_for(request->refusal));
    request_log_refusal(request, method, path);
    request_answer(request, request->refusal, "text/plain", text, (size_t)len);
    if (request->refusal == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(request->response, MHD_HTTP_HEADER_ALLOW, request->allow);
    if (request->refusal == MHD_HTTP_UNAUTHORIZED) {
        MHD_add_response_header(request->response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer");
        MHD_add_response_header(request->response, MHD_HTTP_HEADER_WWW_AUTHENTICATE,
                                "Basic realm=\"postern\"");
    }
    return request_send(request);
}

static enum MHD_Result request_begin(struct http_request *request, const char *method,
                                     const char *path)
{
    const char *text = MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND,
                                                   MHD_HTTP_HEADER_CONTENT_LENGTH);
    size_t body_max = request->server->options.body_max;
    uint64_t len;

    request->refusal = request_judge(request, method, path);
    if (!text || str_parse_u64(text, 0, body_max, &len) == 0)
        return MHD_YES;
    if (!request->refusal)
        request->refusal = MHD_HTTP_CONTENT_TOO_LARGE;
    /* Too much even to be thrown away: the answer goes now, and the connection ends with it. */
    if (str_parse_u64(text, 0, body_max + DISCARD_MAX, &len) < 0)
        return request_refuse(request, method, path);
    return MHD_YES;
}

static enum MHD_Result request_take(struct http_request *request, const char *bytes, size_t len)
{
    size_t body_max = request->server->options.body_max;

    request->received += len;
    if (request->received > body_max + DISCARD_MAX)
        return MHD_NO;
    if (!request->refusal && request->received > body_max) {
        request->refusal = MHD_HTTP_CONTENT_TOO_LARGE;
        buf_fini(&request->body);
    }
    if (!request->refusal)
        buf_put(&request->body, bytes, len);
    return MHD_YES;
}

static enum MHD_Result request_complete(struct http_request *request, const char *method,
                                        const char *path)
{
    if (request->response)
        return request_send(request);
    if (!request->refusal && !request->server->listener)
        request->refusal = MHD_HTTP_SERVICE_UNAVAILABLE;
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
    (void)ctx;
    (void)why;
    conn_restart(conn_of(connection));
    if (*request_slot)
        request_free(*request_slot);
    *request_slot = NULL;
}

/* --- the server in the loop ----------------------------------------------- */

static void server_run(struct http_server *server)
{
    MHD_UNSIGNED_LONG_LONG timeout_ms;

    server->due = false;
    MHD_run(server->daemon);
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

static void on_timer(void *ctx)
{
    server_run(ctx);
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
        *slot = conn_new(server, connection);
        server->started = true;
        return;
    }
    conn_free(*slot);
    listener_released(server->listener);
}

static void on_log(void *ctx, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));
static void on_log(void *ctx, const char *fmt, va_list ap)
{
    struct http_server *server = ctx;
    char text[LOG_LINE_MAX];

    vsnprintf(text, sizeof(text), fmt, ap);
    text[strcspn(text, "\n")] = '\0';
    log_debug(NULL, "http-library", LOG_STR("listener", server->name), LOG_STR("text", text));
}

/* No listening socket of its own: our listener knows how to wait when descriptors run out. */
static struct MHD_Daemon *daemon_start(struct http_server *server)
{
    unsigned flags =
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ERROR_LOG;

    return MHD_start_daemon(
        flags, 0, NULL, NULL, on_access, server, MHD_OPTION_EXTERNAL_LOGGER, on_log, server,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, server, MHD_OPTION_NOTIFY_CONNECTION,
        on_connection, server, MHD_OPTION_CONNECTION_LIMIT, server->options.max_connections,
        MHD_OPTION_CONNECTION_TIMEOUT, server->options.idle_sec, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)HEADERS_MAX, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
}

struct http_server *http_server_new(struct loop *loop, const struct http_options *options,
                                    struct error *error_r)
{
    struct http_server *server = x_calloc(1, sizeof(*server));

    server->options = *options;
    server->loop = loop;
    server->name = x_strdup(options->name);
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
    server->timer = loop_timer_new(loop, on_timer, server);
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
    return server->request_count > 0;
}

static void server_answer_waiting(struct http_server *server)
{
    static const char text[] = "shutting down\n";

    if (!server->waiting)
        return;
    while (server->waiting)
        http_respond(server->waiting, MHD_HTTP_SERVICE_UNAVAILABLE, "text/plain", text,
                     sizeof(text) - 1);
    MHD_run(server->daemon);
}

void http_server_stop(struct http_server *server)
{
    listener_free(&server->listener);
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
        loop_io_free(&old->io);
        MHD_stop_daemon(old->daemon);
    }
    loop_timer_free(&old->timer);
    free(old->name);
    free(old);
}

size_t http_server_connection_count(const struct http_server *server)
{
    return server->conn_count;
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
    server->due = true;
    loop_timer_start(server->timer, 0);
}
