/* SPDX-License-Identifier: MIT */
#ifndef PN_NET_REPORT_QUEUE_H
#define PN_NET_REPORT_QUEUE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Reports that wait for policyd: a ring between the threads where things happen and the
 * one that tells of them. When it is full the oldest goes, for policyd counts what is
 * young.
 *
 * Any thread. Nobody waits longer than it takes to move a pointer.
 */
#define REPORT_QUEUE_MAX 10000

struct report_counts {
    uint64_t accepted; /* answered with status=ok */
    uint64_t refused;  /* answered with status=error, or again and again not at all */
    uint64_t dropped;  /* too many waited */
    size_t waiting;    /* in the ring: neither sent nor dropped */
};

struct report_queue {
    pthread_mutex_t lock;
    char **ring;
    size_t max;
    size_t first;
    bool taker_sleeps;
    struct report_counts counts;
};

/* max: how many may wait, at least 1. */
void report_queue_init(struct report_queue *queue, size_t max);
void report_queue_fini(struct report_queue *queue);

/*
 * Takes request (from report_encode()) over. True when the taker found nothing before
 * and has to be told that there is something now.
 */
bool report_queue_put(struct report_queue *queue, char *request)
    __attribute__((warn_unused_result));

/* Move the oldest, at most max, into requests_r, for the caller to free; how many. */
size_t report_queue_take(struct report_queue *queue, char **requests_r, size_t max);

/* One that was taken is done with. */
void report_queue_done(struct report_queue *queue, bool is_accepted);

struct report_counts report_queue_counts(struct report_queue *queue);

#endif
