/* SPDX-License-Identifier: MIT */
#ifndef PN_WIRE_NETSTRING_H
#define PN_WIRE_NETSTRING_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"

/*
 * Netstrings, https://cr.yp.to/proto/netstrings.txt: decimal length, ':', that many
 * bytes, ','. Postfix's socketmap_table(5) speaks them.
 */
enum netstring_status {
    NETSTRING_OK,
    NETSTRING_MORE,
    NETSTRING_BAD_LEN,  /* not a number, or with a leading zero */
    NETSTRING_TOO_LONG, /* longer than max */
    NETSTRING_BAD_END,  /* no comma where it belongs */
};

/*
 * Read one netstring of at most max bytes of payload from bytes[0..len). On
 * NETSTRING_OK the payload lies in bytes, and consumed_r says how many bytes the
 * whole took. Refuses as early as it is certain.
 */
enum netstring_status netstring_parse(const uint8_t *bytes, size_t len, size_t max,
                                      const uint8_t **payload_r, size_t *payload_len_r,
                                      size_t *consumed_r) __attribute__((warn_unused_result));

const char *netstring_strstatus(enum netstring_status status);

void netstring_put(struct buf *out, const void *payload, size_t len);

#endif
