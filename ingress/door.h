/* SPDX-License-Identifier: MIT */
#ifndef PN_INGRESS_DOOR_H
#define PN_INGRESS_DOOR_H

#include <stdbool.h>

#include "common/config/config.h"
#include "common/net/origin.h"
#include "common/wire/pp.h"

/*
 * Who may come in: decisions, functions of values. The peer alone decides whether a header
 * is due, before a byte is read; nothing is ever guessed from the bytes (section 2 of the
 * PROXY protocol).
 */
enum door_way {
    DOOR_GATEWAY, /* a gateway, which sends a header */
    DOOR_MASKED,  /* a gateway that sends none: its client cannot be known */
    DOOR_DIRECT,  /* a client of its own, without a header */
    DOOR_CLOSED,  /* nobody who may connect here */
};

/* gateway_r: the gateway, or NULL. */
enum door_way door_of_peer(const struct config *config, const struct config_ingress *ingress,
                           const struct addr *peer, const struct config_gateway **gateway_r);

/* Whose connection is forwarded, and whereto it went before it came to us. */
struct door_client {
    struct addr addr;
    uint16_t port;
    struct addr destination;
    uint16_t destination_port;
    bool used_tls; /* says the header, between the client and the gateway */
};

enum door_verdict {
    DOOR_FORWARD,
    DOOR_PROBE,  /* the gateway's health check: see whether the upstream is there, then close */
    DOOR_REFUSE, /* reason_r says why */
};

/* What a whole header asks for; client_r with DOOR_FORWARD only. */
enum door_verdict door_of_header(const struct origin_rules *rules, const struct pp_header *header,
                                 struct door_client *client_r, const char **reason_r);

#endif
