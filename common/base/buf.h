/* SPDX-License-Identifier: MIT */
#ifndef PN_BASE_BUF_H
#define PN_BASE_BUF_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A growing run of bytes that is written at its end and consumed at its start.
 * data[0..len) is valid; data[len] is always a NUL once anything was written, so
 * that text built here can be used as a C string.
 *
 * A buffer does not limit itself: who fills it from a peer compares buf.len with
 * the limit of that protocol first.
 */
struct buf {
    uint8_t *data;
    size_t len;
    size_t cap;
};

/* An empty buffer is all zeroes; buf_init() makes one. buf_fini() frees the bytes. */
void buf_init(struct buf *buf);
void buf_fini(struct buf *buf);

/* Forget the content, keep the memory. */
void buf_reset(struct buf *buf);

/* Room for len more bytes and a NUL. Returns where they go; buf_commit() makes them count. */
uint8_t *buf_reserve(struct buf *buf, size_t len);
void buf_commit(struct buf *buf, size_t len);

void buf_put(struct buf *buf, const void *bytes, size_t len);
void buf_puts(struct buf *buf, const char *text);
void buf_putc(struct buf *buf, char c);
void buf_printf(struct buf *buf, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *buf, const char *fmt, va_list ap)
    __attribute__((format(printf, 2, 0)));

/* Drop len bytes from the start; len is at most buf->len. */
void buf_consume(struct buf *buf, size_t len);

/* The content as a C string; "" when empty. Borrowed until the next change. */
const char *buf_str(const struct buf *buf);

/* Hand the content over as a C string that the caller frees; the buffer is empty afterwards. */
char *buf_steal(struct buf *buf) __attribute__((warn_unused_result));

#endif
