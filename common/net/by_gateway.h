/* SPDX-License-Identifier: MIT */
#ifndef PN_NET_BY_GATEWAY_H
#define PN_NET_BY_GATEWAY_H

#include "common/base/buf.h"
#include "common/net/origin.h"
#include "common/wire/metric.h"

/*
 * What came through each gateway, counted by its name, which outlives the configuration that
 * it is from. Zeroes are none. Any thread; counting never waits.
 */
struct by_gateway_item;

struct by_gateway {
    struct by_gateway_item *_Atomic first;
};

void by_gateway_fini(struct by_gateway *counts);

/* Of an origin without a gateway nothing is counted. */
void by_gateway_count(struct by_gateway *counts, const struct origin *origin);

/* Append the samples of a metric whose label is "gateway". */
void by_gateway_put(const struct by_gateway *counts, const struct metric *metric, struct buf *out);

#endif
