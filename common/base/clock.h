/* SPDX-License-Identifier: MIT */
#ifndef PN_BASE_CLOCK_H
#define PN_BASE_CLOCK_H

#include <stdint.h>

/*
 * Time is passed in, so that a test drives it. Milliseconds.
 *
 * wall_ms   since 1970; may jump. For what outlives the process (bans).
 * mono_ms   since some point; never goes back. For timeouts and windows.
 */
struct clock {
    int64_t (*wall_ms)(const struct clock *clock);
    int64_t (*mono_ms)(const struct clock *clock);
};

extern const struct clock clock_system;

static inline int64_t clock_wall_ms(const struct clock *clock)
{
    return clock->wall_ms(clock);
}

static inline int64_t clock_mono_ms(const struct clock *clock)
{
    return clock->mono_ms(clock);
}

#endif
