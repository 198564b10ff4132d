/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/net/origin.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/net/session_client.h"

/*
 * The order of the rules:
 *
 *   1. The peer is an address that postern-ingress forwards from (its source): the ingress
 *      says who the client is, or nobody does: masked. Who came to it without a gateway
 *      is looked at as in 5 and 6.
 *   2. The destination is one that a gateway's PROXY headers name, and the source is
 *      not global, or is ours, a gateway's or trusted: refused. Believing it would
 *      let a forged header into mynetworks.
 *   3. The peer is a gateway's tunnel address, even a loopback one: masked; on the smtpd set
 *      apart for the gateway's MTA, until its Received field names a client.
 *   4. The smtpd is one that takes a gateway's PROXY headers: as in 2, whatever
 *      destination the header made up.
 *   5. No address, loopback, or a trusted net: local.
 *   6. Anything else is known; the label says whether a PROXY header named it.
 */

/* Bits of a netmask as getifaddrs(3) gives it. */
static unsigned mask_bits(const struct addr *mask)
{
    unsigned bits = 0;

    while (bits < addr_bits(mask) && mask->bytes[bits / 8] & (0x80 >> bits % 8))
        bits++;
    return bits;
}

static void add_interface(struct origin_rules *rules, const struct ifaddrs *ifa)
{
    struct addr addr, mask, far_end;

    if (addr_from_sockaddr(ifa->ifa_addr, &addr, NULL) < 0)
        return;
    struct prefix own = prefix_of(&addr, 128);
    prefixlist_add(&rules->own, &own);
    if (addr_scope(&addr) == ADDR_SCOPE_LOOPBACK)
        return;
    if (ifa->ifa_flags & IFF_POINTOPOINT &&
        addr_from_sockaddr(ifa->ifa_dstaddr, &far_end, NULL) == 0) {
        struct prefix net = prefix_of(&far_end, 128);
        prefixlist_add(&rules->nets, &net);
    }
    if (addr_from_sockaddr(ifa->ifa_netmask, &mask, NULL) == 0 && mask.family == addr.family) {
        struct prefix net = prefix_of(&addr, mask_bits(&mask));
        prefixlist_add(&rules->nets, &net);
    }
}

void origin_rules_init(struct origin_rules *rules, const struct config *config)
{
    struct ifaddrs *all;

    memset(rules, 0, sizeof(*rules));
    rules->config = config;
    if (getifaddrs(&all) < 0) {
        log_warning(NULL, "own-addresses-unknown", LOG_STR("reason", strerror(errno)));
        return;
    }
    for (const struct ifaddrs *ifa = all; ifa; ifa = ifa->ifa_next)
        add_interface(rules, ifa);
    freeifaddrs(all);
}

void origin_rules_fini(struct origin_rules *rules)
{
    prefixlist_fini(&rules->own);
    prefixlist_fini(&rules->nets);
}

typedef bool (*gateway_test_fn)(const struct config_gateway *gateway, const struct addr *addr);

static bool is_header_destination(const struct config_gateway *gateway, const struct addr *addr)
{
    return prefixlist_contains(&gateway->header_destinations, addr);
}

static bool is_tunnel_address(const struct config_gateway *gateway, const struct addr *addr)
{
    return prefixlist_contains(&gateway->tunnel_addresses, addr);
}

static bool is_gateway_address(const struct config_gateway *gateway, const struct addr *addr)
{
    return is_tunnel_address(gateway, addr) ||
           prefixlist_contains(&gateway->public_addresses, addr);
}

static const struct config_gateway *find_gateway(const struct origin_rules *rules,
                                                 gateway_test_fn test, const struct addr *addr)
{
    for (size_t i = 0; i < rules->config->gateway_count; i++) {
        if (test(&rules->config->gateways[i], addr))
            return &rules->config->gateways[i];
    }
    return NULL;
}

/* Whether nobody with this address can come through a gateway. */
static bool cannot_be_client(const struct origin_rules *rules, const struct addr *addr)
{
    return addr_scope(addr) != ADDR_SCOPE_GLOBAL || prefixlist_contains(&rules->own, addr) ||
           prefixlist_contains(&rules->config->trusted, addr) ||
           find_gateway(rules, is_gateway_address, addr);
}

bool origin_admits(const struct origin_rules *rules, const struct addr *addr)
{
    return !cannot_be_client(rules, addr);
}

static bool is_among(const struct config_strings *names, const char *name)
{
    return name && config_strings_have(names, name);
}

static const struct config_gateway *find_gateway_of_daemon(const struct origin_rules *rules,
                                                           const char *name)
{
    for (size_t i = 0; i < rules->config->gateway_count; i++) {
        if (is_among(&rules->config->gateways[i].daemon_names, name))
            return &rules->config->gateways[i];
    }
    return NULL;
}

/* Gateways may share a daemon's name: then it does not say which of them it was. */
static bool is_shared(const struct origin_rules *rules, const char *daemon_name)
{
    size_t count = 0;

    for (size_t i = 0; i < rules->config->gateway_count; i++)
        count += is_among(&rules->config->gateways[i].daemon_names, daemon_name);
    return count > 1;
}

/* A header that Postfix or Dovecot believed names addr. */
static struct origin claimed(const struct origin_rules *rules, const struct origin_peer *peer,
                             const struct config_gateway *gateway)
{
    return (struct origin){
        .kind = cannot_be_client(rules, &peer->addr) ? ORIGIN_REFUSED : ORIGIN_KNOWN,
        .addr = peer->addr,
        .port = peer->port,
        .source = ORIGIN_SOURCE_PROXY,
        .gateway = gateway,
    };
}

/* --- rule 1: the ingress ----------------------------------------------------------------- */

static bool is_ingress_source(const struct origin_rules *rules, const struct addr *addr)
{
    for (size_t i = 0; i < rules->config->ingress_count; i++) {
        if (prefixlist_contains(&rules->config->ingresses[i].source, addr))
            return true;
    }
    return false;
}

static const struct config_gateway *find_gateway_by_name(const struct origin_rules *rules,
                                                         const char *name)
{
    for (size_t i = 0; i < rules->config->gateway_count; i++) {
        if (str_eq(rules->config->gateways[i].name, name))
            return &rules->config->gateways[i];
    }
    return NULL;
}

/* Without a gateway: the client itself connected. */
static struct origin met(const struct origin_rules *rules, const struct addr *addr, uint16_t port,
                         enum origin_source source)
{
    bool is_local = addr_scope(addr) == ADDR_SCOPE_LOOPBACK ||
                    prefixlist_contains(&rules->config->trusted, addr);

    return (struct origin){
        .kind = is_local ? ORIGIN_LOCAL : ORIGIN_KNOWN,
        .addr = *addr,
        .port = port,
        .source = is_local ? ORIGIN_SOURCE_NONE : source,
    };
}

static struct origin forwarded(const struct origin_rules *rules, const struct origin_peer *peer)
{
    struct origin origin = {.kind = ORIGIN_MASKED, .port = peer->port};
    struct session_facts facts;

    if (!rules->sessions || !peer->port ||
        session_client_ask(rules->sessions, &peer->addr, peer->port, &facts) != SESSION_FOUND)
        return origin;
    if (!*facts.gateway)
        return met(rules, &facts.client, facts.client_port, ORIGIN_SOURCE_INGRESS);
    origin.gateway = find_gateway_by_name(rules, facts.gateway);
    origin.kind = cannot_be_client(rules, &facts.client) ? ORIGIN_REFUSED : ORIGIN_KNOWN;
    origin.addr = facts.client;
    origin.port = facts.client_port;
    origin.source = ORIGIN_SOURCE_INGRESS;
    return origin;
}

struct origin origin_find(const struct origin_rules *rules, const struct origin_peer *peer)
{
    const struct config_gateway *by_daemon = find_gateway_of_daemon(rules, peer->daemon_name);
    struct origin origin = {.port = peer->port};
    const struct addr *addr = &peer->addr;

    if (addr->family == ADDR_NONE && !by_daemon) {
        origin.kind = ORIGIN_LOCAL;
        return origin;
    }
    if (is_ingress_source(rules, addr))
        return forwarded(rules, peer);
    origin.gateway = find_gateway(rules, is_header_destination, &peer->destination);
    if (origin.gateway)
        return claimed(rules, peer, origin.gateway);
    origin.gateway = find_gateway(rules, is_tunnel_address, addr);
    if (origin.gateway) {
        origin.kind = ORIGIN_MASKED;
        origin.is_relayed = is_among(&origin.gateway->mta_daemon_names, peer->daemon_name);
        return origin;
    }
    if (by_daemon) {
        origin = claimed(rules, peer, by_daemon);
        if (origin.kind == ORIGIN_KNOWN && is_shared(rules, peer->daemon_name))
            origin.gateway = NULL;
        return origin;
    }
    return met(rules, addr, peer->port, ORIGIN_SOURCE_DIRECT);
}

const char *origin_restore(const struct origin_rules *rules, const struct origin *session,
                           const char *value, struct received *field_r, struct origin *origin_r)
{
    const struct config_gateway *gateway = session->gateway;
    enum received_form form = gateway->mta == CONFIG_MTA_EXIM ? RECEIVED_EXIM : RECEIVED_POSTFIX;
    enum received_status status = received_parse(form, gateway->mta_name, value, field_r);

    if (status != RECEIVED_OK)
        return received_strstatus(status);
    if (cannot_be_client(rules, &field_r->client))
        return "names a client that cannot come through it";
    *origin_r = (struct origin){
        .kind = ORIGIN_KNOWN,
        .addr = field_r->client,
        .source = ORIGIN_SOURCE_RECEIVED,
        .gateway = gateway,
    };
    return NULL;
}

static bool list_overlaps(const struct prefixlist *list, const struct prefix *prefix)
{
    for (size_t i = 0; i < list->count; i++) {
        if (prefix_overlaps(&list->items[i], prefix))
            return true;
    }
    return false;
}

/* Whether prefix meets the net around one of the gateway's tunnel addresses. */
static bool in_tunnel_net(const struct origin_rules *rules, const struct config_gateway *gateway,
                          const struct prefix *prefix)
{
    for (size_t i = 0; i < rules->nets.count; i++) {
        const struct prefix *net = &rules->nets.items[i];
        if (list_overlaps(&gateway->tunnel_addresses, net) && prefix_overlaps(net, prefix))
            return true;
    }
    return false;
}

static const char *scope_reason(const struct prefix *prefix)
{
    static const struct {
        struct prefix prefix;
        const char *reason;
    } nets[] = {
        {{{ADDR_IPV4, {127}}, 8}, "a loopback address"},
        {{{ADDR_IPV6, {[15] = 1}}, 128}, "a loopback address"},
        {{{ADDR_IPV4, {169, 254}}, 16}, "a link-local address"},
        {{{ADDR_IPV6, {0xfe, 0x80}}, 10}, "a link-local address"},
        {{{ADDR_IPV4, {0}}, 8}, "a special-purpose address"},
        {{{ADDR_IPV4, {224}}, 3}, "a special-purpose address"},
        {{{ADDR_IPV6, {0}}, 128}, "a special-purpose address"},
        {{{ADDR_IPV6, {0xff}}, 8}, "a special-purpose address"},
    };
    for (size_t i = 0; i < sizeof(nets) / sizeof(nets[0]); i++) {
        if (prefix_overlaps(&nets[i].prefix, prefix))
            return nets[i].reason;
    }
    return NULL;
}

static const char *reason(char out[ORIGIN_REASON_MAX], const char *what, const char *name)
{
    snprintf(out, ORIGIN_REASON_MAX, "%s%s", what, name);
    return out;
}

const char *origin_protects(const struct origin_rules *rules, const struct prefix *prefix,
                            char out[ORIGIN_REASON_MAX])
{
    const struct config *config = rules->config;

    for (size_t i = 0; i < config->gateway_count; i++) {
        const struct config_gateway *gateway = &config->gateways[i];
        if (list_overlaps(&gateway->public_addresses, prefix) ||
            list_overlaps(&gateway->tunnel_addresses, prefix))
            return reason(out, "gateway ", gateway->name);
        if (in_tunnel_net(rules, gateway, prefix))
            return reason(out, "the tunnel of gateway ", gateway->name);
    }
    if (list_overlaps(&rules->own, prefix))
        return reason(out, "this host", "");
    if (list_overlaps(&config->trusted, prefix))
        return reason(out, "a trusted net", "");
    if (list_overlaps(&config->ignoreip, prefix))
        return reason(out, "ignoreip", "");
    const char *scope = scope_reason(prefix);
    return scope ? reason(out, scope, "") : NULL;
}

const char *origin_kind_name(enum origin_kind kind)
{
    static const char *const names[] = {
        [ORIGIN_KNOWN] = "known",
        [ORIGIN_MASKED] = "masked",
        [ORIGIN_LOCAL] = "local",
        [ORIGIN_REFUSED] = "refused",
    };
    return names[kind];
}

const char *origin_source_name(enum origin_source source)
{
    static const char *const names[] = {
        [ORIGIN_SOURCE_NONE] = "none",         [ORIGIN_SOURCE_DIRECT] = "direct",
        [ORIGIN_SOURCE_INGRESS] = "ingress",   [ORIGIN_SOURCE_PROXY] = "proxy",
        [ORIGIN_SOURCE_RECEIVED] = "received",
    };
    return names[source];
}
