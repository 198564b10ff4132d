/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/process.h"
#include "common/base/str.h"
#include "common/config/same.h"
#include "common/net/http.h"
#include "common/net/listener.h"
#include "policyd/auth.h"
#include "policyd/control.h"
#include "policyd/feed.h"
#include "policyd/metrics.h"
#include "policyd/policy.h"
#include "common/net/service.h"
#include "policyd/socketmap.h"
#include "policyd/status.h"

#define MIB               ((size_t)1024 * 1024)
#define OTHER_DESCRIPTORS 64 /* the store, the log, the loop, the listeners themselves */
#define HTTP_ROUTES_MAX   7
#define CROWDSEC          "/v1/" /* where its API is */
#define HTTP_SERVES_MAX   32     /* bytes of all their names, with commas */

/* One listener: a service, or an HTTP server. */
struct port {
    const char *address;
    int fd; /* until it is served */
    const struct service_protocol *protocol;
    const struct config_http *http_config; /* instead of a protocol */
    struct service *service;
    struct http_server *http;
    struct http_route routes[HTTP_ROUTES_MAX];
    size_t route_count;
    char serves[HTTP_SERVES_MAX]; /* what the routes are, in words */
};

struct server {
    const struct config *config;
    struct port *ports;
    size_t count;
    struct status_source source;
};

static void handle_auth(struct http_request *request, void *ctx)
{
    auth_handle(request, ((struct status_source *)ctx)->engine);
}

static void handle_bans_text(struct http_request *request, void *ctx)
{
    exports_handle_text(request, &((struct status_source *)ctx)->exports);
}

static void handle_bans_nft(struct http_request *request, void *ctx)
{
    feed_handle(request, &((struct status_source *)ctx)->exports);
}

static void handle_bans_crowdsec(struct http_request *request, void *ctx)
{
    crowdsec_handle_stream(request, &((struct status_source *)ctx)->crowdsec);
}

static void handle_usage(struct http_request *request, void *ctx)
{
    (void)ctx;
    crowdsec_handle_metrics(request);
}

/* What an http section may serve; each with its routes, the name with the first. */
static const struct {
    unsigned serve;
    const char *name;
    struct http_route route;
} http_services[] = {
    {CONFIG_SERVE_AUTH, "auth", {"POST", AUTH_PATH, handle_auth, true}},
    {CONFIG_SERVE_BANS, "bans", {"GET", "/bans.nft", handle_bans_nft, false}},
    {CONFIG_SERVE_BANS, NULL, {"GET", "/bans.txt", handle_bans_text, false}},
    {CONFIG_SERVE_BANS, NULL, {"GET", CROWDSEC "decisions/stream", handle_bans_crowdsec, false}},
    {CONFIG_SERVE_BANS, NULL, {"POST", CROWDSEC "usage-metrics", handle_usage, true}},
    {CONFIG_SERVE_METRICS, "metrics", {"GET", "/metrics", metrics_handle, false}},
    {CONFIG_SERVE_STATUS, "status", {"GET", "/status", status_handle, false}},
};
_Static_assert(sizeof(http_services) / sizeof(*http_services) == HTTP_ROUTES_MAX, "room for each");

/* The next http section from index on that this daemon is to open; NULL: no more. */
static const struct config_http *next_http(const struct config *config, size_t *index)
{
    while (*index < config->http_count) {
        const struct config_http *http = &config->https[(*index)++];
        if (http->program == CONFIG_POLICYD && http->listen)
            return http;
    }
    return NULL;
}

static int bind_port(struct server *server, const char *address, const char *group,
                     const struct service_protocol *protocol, const struct config_http *http_config,
                     struct error *error_r)
{
    int fd = listener_bind(address, group, error_r);

    if (fd < 0)
        return -1;
    server->ports = x_reallocarray(server->ports, server->count + 1, sizeof(*server->ports));
    server->ports[server->count++] = (struct port){
        .address = address,
        .fd = fd,
        .protocol = protocol,
        .http_config = http_config,
    };
    return 0;
}

static int bind_each(struct server *server, const struct config_strings *addresses,
                     const struct service_protocol *protocol, struct error *error_r)
{
    for (size_t i = 0; i < addresses->count; i++) {
        if (bind_port(server, addresses->items[i], server->config->policyd.group, protocol, NULL,
                      error_r))
            return -1;
    }
    return 0;
}

static int bind_https(struct server *server, struct error *error_r)
{
    const struct config_http *http;
    size_t index = 0;

    while ((http = next_http(server->config, &index))) {
        if (bind_port(server, http->listen, http->group, NULL, http, error_r))
            return -1;
    }
    return 0;
}

/* Bound while still root, it is nevertheless for the group that the daemon will have. */
static int bind_control(struct server *server, struct error *error_r)
{
    const struct config_policyd *config = &server->config->policyd;
    char *own = geteuid() == 0 ? process_group_of(server->config->user) : NULL;
    int rc = bind_port(server, config->control, config->control_group ? config->control_group : own,
                       &control_protocol, NULL, error_r);

    free(own);
    return rc;
}

static int bind_all(struct server *server, struct error *error_r)
{
    const struct config_policyd *config = &server->config->policyd;

    if (bind_each(server, &config->policy, &policy_protocol, error_r) ||
        bind_each(server, &config->socketmap, &socketmap_protocol, error_r) ||
        bind_https(server, error_r))
        return -1;
    return config->control ? bind_control(server, error_r) : 0;
}

static unsigned max_connections_of(const struct server *server, const struct port *port)
{
    return port->http_config ? port->http_config->max_connections
                             : server->config->policyd.max_connections;
}

/* The default of 1024 is less than what max_connections may ask for. */
static void raise_descriptor_limit(const struct server *server)
{
    uint64_t wanted = OTHER_DESCRIPTORS;

    for (size_t i = 0; i < server->count; i++)
        wanted += max_connections_of(server, &server->ports[i]);
    process_raise_descriptors(wanted, "more connections than fit wait");
}

static void warn_unused_sockets(const struct server *server)
{
    int *fds = x_calloc(server->count + 1, sizeof(*fds));

    for (size_t i = 0; i < server->count; i++)
        fds[i] = server->ports[i].fd;
    listener_warn_unused(fds, server->count);
    free(fds);
}

struct server *server_bind(const struct config *config, struct error *error_r)
{
    struct server *server = x_calloc(1, sizeof(*server));

    server->config = config;
    if (bind_all(server, error_r)) {
        server_free(&server);
        return NULL;
    }
    warn_unused_sockets(server);
    raise_descriptor_limit(server);
    return server;
}

static bool show_listener(void *ctx, size_t index, struct status_listener *listener_r)
{
    const struct server *server = ctx;

    if (index >= server->count)
        return false;
    const struct port *port = &server->ports[index];
    *listener_r = (struct status_listener){
        .serves = port->protocol ? port->protocol->name : port->serves,
        .address = port->address,
    };
    if (port->service) {
        listener_r->open = service_connection_count(port->service);
        listener_r->closed = service_bad_count(port->service);
    } else if (port->http) {
        listener_r->open = http_server_connection_count(port->http);
        listener_r->closed = http_server_bad_count(port->http);
    }
    return true;
}

static void choose_routes(struct port *port)
{
    for (size_t i = 0; i < HTTP_ROUTES_MAX; i++) {
        size_t used = strlen(port->serves);
        if (!(port->http_config->serve & http_services[i].serve))
            continue;
        port->routes[port->route_count++] = http_services[i].route;
        if (!http_services[i].name)
            continue;
        snprintf(port->serves + used, sizeof(port->serves) - used, "%s%s", used ? "," : "",
                 http_services[i].name);
    }
}

static int start_http(struct server *server, struct port *port, struct loop *loop,
                      struct error *error_r)
{
    struct http_options options = {
        .fd = port->fd,
        .name = port->http_config->name,
        .token = port->http_config->token,
        .from = &port->http_config->from,
        .body_max = port->http_config->max_request,
        .memory_max = (size_t)port->http_config->max_memory * MIB,
        .max_connections = port->http_config->max_connections,
        .idle_sec = port->http_config->idle_timeout_sec,
        .request_sec = port->http_config->request_timeout_sec,
        .routes = port->routes,
        .refused_in_json = CROWDSEC,
        .ctx = &server->source,
        .counts = &server->source.http,
    };

    choose_routes(port);
    options.route_count = port->route_count;
    port->fd = -1;
    port->http = http_server_new(loop, &options, error_r);
    return port->http ? 0 : -1;
}

static void start_service(struct server *server, struct port *port, struct loop *loop,
                          struct engine *engine)
{
    const struct config_policyd *config = &server->config->policyd;
    struct service_options options = {
        .fd = port->fd,
        .is_unix = str_has_prefix(port->address, "unix:"),
        .max_connections = config->max_connections,
        .from = &config->from,
        .request_max = config->max_request,
        .memory_max = (size_t)config->max_memory * MIB,
        .idle_ms = (int64_t)config->idle_timeout_sec * 1000,
        .request_ms = (int64_t)config->request_timeout_sec * 1000,
        .protocol = port->protocol,
        .ctx = engine,
    };

    if (port->protocol == &control_protocol)
        options.ctx = &server->source;
    port->fd = -1;
    port->service = service_new(loop, &options);
}

int server_start(struct server *server, struct loop *loop, struct engine *engine,
                 struct error *error_r)
{
    server->source =
        (struct status_source){.engine = engine, .listener = show_listener, .ctx = server};
    exports_init(&server->source.exports, engine, loop);
    crowdsec_init(&server->source.crowdsec, &server->source.exports);
    for (size_t i = 0; i < server->count; i++) {
        struct port *port = &server->ports[i];
        if (port->protocol)
            start_service(server, port, loop, engine);
        else if (start_http(server, port, loop, error_r))
            return -1;
        log_info(NULL, "listening", LOG_STR("address", port->address),
                 LOG_STR("serves", port->protocol ? port->protocol->name : port->serves));
    }
    return 0;
}

static bool same_policyd(const struct config_policyd *a, const struct config_policyd *b)
{
    return same_strings(&a->policy, &b->policy) && same_strings(&a->socketmap, &b->socketmap) &&
           same_text(a->control, b->control) && same_text(a->group, b->group) &&
           same_text(a->control_group, b->control_group) && same_prefixes(&a->from, &b->from) &&
           a->max_connections == b->max_connections && a->max_request == b->max_request &&
           a->max_memory == b->max_memory && a->idle_timeout_sec == b->idle_timeout_sec &&
           a->request_timeout_sec == b->request_timeout_sec;
}

/* No listener's matter: the caller's words would not fit. */
static void name_what_stays(const struct config *was, const struct config *is)
{
    bool user = same_text(was->user, is->user), store = same_store(was, is);

    if (!user || !store)
        log_warning(NULL, "restart-needed",
                    LOG_STR("changed", user    ? "store"
                                       : store ? "user"
                                               : "user, store"));
}

bool server_fits(const struct server *server, const struct config *config)
{
    name_what_stays(server->config, config);
    return same_policyd(&server->config->policyd, &config->policyd) &&
           same_https(server->config, config, CONFIG_POLICYD);
}

void server_reconfigured(struct server *server)
{
    exports_reconfigured(&server->source.exports);
}

void server_stop(struct server *server)
{
    for (size_t i = 0; i < server->count; i++) {
        if (server->ports[i].service)
            service_stop(server->ports[i].service);
        if (server->ports[i].http)
            http_server_stop(server->ports[i].http);
    }
}

void server_last_call(struct server *server)
{
    for (size_t i = 0; i < server->count; i++)
        if (server->ports[i].service)
            service_last_call(server->ports[i].service);
}

bool server_is_busy(const struct server *server)
{
    for (size_t i = 0; i < server->count; i++) {
        const struct port *port = &server->ports[i];
        if ((port->service && service_is_busy(port->service)) ||
            (port->http && http_server_is_busy(port->http)))
            return true;
    }
    return false;
}

void server_free(struct server **server)
{
    if (!*server)
        return;
    for (size_t i = (*server)->count; i-- > 0;) {
        struct port *port = &(*server)->ports[i];
        service_free(&port->service);
        http_server_free(&port->http);
        if (port->fd >= 0)
            close(port->fd);
    }
    crowdsec_fini(&(*server)->source.crowdsec);
    free((*server)->ports);
    free(*server);
    *server = NULL;
}
