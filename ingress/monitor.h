/* SPDX-License-Identifier: MIT */
#ifndef PN_INGRESS_MONITOR_H
#define PN_INGRESS_MONITOR_H

#include "common/base/error.h"
#include "common/config/config.h"
#include "ingress/conn.h"
#include "ingress/watch.h"

/* The http sections whose program is the ingress: GET /metrics and GET /status. */
struct monitor;

/* Open the listeners, while the process may. NULL when one cannot be opened. */
struct monitor *monitor_bind(const struct config *config, struct error *error_r);

/* What is shown; all of it outlives the monitor. */
struct monitor_source {
    struct loop *loop;
    const struct clock *clock;
    const struct conn_port *ports;
    size_t port_count;
    const struct bantable *bans;
    const struct watch *watch; /* NULL: nobody is followed */
    bool enforce;
};

/* Serve them. 0 or -1. */
int monitor_start(struct monitor *monitor, const struct monitor_source *source,
                  struct error *error_r) __attribute__((warn_unused_result));
void monitor_free(struct monitor **monitor);

#endif
