/* SPDX-License-Identifier: MIT */
#ifndef PN_BASE_ADDR_H
#define PN_BASE_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* "xxxx:…:255.255.255.255" and "/128" with room for the NUL. */
#define ADDR_TEXT_MAX   46
#define PREFIX_TEXT_MAX 50

enum addr_family { ADDR_NONE = 0, ADDR_IPV4 = 4, ADDR_IPV6 = 6 };

/*
 * An IP address, network byte order; IPv4 in the first four bytes, the rest zero,
 * so that two addresses are equal when their bytes are. ::ffff:a.b.c.d never gets
 * in here: the functions below that make an address fold it to IPv4.
 */
struct addr {
    uint8_t family; /* enum addr_family */
    uint8_t bytes[16];
};

/* A network: the bits of addr behind the first `bits` are zero. */
struct prefix {
    struct addr addr;
    uint8_t bits;
};

/* What an address may stand for (IANA special-purpose registries, RFC 6890). */
enum addr_scope {
    ADDR_SCOPE_GLOBAL,     /* also the documentation nets: they are ordinary here */
    ADDR_SCOPE_LOOPBACK,   /* 127/8, ::1 */
    ADDR_SCOPE_PRIVATE,    /* RFC 1918, 198.18/15 (RFC 2544), fc00::/7, fec0::/10 (RFC 3879) */
    ADDR_SCOPE_LINK_LOCAL, /* 169.254/16, fe80::/10 */
    ADDR_SCOPE_CGNAT,      /* 100.64/10, RFC 6598 */
    ADDR_SCOPE_SPECIAL,    /* 0/8, 192.0.0/24, ::/96, multicast, 240/4: nobody's source */
};

/* Strict text forms of inet_pton(3), no brackets, no zone. 0 or -1. */
int addr_parse(const char *text, struct addr *addr_r) __attribute__((warn_unused_result));
/* AF_INET and AF_INET6; port_r may be NULL. -1 for another family. */
int addr_from_sockaddr(const struct sockaddr *sa, struct addr *addr_r, uint16_t *port_r)
    __attribute__((warn_unused_result));
struct addr addr_from_ipv4(const uint8_t bytes[4]);
struct addr addr_from_ipv6(const uint8_t bytes[16]);

/* RFC 5952 text into out, which is returned; "none" for an empty address. */
const char *addr_format(const struct addr *addr, char out[ADDR_TEXT_MAX]);

/* The DNS name of the address's PTR record, without a trailing dot. */
#define ADDR_REVERSE_MAX 74
const char *addr_format_reverse(const struct addr *addr, char out[ADDR_REVERSE_MAX]);

bool addr_eq(const struct addr *a, const struct addr *b);
enum addr_scope addr_scope(const struct addr *addr);
/* "global", "loopback", … */
const char *addr_scope_name(enum addr_scope scope);
/* 32 or 128; 0 for an empty address. */
unsigned addr_bits(const struct addr *addr);

/* The network of the first `bits` bits around addr; more than the family has means all. */
struct prefix prefix_of(const struct addr *addr, unsigned bits);

/* "10.0.0.0/8", or a bare address for the whole of it; host bits must be zero. 0 or -1. */
int prefix_parse(const char *text, struct prefix *prefix_r) __attribute__((warn_unused_result));

/* Text into out, which is returned; a single address comes without its "/32" or "/128". */
const char *prefix_format(const struct prefix *prefix, char out[PREFIX_TEXT_MAX]);

bool prefix_eq(const struct prefix *a, const struct prefix *b);
bool prefix_contains(const struct prefix *prefix, const struct addr *addr);
/* Whether one holds the other or they are equal. */
bool prefix_overlaps(const struct prefix *a, const struct prefix *b);

#endif
