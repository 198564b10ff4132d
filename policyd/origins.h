/* SPDX-License-Identifier: MIT */
#ifndef PN_POLICYD_ORIGINS_H
#define PN_POLICYD_ORIGINS_H

#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/log.h"
#include "common/net/by_gateway.h"
#include "common/net/origin.h"
#include "common/wire/metric.h"

/* --- in the log ------------------------------------------------------------------- */

/* How a client is known: the fields behind `client`. origin is a pointer. */
#define LOG_ORIGIN(origin)                                                                         \
    LOG_STR("origin", origin_kind_name((origin)->kind)),                                           \
        LOG_STR("source", origin_source_name((origin)->source)),                                   \
        LOG_STR("gateway", (origin)->gateway ? (origin)->gateway->name : "-")

/* Who the client is; where that is not known, `told`: whom the server takes it for. */
const char *origins_client(const struct origin *origin, const char *told, char text[ADDR_TEXT_MAX]);

/* --- in the metrics ----------------------------------------------------------------- */

/*
 * Requests counted by the origin of their client, each once by its kind, once by its source
 * and, where it came through one, once by its gateway.
 * Zeroes are none. No server shows policyd a Received field: that source is never shown.
 */
struct origins {
    uint64_t kinds[ORIGIN_KINDS];
    uint64_t sources[ORIGIN_SOURCES];
    struct by_gateway gateways;
};

void origins_count(struct origins *origins, const struct origin *origin);

/* Append all of it as attributes: NAME_origin_known and kin, NAME_source_direct and kin. */
void origins_put_status(const struct origins *origins, const char *name, struct buf *out);

/* Append the samples of a metric whose label is "origin", "source". */
void origins_put_kinds(const struct origins *origins, const struct metric *metric, struct buf *out);
void origins_put_sources(const struct origins *origins, const struct metric *metric,
                         struct buf *out);

#endif
