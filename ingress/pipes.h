/* SPDX-License-Identifier: MIT */
#ifndef PN_INGRESS_PIPES_H
#define PN_INGRESS_PIPES_H

#include <stddef.h>

/*
 * A pool of empty pipes: splice(2) moves bytes from one socket to another through one. A
 * connection holds a pipe only while there are bytes in it, so a few serve thousands.
 */
#define PIPES_IDLE_MAX 64 /* empty ones that are kept open */

struct pipes {
    int idle[PIPES_IDLE_MAX][2];
    size_t idle_count;
    size_t used_count; /* lent out now */
};

/* Zeroes are an empty pool. 0, or -1 with errno when no pipe can be had. */
int pipes_get(struct pipes *pipes, int ends_r[2]) __attribute__((warn_unused_result));
/* Give back an empty pipe; one with bytes in it is not for anybody else: pipes_drop(). */
void pipes_put(struct pipes *pipes, const int ends[2]);
void pipes_drop(struct pipes *pipes, const int ends[2]);
/* None may be lent out. */
void pipes_fini(struct pipes *pipes);

#endif
