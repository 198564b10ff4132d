/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/net/http_token.h"

#include <string.h>
#include <strings.h>

#include <microhttpd.h>

#include "common/base/str.h"

static const char *header(struct MHD_Connection *connection, const char *name)
{
    return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

static bool basic_password_matches(struct MHD_Connection *connection, const char *token)
{
    char *password = NULL;
    char *user = MHD_basic_auth_get_username_password(connection, &password);
    bool matches = false;

    if (password) {
        matches = str_eq_secret(password, token);
        explicit_bzero(password, strlen(password));
        MHD_free(password);
    }
    if (user)
        MHD_free(user);
    return matches;
}

bool http_token_is_shown(struct MHD_Connection *connection, const char *token)
{
    static const char bearer[] = "Bearer ";
    const char *key = header(connection, "X-API-Key");
    const char *authorization = header(connection, MHD_HTTP_HEADER_AUTHORIZATION);

    if (key && str_eq_secret(key, token))
        return true;
    if (!authorization)
        return false;
    if (strncasecmp(authorization, bearer, sizeof(bearer) - 1) == 0)
        return str_eq_secret(authorization + sizeof(bearer) - 1, token);
    return basic_password_matches(connection, token);
}

void http_token_ask(struct MHD_Response *response)
{
    MHD_add_response_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer");
    MHD_add_response_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Basic realm=\"postern\"");
}
