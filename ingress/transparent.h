/* SPDX-License-Identifier: MIT */
#ifndef PN_INGRESS_TRANSPARENT_H
#define PN_INGRESS_TRANSPARENT_H

#include <stdbool.h>
#include <stdio.h>

#include "common/base/addr.h"
#include "common/base/endpoint.h"
#include "common/base/error.h"
#include "common/config/config.h"
#include "common/net/loop.h"
#include "common/net/origin.h"

/*
 * forward_as = transparent: the server is connected to from the client's own address
 * (IP_TRANSPARENT in ip(7), which wants CAP_NET_ADMIN). Its answers go to that address, so
 * the host needs a rule that brings them back here: by their source where the server
 * is on this host, by a mark that nftables sets where it is a container or another host.
 */
#define TRANSPARENT_TABLE 7410   /* of routes */
#define TRANSPARENT_MARK  0x7410 /* of packets */

/* fd connects from this client's address and a port of the kernel's choice. -1 and errno. */
int transparent_bind(int fd, const struct addr *client) __attribute__((warn_unused_result));

/* Whether this process may. 0 or -1. */
int transparent_check_right(struct error *error_r) __attribute__((warn_unused_result));

/*
 * The commands that make the rules for all transparent ingresses, for sh(1) as root; they can
 * be run again. Says so where there is none.
 */
void transparent_put_rules(const struct config *config, const struct origin_rules *rules, FILE *to);

/*
 * Looks whether the rules are in force: connects to the server from TRANSPARENT_PROBE4 or
 * TRANSPARENT_PROBE6, which are nobody's (RFC 5737, RFC 3849), and sees whether an answer comes
 * back, be it a refusal. fn is called once, from the loop; reason is NULL when it is verified.
 */
#define TRANSPARENT_PROBE4   "192.0.2.1"
#define TRANSPARENT_PROBE6   "2001:db8::c000:201"
#define TRANSPARENT_PROBE_MS 3000

struct transparent_check;
typedef void (*transparent_check_fn)(const char *reason, void *ctx);

struct transparent_check *transparent_check_new(struct loop *loop, const struct endpoint *server,
                                                transparent_check_fn fn, void *ctx);
void transparent_check_free(struct transparent_check **check);

#endif
