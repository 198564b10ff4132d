/* SPDX-License-Identifier: MIT */
#ifndef PN_INGRESS_GENERATION_H
#define PN_INGRESS_GENERATION_H

#include "common/net/loop.h"
#include "ingress/server.h"

/*
 * This process as one of several of the program, of which one at a time is in service: it
 * takes the place of the one before (predecessor.h), tells the service manager, and gives its
 * place to the next one on SIGHUP and SIGUSR2 (handover.h).
 */
struct generation;

struct generation_options {
    struct loop *loop;
    struct server *server; /* started */
    char *const *next;     /* the command of the next process */
    unsigned drain_timeout_sec;
    void (*on_service)(void *ctx); /* it accepts from now on; once, perhaps at once */
    void (*on_drained)(void *ctx); /* another has its place, and nothing is left to do here */
    void *ctx;
};

struct generation *generation_new(const struct generation_options *options);
/* What is under way is given up. NULL is none. */
void generation_free(struct generation **generation);

/* It ends, and the service with it, if it is in service. */
void generation_stops(const struct generation *generation);

#endif
