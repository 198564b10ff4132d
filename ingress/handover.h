/* SPDX-License-Identifier: MIT */
#ifndef PN_INGRESS_HANDOVER_H
#define PN_INGRESS_HANDOVER_H

#include <stdbool.h>

#include "common/net/loop.h"
#include "ingress/predecessor.h"
#include "ingress/server.h"

/*
 * Hands over to the next process of the program, as it is on disk now: it gets the listening
 * sockets, reads the file, opens what else it needs and says that it is ready (predecessor.h).
 * Only then this process stops accepting; its connections go on until the last has ended, or
 * drain_timeout. If the next process ends before, or needs longer than HANDOVER_READY_MS, all
 * is as it was.
 */
#define HANDOVER_READY_MS 30000

struct handover;

struct handover_options {
    struct loop *loop;
    struct server *server;
    char *const *argv; /* of the next process */
    unsigned drain_timeout_sec;
    struct predecessor **predecessor; /* of this one, which is waited for */
    void (*on_drained)(void *ctx);    /* nothing is left to do here */
    void *ctx;
};

/* options live longer, but for the struct itself. The predecessor is freed when it is let go. */
struct handover *handover_new(const struct handover_options *options);
/* One that is not done is given up, and the next process ended. NULL is none. */
void handover_free(struct handover **handover);

/* Start it, unless it is under way or done. */
void handover_begin(struct handover *handover);

/* What drains before this process has changed: it is told of, or waited for. NULL is none. */
void handover_look(struct handover *handover);

/* Whether another process has the place of this one. */
bool handover_is_done(const struct handover *handover);

#endif
