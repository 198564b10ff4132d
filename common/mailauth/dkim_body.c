/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/mailauth/dkim_body.h"

#define CRLF_LEN 2

static void put(struct dkim_body *body, uint8_t c)
{
    body->simple_line++;
    if (c == ' ' || c == '\t') {
        body->has_blank = true;
        return;
    }
    body->relaxed_line += 1u + body->has_blank;
    body->has_blank = false;
}

static void end_line(uint64_t *total, uint64_t *line, uint64_t *blank)
{
    if (*line) {
        *total += *blank + *line + CRLF_LEN;
        *blank = 0;
    } else {
        *blank += CRLF_LEN;
    }
    *line = 0;
}

void dkim_body_add(struct dkim_body *body, const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] == '\n' && body->has_cr) {
            end_line(&body->simple, &body->simple_line, &body->simple_blank);
            end_line(&body->relaxed, &body->relaxed_line, &body->relaxed_blank);
            body->has_blank = false;
            body->has_cr = false;
            continue;
        }
        if (body->has_cr)
            put(body, '\r');
        body->has_cr = bytes[i] == '\r';
        if (!body->has_cr)
            put(body, bytes[i]);
    }
}

/* A last line without its end gets one. */
static uint64_t total_of(uint64_t total, uint64_t line, uint64_t blank)
{
    return line ? total + blank + line + CRLF_LEN : total;
}

uint64_t dkim_body_simple(const struct dkim_body *body)
{
    uint64_t total = total_of(body->simple, body->simple_line, body->simple_blank);

    return total ? total : CRLF_LEN;
}

uint64_t dkim_body_relaxed(const struct dkim_body *body)
{
    return total_of(body->relaxed, body->relaxed_line, body->relaxed_blank);
}
