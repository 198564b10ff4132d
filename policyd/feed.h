/* SPDX-License-Identifier: MIT */
#ifndef PN_POLICYD_FEED_H
#define PN_POLICYD_FEED_H

#include "policyd/export.h"

/*
 * GET /bans.nft: all bans as one transaction of nft, and with follow=1 each change after it
 * as it happens, and a line every FEED_BEAT_MS (nft_beat()). A reader for whom FEED_CHANGES_MAX
 * changes wait gets another whole transaction instead of them.
 */
#define FEED_BEAT_MS     15000
#define FEED_CHANGES_MAX 1024

struct feed;

void feed_handle(struct http_request *request, struct exports *exports);

/* All of the list begin anew, with another whole transaction. NULL: none. */
void feeds_restart(struct feed *feeds);

#endif
