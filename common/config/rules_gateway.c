/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "common/config/rules_gateway.h"

#include "common/config/errors.h"
#include "common/config/value.h"

static void address_error(struct draft *draft, const struct draft_section *in, const char *option,
                          const struct prefix *address, const char *why)
{
    char text[PREFIX_TEXT_MAX];

    config_errors_add(draft->errors, draft_line(in, option), "%s%s \"%s\" %s", in->where, option,
                      prefix_format(address, text), why);
}

/* Through its tunnel address all the world comes in. */
static void check_tunnel(struct draft *draft, const struct draft_section *in)
{
    const struct config_gateway *gateway = in->base;
    const struct config *config = draft->config;

    for (size_t i = 0; i < gateway->tunnel_addresses.count; i++) {
        const struct prefix *tunnel = &gateway->tunnel_addresses.items[i];

        for (size_t n = 0; n < config->gateway_count; n++)
            if (prefixlist_contains(&config->gateways[n].public_addresses, &tunnel->addr))
                address_error(draft, in, "tunnel_addresses", tunnel,
                              "is also a public address: the address inside of the tunnel is "
                              "right");
        if (prefixlist_contains(&config->trusted, &tunnel->addr))
            address_error(draft, in, "tunnel_addresses", tunnel,
                          "is inside of trusted: everybody who comes through this gateway would be "
                          "local; take the gateway out of trusted");
    }
}

static void check_shared(struct draft *draft, const struct draft_section *in, const char *option,
                         const struct prefixlist *ours, const struct prefixlist *theirs)
{
    for (size_t i = 0; i < ours->count; i++)
        if (prefixlist_contains(theirs, &ours->items[i].addr))
            address_error(draft, in, option, &ours->items[i], "belongs to another gateway already");
}

/* By what a PROXY header names: the origin of a session would be the first that fits. */
static void check_shared_destinations(struct draft *draft, const struct draft_section *in,
                                      const struct config_gateway *other)
{
    const struct config_gateway *gateway = in->base;
    const struct prefixlist *ours = &gateway->header_destinations;

    for (size_t i = 0; i < ours->count; i++) {
        const struct addr *addr = &ours->items[i].addr;

        if (prefixlist_contains(&other->header_destinations, addr) &&
            !(prefixlist_contains(&gateway->public_addresses, addr) &&
              prefixlist_contains(&other->public_addresses, addr)))
            address_error(draft, in, "header_destinations", &ours->items[i],
                          "belongs to another gateway already");
    }
}

bool gateway_sends_header(const struct config_gateway *gateway)
{
    return gateway->type == GATEWAY_NGINX || gateway->type == GATEWAY_HAPROXY;
}

bool gateway_keeps_client(const struct config_gateway *gateway)
{
    return gateway->type == GATEWAY_NFTABLES || gateway->type == GATEWAY_PF;
}

static void refuse(struct draft *draft, const struct draft_section *in, const char *option,
                   const char *why)
{
    const struct syntax_item *item = draft_given(in, option);

    if (item != NULL && !item->bad && item->value_count > 0 && item->values[0].text[0] != '\0')
        config_errors_add(draft->errors, item->line, "%s%s %s; take it out", in->where, option,
                          why);
}

/* What says how its PROXY headers are known means nothing where it sends none. */
static void check_no_header(struct draft *draft, const struct draft_section *in)
{
    static const char why[] =
        "is of PROXY headers, which only the types \"nginx\" and \"haproxy\" send";

    refuse(draft, in, "header_destinations", why);
    refuse(draft, in, "daemon_names", why);
}

static void check_mta(struct draft *draft, const struct draft_section *in)
{
    const struct config_gateway *gateway = in->base;

    if (!draft_is_right(in, (const char *const[]){"mta", "mta_name", NULL}))
        return;
    if (gateway->mta == CONFIG_MTA_NONE) {
        refuse(draft, in, "mta_name", "is of an MTA, and mta is \"none\"");
        refuse(draft, in, "mta_daemon_names", "is of an MTA, and mta is \"none\"");
    } else if (gateway->mta_name == NULL) {
        config_errors_add(draft->errors, draft_line(in, "mta"),
                          "%smta_name is missing: the name behind \"by\" in the Received fields "
                          "that are believed",
                          in->where);
    }
}

/* One smtpd cannot both believe PROXY headers and take an MTA's mail. */
static void check_daemon_names(struct draft *draft, const struct draft_section *in)
{
    const struct config_gateway *gateway = in->base;
    const struct config *config = draft->config;

    for (size_t i = 0; i < gateway->mta_daemon_names.count; i++) {
        const char *name = gateway->mta_daemon_names.items[i];

        for (size_t n = 0; n < config->gateway_count; n++)
            if (config_strings_have(&config->gateways[n].daemon_names, name))
                config_errors_add(draft->errors, draft_line(in, "mta_daemon_names"),
                                  "%smta_daemon_names \"%s\" is also in daemon_names of gateway "
                                  "\"%s\": the MTA's mail needs a service of its own",
                                  in->where, name, config->gateways[n].name);
    }
}

static void complete_gateway(struct config_gateway *gateway, const struct section *section)
{
    size_t index;

    if (gateway->mta == CONFIG_MTA_NONE)
        value_fini(schema_option(section, "mta_daemon_names", &index), gateway);
    if (!gateway_sends_header(gateway)) {
        value_fini(schema_option(section, "header_destinations", &index), gateway);
        value_fini(schema_option(section, "daemon_names", &index), gateway);
        return;
    }
    if (gateway->header_destinations.count > 0)
        return;
    for (size_t i = 0; i < gateway->public_addresses.count; i++)
        prefixlist_add(&gateway->header_destinations, &gateway->public_addresses.items[i]);
}

void rules_check_gateways(struct draft *draft)
{
    for (const struct draft_section *in = NULL; (in = draft_next(draft, "gateway", in)) != NULL;) {
        struct config_gateway *gateway = in->base;

        check_tunnel(draft, in);
        if (!gateway_sends_header(gateway))
            check_no_header(draft, in);
        check_mta(draft, in);
        complete_gateway(gateway, in->section);
        for (const struct config_gateway *other = draft->config->gateways; other < gateway;
             other++) {
            check_shared(draft, in, "public_addresses", &gateway->public_addresses,
                         &other->public_addresses);
            check_shared(draft, in, "tunnel_addresses", &gateway->tunnel_addresses,
                         &other->tunnel_addresses);
            check_shared_destinations(draft, in, other);
        }
    }
    for (const struct draft_section *in = NULL; (in = draft_next(draft, "gateway", in)) != NULL;)
        check_daemon_names(draft, in);
}
