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

static bool is_by_operator(const struct ban *ban)
{
    return str_eq(ban->jail, BANS_OPERATOR);
}

static void take_longer(const struct ban *ban, int64_t now_mono_ms, uint64_t *seconds)
{
    uint64_t left = bans_seconds_left(ban, now_mono_ms);

    *seconds = left > *seconds ? left : *seconds;
}

bool aggregate_is_due(const struct bans *bans, const struct prefix *wide, unsigned *acts,
                      int64_t now_mono_ms, uint64_t *seconds_r)
{
    const struct ban *held = bans_held(bans, wide, now_mono_ms);
    unsigned count = 0;

    *seconds_r = 0;
    for (unsigned byte = 0; byte < 256; byte++) {
        const struct ban *ban = find(bans, wide, byte);
        if (!ban || ban->until_mono_ms <= now_mono_ms || (ban->acts & *acts) != *acts)
            continue;
        if (!is_by_operator(ban))
            take_longer(ban, now_mono_ms, seconds_r);
        count++;
    }
    return count >= AGGREGATE_MIN && *seconds_r && bans_join(held, now_mono_ms, acts, seconds_r);
}

void aggregate_drop(const struct bans *bans, struct keeper_change *change,
                    const struct prefix *wide)
{
    const struct ban *around = bans_find(bans, wide);

    for (unsigned byte = 0; byte < 256; byte++) {
        struct ban *ban = find(bans, wide, byte);
        if (ban && !(ban->acts & ~around->acts) && ban->until_mono_ms <= around->until_mono_ms &&
            !is_by_operator(ban))
            keeper_remove(change, ban, false);
    }
}
