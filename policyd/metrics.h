/* SPDX-License-Identifier: MIT */
#ifndef PN_POLICYD_METRICS_H
#define PN_POLICYD_METRICS_H

#include "common/base/buf.h"
#include "common/net/http.h"
#include "policyd/status.h"

/* Append all metrics of the daemon: postern-policyd(8), METRICS. */
void metrics_put(const struct status_source *source, struct buf *out);

/* Handler of GET /metrics. ctx is a struct status_source. */
void metrics_handle(struct http_request *request, void *ctx);

#endif
