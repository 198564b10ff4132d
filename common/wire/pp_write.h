/* SPDX-License-Identifier: MIT */
#ifndef PN_WIRE_PP_WRITE_H
#define PN_WIRE_PP_WRITE_H

#include <stdint.h>

#include "common/base/addr.h"
#include "common/base/buf.h"

/*
 * Writes PROXY headers (pp.h) in the form that every receiver takes: no TLV, never UNKNOWN or
 * UNSPEC, at most 104 bytes.
 */

/* A client's connection. */
struct pp_tcp {
    struct addr src, dst; /* neither empty */
    uint16_t src_port, dst_port;
};

/*
 * Append a header for it: version 2 in 28 bytes for IPv4, 52 for IPv6; version 1 as a line. A
 * header has one family: where the two differ, which clouds and NAT64 bring about, the IPv4
 * address goes as ::ffff:a.b.c.d.
 */
void pp_write_v2(struct buf *out, const struct pp_tcp *tcp);
void pp_write_v1(struct buf *out, const struct pp_tcp *tcp);

#endif
