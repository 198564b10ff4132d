/* SPDX-License-Identifier: MIT */
#ifndef PN_POLICYD_CROWDSEC_H
#define PN_POLICYD_CROWDSEC_H

#include "policyd/export.h"
#include "policyd/pulls.h"

/*
 * What CrowdSec's bouncers ask of its local API, as far as firewalls need it: every ban
 * at the start, then what has changed since they last asked. A reader is told to have
 * what was sent to him whole; an answer that broke off is as if it had not been asked for.
 */
struct crowdsec {
    struct bans_watcher watcher;
    struct exports *exports; /* lives longer */
    struct pulls pulls;
};

void crowdsec_init(struct crowdsec *crowdsec, struct exports *exports);
/* No request is open any more. */
void crowdsec_fini(struct crowdsec *crowdsec);

/* GET /v1/decisions/stream?startup=true|false[&scopes=ip,range] */
void crowdsec_handle_stream(struct http_request *request, struct crowdsec *crowdsec);
/* POST /v1/usage-metrics: what a bouncer tells of itself, which nobody here wants to know. */
void crowdsec_handle_metrics(struct http_request *request);

#endif
