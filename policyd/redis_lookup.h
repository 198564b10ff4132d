/* SPDX-License-Identifier: MIT */
#ifndef PN_POLICYD_REDIS_LOOKUP_H
#define PN_POLICYD_REDIS_LOOKUP_H

#include "common/base/addr.h"
#include "common/net/loop.h"

/*
 * The address of a host as the system knows it (/etc/hosts, DNS, a container's own names),
 * without the loop waiting: getaddrinfo(3) in a thread. One that is freed too early lets
 * its thread end by itself.
 */
struct redis_lookup;

/* addr NULL: it has none. Once, and never before redis_lookup_new() returned. */
typedef void (*redis_lookup_fn)(const struct addr *addr, void *ctx);

/* turn: which one of several. NULL: no thread could be started. */
struct redis_lookup *redis_lookup_new(struct loop *loop, const char *host, unsigned turn,
                                      redis_lookup_fn fn, void *ctx);
/* Also from within fn. */
void redis_lookup_free(struct redis_lookup **lookup);

#endif
