/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/base/log_limit.h"

#include "common/base/log.h"

bool log_limit_allows(struct log_limit *limit, const char *listener, int64_t now_mono_ms)
{
    if (!limit->lines || now_mono_ms - limit->began_mono_ms >= LOG_LIMIT_MS) {
        limit->began_mono_ms = now_mono_ms;
        limit->lines = 0;
    }
    if (limit->lines == LOG_LIMIT_LINES) {
        limit->held_back++;
        return false;
    }
    limit->lines++;
    if (limit->held_back)
        log_info(NULL, "held-back", LOG_STR("listener", listener),
                 LOG_UINT("lines", limit->held_back));
    limit->held_back = 0;
    return true;
}
