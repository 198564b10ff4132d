/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "ingress/server.h"

#include <stdlib.h>
#include <unistd.h>

#include "common/base/bug.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/process.h"
#include "common/wire/attr.h"
#include "ingress/conn.h"
#include "ingress/dial.h"
#include "ingress/monitor.h"
#include "ingress/transparent.h"
#include "ingress/watch.h"

/* Two for its sockets, and now and then two for a pipe. */
#define CONN_DESCRIPTORS   3
#define SESSION_PEERS_MAX  64
#define SESSION_MEMORY_MAX (1u << 20)
#define SESSION_REQUEST_MS 5000
#define OTHER_DESCRIPTORS  512 /* pipes kept open, listeners, the loop, the log */

struct server {
    const struct config *config;
    struct conn_world world;
    struct bantable bans;
    struct clients clients;
    struct pipes pipes;
    struct sessions sessions;
    struct drain_counts draining;
    int sessions_fd;                 /* until it is served; -1 where nothing is forwarded plainly */
    struct service *session_service; /* NULL where nothing is forwarded plainly */
    struct watch *watch;
    struct conn_port *ports;        /* one for each ingress section of the file */
    int *fds;                       /* of each, until it is served */
    struct http_sections *sections; /* until the monitor has them */
    struct monitor *monitor;
    int *listening; /* all sockets of the above; those of a service manager come first */
    size_t listening_count, managed_count;
};

static void parse_upstream(struct conn_port *port)
{
    const char *reason;

    if (endpoint_parse(port->config->to, &port->upstream, &reason))
        BUG("%s: %s", port->config->to, reason); /* checked when the file was read */
}

static int bind_port(struct server *server, size_t i, struct error *error_r)
{
    const struct config_ingress *ingress = &server->config->ingresses[i];

    server->ports[i] = (struct conn_port){.world = &server->world, .config = ingress};
    parse_upstream(&server->ports[i]);
    server->fds[i] = listener_bind(ingress->listen, NULL, error_r);
    return server->fds[i] < 0 ? -1 : 0;
}

static void raise_descriptor_limit(const struct config *config)
{
    uint64_t wanted = OTHER_DESCRIPTORS;

    for (size_t i = 0; i < config->ingress_count; i++)
        wanted += (uint64_t)config->ingresses[i].max_connections * CONN_DESCRIPTORS;
    process_raise_descriptors(wanted, "more connections than fit wait");
}

/* One of a service manager is in the list already, whether or not the file has it. */
static void note_listening(struct server *server, int fd)
{
    for (size_t i = 0; i < server->managed_count; i++) {
        if (server->listening[i] == fd)
            return;
    }
    if (fd >= 0)
        server->listening[server->listening_count++] = fd;
}

/* Those of a service manager that are none of ours are said. */
static void list_sockets(struct server *server)
{
    size_t ports = server->config->ingress_count, count = http_sections_count(server->sections);
    size_t managed = (size_t)process_managed_count();
    int *fds = x_calloc(ports + count + 1, sizeof(*fds));

    server->listening = x_calloc(managed + ports + count + 1, sizeof(*server->listening));
    for (size_t i = 0; i < managed; i++)
        note_listening(server, PROCESS_INHERITED_FIRST + (int)i);
    server->managed_count = managed;
    for (size_t i = 0; i < ports; i++)
        fds[i] = server->fds[i];
    for (size_t i = 0; i < count; i++)
        fds[ports + i] = http_sections_fd(server->sections, i);
    fds[ports + count] = server->sessions_fd;
    for (size_t i = 0; i <= ports + count; i++)
        note_listening(server, fds[i]);
    listener_warn_unused(fds, ports + count + 1);
    free(fds);
}

static int bind_all(struct server *server, struct error *error_r)
{
    for (size_t i = 0; i < server->config->ingress_count; i++) {
        if (bind_port(server, i, error_r))
            return -1;
    }
    server->sections = http_sections_bind(server->config, CONFIG_INGRESS, error_r);
    if (!server->sections)
        return -1;
    return 0;
}

struct server *server_bind(const struct config *config, struct error *error_r)
{
    struct server *server = x_calloc(1, sizeof(*server));
    size_t count = config->ingress_count;

    server->config = config;
    server->sessions_fd = -1;
    server->ports = x_calloc(count, sizeof(*server->ports));
    server->fds = x_calloc(count, sizeof(*server->fds));
    for (size_t i = 0; i < count; i++)
        server->fds[i] = -1;
    bantable_init(&server->bans);
    clients_init(&server->clients);
    sessions_init(&server->sessions);
    if (bind_all(server, error_r)) {
        server_free(&server);
        return NULL;
    }
    raise_descriptor_limit(config);
    return server;
}

static void on_ban(const struct prefix *prefix, enum bantable_reach reach, void *ctx)
{
    struct server *server = ctx;

    if (server->config->enforce)
        clients_each_within(&server->clients, prefix, conn_cut, &reach);
}

static void start_port(struct server *server, size_t i)
{
    struct conn_port *port = &server->ports[i];

    dial_keep_alive(server->fds[i]);
    port->listener = listener_new(server->world.loop, &(struct listener_options){
                                                          .fd = server->fds[i],
                                                          .name = port->config->name,
                                                          .max = port->config->max_connections,
                                                          .fn = conn_accept,
                                                          .ctx = port,
                                                      });
    server->fds[i] = -1;
    log_info(NULL, "listening", LOG_STR("address", port->config->listen),
             LOG_STR("ingress", port->config->name), LOG_STR("to", port->config->to));
}

/* Bound by the user that the milter and policyd are too, so that they may connect. */
static int bind_sessions(struct server *server, struct error *error_r)
{
    if (config_forwards_as(server->config, FORWARD_AS_PLAIN)) {
        server->sessions_fd = listener_bind(server->config->sessions, NULL, error_r);
        if (server->sessions_fd < 0)
            return -1;
    }
    list_sockets(server);
    return 0;
}

static void start_sessions(struct server *server)
{
    if (server->sessions_fd < 0)
        return;
    server->session_service =
        service_new(server->world.loop, &(struct service_options){
                                            .fd = server->sessions_fd,
                                            .is_unix = true,
                                            .max_connections = SESSION_PEERS_MAX,
                                            .request_max = ATTR_LIST_MAX,
                                            .memory_max = SESSION_MEMORY_MAX,
                                            .request_ms = SESSION_REQUEST_MS,
                                            .protocol = &sessions_protocol,
                                            .ctx = &server->sessions,
                                        });
    server->sessions_fd = -1;
    log_info(NULL, "listening", LOG_STR("address", server->config->sessions),
             LOG_STR("serves", "sessions"));
}

static void on_check(const char *reason, void *ctx)
{
    const struct conn_port *port = ctx;

    if (!reason)
        log_info(NULL, "transparent-verified", LOG_STR("ingress", port->config->name),
                 LOG_STR("to", port->config->to));
    else
        log_error(NULL, "transparent-missing", LOG_STR("ingress", port->config->name),
                  LOG_STR("to", port->config->to), LOG_STR("reason", reason));
}

static void check_port(struct conn_port *port)
{
    if (port->config->forward_as == FORWARD_AS_TRANSPARENT)
        port->check = transparent_check_new(port->world->loop, &port->upstream, on_check, port);
}

int server_start(struct server *server, struct loop *loop, const struct origin_rules *rules,
                 struct error *error_r)
{
    server->world = (struct conn_world){
        .loop = loop,
        .clock = &clock_system,
        .config = server->config,
        .rules = rules,
        .bans = &server->bans,
        .clients = &server->clients,
        .pipes = &server->pipes,
        .sessions = &server->sessions,
    };
    if (bind_sessions(server, error_r))
        return -1;
    for (size_t i = 0; i < server->config->ingress_count; i++)
        check_port(&server->ports[i]);
    if (server->config->policyd.control)
        server->watch = watch_new(loop, &(struct watch_options){
                                            .address = server->config->policyd.control,
                                            .bans = &server->bans,
                                            .clock = &clock_system,
                                            .on_ban = on_ban,
                                            .ctx = server,
                                        });
    server->monitor = monitor_new(server->sections, &(struct monitor_source){
                                                        .loop = loop,
                                                        .clock = &clock_system,
                                                        .ports = server->ports,
                                                        .port_count = server->config->ingress_count,
                                                        .bans = &server->bans,
                                                        .draining = &server->draining,
                                                        .watch = server->watch,
                                                        .enforce = server->config->enforce,
                                                    });
    server->sections = NULL;
    return monitor_start(server->monitor, error_r);
}

void server_accept(struct server *server)
{
    listener_drop_unused(server->listening, server->listening_count);
    start_sessions(server);
    for (size_t i = 0; i < server->config->ingress_count; i++)
        start_port(server, i);
}

const int *server_listening(const struct server *server, size_t *count_r, size_t *managed_r)
{
    *count_r = server->listening_count;
    *managed_r = server->managed_count;
    return server->listening;
}

/* Who asks for sessions asks the next process, which knows ours as well. */
static void end_sessions(struct server *server)
{
    sessions_answer_late(&server->sessions);
    service_free(&server->session_service);
}

void server_drain(struct server *server)
{
    monitor_free(&server->monitor);
    end_sessions(server);
    for (size_t i = 0; i < server->config->ingress_count; i++) {
        transparent_check_free(&server->ports[i].check);
        listener_free(&server->ports[i].listener);
    }
}

void server_end_connections(struct server *server)
{
    for (size_t i = 0; i < server->config->ingress_count; i++)
        conn_end_all(&server->ports[i]);
}

size_t server_open_count(const struct server *server)
{
    size_t count = 0;

    for (size_t i = 0; i < server->config->ingress_count; i++)
        count += server->ports[i].count;
    return count;
}

struct sessions *server_sessions(struct server *server)
{
    return &server->sessions;
}

struct drain_counts *server_draining(struct server *server)
{
    return &server->draining;
}

static void close_port(struct server *server, size_t i)
{
    struct conn_port *port = &server->ports[i];

    if (port->world)
        conn_end_all(port);
    transparent_check_free(&port->check);
    listener_free(&port->listener);
    if (server->fds[i] >= 0)
        close(server->fds[i]);
}

void server_free(struct server **server)
{
    struct server *old = *server;

    if (!old)
        return;
    *server = NULL;
    monitor_free(&old->monitor);
    http_sections_free(&old->sections);
    watch_free(&old->watch);
    for (size_t i = 0; i < old->config->ingress_count; i++)
        close_port(old, i);
    end_sessions(old);
    if (old->sessions_fd >= 0)
        close(old->sessions_fd);
    sessions_fini(&old->sessions);
    bantable_fini(&old->bans);
    clients_fini(&old->clients);
    pipes_fini(&old->pipes);
    free(old->ports);
    free(old->fds);
    free(old->listening);
    free(old);
}
