/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/base/bug.h"
#include "policyd/control.h"
#include "tests/fuzz/fuzz.h"

/* The values of a request, whatever the request is. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static struct attr_list list;
    struct origin_peer peer;
    struct prefix prefix;
    struct event event;
    uint64_t seconds;
    size_t consumed;

    if (attr_parse(bytes, len, &list, &consumed) != ATTR_OK)
        return 0;
    if (!control_take_prefix(&list, &prefix))
        BUG_ON(!addr_bits(&prefix.addr) || prefix.bits > addr_bits(&prefix.addr));
    if (!control_take_seconds(&list, &seconds))
        BUG_ON(seconds < 1 || seconds > BANS_SECONDS_MAX);
    if (!control_take_event(&list, &peer, &event)) {
        BUG_ON(!event_name(event.kind) || !addr_bits(&peer.addr));
        BUG_ON(!event.login || !event.fingerprint || event.weight > EVENT_WEIGHT_MAX);
        BUG_ON(event.at_wall_ms < 0 || event.at_wall_ms > (int64_t)CONTROL_AT_MAX * 1000);
    }
    return 0;
}
