/* SPDX-License-Identifier: MIT */
#ifndef PN_NET_LISTENER_H
#define PN_NET_LISTENER_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/addr.h"
#include "common/base/error.h"
#include "common/net/loop.h"

/* Where to listen: "unix:/PATH", "IPV4:PORT", "[IPV6]:PORT". */
struct listen_address {
    bool is_unix;
    char path[108];      /* Unix */
    struct addr addr;    /* TCP */
    unsigned short port; /* TCP; 0 lets the system choose */
};

/* Pure. 0 or -1; reason_r then says what would be right (static text). */
int listen_address_parse(const char *text, struct listen_address *address_r, const char **reason_r)
    __attribute__((warn_unused_result));

/*
 * Open a non-blocking listening socket: for TCP with SO_REUSEADDR and TCP_NODELAY
 * (accepted sockets inherit it; [::] takes IPv6 only), for Unix with mode 0660 and
 * `group` (NULL: the process's), set before anyone can connect. A stale socket file
 * that nobody listens on is replaced, one in use is an error. Returns the descriptor,
 * or -1.
 */
int listener_bind(const char *address, const char *group, struct error *error_r)
    __attribute__((warn_unused_result));

/* fd is the callee's now, non-blocking and close-on-exec. peer is ADDR_NONE for a Unix socket. */
typedef void (*listener_accept_fn)(int fd, const struct addr *peer, void *ctx);

/*
 * Accept on fd (owned from now on), at most max connections open at once: more wait
 * in the kernel's queue until listener_released() says that one closed. Out of
 * descriptors: accepting pauses for a moment, with one log line a minute.
 */
struct listener;
struct listener *listener_new(struct loop *loop, int fd, const char *name, size_t max,
                              listener_accept_fn fn, void *ctx);
size_t listener_open_count(const struct listener *listener);
/* NULL: the listener went before this connection. */
void listener_released(struct listener *listener);
/* Stops accepting and closes; the socket file of a Unix listener is removed. */
void listener_free(struct listener **listener);

#endif
