/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/base/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/bug.h"
#include "common/base/mem.h"

#define BUF_FIRST_CAP 256

void buf_init(struct buf *buf)
{
    *buf = (struct buf){0};
}

void buf_fini(struct buf *buf)
{
    free(buf->data);
    buf_init(buf);
}

void buf_reset(struct buf *buf)
{
    buf->len = 0;
    if (buf->data)
        buf->data[0] = 0;
}

uint8_t *buf_reserve(struct buf *buf, size_t len)
{
    BUG_ON(len > SIZE_MAX / 4 || buf->len > SIZE_MAX / 4);
    size_t need = buf->len + len + 1;
    if (need > buf->cap) {
        size_t cap = buf->cap ? buf->cap : BUF_FIRST_CAP;
        while (cap < need)
            cap *= 2;
        buf->data = x_reallocarray(buf->data, cap, 1);
        buf->cap = cap;
    }
    return buf->data + buf->len;
}

void buf_commit(struct buf *buf, size_t len)
{
    BUG_ON(len >= buf->cap - buf->len);
    buf->len += len;
    buf->data[buf->len] = 0;
}

void buf_put(struct buf *buf, const void *bytes, size_t len)
{
    uint8_t *to = buf_reserve(buf, len);
    if (len)
        memcpy(to, bytes, len);
    buf_commit(buf, len);
}

void buf_puts(struct buf *buf, const char *text)
{
    buf_put(buf, text, strlen(text));
}

void buf_putc(struct buf *buf, char c)
{
    buf_put(buf, &c, 1);
}

void buf_vprintf(struct buf *buf, const char *fmt, va_list ap)
{
    va_list again;
    va_copy(again, ap);
    int len = vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    BUG_ON(len < 0);
    uint8_t *to = buf_reserve(buf, (size_t)len);
    vsnprintf((char *)to, (size_t)len + 1, fmt, ap);
    buf_commit(buf, (size_t)len);
}

void buf_printf(struct buf *buf, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(buf, fmt, ap);
    va_end(ap);
}

void buf_consume(struct buf *buf, size_t len)
{
    BUG_ON(len > buf->len);
    if (!len)
        return;
    buf->len -= len;
    memmove(buf->data, buf->data + len, buf->len);
    buf->data[buf->len] = 0;
}

const char *buf_str(const struct buf *buf)
{
    return buf->data ? (const char *)buf->data : "";
}

char *buf_steal(struct buf *buf)
{
    char *text = buf->data ? (char *)buf->data : x_strdup("");
    buf_init(buf);
    return text;
}
