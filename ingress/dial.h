/* SPDX-License-Identifier: MIT */
#ifndef PN_INGRESS_DIAL_H
#define PN_INGRESS_DIAL_H

#include "common/base/addr.h"
#include "common/base/endpoint.h"
#include "common/config/config.h"
#include "ingress/door.h"
#include "ingress/sessions.h"

/*
 * A socket to the server, in two steps: between them whoever asks about what the server
 * will see can be given an answer.
 *
 * dial_open: bound as forward_as wants it, non-blocking. client is whose connection it is,
 * NULL for a health check. seen_r: what the server sees, where that is plain's source. -1 and
 * errno.
 */
int dial_open(const struct config_ingress *ingress, const struct endpoint *server,
              const struct addr *client, struct session_key *seen_r)
    __attribute__((warn_unused_result));
/* It is writable when the server has answered. -1 and errno; fd stays the caller's. */
int dial_start(int fd, const struct endpoint *server) __attribute__((warn_unused_result));

/*
 * Once it is started: tell the server whose connection it is, where forward_as wants that, in one
 * write with nothing else; Postfix looks once at what has come, and no more. client is NULL for a
 * health check, which tells nothing: LOCAL would be a client 127.0.0.1 to a milter. 0, EAGAIN while
 * the server has not answered, or the errno that says why it does not.
 */
int dial_introduce(int fd, const struct config_ingress *ingress, const struct door_client *client)
    __attribute__((warn_unused_result));

/* For either leg; a listening socket's is inherited by what it accepts. */
void dial_keep_alive(int fd);

#endif
