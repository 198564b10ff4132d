/* SPDX-License-Identifier: MIT */
#ifndef PN_INGRESS_STATS_H
#define PN_INGRESS_STATS_H

#include <stdint.h>

/* What became of connections. */
enum port_stat {
    PORT_FORWARDED,     /* the upstream has taken it */
    PORT_PROBED,        /* a health check, answered */
    PORT_STRANGER,      /* neither a gateway nor direct */
    PORT_NO_HEADER,     /* closed or silent before a header was whole */
    PORT_BAD_HEADER,    /* not a header */
    PORT_BAD_CLIENT,    /* a header that names nobody who may be believed */
    PORT_BANNED,        /* of a banned client, closed before the upstream */
    PORT_CUT,           /* of a client that was banned while it was open */
    PORT_TOO_MANY,      /* more than one client may have */
    PORT_UPSTREAM_DOWN, /* nobody took it */
    PORT_IDLE,          /* silent for too long */
    PORT_STAT_COUNT
};

struct port_stats {
    uint64_t count[PORT_STAT_COUNT];
};

/* The label of a metric, "forwarded". */
const char *port_stat_name(enum port_stat stat);

#endif
