/* SPDX-License-Identifier: MIT */
#ifndef PN_POLICYD_CONTROL_H
#define PN_POLICYD_CONTROL_H

#include "common/base/buf.h"
#include "common/wire/attr.h"
#include "policyd/engine.h"
#include "common/net/service.h"
#include "policyd/status.h"

/* The control socket: postern-control(7). */
#define CONTROL_OUTPUT_MAX 65536
#define CONTROL_PIECE      16384 /* a long answer is written in pieces of about this size */

/* Append the records and the last list that answer request=route. */
void control_put_route(const struct config *config, const struct attr_list *request,
                       struct buf *out);

/* Append one record of request=bans. */
void control_put_ban(const struct ban *ban, int64_t now_mono_ms, struct buf *out);

/* Read prefix and seconds of a request: NULL, or what is wrong with it. */
const char *control_take_prefix(const struct attr_list *request, struct prefix *prefix_r);
const char *control_take_seconds(const struct attr_list *request, uint64_t *seconds_r);

/* Read what request=report tells of; its texts are borrowed. NULL, or what is wrong with it. */
#define CONTROL_AT_MAX 253402300799u /* the last second of the year 9999 */
const char *control_take_event(const struct attr_list *request, struct origin_peer *peer_r,
                               struct event *event_r);

/* ctx of the service is a struct status_source. */
extern const struct service_protocol control_protocol;

#endif
