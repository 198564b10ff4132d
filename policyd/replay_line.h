/* SPDX-License-Identifier: MIT */
#ifndef PN_POLICYD_REPLAY_LINE_H
#define PN_POLICYD_REPLAY_LINE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/net/origin.h"
#include "policyd/jail.h"

/*
 * An event as a line of a file, posternctl(1):
 *
 *     TIME EVENT client=ADDRESS [login=] [fingerprint=] [recipient=] [weight=]
 *          [instance=] [recipients=]
 *
 * with blanks between. TIME is in seconds since 1970, or "+" and a duration behind the line
 * before. EVENT is a jail's word, or auth_ok. "#" begins a comment. Events of one instance are
 * those of one message; recipients is how many it has, where the event is `message`.
 */
#define REPLAY_LINE_MAX 4096 /* bytes, with the line feed and a NUL */

/* What Postfix's requests themselves are, when they are counted. */
#define REPLAY_BY_POSTFIX (CONFIG_EVENT_CONNECT | CONFIG_EVENTS_OF_SUBMISSION)

struct replay_line {
    bool is_empty;
    bool is_auth_ok;
    unsigned number; /* of the line, for who reads them to fill in */
    int64_t at_ms;
    struct origin_peer peer;
    struct event event;       /* points into the text; its session is the instance, or NULL */
    unsigned recipient_count; /* 0: not told */
};

/* Writes NULs into text. NULL, or what is wrong with it. before_ms is of the line before. */
const char *replay_line_parse(char *text, int64_t before_ms, struct replay_line *line_r);

#endif
