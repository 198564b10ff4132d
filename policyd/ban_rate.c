/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/ban_rate.h"

#include "common/base/log.h"

void ban_rate_add(struct ban_rate *rate, unsigned max, uint64_t next, int64_t now_ms)
{
    window_add(&rate->minute, BAN_RATE_MS, now_ms);
    uint64_t count = window_count(&rate->minute, BAN_RATE_MS, now_ms);

    if (!max || count <= max || rate->is_too_high)
        return;
    rate->is_too_high = true;
    rate->held_from = next;
    log_error(NULL, "too-many-bans", LOG_UINT("bans", count), LOG_UINT("max_bans_per_minute", max),
              LOG_STR("effect", "no new ban is told to a gateway; here they hold"));
}

void ban_rate_tick(struct ban_rate *rate, unsigned max, int64_t now_ms)
{
    if (!rate->is_too_high || (max && window_count(&rate->minute, BAN_RATE_MS, now_ms) > max))
        return;
    rate->is_too_high = false;
    log_warning(NULL, "bans-told-again", LOG_UINT("max_bans_per_minute", max));
}
