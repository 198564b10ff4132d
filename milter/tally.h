/* SPDX-License-Identifier: MIT */
#ifndef PN_MILTER_TALLY_H
#define PN_MILTER_TALLY_H

#include <stdatomic.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/histogram.h"
#include "common/mailauth/result.h"
#include "common/net/by_gateway.h"
#include "common/net/dns.h"
#include "common/net/origin.h"

#define TALLY_RESULTS      (AUTH_PERMERROR + 1)
#define TALLY_DNS_STATUSES (DNS_BOGUS + 1)
#define TALLY_RELOADS      2 /* that went well, that did not */

/* What is counted since the start. Of one with results, the count for each follows it. */
enum tally_id {
    TALLY_CONNECTION,
    TALLY_CONNECTION_CLOSED,
    TALLY_SESSION,
    TALLY_TOO_MANY_SESSIONS,
    TALLY_ORIGIN_REFUSED,
    TALLY_NEGOTIATION_FAILED,
    TALLY_MESSAGE,
    TALLY_SOURCE = TALLY_MESSAGE + ORIGIN_KINDS,
    TALLY_AUTHENTICATED = TALLY_SOURCE + ORIGIN_SOURCES,
    TALLY_MESSAGE_REFUSED,
    TALLY_REJECTED,
    TALLY_DELAYED,
    TALLY_QUARANTINED,
    TALLY_MARKED,
    TALLY_SIGNATURE,
    TALLY_NOT_SIGNED,
    TALLY_CHANGE_FAILED,
    TALLY_FIELD_REMOVED,
    TALLY_SPF,
    TALLY_SPF_HELO = TALLY_SPF + TALLY_RESULTS,
    TALLY_DKIM = TALLY_SPF_HELO + TALLY_RESULTS,
    TALLY_DMARC = TALLY_DKIM + TALLY_RESULTS,
    TALLY_IPREV = TALLY_DMARC + TALLY_RESULTS,
    TALLY_DNS = TALLY_IPREV + TALLY_RESULTS,
    TALLY_RELOAD = TALLY_DNS + TALLY_DNS_STATUSES,
    TALLY_COUNT = TALLY_RELOAD + TALLY_RELOADS,
};

/* Zeroes are an empty one. Any thread; counting never waits. */
struct tally {
    atomic_uint_fast64_t counts[TALLY_COUNT];
    struct by_gateway gateways; /* messages to their end */
    struct histogram message_time;
    struct dns dns;
    struct dns *asked; /* by dns */
};

/* tally may be NULL: then nobody counts. which: the result, for those that have one. */
void tally_add(struct tally *tally, enum tally_id id, unsigned which, uint64_t count);
uint64_t tally_get(const struct tally *tally, enum tally_id id, unsigned which);

void tally_fini(struct tally *tally);

/* What asks `asked` and counts each answer. Lives as long as tally. */
struct dns *tally_dns(struct tally *tally, struct dns *asked);

/* Append all of it: as metrics, postern-milter(8), and as attributes of a status. */
void tally_put_metrics(const struct tally *tally, struct buf *out);
void tally_put_status(const struct tally *tally, struct buf *out);

#endif
