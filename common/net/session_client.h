/* SPDX-License-Identifier: MIT */
#ifndef PN_NET_SESSION_CLIENT_H
#define PN_NET_SESSION_CLIENT_H

#include <stddef.h>

#include "common/config/config.h"
#include "common/net/session.h"

/*
 * Asks postern-ingress who is behind a connection. It blocks its caller, but never for long:
 * the ingress answers from memory over a Unix socket, and one that does not answer is left
 * alone for SESSION_CLIENT_PAUSE_MS. Any thread; one question at a time.
 */
#define SESSION_CLIENT_PAUSE_MS 1000

enum session_answer {
    SESSION_FOUND,
    SESSION_NOT_FOUND, /* no connection of the ingress, or one whose client it does not know */
    SESSION_TEMPFAIL,  /* nobody answers; said once in the log, and when it is over */
};

struct session_client;

/* address: "unix:PATH", copied. Connects when it is asked first. */
struct session_client *session_client_new(const char *address, int timeout_ms);
/* Of the file's `sessions`; NULL where nothing is forwarded plainly. */
struct session_client *session_client_of(const struct config *config, int timeout_ms);
void session_client_free(struct session_client **client);

enum session_answer session_client_ask(struct session_client *client, const struct addr *peer,
                                       uint16_t port, struct session_facts *facts_r)
    __attribute__((warn_unused_result));

#endif
