/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/base/histogram.h"

#include <stddef.h>

const unsigned histogram_bounds_ms[HISTOGRAM_BOUNDS] = {1,   2,   5,    10,   25,   50,    100,
                                                        250, 500, 1000, 2500, 5000, 10000, 25000};

void histogram_add(struct histogram *histogram, int64_t ms)
{
    uint64_t took_ms = ms < 0 ? 0 : (uint64_t)ms;
    size_t bucket = 0;

    while (bucket < HISTOGRAM_BOUNDS && took_ms > histogram_bounds_ms[bucket])
        bucket++;
    atomic_fetch_add_explicit(&histogram->counts[bucket], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&histogram->sum_ms, took_ms, memory_order_relaxed);
}
