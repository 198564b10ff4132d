/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "common/config/rules.h"

#include <stdlib.h>

#include "common/base/endpoint.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/config/errors.h"
#include "common/config/rules_gateway.h"
#include "common/config/rules_ingress.h"
#include "common/config/rules_jail.h"
#include "common/config/rules_milter.h"
#include "common/config/rules_sign.h"
#include "common/config/rules_store.h"

#define PORT_SMTPS       465    /* RFC 8314: TLS from the first byte */
#define TRANSPORT_SHARED "smtp" /* Postfix's own, of every relay that names none */

static void check_trusted(struct draft *draft, const struct draft_section *top)
{
    const struct config *config = draft->config;

    for (size_t i = 0; i < config->trusted.count; i++)
        if (config->trusted.items[i].bits == 0)
            config_errors_add(draft->errors, draft_line(top, "trusted"),
                              "trusted holds the whole internet: mail from everywhere would be "
                              "local; your own networks are right");
}

/* Whether the file gives an option something, be it right or wrong. */
static bool says(const struct draft_section *in, const char *option)
{
    const struct syntax_item *item = draft_given(in, option);

    return item != NULL &&
           (item->bad || (item->value_count > 0 && item->values[0].text[0] != '\0'));
}

struct listener {
    const char *where;
    const char *option;
    unsigned line;
    struct endpoint endpoint;
};

struct listeners {
    struct draft *draft;
    struct listener *items;
    size_t count;
};

/* One is on every address, of which the other is one: the second to start could not bind. */
static bool includes(const struct endpoint *a, const struct endpoint *b)
{
    static const struct addr any4 = {.family = ADDR_IPV4}, any6 = {.family = ADDR_IPV6};

    if (a->is_unix || b->is_unix || a->port != b->port || a->port == 0 ||
        a->addr.family != b->addr.family)
        return false;
    const struct addr *any = a->addr.family == ADDR_IPV4 ? &any4 : &any6;
    return addr_eq(&a->addr, any) || addr_eq(&b->addr, any);
}

static void add_listener(struct listeners *all, const struct draft_section *in, const char *option,
                         const char *text)
{
    struct listener listener = {in->where, option, draft_line(in, option), {0}};
    const char *reason;

    if (text == NULL || endpoint_parse_milter(text, &listener.endpoint, &reason) != 0)
        return;
    for (size_t i = 0; i < all->count; i++) {
        if (!endpoint_eq(&all->items[i].endpoint, &listener.endpoint) &&
            !includes(&all->items[i].endpoint, &listener.endpoint))
            continue;
        config_errors_add(all->draft->errors, listener.line,
                          "%s%s \"%s\" is taken by %s%s: each listener needs an address of its own",
                          in->where, option, text, all->items[i].where, all->items[i].option);
        return;
    }
    all->items = x_reallocarray(all->items, all->count + 1, sizeof(all->items[0]));
    all->items[all->count++] = listener;
}

static void check_listeners(struct draft *draft)
{
    struct listeners all = {draft, NULL, 0};
    const struct config *config = draft->config;
    const struct draft_section *in = draft_next(draft, "milter", NULL);

    add_listener(&all, in, "listen", config->milter.listen);
    in = draft_next(draft, "policyd", NULL);
    for (size_t i = 0; i < config->policyd.policy.count; i++)
        add_listener(&all, in, "policy", config->policyd.policy.items[i]);
    for (size_t i = 0; i < config->policyd.socketmap.count; i++)
        add_listener(&all, in, "socketmap", config->policyd.socketmap.items[i]);
    add_listener(&all, in, "control", config->policyd.control);
    add_listener(&all, draft->sections, "sessions", config->sessions);
    for (in = NULL; (in = draft_next(draft, "ingress", in)) != NULL;)
        add_listener(&all, in, "listen", ((const struct config_ingress *)in->base)->listen);
    for (in = NULL; (in = draft_next(draft, "http", in)) != NULL;)
        add_listener(&all, in, "listen", ((const struct config_http *)in->base)->listen);
    free(all.items);
}

/* What postern-policyd alone can answer. */
static void check_http_service(struct draft *draft, const struct draft_section *in)
{
    static const struct {
        unsigned serve;
        const char *word;
    } own[] = {{CONFIG_SERVE_AUTH, "auth"}, {CONFIG_SERVE_BANS, "bans"}};
    const struct config_http *http = in->base;

    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]) && http->program != CONFIG_POLICYD; i++) {
        if ((http->serve & own[i].serve) == 0)
            continue;
        config_errors_add(draft->errors, draft_line(in, "serve"),
                          "%sserve has \"%s\"%s, which postern-%s does not answer: "
                          "{\"metrics\"}, {\"status\"} or both is right",
                          in->where, own[i].word, says(in, "serve") ? "" : " when it is not given",
                          http->program == CONFIG_MILTER ? "milter" : "ingress");
    }
}

/* Whom bans are shown to can tell when one ends: a token, and the nets that the file names. */
static bool bans_are_open(const struct config_http *http, const struct draft_section *in)
{
    return (http->serve & CONFIG_SERVE_BANS) != 0 && !(says(in, "token_file") && says(in, "from"));
}

/* On a Unix socket the group decides; on TCP something else must. */
static void check_http(struct draft *draft, const struct draft_section *in)
{
    const struct config_http *http = in->base;
    unsigned line = draft_line(in, "listen");
    struct endpoint endpoint;
    const char *reason;

    if (http->listen == NULL || endpoint_parse(http->listen, &endpoint, &reason) != 0 ||
        endpoint.is_unix)
        return;
    bool is_loopback = addr_scope(&endpoint.addr) == ADDR_SCOPE_LOOPBACK;
    if (is_loopback && !says(in, "token_file"))
        config_errors_add(draft->errors, line,
                          "%slisten \"%s\" is open to every user of this machine: set token_file, "
                          "or listen on a Unix socket",
                          in->where, http->listen);
    else if (!is_loopback && bans_are_open(http, in))
        config_errors_add(draft->errors, line,
                          "%slisten \"%s\" shows the bans to whoever can reach it: set token_file "
                          "and from (the gateway), or listen on a Unix socket",
                          in->where, http->listen);
    else if (!is_loopback && !says(in, "token_file") && !says(in, "from"))
        config_errors_add(draft->errors, line,
                          "%slisten \"%s\" is open to whoever can reach it: set from (who may "
                          "ask) or token_file, or listen on a Unix socket",
                          in->where, http->listen);
}

/* Neither protocol has a password: whoever reaches them may ask. */
static void check_tcp(struct draft *draft, const struct draft_section *in, const char *option,
                      const struct config_strings *listeners)
{
    struct endpoint endpoint;
    const char *reason;

    for (size_t i = 0; i < listeners->count; i++) {
        const char *text = listeners->items[i];
        if (text == NULL || endpoint_parse(text, &endpoint, &reason) != 0 || endpoint.is_unix ||
            addr_scope(&endpoint.addr) == ADDR_SCOPE_LOOPBACK || says(in, "from"))
            continue;
        config_errors_add(draft->errors, draft_line(in, option),
                          "%s%s \"%s\" is open to whoever can reach it: set from (who may "
                          "connect), or listen on a Unix socket",
                          in->where, option, text);
    }
}

static void check_policyd(struct draft *draft)
{
    const struct draft_section *in = draft_next(draft, "policyd", NULL);

    check_tcp(draft, in, "policy", &draft->config->policyd.policy);
    check_tcp(draft, in, "socketmap", &draft->config->policyd.socketmap);
}

static void complete_relay(struct config_relay *relay)
{
    static const char *const hosts[] = {
        [PRESET_NONE] = NULL,
        [PRESET_BREVO] = "smtp-relay.brevo.com",
        [PRESET_MAILGUN] = "smtp.mailgun.org",
        [PRESET_MAILGUN_EU] = "smtp.eu.mailgun.org",
    };

    if (relay->host == NULL)
        relay->host = x_strdup(hosts[relay->preset]);
}

static void check_relay(struct draft *draft, const struct draft_section *in)
{
    const struct config_relay *relay = in->base;

    if (relay->host == NULL && !says(in, "host") && !says(in, "preset"))
        config_errors_add(draft->errors, in->item->line,
                          "%shost is missing: set host, or preset for a provider that is known",
                          in->where);
    if (says(in, "login") && !says(in, "password_file"))
        config_errors_add(draft->errors, draft_line(in, "login"),
                          "%slogin without password_file: name the file that holds its password",
                          in->where);
    if (says(in, "password_file") && !says(in, "login"))
        config_errors_add(draft->errors, draft_line(in, "password_file"),
                          "%spassword_file without login: name the login it belongs to", in->where);
    if (relay->port == PORT_SMTPS && relay->transport != NULL &&
        str_eq(relay->transport, TRANSPORT_SHARED))
        config_errors_add(draft->errors, draft_line(in, "port"),
                          "%sport 465 speaks TLS from the first byte, the transport \"smtp\" does "
                          "not: set transport to a service in master.cf that has "
                          "\"-o smtp_tls_wrappermode=yes\", or use port 587",
                          in->where);
}

/* A secret need not be told from NULL in constant time. */
static bool same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : str_eq_secret(a, b);
}

static bool same_credentials(const struct config_relay *a, const struct config_relay *b)
{
    return same_text(a->login, b->login) && same_text(a->password, b->password);
}

/*
 * The shared transport has one map for all relays: it would find the other's password too,
 * also for a relay that has none.
 */
static bool has_own_map(const struct config_relay *a, const struct config_relay *b)
{
    return !str_eq(a->transport, b->transport) && !str_eq(a->transport, TRANSPORT_SHARED) &&
           !str_eq(b->transport, TRANSPORT_SHARED);
}

/* Postfix asks for a password by host and port: it must be able to tell them apart. */
static void check_relay_pair(struct draft *draft, const struct draft_section *in,
                             const struct draft_section *other)
{
    const struct config_relay *a = in->base, *b = other->base;

    if (a->host == NULL || b->host == NULL || a->transport == NULL || b->transport == NULL)
        return;
    if (!str_eq(a->host, b->host) || a->port != b->port || same_credentials(a, b) ||
        has_own_map(a, b))
        return;
    config_errors_add(draft->errors, in->item->line,
                      "%ssame host and port as relay \"%s\" but another login or password: Postfix "
                      "could not tell them apart; set a transport of its own for each, not "
                      "\"" TRANSPORT_SHARED "\"",
                      in->where, b->name != NULL ? b->name : "");
}

static void check_relays(struct draft *draft)
{
    for (const struct draft_section *in = NULL; (in = draft_next(draft, "relay", in)) != NULL;) {
        complete_relay(in->base);
        check_relay(draft, in);
        for (const struct draft_section *other = NULL;
             (other = draft_next(draft, "relay", other)) != in;)
            check_relay_pair(draft, in, other);
    }
}

static const struct config_relay *find_relay(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->relay_count; i++)
        if (config->relays[i].name != NULL && str_eq(config->relays[i].name, name))
            return &config->relays[i];
    return NULL;
}

static void add_route_relay(struct draft *draft, const struct draft_section *in,
                            const struct syntax_value *value)
{
    struct config_route *route = in->base;
    const struct config_relay *relay = find_relay(draft->config, value->text);

    if (relay == NULL) {
        config_errors_add(draft->errors, value->line,
                          "%sthere is no relay \"%.100s\": relay \"%.100s\" { ... } is missing",
                          in->where, value->text, value->text);
        return;
    }
    for (size_t i = 0; i < route->relay_count; i++) {
        if (route->relays[i] == relay) {
            config_errors_add(draft->errors, value->line, "%srelays has \"%s\" twice", in->where,
                              value->text);
            return;
        }
    }
    route->relays[route->relay_count++] = relay;
}

static void resolve_route(struct draft *draft, const struct draft_section *in)
{
    const struct syntax_item *item = draft_given(in, "relays");
    struct config_route *route = in->base;
    size_t index;

    if (item == NULL || item->bad || item->value_count == 0 ||
        item->value_count > schema_option(in->section, "relays", &index)->max)
        return;
    route->relays = x_calloc(item->value_count, sizeof(route->relays[0]));
    for (size_t i = 0; i < item->value_count; i++)
        if (form_name(item->values[i].text) == NULL)
            add_route_relay(draft, in, &item->values[i]);
}

static void check_routes(struct draft *draft)
{
    for (const struct draft_section *in = NULL; (in = draft_next(draft, "route", in)) != NULL;) {
        const struct config_route *route = in->base;

        resolve_route(draft, in);
        for (const struct draft_section *other = NULL;
             (other = draft_next(draft, "route", other)) != in;) {
            const struct config_route *earlier = other->base;

            if (route->from != NULL && earlier->from != NULL && str_eq(route->from, earlier->from))
                config_errors_add(draft->errors, draft_line(in, "from"),
                                  "%sfrom \"%s\" has a route already, in line %u", in->where,
                                  route->from, other->item->line);
        }
    }
}

void rules_apply(struct draft *draft)
{
    check_trusted(draft, draft->sections);
    rules_check_gateways(draft);
    rules_complete_milter(draft);
    check_listeners(draft);
    rules_check_milter(draft);
    rules_check_signs(draft);
    check_policyd(draft);
    for (const struct draft_section *in = NULL; (in = draft_next(draft, "http", in)) != NULL;) {
        check_http_service(draft, in);
        check_http(draft, in);
    }
    rules_check_ingresses(draft);
    rules_check_jails(draft);
    rules_check_store(draft);
    check_relays(draft);
    check_routes(draft);
}
