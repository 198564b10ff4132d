/* SPDX-License-Identifier: MIT */
#ifndef PN_NET_HTTP_SECTIONS_H
#define PN_NET_HTTP_SECTIONS_H

#include <stddef.h>

#include "common/base/error.h"
#include "common/config/config.h"
#include "common/net/http.h"
#include "common/net/loop.h"

/* The http sections of one program: bound while it may, served in its loop. */
struct http_sections;

/* What a section may serve; each answers where `serve` names it. */
struct http_section_route {
    unsigned serve; /* CONFIG_SERVE_* */
    struct http_route route;
};
#define HTTP_SECTION_ROUTES_MAX 4

/* NULL and error_r when a listener cannot be opened. config lives longer. */
struct http_sections *http_sections_bind(const struct config *config, enum config_program program,
                                         struct error *error_r);

size_t http_sections_count(const struct http_sections *sections);
/* The listening descriptor of each, before http_sections_start(). */
int http_sections_fd(const struct http_sections *sections, size_t index);

/*
 * Serve each its routes; ctx is the routes', counts what they count in, and both live
 * longer than the sections. 0 or -1.
 */
int http_sections_start(struct http_sections *sections, struct loop *loop,
                        const struct http_section_route *routes, size_t route_count, void *ctx,
                        struct http_counts *counts, struct error *error_r)
    __attribute__((warn_unused_result));

/* NULL is none. */
void http_sections_free(struct http_sections **sections);

#endif
