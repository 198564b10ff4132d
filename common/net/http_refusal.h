/* SPDX-License-Identifier: MIT */
#ifndef PN_NET_HTTP_REFUSAL_H
#define PN_NET_HTTP_REFUSAL_H

#include <stdbool.h>
#include <stddef.h>

struct MHD_Response;

#define HTTP_REFUSAL_MAX 96

/* What a refusal says, for people or as {"message": …}. Its length. */
size_t http_refusal_text(unsigned status, bool is_json, char out[HTTP_REFUSAL_MAX]);

/* What else its status asks for; allow is what 405 names. */
void http_refusal_head(struct MHD_Response *response, unsigned status, const char *allow);

#endif
