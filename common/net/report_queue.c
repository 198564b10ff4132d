/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/net/report_queue.h"

#include <stdlib.h>

#include "common/base/bug.h"
#include "common/base/mem.h"

void report_queue_init(struct report_queue *queue, size_t max)
{
    BUG_ON(!max);
    *queue = (struct report_queue){.max = max, .taker_sleeps = true};
    queue->ring = x_calloc(max, sizeof(*queue->ring));
    pthread_mutex_init(&queue->lock, NULL);
}

/* The oldest, which the caller owns. */
static char *shift(struct report_queue *queue)
{
    char *request = queue->ring[queue->first];

    queue->first = (queue->first + 1) % queue->max;
    queue->counts.waiting--;
    return request;
}

void report_queue_fini(struct report_queue *queue)
{
    while (queue->counts.waiting)
        free(shift(queue));
    free(queue->ring);
    pthread_mutex_destroy(&queue->lock);
}

bool report_queue_put(struct report_queue *queue, char *request)
{
    char *oldest = NULL;

    pthread_mutex_lock(&queue->lock);
    if (queue->counts.waiting == queue->max) {
        oldest = shift(queue);
        queue->counts.dropped++;
    }
    queue->ring[(queue->first + queue->counts.waiting++) % queue->max] = request;
    bool sleeps = queue->taker_sleeps;
    queue->taker_sleeps = false;
    pthread_mutex_unlock(&queue->lock);
    free(oldest);
    return sleeps;
}

size_t report_queue_take(struct report_queue *queue, char **requests_r, size_t max)
{
    size_t count = 0;

    pthread_mutex_lock(&queue->lock);
    while (count < max && queue->counts.waiting)
        requests_r[count++] = shift(queue);
    queue->taker_sleeps = count == 0;
    pthread_mutex_unlock(&queue->lock);
    return count;
}

void report_queue_done(struct report_queue *queue, bool is_accepted)
{
    pthread_mutex_lock(&queue->lock);
    if (is_accepted)
        queue->counts.accepted++;
    else
        queue->counts.refused++;
    pthread_mutex_unlock(&queue->lock);
}

struct report_counts report_queue_counts(struct report_queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    struct report_counts counts = queue->counts;
    pthread_mutex_unlock(&queue->lock);
    return counts;
}
