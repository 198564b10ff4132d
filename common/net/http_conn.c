/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/net/http_conn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <microhttpd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"

#define EVENTS_MAX   64
#define LOG_LINE_MAX 512

struct http_conn {
    struct http_conns *conns;
    struct loop_timer *deadline;
    int fd;
    struct addr peer;
    bool begun;         /* bytes came since the last request was over */
    bool served;        /* a request came over it */
    bool told;          /* why it ends is in the log, or is no news */
    unsigned done_turn; /* in which a request was over */
    int64_t heard_at;   /* mono_ms */
};

/* Edges of its own: the library's epoll does not say whom it is ready for. */
int http_conns_init(struct http_conns *conns)
{
    conns->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    return conns->epoll_fd < 0 ? -1 : 0;
}

void http_conns_fini(struct http_conns *conns)
{
    if (conns->epoll_fd >= 0)
        close(conns->epoll_fd);
    conns->epoll_fd = -1;
}

void http_conns_log(void *ctx, const char *fmt, va_list ap)
{
    const struct http_conns *conns = ctx;
    char text[LOG_LINE_MAX];

    vsnprintf(text, sizeof(text), fmt, ap);
    text[strcspn(text, "\n")] = '\0';
    log_debug(NULL, "http-library", LOG_STR("listener", conns->name), LOG_STR("text", text));
}

static bool has_unread(const struct http_conn *conn)
{
    int len = 0;

    return ioctl(conn->fd, FIONREAD, &len) == 0 && len > 0;
}

static void set_begun(struct http_conn *conn, bool begun)
{
    if (begun && !conn->begun)
        conn->conns->begun_count++;
    if (!begun && conn->begun)
        conn->conns->begun_count--;
    conn->begun = begun;
}

/*
 * Before the library reads, bytes lie there to be counted. Afterwards they may be read:
 * then the event is a peer's end, or bytes of a request, or of one that is over already.
 */
static void note_event(struct http_conn *conn, bool is_end, bool after)
{
    bool may_be_read = after && !is_end && conn->done_turn != conn->conns->turn;

    if (!may_be_read && !has_unread(conn))
        return;
    conn->heard_at = clock_mono_ms(&clock_system);
    set_begun(conn, true);
}

static void look(struct http_conns *conns, bool after)
{
    struct epoll_event events[EVENTS_MAX];
    int count;

    do {
        count = epoll_wait(conns->epoll_fd, events, EVENTS_MAX, 0);
        for (int i = 0; i < count; i++)
            note_event(events[i].data.ptr, events[i].events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR),
                       after);
    } while (count == EVENTS_MAX);
}

void http_conns_look_before(struct http_conns *conns)
{
    conns->turn++;
    look(conns, false);
}

void http_conns_look_after(struct http_conns *conns)
{
    look(conns, true);
}

static void complain(struct http_conn *conn, const char *reason)
{
    struct http_conns *conns = conn->conns;
    char peer[ADDR_TEXT_MAX];
    bool is_unix = conn->peer.family == ADDR_NONE;

    if (conn->told || conns->ending)
        return;
    conn->told = true;
    conns->bad_count++;
    if (log_limit_allows(&conns->complaints, conns->name, clock_mono_ms(&clock_system)))
        log_warning(NULL, "connection-closed", LOG_STR("listener", conns->name),
                    LOG_STR("peer", is_unix ? "unix" : addr_format(&conn->peer, peer)),
                    LOG_STR("reason", reason));
}

/* The library has no call to close a connection; it finds this one closed by the peer. */
static void on_deadline(void *ctx)
{
    struct http_conn *conn = ctx;

    complain(conn, "no whole request in request_timeout");
    shutdown(conn->fd, SHUT_RDWR);
}

/* It does not say when the first byte of a request comes: the time for silence is part of this. */
static void restart(struct http_conn *conn)
{
    const struct http_conns *conns = conn->conns;

    if (conns->within_sec)
        loop_timer_start(conn->deadline, ((int64_t)conns->idle_sec + conns->within_sec) * 1000);
}

static void read_peer(struct http_conn *conn, struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);

    if (!info || !info->client_addr || addr_from_sockaddr(info->client_addr, &conn->peer, NULL) < 0)
        memset(&conn->peer, 0, sizeof(conn->peer));
}

struct http_conn *http_conn_new(struct http_conns *conns, struct MHD_Connection *connection)
{
    struct http_conn *conn = x_calloc(1, sizeof(*conn));
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data.ptr = conn};

    conns->count++;
    conn->conns = conns;
    conn->fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    read_peer(conn, connection);
    /* Without memory for it: requests are served as before, only half ones leave no trace. */
    (void)!epoll_ctl(conns->epoll_fd, EPOLL_CTL_ADD, conn->fd, &event);
    conn->deadline = loop_timer_new(conns->loop, on_deadline, conn);
    restart(conn);
    return conn;
}

static bool peer_is_gone(const struct http_conn *conn)
{
    uint8_t byte;

    return recv(conn->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

static const char *reason_of_end(const struct http_conn *conn)
{
    int64_t silent_ms = clock_mono_ms(&clock_system) - conn->heard_at;

    if (!conn->begun)
        return "no request came over it";
    if (silent_ms >= (int64_t)conn->conns->idle_sec * 1000)
        return "half a request, and then nothing";
    return peer_is_gone(conn) ? "closed by the peer amid a request"
                              : "no HTTP, or longer than it may be";
}

void http_conn_free(struct http_conn **conn)
{
    struct http_conn *old = *conn;

    *conn = NULL;
    /* The library may read, refuse and close within one turn, and nobody sees a byte of it. */
    if (old->begun || !old->served)
        complain(old, reason_of_end(old));
    set_begun(old, false);
    old->conns->count--;
    epoll_ctl(old->conns->epoll_fd, EPOLL_CTL_DEL, old->fd, NULL);
    loop_timer_free(&old->deadline);
    free(old);
}

struct http_conn *http_conn_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

    return info->socket_context;
}

const struct addr *http_conn_peer(const struct http_conn *conn)
{
    return &conn->peer;
}

void http_conn_pause(struct http_conn *conn)
{
    loop_timer_stop(conn->deadline);
}

void http_conn_resume(struct http_conn *conn)
{
    restart(conn);
}

void http_conn_done(struct http_conn *conn, bool is_last)
{
    conn->done_turn = conn->conns->turn;
    conn->served = true;
    conn->told |= is_last;
    set_begun(conn, !is_last && has_unread(conn));
    restart(conn);
}

const char *http_conn_reason(unsigned why)
{
    switch ((enum MHD_RequestTerminationCode)why) {
    case MHD_REQUEST_TERMINATED_TIMEOUT_REACHED:
        return "half a request, and then nothing";
    case MHD_REQUEST_TERMINATED_READ_ERROR:
    case MHD_REQUEST_TERMINATED_CLIENT_ABORT:
        return "closed by the peer amid a request";
    case MHD_REQUEST_TERMINATED_COMPLETED_OK: /* the library's own 400 went out */
    case MHD_REQUEST_TERMINATED_WITH_ERROR:
    case MHD_REQUEST_TERMINATED_DAEMON_SHUTDOWN:
        break;
    }
    return "no HTTP, or longer than it may be";
}

void http_conn_failed(struct http_conn *conn, const char *reason)
{
    complain(conn, reason);
    conn->served = true;
    set_begun(conn, false);
}
