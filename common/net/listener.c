/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/net/listener.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/bug.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/process.h"
#include "common/base/str.h"

#define SOCKET_MODE     0660
#define BACKLOG         512
#define ACCEPT_PAUSE_MS 200 /* when the system has no descriptor or memory left */
#define ACCEPT_LOG_MS   60000

struct listener {
    struct loop_io *io;
    struct loop_timer *pause;
    int fd;
    char *name;
    listener_accept_fn fn;
    void *ctx;
    size_t open;
    size_t max;
    bool paused;
    int64_t logged_at; /* of the line about a pause, in mono_ms; 0: never */
};

static int parse_unix(const char *path, struct listen_address *address_r, const char **reason_r)
{
    size_t len = strlen(path);

    if (path[0] != '/' || path[len - 1] == '/') {
        *reason_r = "behind unix: goes the absolute path of a socket, unix:/run/postern/policy";
        return -1;
    }
    if (len >= sizeof(address_r->path)) {
        *reason_r = "the path of a Unix socket has at most 107 bytes";
        return -1;
    }
    address_r->is_unix = true;
    memcpy(address_r->path, path, len + 1);
    return 0;
}

/* "[HOST]" or a HOST without colons in text[0..len). */
static int parse_host(const char *text, size_t len, struct addr *addr_r)
{
    char host[ADDR_TEXT_MAX];
    bool brackets = len >= 2 && text[0] == '[' && text[len - 1] == ']';

    if (brackets) {
        text++;
        len -= 2;
    }
    if (len >= sizeof(host))
        return -1;
    memcpy(host, text, len);
    host[len] = '\0';
    if ((strchr(host, ':') != NULL) != brackets)
        return -1;
    return addr_parse(host, addr_r);
}

int listen_address_parse(const char *text, struct listen_address *address_r, const char **reason_r)
{
    uint64_t port;

    memset(address_r, 0, sizeof(*address_r));
    if (str_has_prefix(text, "unix:"))
        return parse_unix(text + strlen("unix:"), address_r, reason_r);
    const char *colon = strrchr(text, ':');
    if (!colon || colon == text) {
        *reason_r = "an address to listen on is unix:PATH, HOST:PORT or [IPV6]:PORT";
        return -1;
    }
    if (str_parse_u64(colon + 1, 0, 65535, &port) < 0) {
        *reason_r = "the port behind the last colon is a number up to 65535";
        return -1;
    }
    if (parse_host(text, (size_t)(colon - text), &address_r->addr) < 0) {
        *reason_r = "the host is an IPv4 address, or an IPv6 address in brackets";
        return -1;
    }
    address_r->port = (unsigned short)port;
    return 0;
}

static void unix_sockaddr(const char *path, struct sockaddr_un *sun_r)
{
    memset(sun_r, 0, sizeof(*sun_r));
    sun_r->sun_family = AF_UNIX;
    memcpy(sun_r->sun_path, path, strlen(path) + 1);
}

/* Nobody answers on a socket that a killed process left behind. */
static int unix_remove_stale(const struct sockaddr_un *sun, struct error *error_r)
{
    struct stat st;
    const char *path = sun->sun_path;

    if (lstat(path, &st) < 0)
        return errno == ENOENT ? 0 : error_set_errno(error_r, "%s", path);
    if (!S_ISSOCK(st.st_mode))
        return error_set(error_r, ERROR_CONFIG, "%s exists and is not a socket", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return error_set_errno(error_r, "socket");
    int rc = connect(fd, (const struct sockaddr *)sun, sizeof(*sun));
    int reason = errno;
    close(fd);
    if (rc == 0 || reason == EAGAIN)
        return error_set(error_r, ERROR_CONFIG, "%s is in use by another process", path);
    if (reason != ECONNREFUSED && reason != ENOENT) {
        errno = reason;
        return error_set_errno(error_r, "%s", path);
    }
    if (unlink(path) < 0 && errno != ENOENT)
        return error_set_errno(error_r, "cannot remove the stale socket %s", path);
    return 0;
}

/*
 * The mode comes from umask(2): whoever owns the directory could put a link in the place
 * of the socket, and chmod(2) would follow it.
 */
static int bind_with_mode(int fd, const struct sockaddr_un *sun)
{
    mode_t old = umask(0777 & ~SOCKET_MODE);
    int rc = bind(fd, (const struct sockaddr *)sun, sizeof(*sun));

    umask(old);
    return rc;
}

/* Before listen(2) every connect(2) is refused, so the group is right before anyone can. */
static int unix_open(int fd, const struct sockaddr_un *sun, const char *group,
                     struct error *error_r)
{
    const char *path = sun->sun_path;
    gid_t gid = (gid_t)-1;

    if (group && process_find_group(group, &gid, error_r) < 0)
        return -1;
    if (unix_remove_stale(sun, error_r) < 0)
        return -1;
    if (bind_with_mode(fd, sun) < 0)
        return error_set_errno(error_r, "cannot listen on %s", path);
    if (group && lchown(path, (uid_t)-1, gid) < 0)
        error_set_errno(error_r, "cannot give %s to the group %s", path, group);
    else if (listen(fd, BACKLOG) < 0)
        error_set_errno(error_r, "cannot listen on %s", path);
    else
        return 0;
    unlink(path);
    return -1;
}

static socklen_t tcp_sockaddr(const struct listen_address *address, struct sockaddr_storage *ss_r)
{
    memset(ss_r, 0, sizeof(*ss_r));
    if (address->addr.family == ADDR_IPV4) {
        struct sockaddr_in *sin = (struct sockaddr_in *)ss_r;
        sin->sin_family = AF_INET;
        sin->sin_port = htons(address->port);
        memcpy(&sin->sin_addr, address->addr.bytes, sizeof(sin->sin_addr));
        return sizeof(*sin);
    }
    struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)ss_r;
    sin6->sin6_family = AF_INET6;
    sin6->sin6_port = htons(address->port);
    memcpy(&sin6->sin6_addr, address->addr.bytes, sizeof(sin6->sin6_addr));
    return sizeof(*sin6);
}

static int tcp_open(int fd, const struct listen_address *address, const char *text,
                    struct error *error_r)
{
    struct sockaddr_storage ss;
    socklen_t len = tcp_sockaddr(address, &ss);
    int on = 1;

    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0 ||
        (address->addr.family == ADDR_IPV6 &&
         setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0))
        return error_set_errno(error_r, "setsockopt");
    if (bind(fd, (const struct sockaddr *)&ss, len) < 0 || listen(fd, BACKLOG) < 0)
        return error_set_errno(error_r, "cannot listen on %s", text);
    return 0;
}

int listener_bind(const char *address, const char *group, struct error *error_r)
{
    struct listen_address where;
    struct sockaddr_un sun;
    const char *reason;

    if (listen_address_parse(address, &where, &reason) < 0)
        return error_set(error_r, ERROR_CONFIG, "%s: %s", address, reason);
    int family = where.is_unix ? AF_UNIX : where.addr.family == ADDR_IPV4 ? AF_INET : AF_INET6;
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return error_set_errno(error_r, "cannot make a socket for %s", address);
    int rc;
    if (where.is_unix) {
        unix_sockaddr(where.path, &sun);
        rc = unix_open(fd, &sun, group, error_r);
    } else {
        rc = tcp_open(fd, &where, address, error_r);
    }
    if (rc == 0)
        return fd;
    close(fd);
    return -1;
}

static void listener_watch(struct listener *listener)
{
    bool accepts = !listener->paused && listener->open < listener->max;

    loop_io_want(listener->io, accepts ? LOOP_READ : 0);
}

static void listener_pause(struct listener *listener, int reason)
{
    int64_t now = clock_mono_ms(&clock_system);
    char scratch[128];

    listener->paused = true;
    loop_timer_start(listener->pause, ACCEPT_PAUSE_MS);
    if (listener->logged_at && now - listener->logged_at < ACCEPT_LOG_MS)
        return;
    listener->logged_at = now;
    log_error(NULL, "accept-paused", LOG_STR("listener", listener->name),
              LOG_UINT("open", listener->open),
              LOG_STR("error", strerror_r(reason, scratch, sizeof(scratch))));
}

static void on_pause_over(void *ctx)
{
    struct listener *listener = ctx;

    listener->paused = false;
    listener_watch(listener);
}

/* What accept(2) reports of the one connection that it would have returned. */
static bool is_of_the_connection(int reason)
{
    return reason == EINTR || reason == ECONNABORTED || reason == EPROTO || reason == EPERM ||
           reason == ENETDOWN || reason == ENETUNREACH || reason == EHOSTDOWN ||
           reason == EHOSTUNREACH || reason == ENONET || reason == ENOPROTOOPT;
}

static void listener_accept_one(struct listener *listener)
{
    struct sockaddr_storage ss = {0};
    socklen_t len = sizeof(ss);
    struct addr peer;

    int fd = accept4(listener->fd, (struct sockaddr *)&ss, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        if (errno != EAGAIN && errno != EWOULDBLOCK && !is_of_the_connection(errno))
            listener_pause(listener, errno);
        return;
    }
    if (addr_from_sockaddr((const struct sockaddr *)&ss, &peer, NULL) < 0)
        memset(&peer, 0, sizeof(peer));
    listener->open++;
    listener->fn(fd, &peer, listener->ctx);
}

static void on_acceptable(unsigned events, void *ctx)
{
    struct listener *listener = ctx;

    (void)events;
    listener_accept_one(listener);
    listener_watch(listener);
}

struct listener *listener_new(struct loop *loop, int fd, const char *name, size_t max,
                              listener_accept_fn fn, void *ctx)
{
    struct listener *listener = x_calloc(1, sizeof(*listener));

    listener->fd = fd;
    listener->name = x_strdup(name);
    listener->max = max;
    listener->fn = fn;
    listener->ctx = ctx;
    listener->io = loop_io_new(loop, fd, 0, on_acceptable, listener);
    listener->pause = loop_timer_new(loop, on_pause_over, listener);
    listener_watch(listener);
    return listener;
}

size_t listener_open_count(const struct listener *listener)
{
    return listener->open;
}

void listener_released(struct listener *listener)
{
    if (!listener)
        return;
    BUG_ON(!listener->open);
    listener->open--;
    listener_watch(listener);
}

static void remove_socket_file(int fd)
{
    struct sockaddr_un sun = {0};
    socklen_t len = sizeof(sun) - 1;

    if (getsockname(fd, (struct sockaddr *)&sun, &len) == 0 && sun.sun_family == AF_UNIX &&
        sun.sun_path[0] == '/')
        unlink(sun.sun_path);
}

void listener_free(struct listener **listener)
{
    struct listener *old = *listener;

    if (!old)
        return;
    *listener = NULL;
    remove_socket_file(old->fd);
    loop_io_free(&old->io);
    loop_timer_free(&old->pause);
    close(old->fd);
    free(old->name);
    free(old);
}
