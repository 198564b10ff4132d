/* SPDX-License-Identifier: MIT */
#ifndef PN_NET_RESOLVER_H
#define PN_NET_RESOLVER_H

#include <stdbool.h>

#include "common/base/error.h"
#include "common/config/config.h"
#include "common/net/dns.h"

/*
 * DNS with a cache by libunbound, in one thread of its own with an event loop;
 * other threads hand it batches of questions and wait, each at most its budget.
 */
struct resolver;

/* That it opens at once, and at most half of the descriptors that the process may have. */
#define RESOLVER_SOCKETS_MAX 4096

/*
 * servers: "ADDRESS" or "ADDRESS@PORT" to forward to; none: /etc/resolv.conf.
 * dnssec: validate with Debian's root key (bogus only where validation was asked for:
 * behind a forwarder that strips signatures every signed zone would be bogus).
 * Starts a thread: not before the process went to the background.
 */
struct resolver *resolver_new(const struct config_strings *servers, bool dnssec,
                              struct error *error_r);
/* Nobody may be waiting. */
void resolver_free(struct resolver **resolver);

/* The resolver as the interface that mailauth takes; lives as long as it. */
struct dns *resolver_dns(struct resolver *resolver);

#endif
