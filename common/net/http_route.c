/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/net/http_route.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <microhttpd.h>

#include "common/base/str.h"

/* RFC 9110 9.3.2: HEAD is GET whose answer has no body; libmicrohttpd leaves it out. */
static bool route_takes(const struct http_route *route, const char *method)
{
    return str_eq(route->method, method) ||
           (str_eq(method, MHD_HTTP_METHOD_HEAD) && str_eq(route->method, MHD_HTTP_METHOD_GET));
}

static void allow_add(char allow[HTTP_ALLOW_MAX], const char *method)
{
    size_t used = strlen(allow);

    snprintf(allow + used, HTTP_ALLOW_MAX - used, "%s%s", used ? ", " : "", method);
}

const struct http_route *http_route_find(const struct http_options *options, const char *method,
                                         const char *path, char allow[HTTP_ALLOW_MAX])
{
    for (size_t i = 0; i < options->route_count; i++) {
        const struct http_route *route = &options->routes[i];
        if (!str_eq(route->path, path))
            continue;
        if (route_takes(route, method))
            return route;
        allow_add(allow, route->method);
    }
    return NULL;
}

void http_counts_add(struct http_counts *counts, unsigned status)
{
    size_t i = 0;

    if (!counts)
        return;
    while (i < counts->count && counts->items[i].status != status)
        i++;
    if (i == HTTP_STATUSES_MAX)
        return;
    if (i == counts->count)
        counts->items[counts->count++].status = status;
    counts->items[i].count++;
}

bool http_request_has(const struct http_request *request, const char *etag)
{
    const char *known = http_request_header(request, MHD_HTTP_HEADER_IF_NONE_MATCH);

    return known && (str_eq(known, "*") || strstr(known, etag));
}
