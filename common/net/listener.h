/* SPDX-License-Identifier: MIT */
#ifndef PN_NET_LISTENER_H
#define PN_NET_LISTENER_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/addr.h"
#include "common/base/error.h"
#include "common/base/prefixset.h"
#include "common/net/loop.h"

/*
 * Open a non-blocking listening socket at an address of endpoint.h: for TCP with SO_REUSEADDR and
 * TCP_NODELAY (accepted sockets inherit it; [::] takes IPv6 only), for Unix with mode 0660 and
 * `group` (NULL: the process's), set before anyone can connect. A stale socket file
 * that nobody listens on is replaced, one in use is an error. A TCP address that this
 * host does not have yet is bound all the same, with a line in the log.
 *
 * A listening socket with this address that a service manager, or the process before this
 * one, has passed on is taken instead, as it is. Returns the descriptor, or -1.
 */
int listener_bind(const char *address, const char *group, struct error *error_r)
    __attribute__((warn_unused_result));

/*
 * Say of each socket that a service manager has passed on and that is none of these,
 * from listener_bind(), that nobody is served there. To be called once all are bound.
 */
void listener_warn_unused(const int *fds, size_t count);

/* fd is the callee's now, non-blocking and close-on-exec. peer is ADDR_NONE for a Unix socket. */
typedef void (*listener_accept_fn)(int fd, const struct addr *peer, void *ctx);

struct listener_options {
    int fd;           /* from listener_bind(), owned from now on */
    const char *name; /* for log lines; copied */
    size_t max;       /* connections open at once */
    /* TCP peers elsewhere are closed at once; NULL or empty: all may. Lives as long as
     * the listener. */
    const struct prefixlist *from;
    listener_accept_fn fn;
    void *ctx;
};

/*
 * Accept, a few in each turn of the loop, at most max connections open at once: more wait in
 * the kernel's queue until listener_released() says that one closed. Out of descriptors:
 * accepting pauses for a moment. Each such trouble is one log line a minute.
 */
struct listener;
struct listener *listener_new(struct loop *loop, const struct listener_options *options);
/* NULL: the listener went before this connection. */
void listener_released(struct listener *listener);
/*
 * While another process has the same sockets, to which their files belong: listener_free()
 * removes none.
 */
void listener_leave_files(bool leave);

/*
 * Close the sockets of the process before this one that are none of these, and
 * remove their files. Once, when that process has stopped accepting.
 */
void listener_drop_unused(const int *fds, size_t count);

/* Stops accepting and closes; the socket file of a Unix listener that is ours is removed. */
void listener_free(struct listener **listener);

#endif
