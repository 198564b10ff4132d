/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/net/http.h"
#include "common/net/listener.h"
#include "policyd/auth.h"
#include "policyd/control.h"
#include "policyd/policy.h"
#include "policyd/service.h"
#include "policyd/socketmap.h"

#define OTHER_DESCRIPTORS 64 /* the store, the log, the loop, the listeners themselves */

/* One listener: a service, or an HTTP server. */
struct port {
    const char *address;
    int fd; /* until it is served */
    const struct service_protocol *protocol;
    const struct config_http *http_config; /* instead of a protocol */
    struct service *service;
    struct http_server *http;
};

struct server {
    const struct config *config;
    struct port *ports;
    size_t count;
    struct control_server control;
};

static const struct http_route http_routes[] = {{"POST", AUTH_PATH, auth_handle}};

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
    const struct config *config = server->config;

    for (size_t i = 0; i < config->http_count; i++) {
        const struct config_http *http = &config->https[i];
        if ((http->serve & CONFIG_SERVE_AUTH) &&
            bind_port(server, http->listen, http->group, NULL, http, error_r))
            return -1;
    }
    return 0;
}

static int bind_all(struct server *server, struct error *error_r)
{
    const struct config_policyd *config = &server->config->policyd;

    if (bind_each(server, &config->policy, &policy_protocol, error_r) ||
        bind_each(server, &config->socketmap, &socketmap_protocol, error_r) ||
        bind_https(server, error_r))
        return -1;
    if (!config->control)
        return 0;
    return bind_port(server, config->control, config->control_group, &control_protocol, NULL,
                     error_r);
}

/* The default of 1024 is less than what max_connections may ask for. */
static void raise_descriptor_limit(const struct server *server)
{
    struct rlimit limit;
    rlim_t wanted = OTHER_DESCRIPTORS + server->count * server->config->policyd.max_connections;

    if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur >= wanted)
        return;
    if (limit.rlim_max < wanted)
        log_warning(NULL, "descriptor-limit", LOG_UINT("wanted", wanted),
                    LOG_UINT("limit", limit.rlim_max),
                    LOG_STR("effect", "more connections than fit wait"));
    limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
    if (setrlimit(RLIMIT_NOFILE, &limit))
        log_warning(NULL, "descriptor-limit", LOG_STR("reason", strerror(errno)));
}

struct server *server_bind(const struct config *config, struct error *error_r)
{
    struct server *server = x_calloc(1, sizeof(*server));

    server->config = config;
    if (bind_all(server, error_r)) {
        server_free(&server);
        return NULL;
    }
    raise_descriptor_limit(server);
    return server;
}

static struct connection_counts connection_counts(void *ctx)
{
    const struct server *server = ctx;
    struct connection_counts counts = {0};

    for (size_t i = 0; i < server->count; i++) {
        const struct service *service = server->ports[i].service;
        counts.open += service ? service_connection_count(service) : 0;
        counts.closed += service ? service_bad_count(service) : 0;
    }
    return counts;
}

static int start_http(struct server *server, struct port *port, struct loop *loop,
                      struct engine *engine, struct error *error_r)
{
    struct http_options options = {
        .fd = port->fd,
        .name = port->http_config->name,
        .token = port->http_config->token,
        .from = &port->http_config->from,
        .body_max = AUTH_BODY_MAX,
        .max_connections = server->config->policyd.max_connections,
        .idle_sec = AUTH_IDLE_SEC,
        .routes = http_routes,
        .route_count = sizeof(http_routes) / sizeof(*http_routes),
        .ctx = engine,
    };

    port->fd = -1;
    port->http = http_server_new(loop, &options, error_r);
    return port->http ? 0 : -1;
}

static void start_service(struct server *server, struct port *port, struct loop *loop,
                          struct engine *engine)
{
    struct service_options options = {
        .fd = port->fd,
        .is_unix = str_has_prefix(port->address, "unix:"),
        .max_connections = server->config->policyd.max_connections,
        .protocol = port->protocol,
        .ctx = engine,
    };

    if (port->protocol == &control_protocol)
        options.ctx = &server->control;
    port->fd = -1;
    port->service = service_new(loop, &options);
}

int server_start(struct server *server, struct loop *loop, struct engine *engine,
                 struct error *error_r)
{
    server->control = (struct control_server){engine, connection_counts, server};
    for (size_t i = 0; i < server->count; i++) {
        struct port *port = &server->ports[i];
        if (port->protocol)
            start_service(server, port, loop, engine);
        else if (start_http(server, port, loop, engine, error_r))
            return -1;
        log_info(NULL, "listening", LOG_STR("address", port->address),
                 LOG_STR("serves", port->protocol ? port->protocol->name : "auth"));
    }
    return 0;
}

static bool same_text(const char *a, const char *b)
{
    return a && b ? str_eq_secret(a, b) : a == b;
}

static bool same_strings(const struct config_strings *a, const struct config_strings *b)
{
    bool same = a->count == b->count;

    for (size_t i = 0; same && i < a->count; i++)
        same = str_eq(a->items[i], b->items[i]);
    return same;
}

static bool same_prefixes(const struct prefixlist *a, const struct prefixlist *b)
{
    bool same = a->count == b->count;

    for (size_t i = 0; same && i < a->count; i++)
        same = prefix_eq(&a->items[i], &b->items[i]);
    return same;
}

static bool same_http(const struct config_http *a, const struct config_http *b)
{
    return same_text(a->listen, b->listen) && same_text(a->group, b->group) &&
           a->serve == b->serve && same_text(a->token, b->token) &&
           same_prefixes(&a->from, &b->from);
}

bool server_fits(const struct server *server, const struct config *config)
{
    const struct config_policyd *a = &server->config->policyd, *b = &config->policyd;
    bool same = same_strings(&a->policy, &b->policy) &&
                same_strings(&a->socketmap, &b->socketmap) && same_text(a->control, b->control) &&
                same_text(a->group, b->group) && same_text(a->control_group, b->control_group) &&
                a->max_connections == b->max_connections &&
                server->config->http_count == config->http_count;

    for (size_t i = 0; same && i < config->http_count; i++)
        same = same_http(&server->config->https[i], &config->https[i]);
    return same;
}

/* Over HTTP strangers report without end, over kept connections: they would keep us from ending. */
void server_stop(struct server *server)
{
    for (size_t i = 0; i < server->count; i++) {
        if (server->ports[i].service)
            service_stop(server->ports[i].service);
        if (server->ports[i].http)
            http_server_stop(server->ports[i].http);
    }
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
    free((*server)->ports);
    free(*server);
    *server = NULL;
}
