/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "ingress/dial.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/wire/pp_write.h"
#include "ingress/transparent.h"

#define KEEPALIVE_IDLE_SEC 300 /* below what NAT in between forgets */

static void set_option(int fd, int level, int option, int value)
{
    (void)setsockopt(fd, level, option, &value, sizeof(value));
}

/* A session that idles for half an hour, as IMAP's, is alive on both sides. */
void dial_keep_alive(int fd)
{
    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_SEC);
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
}

static int take_source(int fd, const struct addr *source, struct session_key *seen_r)
{
    struct endpoint from = {.addr = *source};
    struct sockaddr_storage ss;
    socklen_t len = endpoint_to_sockaddr(&from, &ss);

    if (bind(fd, (const struct sockaddr *)&ss, len) ||
        getsockname(fd, (struct sockaddr *)&ss, &len) ||
        endpoint_from_sockaddr((struct sockaddr *)&ss, len, &from))
        return -1;
    *seen_r = (struct session_key){.addr = from.addr, .port = from.port};
    return 0;
}

static int choose_source(int fd, const struct config_ingress *ingress, const struct addr *client,
                         struct session_key *seen_r)
{
    switch (ingress->forward_as) {
    case FORWARD_AS_PLAIN:
        return take_source(fd, &ingress->source.items[0].addr, seen_r);
    case FORWARD_AS_TRANSPARENT:
        return client ? transparent_bind(fd, client) : 0;
    case FORWARD_AS_PROXY:
        break;
    }
    return 0;
}

static int family_of(const struct endpoint *server)
{
    if (server->is_unix)
        return AF_UNIX;
    return server->addr.family == ADDR_IPV4 ? AF_INET : AF_INET6;
}

int dial_open(const struct config_ingress *ingress, const struct endpoint *server,
              const struct addr *client, struct session_key *seen_r)
{
    int fd = socket(family_of(server), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    if (!server->is_unix)
        dial_keep_alive(fd);
    if (choose_source(fd, ingress, client, seen_r) == 0)
        return fd;
    int reason = errno;
    close(fd);
    errno = reason;
    return -1;
}

int dial_start(int fd, const struct endpoint *server)
{
    struct sockaddr_storage ss;
    socklen_t len = endpoint_to_sockaddr(server, &ss);

    return connect(fd, (const struct sockaddr *)&ss, len) && errno != EINPROGRESS ? -1 : 0;
}

static void put_header(const struct config_ingress *ingress, const struct door_client *client,
                       struct buf *out)
{
    if (ingress->forward_as != FORWARD_AS_PROXY || !client)
        return;
    struct pp_tcp tcp = {
        .src = client->addr,
        .dst = client->destination,
        .src_port = client->port,
        .dst_port = client->destination_port,
    };
    if (ingress->proxy_version == 1)
        pp_write_v1(out, &tcp);
    else
        pp_write_v2(out, &tcp);
}

/* What became of connect(2). */
static int result_of(int fd)
{
    struct pollfd writable = {.fd = fd, .events = POLLOUT};
    int reason = 0;
    socklen_t len = sizeof(reason);

    if (poll(&writable, 1, 0) == 0)
        return EAGAIN;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &reason, &len) ? errno : reason;
}

/* send(2) tells what became of connect(2), too. */
int dial_introduce(int fd, const struct config_ingress *ingress, const struct door_client *client)
{
    struct buf header = {0};

    put_header(ingress, client, &header);
    if (!header.len)
        return result_of(fd);
    ssize_t n = send(fd, header.data, header.len, MSG_NOSIGNAL);
    int reason = n < 0 ? errno : n < (ssize_t)header.len ? ENOBUFS : 0;
    buf_fini(&header);
    return reason;
}
