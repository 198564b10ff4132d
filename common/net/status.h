/* SPDX-License-Identifier: MIT */
#ifndef PN_NET_STATUS_H
#define PN_NET_STATUS_H

#include <jansson.h>

#include "common/net/http.h"
#include "common/wire/attr.h"

/*
 * How a daemon is, as postern-control(7) has it under `status`, in the two forms that
 * are asked for: the attribute list, and one JSON document. What posternctl prints with
 * --json and what GET /status answers is made here.
 */

/* A listener is one attribute: "SERVES OPEN CLOSED ADDRESS". */
#define STATUS_LISTENER      "listener"
#define STATUS_LISTENERS_MAX 64 /* shown */

struct status_listener {
    const char *serves;  /* one word: "policy", "auth,metrics" */
    const char *address; /* as the configuration has it */
    uint64_t open;       /* connections */
    uint64_t closed;     /* that were closed for what came over them */
};

void status_put_listener(struct buf *out, const struct status_listener *listener);

/* Of an attribute's value, which is changed and borrowed from. 0 or -1. */
int status_parse_listener(char *value, struct status_listener *listener_r)
    __attribute__((warn_unused_result));

/*
 * The list as an object, without its attribute `status`: listeners as a list of objects,
 * yes and no of what is a flag as booleans, numbers as numbers.
 */
json_t *status_json(const struct attr_list *list);

/* Answer GET /status with this list, whole and well-formed, as JSON. */
void status_respond(struct http_request *request, const struct buf *attributes);

#endif
