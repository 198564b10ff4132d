/* SPDX-License-Identifier: MIT */
#ifndef PN_INGRESS_WATCH_H
#define PN_INGRESS_WATCH_H

#include <stdbool.h>

#include "common/base/clock.h"
#include "common/net/loop.h"
#include "ingress/bantable.h"

/*
 * Follows policyd's bans: request=watch of postern-control(7). Away, silent or new, it is
 * connected to again by itself, and meanwhile what is known goes on.
 */
struct watch;

/* A ban that was not there before. */
typedef void (*watch_ban_fn)(const struct prefix *prefix, enum bantable_reach reach, void *ctx);

struct watch_options {
    const char *address; /* policyd's control socket, "unix:PATH"; borrowed */
    struct bantable *bans;
    const struct clock *clock;
    watch_ban_fn on_ban;
    void *ctx;
};

struct watch *watch_new(struct loop *loop, const struct watch_options *options);
void watch_free(struct watch **watch);

/* Whether all of policyd's bans are known and it tells of changes. */
bool watch_is_in_step(const struct watch *watch);

#endif
