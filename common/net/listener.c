/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/net/listener.h"

#include <errno.h>
#include <fcntl.h>
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
#include "common/base/endpoint.h"
#include "common/base/log.h"
#include "common/base/log_limit.h"
#include "common/base/mem.h"
#include "common/base/process.h"

#define SOCKET_MODE     0660
#define BACKLOG         4096 /* when it is full, a Unix socket refuses whoever comes */
#define ACCEPT_TURN     16   /* connections taken before others have their turn */
#define ACCEPT_PAUSE_MS 200  /* when the system has no descriptor or memory left */
#define LOG_PAUSE_MS    60000

/* Of the process, as its descriptors are: two of them share the sockets for a while. */
static bool leaves_files;

struct listener {
    struct listener_options options;
    struct loop_io *io;
    struct loop_timer *pause;
    char *name;
    size_t open;
    bool paused;
    int64_t pause_logged_at; /* of the last line about each, in mono_ms; 0: never */
    int64_t full_logged_at;
    struct log_limit refusals;
};

/* Nobody answers on a socket that a killed process left behind. */
static int unix_remove_stale(const char *path, const struct sockaddr *sa, socklen_t len,
                             struct error *error_r)
{
    struct stat st;

    if (lstat(path, &st) < 0)
        return errno == ENOENT ? 0 : error_set_errno(error_r, "%s", path);
    if (!S_ISSOCK(st.st_mode))
        return error_set(error_r, ERROR_CONFIG, "%s exists and is not a socket", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return error_set_errno(error_r, "socket");
    int rc = connect(fd, sa, len);
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
static int bind_with_mode(int fd, const struct sockaddr *sa, socklen_t len)
{
    mode_t old = umask(0777 & ~SOCKET_MODE);
    int rc = bind(fd, sa, len);

    umask(old);
    return rc;
}

/* Before listen(2) every connect(2) is refused, so the group is right before anyone can. */
static int unix_open(int fd, const struct endpoint *where, const char *group, struct error *error_r)
{
    struct sockaddr_storage ss;
    socklen_t len = endpoint_to_sockaddr(where, &ss);
    const struct sockaddr *sa = (const struct sockaddr *)&ss;
    const char *path = where->path;
    gid_t gid = (gid_t)-1;

    if (group && process_find_group(group, &gid, error_r) < 0)
        return -1;
    if (unix_remove_stale(path, sa, len, error_r) < 0)
        return -1;
    if (bind_with_mode(fd, sa, len) < 0)
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

/*
 * An address that is not up yet, as of a tunnel that comes later: connections arrive
 * once it is. Only then, so that the kernel still refuses what it can refuse.
 */
static int tcp_bind_free(int fd, const struct endpoint *where, const struct sockaddr *sa,
                         socklen_t len, const char *text)
{
    bool is_ipv4 = where->addr.family == ADDR_IPV4;
    int on = 1;

    if (setsockopt(fd, is_ipv4 ? IPPROTO_IP : IPPROTO_IPV6, is_ipv4 ? IP_FREEBIND : IPV6_FREEBIND,
                   &on, sizeof(on)) < 0 ||
        bind(fd, sa, len) < 0)
        return -1;
    log_warning(NULL, "address-not-up", LOG_STR("listener", text),
                LOG_STR("effect", "nobody can connect until this host has the address"));
    return 0;
}

static int tcp_open(int fd, const struct endpoint *where, const char *text, struct error *error_r)
{
    struct sockaddr_storage ss;
    socklen_t len = endpoint_to_sockaddr(where, &ss);
    const struct sockaddr *sa = (const struct sockaddr *)&ss;
    int on = 1;

    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0 ||
        (where->addr.family == ADDR_IPV6 &&
         setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0))
        return error_set_errno(error_r, "setsockopt");
    int rc = bind(fd, sa, len);
    if (rc < 0 && errno == EADDRNOTAVAIL)
        rc = tcp_bind_free(fd, where, sa, len, text);
    if (rc < 0 || listen(fd, BACKLOG) < 0)
        return error_set_errno(error_r, "cannot listen on %s", text);
    return 0;
}

static bool is_listening(int fd)
{
    int type = 0, accepts = 0;
    socklen_t len = sizeof(int);

    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_STREAM &&
           getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &accepts, &len) == 0 && accepts;
}

/* The descriptor of a socket there that a service manager has opened for us, or -1. */
static int inherited_find(const struct endpoint *where)
{
    int end = PROCESS_INHERITED_FIRST + process_inherited_count();

    for (int fd = PROCESS_INHERITED_FIRST; fd < end; fd++) {
        struct sockaddr_storage ss = {0};
        socklen_t len = sizeof(ss);
        struct endpoint bound;
        if (getsockname(fd, (struct sockaddr *)&ss, &len) < 0 ||
            endpoint_from_sockaddr((const struct sockaddr *)&ss, len, &bound) < 0)
            continue;
        if (endpoint_eq(&bound, where) && is_listening(fd))
            return fd;
    }
    return -1;
}

static bool is_managed(int fd)
{
    return fd >= PROCESS_INHERITED_FIRST && fd < PROCESS_INHERITED_FIRST + process_managed_count();
}

static int inherited_adopt(int fd, const char *text, struct error *error_r)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return error_set_errno(error_r, "cannot use the inherited socket %s", text);
    log_info(NULL, "inherited", LOG_STR("listener", text));
    return fd;
}

int listener_bind(const char *address, const char *group, struct error *error_r)
{
    struct endpoint where;
    const char *reason;

    if (endpoint_parse(address, &where, &reason) < 0)
        return error_set(error_r, ERROR_CONFIG, "%s: %s", address, reason);
    int fd = inherited_find(&where);
    if (fd >= 0)
        return inherited_adopt(fd, address, error_r);
    int family = where.is_unix ? AF_UNIX : where.addr.family == ADDR_IPV4 ? AF_INET : AF_INET6;
    fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return error_set_errno(error_r, "cannot make a socket for %s", address);
    int rc = where.is_unix ? unix_open(fd, &where, group, error_r)
                           : tcp_open(fd, &where, address, error_r);
    if (rc == 0)
        return fd;
    close(fd);
    return -1;
}

static void warn_unused(int fd)
{
    struct sockaddr_storage ss = {0};
    socklen_t len = sizeof(ss);
    struct endpoint bound;
    char address[ADDR_TEXT_MAX];

    if (getsockname(fd, (struct sockaddr *)&ss, &len) < 0 ||
        endpoint_from_sockaddr((const struct sockaddr *)&ss, len, &bound) < 0)
        memset(&bound, 0, sizeof(bound));
    log_warning(NULL, "socket-unused",
                LOG_STR("address", bound.is_unix ? bound.path : addr_format(&bound.addr, address)),
                LOG_UINT("port", bound.port),
                LOG_STR("reason", is_listening(fd) ? "no listener in the file has this address"
                                                   : "not a listening stream socket"),
                LOG_STR("effect", "who connects there is not served"));
}

static bool is_among(const int *fds, size_t count, int fd)
{
    size_t i = 0;

    while (i < count && fds[i] != fd)
        i++;
    return i < count;
}

void listener_warn_unused(const int *fds, size_t count)
{
    int end = PROCESS_INHERITED_FIRST + process_managed_count();

    for (int fd = PROCESS_INHERITED_FIRST; fd < end; fd++) {
        if (!is_among(fds, count, fd))
            warn_unused(fd);
    }
}

/* One line a minute, whatever happens. */
static bool is_log_due(int64_t *logged_at)
{
    int64_t now = clock_mono_ms(&clock_system);

    if (*logged_at && now - *logged_at < LOG_PAUSE_MS)
        return false;
    *logged_at = now;
    return true;
}

static bool accepts_more(const struct listener *listener)
{
    return !listener->paused && listener->open < listener->options.max;
}

static void listener_watch(struct listener *listener)
{
    loop_io_want(listener->io, accepts_more(listener) ? LOOP_READ : 0);
}

static void listener_pause(struct listener *listener, int reason)
{
    char scratch[128];

    listener->paused = true;
    loop_timer_start(listener->pause, ACCEPT_PAUSE_MS);
    if (!is_log_due(&listener->pause_logged_at))
        return;
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

/* A Unix socket is guarded by its mode and group instead. */
static bool peer_may_connect(const struct listener *listener, const struct addr *peer)
{
    const struct prefixlist *from = listener->options.from;

    return !from || !from->count || peer->family == ADDR_NONE || prefixlist_contains(from, peer);
}

static void refuse(struct listener *listener, int fd, const struct addr *peer)
{
    char text[ADDR_TEXT_MAX];

    close(fd);
    if (log_limit_allows(&listener->refusals, listener->name, clock_mono_ms(&clock_system)))
        log_info(NULL, "connection-refused", LOG_STR("listener", listener->name),
                 LOG_STR("peer", addr_format(peer, text)), LOG_STR("reason", "not in from"));
}

static void hand_over(struct listener *listener, int fd, const struct addr *peer)
{
    if (++listener->open == listener->options.max && is_log_due(&listener->full_logged_at))
        log_warning(NULL, "listener-full", LOG_STR("listener", listener->name),
                    LOG_UINT("open", listener->open), LOG_STR("effect", "more connections wait"));
    listener->options.fn(fd, peer, listener->options.ctx);
}

/* Whether there may be another. */
static bool listener_accept_one(struct listener *listener)
{
    struct sockaddr_storage ss = {0};
    socklen_t len = sizeof(ss);
    struct addr peer;

    int fd =
        accept4(listener->options.fd, (struct sockaddr *)&ss, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        if (errno != EAGAIN && errno != EWOULDBLOCK && !is_of_the_connection(errno))
            listener_pause(listener, errno);
        return false;
    }
    if (addr_from_sockaddr((const struct sockaddr *)&ss, &peer, NULL) < 0)
        memset(&peer, 0, sizeof(peer));
    if (peer_may_connect(listener, &peer))
        hand_over(listener, fd, &peer);
    else
        refuse(listener, fd, &peer);
    return accepts_more(listener);
}

static void on_acceptable(unsigned events, void *ctx)
{
    struct listener *listener = ctx;

    (void)events;
    for (int i = 0; i < ACCEPT_TURN && listener_accept_one(listener); i++)
        continue;
    listener_watch(listener);
}

struct listener *listener_new(struct loop *loop, const struct listener_options *options)
{
    struct listener *listener = x_calloc(1, sizeof(*listener));

    listener->options = *options;
    listener->name = x_strdup(options->name);
    listener->io = loop_io_new(loop, options->fd, 0, on_acceptable, listener);
    listener->pause = loop_timer_new(loop, on_pause_over, listener);
    listener_watch(listener);
    return listener;
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

void listener_leave_files(bool leave)
{
    leaves_files = leave;
}

void listener_drop_unused(const int *fds, size_t count)
{
    int end = PROCESS_INHERITED_FIRST + process_inherited_count();

    for (int fd = PROCESS_INHERITED_FIRST + process_managed_count(); fd < end; fd++) {
        if (is_among(fds, count, fd))
            continue;
        remove_socket_file(fd);
        close(fd);
    }
}

void listener_free(struct listener **listener)
{
    struct listener *old = *listener;

    if (!old)
        return;
    *listener = NULL;
    if (!is_managed(old->options.fd) && !leaves_files)
        remove_socket_file(old->options.fd);
    loop_io_free(&old->io);
    loop_timer_free(&old->pause);
    close(old->options.fd);
    free(old->name);
    free(old);
}
