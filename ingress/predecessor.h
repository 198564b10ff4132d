/* SPDX-License-Identifier: MIT */
#ifndef PN_INGRESS_PREDECESSOR_H
#define PN_INGRESS_PREDECESSOR_H

#include <stdbool.h>
#include <stdint.h>

#include "common/net/loop.h"
#include "ingress/sessions.h"

/*
 * So many processes there are at a time, the newest included. Each hears how many are younger
 * than itself; one that is too old closes its connections, and so ends.
 */
#define GENERATIONS_MAX 8

/*
 * The process before this one, which gives its place up (handover.h): it tells what sessions
 * it has, hears that all is ready here, stops accepting, and says go. Then it tells of its
 * sessions as they come and go, until it is gone and they with it. What older processes have
 * it tells as well; if it is killed, the one before it is asked to tell all again.
 */
struct predecessor;

/* What it and all before it have told of themselves: how many drain, with how much. */
struct drain_counts {
    uint64_t processes;
    uint64_t connections;
};

struct predecessor_options {
    struct loop *loop;
    const int *fds; /* process_predecessor_channels(), one to GENERATIONS_MAX; owned from now on */
    size_t count;
    struct sessions *sessions;
    struct drain_counts *draining;
    void (*on_go)(void *ctx);       /* it has stopped, or is gone: accept. Called once */
    void (*on_draining)(void *ctx); /* draining has changed, or it is gone */
    void *ctx;
};

/* All but accepting is ready. */
struct predecessor *predecessor_new(const struct predecessor_options *options);
/* NULL: there was none. */
void predecessor_free(struct predecessor **predecessor);

/* False for NULL. */
bool predecessor_is_there(const struct predecessor *predecessor);

/* Its channel, and those to the processes before it. NULL has none. */
const int *predecessor_channels(const struct predecessor *predecessor, size_t *count_r);

/* To one that is there, which tells the one before it. */
void predecessor_tell_younger(struct predecessor *predecessor, uint64_t count);

#endif
