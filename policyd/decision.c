/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/decision.h"

#include <inttypes.h>
#include <stdbool.h>

#include "common/base/str.h"

/* As Go writes a duration: 4h0m0s. */
static void put_duration(uint64_t seconds, struct buf *out)
{
    buf_printf(out, "\"%" PRIu64 "h%" PRIu64 "m%" PRIu64 "s\"", seconds / 3600, seconds / 60 % 60,
               seconds % 60);
}

/* RFC 8259 section 7; what is no UTF-8 is not passed on. */
static void put_string(const char *text, struct buf *out)
{
    bool is_utf8 = str_is_utf8(text);

    buf_putc(out, '"');
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c < ' ' || c == '"' || c == '\\')
            buf_printf(out, "\\u%04x", c);
        else
            buf_putc(out, c < 0x80 || is_utf8 ? *text : '?');
    }
    buf_putc(out, '"');
}

void decision_put(const struct decision *decision, struct buf *out)
{
    const struct prefix *prefix = decision->prefix;
    bool is_host = prefix->bits == addr_bits(&prefix->addr);
    char text[PREFIX_TEXT_MAX];

    buf_puts(out, "{\"duration\":");
    put_duration(decision->seconds, out);
    buf_printf(out, ",\"id\":%" PRIu64 ",\"origin\":\"postern\",\"scenario\":", decision->id);
    put_string(decision->jail, out);
    buf_printf(out, ",\"scope\":\"%s\",\"type\":\"ban\",\"value\":\"%s\"}",
               is_host ? "Ip" : "Range", prefix_format(prefix, text));
}
