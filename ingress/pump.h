/* SPDX-License-Identifier: MIT */
#ifndef PN_INGRESS_PUMP_H
#define PN_INGRESS_PUMP_H

#include <stdbool.h>
#include <stdint.h>

#include "ingress/pipes.h"

enum pump_result {
    PUMP_READ,  /* go on when `from` is readable */
    PUMP_WRITE, /* go on when `to` is writable */
    PUMP_AGAIN, /* there is more, but others have their turn first */
    PUMP_DONE,  /* all that came is sent, and its end */
    PUMP_BROKEN /* one of the sockets failed; errno says how */
};

/*
 * One direction of a forwarded connection: bytes from one socket to another, many of them in the
 * kernel (splice(2)), a few as a copy. What cannot be sent on is not read: the sender feels the
 * receiver's pace. The end of the one's bytes becomes the end of the other's.
 */
struct pump {
    int from, to;            /* non-blocking sockets, the caller's */
    int pipe[2];             /* valid while in_pipe > 0 */
    uint32_t in_pipe;        /* bytes read and not sent yet */
    bool is_bulk;            /* many bytes came last */
    bool has_passed;         /* `from` has no more to give, and `to` knows: nothing is left to do */
    enum pump_result result; /* of the last run; PUMP_READ before it */
};

void pump_init(struct pump *pump, int from, int to);
/* Gives back the pipe. */
void pump_fini(struct pump *pump, struct pipes *pipes);
/* Move what can be moved now, a bounded part of it. */
enum pump_result pump_run(struct pump *pump, struct pipes *pipes);

#endif
