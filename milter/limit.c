/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "milter/limit.h"

#include "common/base/bug.h"

void limit_init(struct limit *limit, size_t max)
{
    *limit = (struct limit){.max = max};
    pthread_mutex_init(&limit->lock, NULL);
}

void limit_fini(struct limit *limit)
{
    pthread_mutex_destroy(&limit->lock);
}

void limit_set_max(struct limit *limit, size_t max)
{
    pthread_mutex_lock(&limit->lock);
    limit->max = max;
    limit->reported = false;
    pthread_mutex_unlock(&limit->lock);
}

enum limit_status limit_take(struct limit *limit)
{
    enum limit_status status = LIMIT_OK;

    pthread_mutex_lock(&limit->lock);
    if (limit->count < limit->max) {
        limit->count++;
    } else {
        status = limit->reported ? LIMIT_STILL_THERE : LIMIT_REACHED;
        limit->reported = true;
    }
    pthread_mutex_unlock(&limit->lock);
    return status;
}

void limit_release(struct limit *limit)
{
    pthread_mutex_lock(&limit->lock);
    BUG_ON(limit->count == 0);
    limit->count--;
    if (limit->count < limit->max - limit->max / 10)
        limit->reported = false;
    pthread_mutex_unlock(&limit->lock);
}
