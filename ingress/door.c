/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "ingress/door.h"

#include "common/base/str.h"

/* By default all gateways are let in. */
static bool is_named(const struct config_strings *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++) {
        if (str_eq(names->items[i], name))
            return true;
    }
    return names->count == 0;
}

enum door_way door_of_peer(const struct config *config, const struct config_ingress *ingress,
                           const struct addr *peer, const struct config_gateway **gateway_r)
{
    *gateway_r = NULL;
    for (size_t i = 0; i < config->gateway_count; i++) {
        const struct config_gateway *gateway = &config->gateways[i];
        if (!prefixlist_contains(&gateway->tunnel_addresses, peer) ||
            !is_named(&ingress->gateways, gateway->name))
            continue;
        *gateway_r = gateway;
        return ingress->header_required ? DOOR_GATEWAY : DOOR_MASKED;
    }
    return prefixlist_contains(&ingress->direct, peer) ? DOOR_DIRECT : DOOR_CLOSED;
}

enum door_verdict door_of_header(const struct origin_rules *rules, const struct pp_header *header,
                                 struct door_client *client_r, const char **reason_r)
{
    *reason_r = NULL;
    if (header->kind == PP_KIND_LOCAL)
        return DOOR_PROBE;
    if (header->kind != PP_KIND_PROXY)
        *reason_r = "the header names no client";
    else if (!header->is_tcp)
        *reason_r = "the header's connection is not TCP";
    if (*reason_r)
        return DOOR_REFUSE;
    *client_r = (struct door_client){
        .addr = pp_addr(header, &header->src),
        .port = header->src.port,
        .destination = pp_addr(header, &header->dst),
        .destination_port = header->dst.port,
        .used_tls = header->used_tls,
    };
    if (origin_admits(rules, &client_r->addr))
        return DOOR_FORWARD;
    *reason_r = "the header claims a client that cannot come through a gateway";
    return DOOR_REFUSE;
}
