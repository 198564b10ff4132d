/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/mailauth/dkim_canon.h"

#include <string.h>

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

/* Bytes of a line end at text, of those that are folds within a value. */
static size_t fold_len(const char *text)
{
    return text[0] == '\n' ? 1 : text[0] == '\r' && text[1] == '\n' ? 2 : 0;
}

void dkim_canon_field(struct buf *out, const char *name, const char *value)
{
    bool blank = false;
    size_t start;

    for (; *name && !is_blank((uint8_t)*name); name++)
        buf_putc(out, (char)(*name >= 'A' && *name <= 'Z' ? *name | 0x20 : *name));
    buf_putc(out, ':');
    start = out->len;
    while (*value) {
        size_t fold = fold_len(value);
        if (fold || is_blank((uint8_t)*value)) {
            blank = blank || !fold;
            value += fold ? fold : 1;
            continue;
        }
        if (blank && out->len > start)
            buf_putc(out, ' ');
        blank = false;
        buf_putc(out, *value++);
    }
}

void dkim_canon_body_init(struct dkim_canon_body *body, struct dkim_hash *hash)
{
    *body = (struct dkim_canon_body){.hash = hash};
}

static void flush(struct dkim_canon_body *body)
{
    dkim_hash_put(body->hash, body->staged, body->staged_len);
    body->staged_len = 0;
}

static void put_byte(struct dkim_canon_body *body, uint8_t c)
{
    if (body->staged_len == sizeof(body->staged))
        flush(body);
    body->staged[body->staged_len++] = c;
}

static void put_line_end(struct dkim_canon_body *body)
{
    put_byte(body, '\r');
    put_byte(body, '\n');
}

/* What waited is before something now: empty lines, and a run of blanks as one space. */
static void begin_text(struct dkim_canon_body *body)
{
    for (; body->empty_lines; body->empty_lines--)
        put_line_end(body);
    body->in_line = true;
    if (body->blank)
        put_byte(body, ' ');
    body->blank = false;
    if (body->cr)
        put_byte(body, '\r');
    body->cr = false;
}

static void end_line(struct dkim_canon_body *body)
{
    if (body->in_line)
        put_line_end(body);
    else
        body->empty_lines++;
    body->in_line = body->blank = body->cr = false;
}

static bool is_special(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* A run of text as it is; its length. */
static size_t put_text(struct dkim_canon_body *body, const uint8_t *bytes, size_t len)
{
    size_t run = 0;

    begin_text(body);
    while (run < len && !is_special(bytes[run]))
        run++;
    if (run > sizeof(body->staged)) {
        flush(body);
        dkim_hash_put(body->hash, bytes, run);
        return run;
    }
    if (run > sizeof(body->staged) - body->staged_len)
        flush(body);
    memcpy(body->staged + body->staged_len, bytes, run);
    body->staged_len += run;
    return run;
}

void dkim_canon_body_put(struct dkim_canon_body *body, const uint8_t *bytes, size_t len)
{
    for (size_t at = 0; at < len; at++) {
        uint8_t c = bytes[at];
        if (c == '\n' && body->cr) {
            end_line(body);
            continue;
        }
        if (body->cr) /* one that ends no line */
            begin_text(body);
        if (c == '\r') {
            body->cr = true;
        } else if (is_blank(c)) {
            body->blank = true;
        } else if (c == '\n') {
            begin_text(body);
            put_byte(body, c);
        } else {
            at += put_text(body, bytes + at, len - at) - 1;
        }
    }
}

void dkim_canon_body_finish(struct dkim_canon_body *body)
{
    if (body->cr)
        begin_text(body);
    if (body->in_line)
        put_line_end(body);
    flush(body);
}
