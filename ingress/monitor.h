/* SPDX-License-Identifier: MIT */
#ifndef PN_INGRESS_MONITOR_H
#define PN_INGRESS_MONITOR_H

#include "common/base/error.h"
#include "common/net/http_sections.h"
#include "ingress/conn.h"
#include "ingress/predecessor.h"
#include "ingress/watch.h"

/* What the http sections of the ingress answer: GET /metrics and GET /status. */
struct monitor;

/* What is shown; all of it outlives the monitor. */
struct monitor_source {
    struct loop *loop;
    const struct clock *clock;
    const struct conn_port *ports;
    size_t port_count;
    const struct bantable *bans;
    const struct drain_counts *draining;
    const struct watch *watch; /* NULL: nobody is followed */
    bool enforce;
};

/* sections is owned from now on. */
struct monitor *monitor_new(struct http_sections *sections, const struct monitor_source *source);

/* Serve them. 0 or -1. */
int monitor_start(struct monitor *monitor, struct error *error_r)
    __attribute__((warn_unused_result));
void monitor_free(struct monitor **monitor);

#endif
