/* SPDX-License-Identifier: MIT */
#ifndef PN_POLICYD_STATUS_H
#define PN_POLICYD_STATUS_H

#include "common/base/buf.h"
#include "common/net/http.h"
#include "common/net/status.h"
#include "policyd/crowdsec.h"
#include "policyd/engine.h"
#include "policyd/export.h"

/* Where all that is shown of the daemon comes from. */
struct status_source {
    struct engine *engine;
    /* The listeners, by index from 0; false past the last one. */
    bool (*listener)(void *ctx, size_t index, struct status_listener *listener_r);
    void *ctx;
    struct http_counts http;
    struct exports exports;
    struct crowdsec crowdsec;
};

/* Append the list that answers request=status: postern-control(7). */
void status_put(const struct status_source *source, struct buf *out);

/* Handler of GET /status, the same as JSON. ctx is a struct status_source. */
void status_handle(struct http_request *request, void *ctx);

#endif
