/* SPDX-License-Identifier: MIT */
#ifndef PN_NET_CONTROL_H
#define PN_NET_CONTROL_H

#include "common/base/buf.h"
#include "common/base/error.h"
#include "common/wire/attr.h"

/*
 * A blocking client of policyd's control socket, for posternctl: one request, then
 * the records of its answer, each an attribute list. The last one has `status`.
 * postern-control(7) gives the requests.
 */
struct control;

/*
 * A connected, non-blocking descriptor to address: "unix:PATH". -1 and error_r when
 * nobody listens, permission is missing, or too many wait there already. Never waits.
 */
int control_dial(const char *address, struct error *error_r) __attribute__((warn_unused_result));

/* As control_dial(); NULL and error_r when that fails. */
struct control *control_open(const char *address, int timeout_ms, struct error *error_r);
void control_close(struct control **control);

/* request: a whole attribute list. 0 or -1. */
int control_send(struct control *control, const struct buf *request, struct error *error_r)
    __attribute__((warn_unused_result));

/*
 * The next record into record_r: 1 with a record, 0 with the last (it has status=ok),
 * -1 on a broken connection, a time-out, or status=error (its reason is the text,
 * the code ERROR_REFUSED).
 */
int control_next(struct control *control, struct attr_list *record_r, struct error *error_r)
    __attribute__((warn_unused_result));

#endif
