/* SPDX-License-Identifier: MIT */
#ifndef PN_MILTER_LIMIT_H
#define PN_MILTER_LIMIT_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * How many sessions may be open at once. libmilter has no limit of its own: each
 * session that waits for something holds a thread.
 *
 * Any thread.
 */
struct limit {
    pthread_mutex_t lock;
    size_t max;
    size_t count;
    bool reported;
};

enum limit_status {
    LIMIT_OK,
    LIMIT_REACHED,     /* the first time in this burst: worth a log line */
    LIMIT_STILL_THERE, /* again, before the count fell by a tenth of the limit */
};

void limit_init(struct limit *limit, size_t max);
void limit_fini(struct limit *limit);

/* More than before are let in, or fewer once enough have gone. */
void limit_set_max(struct limit *limit, size_t max);

/* On LIMIT_OK limit_release() is called later, on the others not. */
enum limit_status limit_take(struct limit *limit) __attribute__((warn_unused_result));
void limit_release(struct limit *limit);

#endif
