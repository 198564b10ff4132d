/* SPDX-License-Identifier: MIT */
#ifndef PN_INGRESS_SESSIONS_H
#define PN_INGRESS_SESSIONS_H

#include <stddef.h>

#include "common/base/addr.h"
#include "common/base/map.h"
#include "common/net/service.h"
#include "ingress/door.h"

/*
 * The connections that are forwarded plainly, by what the server sees of them: our own address
 * and a port. The milter and policyd ask with request=session of postern-control(7).
 */
struct session_key {
    struct addr addr;
    uint16_t port;
};

/* Lives in the connection; what it points to does too. */
struct session {
    struct map_node node;
    struct session_key key;
    const struct door_client *client; /* NULL: in no table */
    const char *gateway;              /* its name; "": it came without one */
};

struct sessions {
    struct map map;
};

void sessions_init(struct sessions *sessions);
/* Nothing may be in it. */
void sessions_fini(struct sessions *sessions);

/* key is not in the table: two sockets cannot share it. */
void sessions_add(struct sessions *sessions, struct session *session, const struct session_key *key,
                  const struct door_client *client, const char *gateway);
/* Nothing happens to one that is in no table. */
void sessions_remove(struct sessions *sessions, struct session *session);
const struct session *sessions_find(const struct sessions *sessions, const struct session_key *key);

/* ctx of the service is a struct sessions. */
extern const struct service_protocol sessions_protocol;

#endif
