/* SPDX-License-Identifier: MIT */
#ifndef PN_NET_HTTP_ROUTE_H
#define PN_NET_HTTP_ROUTE_H

#include "common/net/http.h"

#define HTTP_ALLOW_MAX 128

/* The route, or NULL; allow then names what the path takes, and is empty for no such path. */
const struct http_route *http_route_find(const struct http_options *options, const char *method,
                                         const char *path, char allow[HTTP_ALLOW_MAX]);

/* One more answer with this status; counts may be NULL. */
void http_counts_add(struct http_counts *counts, unsigned status);

#endif
