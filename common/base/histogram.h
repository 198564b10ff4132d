/* SPDX-License-Identifier: MIT */
#ifndef PN_BASE_HISTOGRAM_H
#define PN_BASE_HISTOGRAM_H

#include <stdatomic.h>
#include <stdint.h>

/*
 * How many things took how long: from a commit to a disk to the longest wait for DNS.
 * Zeroes are an empty one. Any thread.
 */
#define HISTOGRAM_BOUNDS 14

/* In milliseconds, rising; what takes longer than the last falls into a bucket without bound. */
extern const unsigned histogram_bounds_ms[HISTOGRAM_BOUNDS];

struct histogram {
    atomic_uint_fast64_t counts[HISTOGRAM_BOUNDS + 1]; /* each bucket for itself */
    atomic_uint_fast64_t sum_ms;
};

/* Less than nothing counts as nothing. */
void histogram_add(struct histogram *histogram, int64_t ms);

#endif
