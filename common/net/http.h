/* SPDX-License-Identifier: MIT */
#ifndef PN_NET_HTTP_H
#define PN_NET_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/addr.h"
#include "common/base/buf.h"
#include "common/base/error.h"
#include "common/base/prefixset.h"
#include "common/net/loop.h"

/*
 * An HTTP/1.1 server over libmicrohttpd that lives in the loop: no thread, no CPU
 * when idle, keep-alive. It checks who asks (nets, token in constant time), bounds
 * what is sent, and hands whole requests over.
 */
struct http_server;
struct http_request;

/* Answer by http_respond(), at once or later from the loop's thread, exactly once. */
typedef void (*http_handler_fn)(struct http_request *request, void *ctx);

struct http_route {
    const char *method; /* "POST" */
    const char *path;   /* "/auth"; exact */
    http_handler_fn fn;
    /*
     * Handle also requests whose body is longer than body_max: up to a MiB more is read
     * and thrown away, and http_request_is_too_long() then. Else they are answered 413.
     */
    bool takes_long_body;
};

/* Answers by status. Zeroes are none; those that libmicrohttpd gives itself are not among them. */
#define HTTP_STATUSES_MAX 16 /* more than are ever given */

struct http_counts {
    struct {
        unsigned status;
        uint64_t count;
    } items[HTTP_STATUSES_MAX];
    size_t count;
};

/*
 * What bodies and answers in hand may take together beyond HTTP_BASE bytes of each
 * request: who would take more is answered 503.
 */
#define HTTP_BASE 8192u

struct http_options {
    int fd;           /* listening, from listener_bind(); owned from now on */
    const char *name; /* for log lines */
    const char
        *token; /* NULL: none; else "Authorization: Bearer", "X-API-Key", or Basic's password */
    const struct prefixlist *from; /* empty: all */
    size_t body_max;
    size_t memory_max; /* 0: no limit */
    unsigned max_connections;
    unsigned idle_sec;    /* without a byte either way */
    unsigned request_sec; /* more than that, and no request came to its end: closed */
    const struct http_route *routes;
    size_t route_count;
    const char *refused_in_json; /* what is refused of paths that begin so is JSON; NULL: none */
    void *ctx;                   /* for the routes' fn */
    struct http_counts *counts;  /* what to count in, or NULL; lives longer than the server */
};

/* Strings in options live as long as the server. NULL and error_r when libmicrohttpd will not
 * start. */
struct http_server *http_server_new(struct loop *loop, const struct http_options *options,
                                    struct error *error_r);
/*
 * Accept nobody any more. Who is connected is served on until the next answer, which
 * ends the connection ("Connection: close"); answers that come in pieces break off.
 */
void http_server_stop(struct http_server *server);
/* Whether a request is on its way in, or its answer on its way out. */
bool http_server_is_busy(const struct http_server *server);
/* Requests that still wait for an answer are answered 503 first. */
void http_server_free(struct http_server **server);

size_t http_server_connection_count(const struct http_server *server);
/* Connections that ended without a request, amid one, for one that was none, or with an answer
 * unread. */
uint64_t http_server_bad_count(const struct http_server *server);

/* The value of a query argument or header, or NULL. Borrowed from the request. */
const char *http_request_argument(const struct http_request *request, const char *name);
const char *http_request_header(const struct http_request *request, const char *name);
const uint8_t *http_request_body(const struct http_request *request, size_t *len_r);
/* Of a route that takes long bodies: it was too long, and is empty here. */
bool http_request_is_too_long(const struct http_request *request);
/* ADDR_NONE: Unix socket. */
const struct addr *http_request_peer(const struct http_request *request);

#define HTTP_ETAG_MAX 64 /* bytes with its quotes and its NUL */
/* Before the answer, within the handler: its ETag (RFC 9110 8.8.3), with the quotes. */
void http_request_tag(struct http_request *request, const char *etag);
/* Whether the client has what bears this ETag: If-None-Match (RFC 9110 13.1.2). */
bool http_request_has(const struct http_request *request, const char *etag);

/* body is copied. The request is gone afterwards. */
void http_respond(struct http_request *request, unsigned status, const char *content_type,
                  const void *body, size_t len);

/* Where a body comes from that comes in pieces. */
#define HTTP_PIECE 4096u

struct http_source {
    /*
     * Append what comes next, HTTP_PIECE bytes or not much more; nothing when there is
     * nothing yet: it is asked again after http_wake(). True: that was all.
     */
    bool (*more)(void *ctx, struct buf *out);
    /* The answer is over, or its reader is gone, and so is the request. Once. */
    void (*gone)(void *ctx);
};

/*
 * Answer 200 with such a body, within the handler; source lives longer than the server. Who
 * takes no byte of it for idle_sec is closed, whoever reads may take any time.
 */
void http_respond_stream(struct http_request *request, const char *content_type,
                         const struct http_source *source, void *ctx);
void http_wake(struct http_request *request);
/*
 * The source holds so many bytes for this answer, which count as the answers that nobody
 * has read yet. False: more than the listener has; it must let go of them.
 */
bool http_hold(struct http_request *request, size_t len);

#endif
