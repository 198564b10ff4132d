/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "ingress/stats.h"

const char *port_stat_name(enum port_stat stat)
{
    static const char *const names[PORT_STAT_COUNT] = {
        [PORT_FORWARDED] = "forwarded",
        [PORT_PROBED] = "probed",
        [PORT_STRANGER] = "stranger",
        [PORT_NO_HEADER] = "no_header",
        [PORT_BAD_HEADER] = "bad_header",
        [PORT_BAD_CLIENT] = "bad_client",
        [PORT_BANNED] = "banned",
        [PORT_CUT] = "cut",
        [PORT_TOO_MANY] = "too_many",
        [PORT_UPSTREAM_DOWN] = "upstream_down",
        [PORT_IDLE] = "idle",
    };
    return names[stat];
}
