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
 *
 * with blanks between. TIME is in seconds since 1970, or "+" and a duration behind the line
 * before. EVENT is a jail's word, or auth_ok. "#" begins a comment.
 */
#define REPLAY_LINE_MAX 4096 /* bytes, with the line feed and a NUL */

struct replay_line {
    bool is_empty;
    bool is_auth_ok;
    int64_t at_ms;
    struct origin_peer peer;
    struct event event; /* points into the text */
};

/* Writes NULs into text. NULL, or what is wrong with it. before_ms is of the line before. */
const char *replay_line_parse(char *text, int64_t before_ms, struct replay_line *line_r);

#endif
