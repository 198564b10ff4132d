/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/net/http_refusal.h"

#include <stdio.h>

#include <microhttpd.h>

#include "common/net/http_token.h"

size_t http_refusal_text(unsigned status, bool is_json, char out[HTTP_REFUSAL_MAX])
{
    const char *reason = MHD_get_reason_phrase_for(status);

    return (size_t)snprintf(out, HTTP_REFUSAL_MAX, is_json ? "{\"message\":\"%s\"}\n" : "%s\n",
                            reason);
}

void http_refusal_head(struct MHD_Response *response, unsigned status, const char *allow)
{
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, allow);
    if (status == MHD_HTTP_UNAUTHORIZED)
        http_token_ask(response);
}
