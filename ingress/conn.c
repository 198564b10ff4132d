/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "ingress/conn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/wire/pp.h"
#include "ingress/dial.h"
#include "ingress/door.h"
#include "ingress/pump.h"

enum conn_state {
    CONN_HEADER,  /* the gateway's header is not whole */
    CONN_CONNECT, /* the upstream has not answered */
    CONN_RELAY,   /* bytes go to and fro */
};

/*
 * Thousands of these idle for hours: no buffer but the part of a header that came alone.
 */
struct conn {
    struct conn_port *port;
    struct conn *prev, *next;
    enum conn_state state;
    enum door_way way;
    bool is_probe;
    const struct config_gateway *gateway;
    struct addr peer;
    struct door_client client;
    struct client_link link;
    struct session *session; /* in the table, of one that is forwarded plainly; or NULL */
    int client_fd, upstream_fd;
    struct loop_io *client_io, *upstream_io;
    struct loop_timer *timer; /* of the state; in CONN_RELAY the idle time */
    struct buf part;          /* of a header, taken from the socket */
    struct pump up, down;
};

/* --- the end --------------------------------------------------------------------------- */

/* The peer sees a reset instead of an orderly end. */
static void will_reset(int fd)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};

    if (fd >= 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

static void unlink_conn(struct conn *conn)
{
    struct conn_port *port = conn->port;

    if (conn->prev)
        conn->prev->next = conn->next;
    else
        port->first = conn->next;
    if (conn->next)
        conn->next->prev = conn->prev;
    port->count--;
}

static void conn_free(struct conn *conn)
{
    struct conn_port *port = conn->port;

    unlink_conn(conn);
    clients_remove(port->world->clients, &conn->link);
    if (conn->session)
        sessions_remove(port->world->sessions, conn->session);
    free(conn->session);
    pump_fini(&conn->up, port->world->pipes);
    pump_fini(&conn->down, port->world->pipes);
    loop_io_free(&conn->client_io);
    loop_io_free(&conn->upstream_io);
    loop_timer_free(&conn->timer);
    buf_fini(&conn->part);
    close(conn->client_fd);
    if (conn->upstream_fd >= 0)
        close(conn->upstream_fd);
    free(conn);
    listener_released(port->listener);
}

static void end(struct conn *conn, enum port_stat why)
{
    conn->port->stats.count[why]++;
    conn_free(conn);
}

static void reset(struct conn *conn)
{
    will_reset(conn->client_fd);
    will_reset(conn->upstream_fd);
    conn_free(conn);
}

/* A stranger can cause as many of these lines as the limit lets through. */
static void complain(struct conn *conn, const char *event, const char *reason)
{
    struct conn_port *port = conn->port;
    char peer[ADDR_TEXT_MAX], client[ADDR_TEXT_MAX];

    if (!log_limit_allows(&port->complaints, port->config->name, clock_mono_ms(port->world->clock)))
        return;
    log_warning(NULL, event, LOG_STR("ingress", port->config->name),
                LOG_STR("gateway", conn->gateway ? conn->gateway->name : "-"),
                LOG_STR("peer", addr_format(&conn->peer, peer)),
                LOG_STR("client", addr_format(&conn->client.addr, client)),
                LOG_STR("reason", reason));
}

void conn_cut(struct client_link *link, void *ctx)
{
    const enum bantable_reach *reach = ctx;
    struct conn *conn = MAP_ENTRY(link, struct conn, link);
    char client[ADDR_TEXT_MAX];

    if (conn->way == DOOR_MASKED || !bantable_reaches(*reach, conn->client.destination_port))
        return;
    log_info(NULL, "cut", LOG_STR("ingress", conn->port->config->name),
             LOG_STR("client", addr_format(&link->addr, client)), LOG_STR("reason", "banned"));
    conn->port->stats.count[PORT_CUT]++;
    reset(conn);
}

void conn_end_all(struct conn_port *port)
{
    struct conn *next = NULL;

    for (struct conn *conn = port->first; conn; conn = next) {
        next = conn->next;
        reset(conn);
    }
}

/* --- to and fro -------------------------------------------------------------------------- */

static void on_client(unsigned events, void *ctx);
static void on_upstream(unsigned events, void *ctx);

static bool is_over(const struct conn *conn)
{
    return conn->up.has_passed && conn->down.has_passed;
}

static unsigned wants_of(enum pump_result reading, enum pump_result writing)
{
    return (reading == PUMP_READ || reading == PUMP_AGAIN ? LOOP_READ : 0) |
           (writing == PUMP_WRITE ? LOOP_WRITE : 0);
}

static void watch(struct conn *conn, struct loop_io **io, int fd, unsigned events, loop_io_fn fn)
{
    if (*io)
        loop_io_want(*io, events);
    else
        *io = loop_io_new(conn->port->world->loop, fd, events, fn, conn);
}

/* What the pumps wait for. */
static void await(struct conn *conn)
{
    enum pump_result up = conn->up.result, down = conn->down.result;

    watch(conn, &conn->client_io, conn->client_fd, wants_of(up, down), on_client);
    watch(conn, &conn->upstream_io, conn->upstream_fd, wants_of(down, up), on_upstream);
    loop_timer_start(conn->timer, (int64_t)conn->port->config->idle_timeout_sec * 1000);
}

/* The pumps that these events are for: the other one would find nothing. */
static void relay(struct conn *conn, bool runs_up, bool runs_down)
{
    struct pipes *pipes = conn->port->world->pipes;

    if ((runs_up && pump_run(&conn->up, pipes) == PUMP_BROKEN) ||
        (runs_down && pump_run(&conn->down, pipes) == PUMP_BROKEN))
        reset(conn);
    else if (is_over(conn))
        conn_free(conn);
    else
        await(conn);
}

/* --- the upstream ------------------------------------------------------------------------ */

static void upstream_is(struct conn_port *port, bool is_down, const char *reason)
{
    if (is_down && !port->is_upstream_down)
        log_error(NULL, "upstream-down", LOG_STR("ingress", port->config->name),
                  LOG_STR("to", port->config->to), LOG_STR("reason", reason));
    else if (!is_down && port->is_upstream_down)
        log_info(NULL, "upstream-back", LOG_STR("ingress", port->config->name),
                 LOG_STR("to", port->config->to));
    port->is_upstream_down = is_down;
}

/* To a health check a closed door looks closed. */
static void upstream_failed(struct conn *conn, int reason)
{
    char scratch[128];

    upstream_is(conn->port, true, strerror_r(reason, scratch, sizeof(scratch)));
    if (conn->is_probe)
        will_reset(conn->client_fd);
    end(conn, PORT_UPSTREAM_DOWN);
}

static void start_relay(struct conn *conn)
{
    conn->state = CONN_RELAY;
    conn->port->stats.count[PORT_FORWARDED]++;
    pump_init(&conn->up, conn->client_fd, conn->upstream_fd);
    pump_init(&conn->down, conn->upstream_fd, conn->client_fd);
    loop_timer_stop(conn->timer); /* planned for the header, it would wake up for nothing */
    await(conn);
}

static void await_upstream(struct conn *conn)
{
    const struct conn_port *port = conn->port;

    if (conn->client_io)
        loop_io_want(conn->client_io, 0); /* what it sends waits in the kernel */
    watch(conn, &conn->upstream_io, conn->upstream_fd, LOOP_WRITE, on_upstream);
    loop_timer_start(conn->timer, (int64_t)port->config->connect_timeout_sec * 1000);
}

static void on_connected(struct conn *conn)
{
    upstream_is(conn->port, false, "");
    if (conn->is_probe)
        end(conn, PORT_PROBED);
    else
        start_relay(conn);
}

static void try_upstream(struct conn *conn)
{
    int reason = dial_introduce(conn->upstream_fd, conn->port->config,
                                conn->is_probe ? NULL : &conn->client);

    if (reason == EAGAIN)
        await_upstream(conn);
    else if (reason)
        upstream_failed(conn, reason);
    else
        on_connected(conn);
}

/* Of a masked client nobody knows who it is. */
static void tell_of_session(struct conn *conn, const struct session_key *seen)
{
    struct conn_port *port = conn->port;

    if (port->config->forward_as != FORWARD_AS_PLAIN || conn->is_probe || conn->way == DOOR_MASKED)
        return;
    conn->session = x_calloc(1, sizeof(*conn->session));
    sessions_add(port->world->sessions, conn->session, seen, &conn->client,
                 conn->gateway ? conn->gateway->name : "");
}

/* Who it stands for is in the table before the server can ask. */
static int dial(struct conn *conn)
{
    const struct conn_port *port = conn->port;
    struct session_key seen;

    conn->upstream_fd =
        dial_open(port->config, &port->upstream, conn->is_probe ? NULL : &conn->client.addr, &seen);
    if (conn->upstream_fd < 0)
        return -1;
    tell_of_session(conn, &seen);
    return dial_start(conn->upstream_fd, &port->upstream);
}

/* A server on this host has often answered before connect(2) returns. */
static void connect_upstream(struct conn *conn)
{
    conn->state = CONN_CONNECT;
    if (dial(conn))
        upstream_failed(conn, errno);
    else
        try_upstream(conn);
}

/* --- who it is --------------------------------------------------------------------------- */

static bool is_banned(const struct conn *conn)
{
    struct conn_world *world = conn->port->world;

    return bantable_has(world->bans, &conn->client.addr, conn->client.destination_port,
                        clock_mono_ms(world->clock));
}

/* Whether it ends here, which enforce = false only talks of. */
static bool refuse_banned(struct conn *conn)
{
    bool is_forced = conn->port->world->config->enforce;

    complain(conn, is_forced ? "refused" : "would refuse", "banned");
    if (is_forced)
        end(conn, PORT_BANNED);
    return is_forced;
}

/* An IPv6 client cannot be itself to a server on IPv4. */
static bool can_reach_server(const struct conn *conn)
{
    const struct conn_port *port = conn->port;

    return port->config->forward_as != FORWARD_AS_TRANSPARENT ||
           port->upstream.addr.family == conn->client.addr.family;
}

/* A masked client shares its address with all others of the gateway. */
static void admit_client(struct conn *conn)
{
    struct conn_world *world = conn->port->world;
    const struct addr *addr = &conn->client.addr;
    bool is_masked = conn->way == DOOR_MASKED;

    if (!is_masked && is_banned(conn) && refuse_banned(conn))
        return;
    if (!can_reach_server(conn)) {
        complain(conn, "refused", "the server has no address of the client's family");
        end(conn, PORT_BAD_CLIENT);
        return;
    }
    if (!is_masked && clients_count(world->clients, addr) >= conn->port->config->max_per_client) {
        complain(conn, "refused", "the client has too many connections");
        end(conn, PORT_TOO_MANY);
        return;
    }
    clients_add(world->clients, &conn->link, addr);
    connect_upstream(conn);
}

/* Without a header the two ends of the socket are what they are. */
static void take_socket_ends(struct conn *conn)
{
    struct sockaddr_storage ss = {0};
    socklen_t len = sizeof(ss);
    struct door_client *client = &conn->client;

    client->addr = conn->peer;
    if (getpeername(conn->client_fd, (struct sockaddr *)&ss, &len) == 0)
        (void)!addr_from_sockaddr((struct sockaddr *)&ss, &client->addr, &client->port);
    len = sizeof(ss);
    if (getsockname(conn->client_fd, (struct sockaddr *)&ss, &len) == 0)
        (void)!addr_from_sockaddr((struct sockaddr *)&ss, &client->destination,
                                  &client->destination_port);
}

/* --- the header -------------------------------------------------------------------------- */

static void judge_header(struct conn *conn, const struct pp_header *header)
{
    const char *reason;

    switch (door_of_header(conn->port->world->rules, header, &conn->client, &reason)) {
    case DOOR_FORWARD:
        admit_client(conn);
        break;
    case DOOR_PROBE:
        conn->is_probe = true;
        connect_upstream(conn);
        break;
    case DOOR_REFUSE:
        complain(conn, "bad_header", reason);
        end(conn, PORT_BAD_CLIENT);
        break;
    }
}

/* Bytes that were looked at, and are known: tcp(7) throws them away with MSG_TRUNC. */
static void take_from_socket(const struct conn *conn, size_t len)
{
    while (len) {
        ssize_t n = recv(conn->client_fd, NULL, len, MSG_TRUNC);
        if (n <= 0)
            return;
        len -= (size_t)n;
    }
}

/*
 * The header is taken from the socket and not a byte more: splice(2) finds the rest there.
 * So what comes is looked at first, and taken as far as it is the header. Whether there is
 * more to wait for; else conn may be gone.
 */
static bool read_header(struct conn *conn)
{
    uint8_t bytes[PP_HEADER_MAX];
    size_t had = conn->part.len, consumed;
    struct pp_header header;

    if (had)
        memcpy(bytes, conn->part.data, had);
    ssize_t n = recv(conn->client_fd, bytes + had, sizeof(bytes) - had, MSG_PEEK);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return true;
    if (n <= 0) {
        end(conn, PORT_NO_HEADER);
        return false;
    }
    enum pp_status status = pp_parse(bytes, had + (size_t)n, &header, &consumed);
    if (status == PP_OK) {
        take_from_socket(conn, consumed - had);
        judge_header(conn, &header);
    } else if (status == PP_MORE) {
        take_from_socket(conn, (size_t)n);
        buf_put(&conn->part, bytes + had, (size_t)n);
    } else {
        complain(conn, "bad_header", pp_strstatus(status));
        end(conn, PORT_BAD_HEADER);
    }
    return status == PP_MORE;
}

/* --- what happens to it ------------------------------------------------------------------ */

static void on_client(unsigned events, void *ctx)
{
    struct conn *conn = ctx;

    if (conn->state == CONN_HEADER)
        (void)read_header(conn);
    else
        relay(conn, events & LOOP_READ, events & LOOP_WRITE);
}

static void on_upstream(unsigned events, void *ctx)
{
    struct conn *conn = ctx;

    if (conn->state == CONN_CONNECT)
        try_upstream(conn);
    else
        relay(conn, events & LOOP_WRITE, events & LOOP_READ);
}

static void on_timeout(void *ctx)
{
    struct conn *conn = ctx;

    switch (conn->state) {
    case CONN_HEADER:
        complain(conn, "bad_header", "no whole header within the time limit");
        end(conn, PORT_NO_HEADER);
        break;
    case CONN_CONNECT:
        upstream_failed(conn, ETIMEDOUT);
        break;
    case CONN_RELAY:
        end(conn, PORT_IDLE);
        break;
    }
}

/* --- the beginning ----------------------------------------------------------------------- */

static struct conn *conn_new(struct conn_port *port, int fd, const struct addr *peer)
{
    struct conn *conn = x_calloc(1, sizeof(*conn));

    *conn = (struct conn){
        .port = port,
        .peer = *peer,
        .client_fd = fd,
        .upstream_fd = -1,
        .next = port->first,
        .timer = loop_timer_new(port->world->loop, on_timeout, conn),
    };
    if (conn->next)
        conn->next->prev = conn;
    port->first = conn;
    port->count++;
    return conn;
}

static void await_header(struct conn *conn)
{
    loop_timer_start(conn->timer, (int64_t)conn->port->config->header_timeout_sec * 1000);
    watch(conn, &conn->client_io, conn->client_fd, LOOP_READ, on_client);
}

void conn_accept(int fd, const struct addr *peer, void *ctx)
{
    struct conn_port *port = ctx;
    struct conn *conn = conn_new(port, fd, peer);

    conn->way = door_of_peer(port->world->config, port->config, peer, &conn->gateway);
    if (conn->way == DOOR_CLOSED) {
        complain(conn, "refused", "neither a gateway nor in direct");
        end(conn, PORT_STRANGER);
    } else if (conn->way == DOOR_GATEWAY) {
        if (read_header(conn))
            await_header(conn);
    } else {
        take_socket_ends(conn);
        admit_client(conn);
    }
}
