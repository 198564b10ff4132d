/* SPDX-License-Identifier: MIT */
#ifndef PN_NET_HTTP_TOKEN_H
#define PN_NET_HTTP_TOKEN_H

#include <stdbool.h>

struct MHD_Connection;
struct MHD_Response;

/*
 * Whether the request bears the token, compared in constant time: as "Authorization:
 * Bearer" (RFC 6750), as "X-API-Key", or as the password of "Authorization: Basic"
 * (RFC 7617).
 */
bool http_token_is_shown(struct MHD_Connection *connection, const char *token);

/* Say in an answer of status 401 how it may be shown. */
void http_token_ask(struct MHD_Response *response);

#endif
