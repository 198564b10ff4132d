/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/base/clock.h"

#include <time.h>

static int64_t read_ms(clockid_t id)
{
    struct timespec now;

    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t system_wall_ms(const struct clock *clock)
{
    (void)clock;
    return read_ms(CLOCK_REALTIME);
}

/* The coarse one costs a quarter, and its tick of some milliseconds matters to nobody here. */
static int64_t system_mono_ms(const struct clock *clock)
{
    (void)clock;
    return read_ms(CLOCK_MONOTONIC_COARSE);
}

const struct clock clock_system = {system_wall_ms, system_mono_ms};
