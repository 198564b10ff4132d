/* SPDX-License-Identifier: MIT */
#ifndef PN_NET_SESSION_H
#define PN_NET_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/addr.h"
#include "common/base/buf.h"
#include "common/wire/attr.h"

/*
 * What postern-ingress knows of a connection that it forwards without telling the server
 * (forward_as = plain): request=session of postern-control(7).
 */
#define SESSION_GATEWAY_MAX 65 /* bytes of a gateway's name with its NUL */

struct session_facts {
    struct addr client;
    uint16_t client_port;
    struct addr server; /* what the client connected to, as its gateway says */
    uint16_t server_port;
    char gateway[SESSION_GATEWAY_MAX]; /* "": it came without one */
    bool used_tls;                     /* between the client and the gateway */
};

/* Append the attributes of facts, and read them: -1 when they are not what they should be. */
void session_put(const struct session_facts *facts, struct buf *out);
int session_take(const struct attr_list *record, struct session_facts *facts_r)
    __attribute__((warn_unused_result));

/* Append request=session: who is behind the connection that a server sees from peer and port? */
void session_put_request(const struct addr *peer, uint16_t port, struct buf *out);

#endif
