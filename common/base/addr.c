/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/base/addr.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "common/base/str.h"

struct addr addr_from_ipv4(const uint8_t bytes[4])
{
    struct addr addr = {.family = ADDR_IPV4};
    memcpy(addr.bytes, bytes, 4);
    return addr;
}

struct addr addr_from_ipv6(const uint8_t bytes[16])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    struct addr addr = {.family = ADDR_IPV6};

    if (memcmp(bytes, mapped, sizeof(mapped)) == 0)
        return addr_from_ipv4(bytes + 12);
    memcpy(addr.bytes, bytes, 16);
    return addr;
}

int addr_parse(const char *text, struct addr *addr_r)
{
    uint8_t bytes[16];

    if (inet_pton(AF_INET, text, bytes) == 1)
        *addr_r = addr_from_ipv4(bytes);
    else if (inet_pton(AF_INET6, text, bytes) == 1)
        *addr_r = addr_from_ipv6(bytes);
    else
        return -1;
    return 0;
}

int addr_from_sockaddr(const struct sockaddr *sa, struct addr *addr_r, uint16_t *port_r)
{
    uint16_t port;

    if (sa && sa->sa_family == AF_INET) {
        struct sockaddr_in sin;
        memcpy(&sin, sa, sizeof(sin));
        *addr_r = addr_from_ipv4((const uint8_t *)&sin.sin_addr);
        port = ntohs(sin.sin_port);
    } else if (sa && sa->sa_family == AF_INET6) {
        struct sockaddr_in6 sin6;
        memcpy(&sin6, sa, sizeof(sin6));
        *addr_r = addr_from_ipv6((const uint8_t *)&sin6.sin6_addr);
        port = ntohs(sin6.sin6_port);
    } else {
        return -1;
    }
    if (port_r)
        *port_r = port;
    return 0;
}

const char *addr_format(const struct addr *addr, char out[ADDR_TEXT_MAX])
{
    int family = addr->family == ADDR_IPV4 ? AF_INET : AF_INET6;

    if (addr->family == ADDR_NONE || !inet_ntop(family, addr->bytes, out, ADDR_TEXT_MAX))
        memcpy(out, "none", sizeof("none"));
    return out;
}

const char *addr_format_reverse(const struct addr *addr, char out[ADDR_REVERSE_MAX])
{
    static const char hex[] = "0123456789abcdef";
    const uint8_t *b = addr->bytes;
    char *p = out;

    if (addr->family == ADDR_IPV4) {
        snprintf(out, ADDR_REVERSE_MAX, "%u.%u.%u.%u.in-addr.arpa", b[3], b[2], b[1], b[0]);
        return out;
    }
    for (int i = 15; i >= 0; i--) {
        *p++ = hex[b[i] & 15];
        *p++ = '.';
        *p++ = hex[b[i] >> 4];
        *p++ = '.';
    }
    memcpy(p, "ip6.arpa", sizeof("ip6.arpa"));
    return out;
}

bool addr_eq(const struct addr *a, const struct addr *b)
{
    return a->family == b->family && memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

unsigned addr_bits(const struct addr *addr)
{
    return addr->family == ADDR_IPV4 ? 32 : addr->family == ADDR_IPV6 ? 128 : 0;
}

enum addr_scope addr_scope(const struct addr *addr)
{
    static const struct {
        struct prefix prefix;
        enum addr_scope scope;
    } nets[] = {
        {{{ADDR_IPV4, {127}}, 8}, ADDR_SCOPE_LOOPBACK},
        {{{ADDR_IPV4, {10}}, 8}, ADDR_SCOPE_PRIVATE},
        {{{ADDR_IPV4, {172, 16}}, 12}, ADDR_SCOPE_PRIVATE},
        {{{ADDR_IPV4, {192, 168}}, 16}, ADDR_SCOPE_PRIVATE},
        {{{ADDR_IPV4, {169, 254}}, 16}, ADDR_SCOPE_LINK_LOCAL},
        {{{ADDR_IPV4, {100, 64}}, 10}, ADDR_SCOPE_CGNAT},
        {{{ADDR_IPV4, {198, 18}}, 15}, ADDR_SCOPE_PRIVATE},
        {{{ADDR_IPV4, {0}}, 8}, ADDR_SCOPE_SPECIAL},
        {{{ADDR_IPV4, {192, 0, 0}}, 24}, ADDR_SCOPE_SPECIAL},
        {{{ADDR_IPV4, {224}}, 3}, ADDR_SCOPE_SPECIAL},
        {{{ADDR_IPV6, {[15] = 1}}, 128}, ADDR_SCOPE_LOOPBACK},
        {{{ADDR_IPV6, {0}}, 96}, ADDR_SCOPE_SPECIAL},
        {{{ADDR_IPV6, {0xfc}}, 7}, ADDR_SCOPE_PRIVATE},
        {{{ADDR_IPV6, {0xfe, 0xc0}}, 10}, ADDR_SCOPE_PRIVATE},
        {{{ADDR_IPV6, {0xfe, 0x80}}, 10}, ADDR_SCOPE_LINK_LOCAL},
        {{{ADDR_IPV6, {0xff}}, 8}, ADDR_SCOPE_SPECIAL},
    };
    for (size_t i = 0; i < sizeof(nets) / sizeof(nets[0]); i++) {
        if (prefix_contains(&nets[i].prefix, addr))
            return nets[i].scope;
    }
    return addr->family == ADDR_NONE ? ADDR_SCOPE_SPECIAL : ADDR_SCOPE_GLOBAL;
}

const char *addr_scope_name(enum addr_scope scope)
{
    static const char *const names[] = {
        [ADDR_SCOPE_GLOBAL] = "global",           [ADDR_SCOPE_LOOPBACK] = "loopback",
        [ADDR_SCOPE_PRIVATE] = "private",         [ADDR_SCOPE_LINK_LOCAL] = "link-local",
        [ADDR_SCOPE_CGNAT] = "carrier-grade NAT", [ADDR_SCOPE_SPECIAL] = "special-purpose",
    };
    return names[scope];
}

struct prefix prefix_of(const struct addr *addr, unsigned bits)
{
    struct prefix prefix = {.addr = *addr};
    unsigned all = addr_bits(addr);

    if (bits > all)
        bits = all;
    prefix.bits = (uint8_t)bits;
    unsigned whole = bits / 8;
    if (whole == sizeof(prefix.addr.bytes))
        return prefix;
    prefix.addr.bytes[whole] &= (uint8_t)(0xff << (8 - bits % 8));
    memset(prefix.addr.bytes + whole + 1, 0, sizeof(prefix.addr.bytes) - whole - 1);
    return prefix;
}

int prefix_parse(const char *text, struct prefix *prefix_r)
{
    char host[ADDR_TEXT_MAX];
    const char *slash = strchr(text, '/');
    size_t host_len = slash ? (size_t)(slash - text) : strlen(text);
    struct addr addr;
    uint64_t bits;

    if (host_len >= sizeof(host))
        return -1;
    memcpy(host, text, host_len);
    host[host_len] = 0;
    if (addr_parse(host, &addr) < 0)
        return -1;
    bits = addr_bits(&addr);
    /* ::ffff:0:0/96 and longer are IPv4 nets spelled long */
    bool mapped = addr.family == ADDR_IPV4 && strchr(host, ':');
    if (slash) {
        if (str_parse_u64(slash + 1, mapped ? 96 : 0, mapped ? 128 : bits, &bits) < 0)
            return -1;
        if (mapped)
            bits -= 96;
    }
    *prefix_r = prefix_of(&addr, (unsigned)bits);
    return addr_eq(&prefix_r->addr, &addr) ? 0 : -1;
}

const char *prefix_format(const struct prefix *prefix, char out[PREFIX_TEXT_MAX])
{
    addr_format(&prefix->addr, out);
    if (prefix->bits < addr_bits(&prefix->addr)) {
        size_t used = strlen(out);
        snprintf(out + used, PREFIX_TEXT_MAX - used, "/%u", prefix->bits);
    }
    return out;
}

bool prefix_eq(const struct prefix *a, const struct prefix *b)
{
    return a->bits == b->bits && addr_eq(&a->addr, &b->addr);
}

bool prefix_contains(const struct prefix *prefix, const struct addr *addr)
{
    unsigned whole = prefix->bits / 8, rest = prefix->bits % 8;

    if (prefix->addr.family != addr->family || addr->family == ADDR_NONE)
        return false;
    for (unsigned i = 0; i < whole; i++) {
        if (prefix->addr.bytes[i] != addr->bytes[i])
            return false;
    }
    uint8_t mask = (uint8_t)(0xff << (8 - rest));
    return !rest || ((prefix->addr.bytes[whole] ^ addr->bytes[whole]) & mask) == 0;
}

bool prefix_overlaps(const struct prefix *a, const struct prefix *b)
{
    return a->bits <= b->bits ? prefix_contains(a, &b->addr) : prefix_contains(b, &a->addr);
}
