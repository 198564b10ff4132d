/* SPDX-License-Identifier: MIT */
#ifndef PN_NET_HTTP_CONN_H
#define PN_NET_HTTP_CONN_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/addr.h"
#include "common/base/log_limit.h"
#include "common/net/loop.h"

struct MHD_Connection;

/*
 * What libmicrohttpd does not tell of its connections: whether bytes of a request have
 * come, that it refused what came before anybody was asked, and who sent it. And what
 * it does not do: close who sends a byte now and then. Not seen is half a request that
 * came in one piece with the one before, until more of it comes.
 */
struct http_conns {
    struct loop *loop;
    const char *name;    /* of the listener, for log lines */
    unsigned idle_sec;   /* of silence before a request */
    unsigned within_sec; /* for it, beyond idle_sec; 0: no limit */
    size_t count;
    size_t begun_count; /* connections amid a request */
    uint64_t bad_count; /* connections that ended amid one, or with its answer unread */
    bool ending;        /* all are closed by us: nobody's fault */
    int epoll_fd;
    unsigned turn;
    struct log_limit complaints;
};

struct http_conn;

/* loop to within_sec are set, the rest is zero. 0, or -1 with errno. */
int http_conns_init(struct http_conns *conns) __attribute__((warn_unused_result));
void http_conns_fini(struct http_conns *conns);

/* What the library has to say goes to the log; ctx is the connections. */
void http_conns_log(void *ctx, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));

/* To be called right before and right after the library reads. */
void http_conns_look_before(struct http_conns *conns);
void http_conns_look_after(struct http_conns *conns);

struct http_conn *http_conn_new(struct http_conns *conns, struct MHD_Connection *connection);
/* The connection closes. */
void http_conn_free(struct http_conn **conn);

/* The one whose context this is in the library. */
struct http_conn *http_conn_of(struct MHD_Connection *connection);
/* ADDR_NONE: Unix socket. */
const struct addr *http_conn_peer(const struct http_conn *conn);

/* The peer waits for us; it has all its time again afterwards. */
void http_conn_pause(struct http_conn *conn);
void http_conn_resume(struct http_conn *conn);
/* A request is over. The connection's end is no surprise if that was the last one. */
void http_conn_done(struct http_conn *conn, bool is_last);
/* Why a request broke off, by the library's enum MHD_RequestTerminationCode. */
const char *http_conn_reason(unsigned why);
/* One broke off; the connection closes. */
void http_conn_failed(struct http_conn *conn, const char *reason);

#endif
