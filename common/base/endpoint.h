/* SPDX-License-Identifier: MIT */
#ifndef PN_BASE_ENDPOINT_H
#define PN_BASE_ENDPOINT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/un.h>

#include "common/base/addr.h"

/* Where to listen or to connect: a Unix socket's path, or an address and a port. */
struct endpoint {
    bool is_unix;
    char path[sizeof(((struct sockaddr_un *)0)->sun_path)]; /* absolute */
    struct addr addr;                                       /* TCP */
    uint16_t port;                                          /* TCP; 0 lets the system choose */
};

/*
 * Read "unix:/PATH", "IPV4:PORT" or "[IPV6]:PORT". Pure. 0 or -1; reason_r then says
 * what would be right (static text).
 */
int endpoint_parse(const char *text, struct endpoint *endpoint_r, const char **reason_r)
    __attribute__((warn_unused_result));

/* The same, and "inet:PORT@ADDRESS" and "inet6:PORT@ADDRESS" as libmilter writes it. */
int endpoint_parse_milter(const char *text, struct endpoint *endpoint_r, const char **reason_r)
    __attribute__((warn_unused_result));

/* Of a socket's name, as getsockname(2) gives it. -1 for another family or an unnamed one. */
int endpoint_from_sockaddr(const struct sockaddr *sa, socklen_t len, struct endpoint *endpoint_r)
    __attribute__((warn_unused_result));

/* What bind(2) and connect(2) take: the length of what was written to ss_r. */
socklen_t endpoint_to_sockaddr(const struct endpoint *endpoint, struct sockaddr_storage *ss_r);

bool endpoint_eq(const struct endpoint *a, const struct endpoint *b);

#endif
