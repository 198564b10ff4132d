/* SPDX-License-Identifier: MIT */
#ifndef PN_NET_DNS_PACKET_H
#define PN_NET_DNS_PACKET_H

#include <stddef.h>
#include <stdint.h>

#include "common/net/dns.h"

/*
 * The answer in a response packet, RFC 1035 4: the records of `type` in its answer
 * section, whatever aliases lead to them, at most DNS_RECORDS_MAX. A record that is
 * malformed in itself is left out; a packet that is not one gives DNS_SERVFAIL.
 * answer_r is filled anew and freed by dns_answer_fini().
 */
void dns_packet_parse(const uint8_t *packet, size_t len, uint16_t type,
                      struct dns_answer *answer_r);

#endif
