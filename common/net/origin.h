/* SPDX-License-Identifier: MIT */
#ifndef PN_NET_ORIGIN_H
#define PN_NET_ORIGIN_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/addr.h"
#include "common/config/config.h"
#include "common/wire/received.h"

/* The client's address together with how we know it. */
enum origin_kind {
    ORIGIN_KNOWN,   /* addr is the client */
    ORIGIN_MASKED,  /* the peer is a gateway, the client cannot be known */
    ORIGIN_LOCAL,   /* loopback, a Unix socket, sendmail(1), a trusted net */
    ORIGIN_REFUSED, /* a PROXY header claims a client that cannot come through a gateway */
};
#define ORIGIN_KINDS (ORIGIN_REFUSED + 1)

enum origin_source {
    ORIGIN_SOURCE_NONE,     /* masked, local */
    ORIGIN_SOURCE_DIRECT,   /* connected to us */
    ORIGIN_SOURCE_INGRESS,  /* postern-ingress forwards the connection, and says so */
    ORIGIN_SOURCE_PROXY,    /* named by a gateway's PROXY header, believed by Postfix or Dovecot */
    ORIGIN_SOURCE_RECEIVED, /* named by the Received field of a gateway's MTA */
};
#define ORIGIN_SOURCES (ORIGIN_SOURCE_RECEIVED + 1)

struct origin {
    enum origin_kind kind;
    struct addr addr; /* ADDR_NONE when not known; the claimed one when refused */
    uint16_t port;    /* 0: not known */
    enum origin_source source;
    const struct config_gateway *gateway; /* it came through, or NULL */
    bool is_relayed; /* masked, by the gateway's MTA: its Received field may name the client */
};

/* What a server tells of its connection, addresses already folded. */
struct origin_peer {
    struct addr addr;        /* who it calls its client; ADDR_NONE: Unix socket or sendmail(1) */
    uint16_t port;           /* 0: not told */
    struct addr destination; /* what the client connected to; ADDR_NONE: not told */
    const char *daemon_name; /* of the smtpd that took it, borrowed; NULL: not told */
};

struct session_client;

/* The addresses of this host and the nets they are in, read once at start. */
struct origin_rules {
    const struct config *config;
    struct prefixlist own;           /* nobody's client */
    struct session_client *sessions; /* whom to ask of plain connections; NULL: nobody; borrowed */
    struct prefixlist nets; /* of the interfaces; one with a tunnel address in it is the tunnel */
};

void origin_rules_init(struct origin_rules *rules, const struct config *config);
void origin_rules_fini(struct origin_rules *rules);

/* The order of the rules is total; the header of origin.c gives it. */
struct origin origin_find(const struct origin_rules *rules, const struct origin_peer *peer);

/*
 * The client of a message whose session is_relayed, by the message's newest Received
 * field, without the space behind its colon. NULL: field_r and origin_r say who it is;
 * otherwise it stays masked, and the text says why, as the predicate to "its Received
 * field". Such mail is never refused: the gateway's own bears no client's address either.
 */
const char *origin_restore(const struct origin_rules *rules, const struct origin *session,
                           const char *value, struct received *field_r, struct origin *origin_r)
    __attribute__((warn_unused_result));

/* Whether a PROXY header may claim this client: a global address, not ours, a gateway's or trusted.
 */
bool origin_admits(const struct origin_rules *rules, const struct addr *addr);
/*
 * Why prefix must never be counted or banned, as a noun phrase ("gateway vps1",
 * "the tunnel of gateway vps1", "this host", "a trusted net", "ignoreip", "a loopback
 * address"), or NULL when it
 * may be. Holds for every prefix that contains or lies in such an address. The text
 * is written to out, which is returned.
 */
#define ORIGIN_REASON_MAX 128
const char *origin_protects(const struct origin_rules *rules, const struct prefix *prefix,
                            char out[ORIGIN_REASON_MAX]);

const char *origin_kind_name(enum origin_kind kind);
const char *origin_source_name(enum origin_source source);

#endif
