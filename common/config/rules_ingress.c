/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "common/config/rules_ingress.h"

#include "common/base/endpoint.h"
#include "common/base/str.h"
#include "common/config/errors.h"

static void check_names(struct draft *draft, const struct draft_section *in)
{
    const struct config_ingress *ingress = in->base;

    for (size_t i = 0; i < ingress->gateways.count; i++) {
        char *name = ingress->gateways.items[i];

        if (form_name(name) == NULL && config_gateway(draft->config, name) == NULL)
            config_errors_add(draft->errors, draft_line(in, "gateways"),
                              "%sthere is no gateway \"%.100s\": gateway \"%.100s\" { ... } is "
                              "missing",
                              in->where, name, name);
    }
}

/* A gateway carries all the world's connections: it must say whose they are. */
static void check_direct(struct draft *draft, const struct draft_section *in)
{
    const struct config_ingress *ingress = in->base;
    char text[PREFIX_TEXT_MAX];

    for (size_t i = 0; i < draft->config->gateway_count; i++) {
        const struct config_gateway *gateway = &draft->config->gateways[i];

        for (size_t n = 0; n < gateway->tunnel_addresses.count; n++) {
            const struct prefix *tunnel = &gateway->tunnel_addresses.items[n];

            if (prefixlist_contains(&ingress->direct, &tunnel->addr))
                config_errors_add(draft->errors, draft_line(in, "direct"),
                                  "%sdirect holds %s, the tunnel address of gateway \"%s\": who "
                                  "comes through it would need no header; take it out of direct",
                                  in->where, prefix_format(tunnel, text),
                                  gateway->name != NULL ? gateway->name : "");
        }
    }
    for (size_t i = 0; i < ingress->direct.count; i++)
        if (ingress->direct.items[i].bits == 0)
            config_errors_add(draft->errors, draft_line(in, "direct"),
                              "%sdirect holds the whole internet: your own networks are right",
                              in->where);
}

static bool is_admitted(const struct config_ingress *ingress, const struct config_gateway *gateway)
{
    for (size_t i = 0; i < ingress->gateways.count; i++)
        if (gateway->name != NULL && str_eq(ingress->gateways.items[i], gateway->name))
            return true;
    return ingress->gateways.count == 0;
}

/* What a gateway does not send cannot be waited for. */
static void check_header(struct draft *draft, const struct draft_section *in)
{
    const struct config_ingress *ingress = in->base;

    for (size_t i = 0; i < draft->config->gateway_count; i++) {
        const struct config_gateway *gateway = &draft->config->gateways[i];
        const char *name = gateway->name != NULL ? gateway->name : "";

        if (!is_admitted(ingress, gateway))
            continue;
        if (gateway_keeps_client(gateway))
            config_errors_add(draft->errors, draft_line(in, "gateways"),
                              "%sthe clients of gateway \"%s\" come by their own addresses, which "
                              "are no gateway's: let them connect to the server itself, and name "
                              "the other gateways in gateways, if there are any",
                              in->where, name);
        else if (!gateway_sends_header(gateway) && ingress->header_required)
            config_errors_add(draft->errors, draft_line(in, "header"),
                              "%sgateway \"%s\" sends no header: header = \"none\" is right, or "
                              "name the other gateways in gateways",
                              in->where, name);
    }
}

static void check_listen(struct draft *draft, const struct draft_section *in)
{
    const struct config_ingress *ingress = in->base;
    struct endpoint listen, to;
    const char *reason;

    if (ingress->listen == NULL || endpoint_parse(ingress->listen, &listen, &reason) != 0)
        return;
    if (listen.is_unix)
        config_errors_add(
            draft->errors, draft_line(in, "listen"),
            "%slisten \"%s\" is a Unix socket: gateways connect over TCP; the address "
            "of this end of the tunnel and a port are right",
            in->where, ingress->listen);
    else if (ingress->to != NULL && endpoint_parse(ingress->to, &to, &reason) == 0 &&
             endpoint_eq(&listen, &to))
        config_errors_add(draft->errors, draft_line(in, "to"),
                          "%sto is the ingress itself: the server's own port is right", in->where);
}

static void check_anybody(struct draft *draft, const struct draft_section *in)
{
    const struct config_ingress *ingress = in->base;

    if (draft->config->gateway_count == 0 && ingress->direct.count == 0)
        config_errors_add(draft->errors, in->item->line,
                          "%snobody may connect: a gateway section is missing, or direct",
                          in->where);
}

/*
 * The server takes all who come for its own host: what that host may, everybody may. So the
 * address is one that nothing else uses, and that no list of the server has.
 */
static void check_source(struct draft *draft, const struct draft_section *in)
{
    const struct config_ingress *ingress = in->base;
    const struct addr *source = &ingress->source.items[0].addr;
    unsigned line = draft_line(in, "source");
    struct endpoint to;
    const char *reason;

    if (addr_scope(source) == ADDR_SCOPE_LOOPBACK)
        config_errors_add(draft->errors, line,
                          "%ssource is a loopback address: mynetworks of a Postfix holds "
                          "127.0.0.0/8, and the whole world could relay through it; an address of "
                          "this host that no mynetworks holds is right, made for this alone",
                          in->where);
    else if (prefixlist_contains(&draft->config->trusted, source))
        config_errors_add(draft->errors, line,
                          "%ssource is inside of trusted: everybody would be local; another "
                          "address is right",
                          in->where);
    if (ingress->to == NULL || endpoint_parse(ingress->to, &to, &reason) != 0)
        return;
    if (to.is_unix || to.addr.family != source->family)
        config_errors_add(draft->errors, line,
                          "%ssource and to (\"%s\") are not of one kind: both IPv4 or both IPv6 "
                          "is right",
                          in->where, ingress->to);
}

static void check_plain(struct draft *draft, const struct draft_section *in)
{
    const struct config_ingress *ingress = in->base;

    if (ingress->forward_as != FORWARD_AS_PLAIN) {
        if (ingress->source.count != 0)
            config_errors_add(draft->errors, draft_line(in, "source"),
                              "%ssource is for forward_as = \"plain\" alone", in->where);
        return;
    }
    if (ingress->source.count == 0)
        config_errors_add(draft->errors, draft_line(in, "forward_as"),
                          "%sforward_as = \"plain\" needs source: the address that the server "
                          "sees in place of the clients'; from a loopback address, which Postfix "
                          "trusts, the whole world could relay",
                          in->where);
    else
        check_source(draft, in);
    if (draft->config->sessions == NULL)
        config_errors_add(draft->errors, draft_line(in, "forward_as"),
                          "%sforward_as = \"plain\" needs sessions, a socket on which the milter "
                          "and policyd learn who the clients are",
                          in->where);
}

/* The server sees whoever is connected from: a client, or nobody that means anything. */
static void check_transparent(struct draft *draft, const struct draft_section *in)
{
    const struct config_ingress *ingress = in->base;
    unsigned line = draft_line(in, "forward_as");
    struct endpoint to;
    const char *reason;

    if (ingress->forward_as != FORWARD_AS_TRANSPARENT)
        return;
    if (!ingress->header_required)
        config_errors_add(draft->errors, line,
                          "%sforward_as = \"transparent\" with header = \"none\": who the clients "
                          "are is not known, the server would see the gateway; plain is right",
                          in->where);
    if (ingress->to != NULL && endpoint_parse(ingress->to, &to, &reason) == 0 && to.is_unix)
        config_errors_add(draft->errors, line,
                          "%sforward_as = \"transparent\" needs a server on TCP: over the Unix "
                          "socket %s it sees no address",
                          in->where, to.path);
}

void rules_check_ingresses(struct draft *draft)
{
    for (const struct draft_section *in = NULL; (in = draft_next(draft, "ingress", in)) != NULL;) {
        check_names(draft, in);
        check_direct(draft, in);
        check_header(draft, in);
        check_listen(draft, in);
        check_plain(draft, in);
        check_transparent(draft, in);
        check_anybody(draft, in);
    }
}
