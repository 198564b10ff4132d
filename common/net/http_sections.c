/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/net/http_sections.h"

#include <stdlib.h>
#include <unistd.h>

#include "common/base/bug.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/net/listener.h"

#define MIB ((size_t)1024 * 1024)

struct section {
    const struct config_http *config;
    int fd; /* until it is served */
    struct http_server *server;
    struct http_route routes[HTTP_SECTION_ROUTES_MAX];
    size_t route_count;
};

struct http_sections {
    struct section *items;
    size_t count;
};

static int bind_section(struct http_sections *sections, const struct config_http *http,
                        struct error *error_r)
{
    int fd = listener_bind(http->listen, http->group, error_r);

    if (fd < 0)
        return -1;
    sections->items =
        x_reallocarray(sections->items, sections->count + 1, sizeof(*sections->items));
    sections->items[sections->count++] = (struct section){.config = http, .fd = fd};
    return 0;
}

struct http_sections *http_sections_bind(const struct config *config, enum config_program program,
                                         struct error *error_r)
{
    struct http_sections *sections = x_calloc(1, sizeof(*sections));

    for (size_t i = 0; i < config->http_count; i++) {
        const struct config_http *http = &config->https[i];
        if (http->program != program || !http->listen)
            continue;
        if (bind_section(sections, http, error_r)) {
            http_sections_free(&sections);
            return NULL;
        }
    }
    return sections;
}

size_t http_sections_count(const struct http_sections *sections)
{
    return sections->count;
}

int http_sections_fd(const struct http_sections *sections, size_t index)
{
    return sections->items[index].fd;
}

static void choose_routes(struct section *section, const struct http_section_route *routes,
                          size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (section->config->serve & routes[i].serve)
            section->routes[section->route_count++] = routes[i].route;
    }
}

static int start_section(struct section *section, struct loop *loop, void *ctx,
                         struct http_counts *counts, struct error *error_r)
{
    const struct config_http *config = section->config;
    struct http_options options = {
        .fd = section->fd,
        .name = config->name,
        .token = config->token,
        .from = &config->from,
        .body_max = config->max_request,
        .memory_max = (size_t)config->max_memory * MIB,
        .max_connections = config->max_connections,
        .idle_sec = config->idle_timeout_sec,
        .request_sec = config->request_timeout_sec,
        .routes = section->routes,
        .route_count = section->route_count,
        .ctx = ctx,
        .counts = counts,
    };

    section->fd = -1;
    section->server = http_server_new(loop, &options, error_r);
    if (!section->server)
        return -1;
    log_info(NULL, "listening", LOG_STR("address", config->listen), LOG_STR("name", config->name));
    return 0;
}

int http_sections_start(struct http_sections *sections, struct loop *loop,
                        const struct http_section_route *routes, size_t route_count, void *ctx,
                        struct http_counts *counts, struct error *error_r)
{
    BUG_ON(route_count > HTTP_SECTION_ROUTES_MAX);
    for (size_t i = 0; i < sections->count; i++) {
        choose_routes(&sections->items[i], routes, route_count);
        if (start_section(&sections->items[i], loop, ctx, counts, error_r))
            return -1;
    }
    return 0;
}

void http_sections_free(struct http_sections **sections)
{
    struct http_sections *old = *sections;

    if (!old)
        return;
    *sections = NULL;
    for (size_t i = 0; i < old->count; i++) {
        http_server_free(&old->items[i].server);
        if (old->items[i].fd >= 0)
            close(old->items[i].fd);
    }
    free(old->items);
    free(old);
}
