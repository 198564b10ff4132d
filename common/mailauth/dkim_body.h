/* SPDX-License-Identifier: MIT */
#ifndef PN_MAILAUTH_DKIM_BODY_H
#define PN_MAILAUTH_DKIM_BODY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * How long a body is in its canonical forms, RFC 6376 sections 3.4.3 and 3.4.4: what l= counts.
 * Zeroes: nothing has come yet.
 */
struct dkim_body {
    uint64_t simple, relaxed;             /* up to the last line that is not empty, with its end */
    uint64_t simple_line, relaxed_line;   /* of the line that is being read */
    uint64_t simple_blank, relaxed_blank; /* of the empty lines since: they may be the last */
    bool has_blank;                       /* spaces since the last character of the line */
    bool has_cr;                          /* the last byte was one: perhaps half a line end */
};

/* Chunks as they come; a line end may fall apart. */
void dkim_body_add(struct dkim_body *body, const uint8_t *bytes, size_t len);
/* Of all that was added, as if it ended here. */
uint64_t dkim_body_simple(const struct dkim_body *body);
uint64_t dkim_body_relaxed(const struct dkim_body *body);

#endif
