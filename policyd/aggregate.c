/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/aggregate.h"

#include "common/base/str.h"

static struct ban *find(const struct bans *bans, const struct prefix *wide, unsigned byte)
{
    struct prefix narrow = *wide;

    narrow.bits = (uint8_t)(wide->bits + 8);
    narrow.addr.bytes[wide->bits / 8] = (uint8_t)byte;
    return bans_find(bans, &narrow);
}

bool aggregate_is_due(const struct bans *bans, const struct prefix *wide, unsigned acts,
                      int64_t now_mono_ms, uint64_t *seconds_r)
{
    unsigned count = 0;

    *seconds_r = 0;
    for (unsigned byte = 0; byte < 256; byte++) {
        const struct ban *ban = find(bans, wide, byte);
        if (!ban || (ban->acts & acts) != acts)
            continue;
        uint64_t seconds = bans_seconds_left(ban, now_mono_ms);
        *seconds_r = seconds > *seconds_r ? seconds : *seconds_r;
        count++;
    }
    return count >= AGGREGATE_MIN;
}

void aggregate_drop(const struct bans *bans, struct keeper_change *change,
                    const struct prefix *wide, unsigned acts)
{
    for (unsigned byte = 0; byte < 256; byte++) {
        struct ban *ban = find(bans, wide, byte);
        if (ban && ban->acts == acts && !str_eq(ban->jail, BANS_OPERATOR))
            keeper_remove(change, ban);
    }
}
