/* SPDX-License-Identifier: MIT */
#ifndef PN_TESTS_FAKE_DNS_H
#define PN_TESTS_FAKE_DNS_H

#include <stddef.h>
#include <stdint.h>

#include "common/net/dns.h"

/*
 * DNS from a table. A name with any entry exists, others are DNS_NXDOMAIN. CNAMEs are
 * followed. Names compare without regard to case. Not for several threads.
 */
struct fake_dns {
    struct dns dns;
    struct fake_entry *entries;
    size_t count;
    unsigned asked; /* questions so far */
};

void fake_dns_init(struct fake_dns *fake);
void fake_dns_fini(struct fake_dns *fake);

/* data: an address, a name ("10 mail.example.com" for MX), or the text. */
void fake_dns_add(struct fake_dns *fake, const char *name, uint16_t type, const char *data);
void fake_dns_add_txt(struct fake_dns *fake, const char *name, const void *txt, size_t len);
#define FAKE_CNAME 5u

/* Questions for name and type (0: any) that have no record are answered so. */
void fake_dns_fail(struct fake_dns *fake, const char *name, uint16_t type, enum dns_status status);

#endif
