/* SPDX-License-Identifier: MIT */
#ifndef PN_POLICYD_EXPORT_H
#define PN_POLICYD_EXPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/net/http.h"
#include "common/net/loop.h"
#include "policyd/engine.h"

/*
 * The bans for firewalls elsewhere: what of them is shown, and to whom it is being told.
 * Nobody gets a copy of the table: each reader walks it as fast as he reads.
 */
struct exports {
    struct engine *engine;
    struct loop *loop;
    struct feed *feeds;     /* the streams that are open */
    size_t feed_count;      /* for the metrics, as the next */
    uint64_t element_count; /* bans written to streams */
    int64_t since_wall_ms;  /* tells this run from another */
    uint64_t turn;          /* of the configuration */
};

/* engine and loop live longer. */
void exports_init(struct exports *exports, struct engine *engine, struct loop *loop);
/* Another configuration holds, or another set of those who are never banned. */
void exports_reconfigured(struct exports *exports);

/*
 * Whether it is shown: it holds, bans are acted on, it is not held back, nobody in it is
 * protected, and it acts on all of acts. CONFIG_ACTS_ALL for who cannot tell one port from
 * another, CONFIG_ACTS_SMTP for who can.
 */
bool exports_shows(const struct exports *exports, const struct ban *ban, unsigned acts);
/* The next one that is, or NULL. */
const struct ban *exports_step(const struct exports *exports, struct bans_cursor *cursor,
                               unsigned acts);

/* GET /bans.txt: one prefix a line; with ?port=N those that may not come to that port. */
void exports_handle_text(struct http_request *request, struct exports *exports);

#endif
