/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/export.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "policyd/feed.h"

#define CONTENT_TYPE "text/plain; charset=utf-8"

struct text {
    struct exports *exports;
    unsigned acts;
    struct bans_cursor cursor;
};

void exports_init(struct exports *exports, struct engine *engine, struct loop *loop)
{
    *exports = (struct exports){
        .engine = engine,
        .loop = loop,
        .since_wall_ms = clock_wall_ms(&clock_system),
    };
}

void exports_reconfigured(struct exports *exports)
{
    exports->turn++;
    feeds_restart(exports->feeds);
}

bool exports_shows(const struct exports *exports, const struct ban *ban, unsigned acts)
{
    char reason[ORIGIN_REASON_MAX];

    return engine_config(exports->engine)->enforce && (ban->acts & acts) == acts &&
           engine_may_tell(exports->engine, ban) &&
           ban->until_mono_ms > engine_now_mono_ms(exports->engine) &&
           !engine_protects(exports->engine, &ban->node.prefix, reason);
}

const struct ban *exports_step(const struct exports *exports, struct bans_cursor *cursor,
                               unsigned acts)
{
    const struct ban *ban;

    do
        ban = bans_cursor_step(cursor);
    while (ban && !exports_shows(exports, ban, acts));
    return ban;
}

static bool more_lines(void *ctx, struct buf *out)
{
    struct text *text = ctx;
    char line[PREFIX_TEXT_MAX];

    while (out->len < HTTP_PIECE) {
        const struct ban *ban = exports_step(text->exports, &text->cursor, text->acts);
        if (!ban)
            return true;
        buf_puts(out, prefix_format(&ban->node.prefix, line));
        buf_putc(out, '\n');
    }
    return false;
}

static void end_text(void *ctx)
{
    struct text *text = ctx;

    bans_cursor_close(engine_bans(text->exports->engine), &text->cursor);
    free(text);
}

/* The same as long as every line is. Bans that end meanwhile make it another one. */
static void tag(const struct exports *exports, unsigned acts, char out[HTTP_ETAG_MAX])
{
    snprintf(out, HTTP_ETAG_MAX, "\"%" PRIx64 ".%" PRIx64 ".%" PRIx64 ".%x%s\"",
             (uint64_t)exports->since_wall_ms, exports->turn, engine_bans(exports->engine)->changes,
             acts, engine_holds_back(exports->engine) ? ".held" : "");
}

static unsigned acts_at_port(const char *text)
{
    uint64_t port;

    return text && str_parse_u64(text, CONFIG_SMTP_PORT, CONFIG_SMTP_PORT, &port) == 0
               ? CONFIG_ACTS_SMTP
               : CONFIG_ACTS_ALL;
}

void exports_handle_text(struct http_request *request, struct exports *exports)
{
    static const struct http_source source = {more_lines, end_text};
    unsigned acts = acts_at_port(http_request_argument(request, "port"));
    char etag[HTTP_ETAG_MAX];

    engine_expire(exports->engine);
    tag(exports, acts, etag);
    http_request_tag(request, etag);
    if (http_request_has(request, etag)) {
        http_respond(request, 304, CONTENT_TYPE, NULL, 0);
        return;
    }
    struct text *text = x_calloc(1, sizeof(*text));
    text->exports = exports;
    text->acts = acts;
    bans_cursor_open(engine_bans(exports->engine), &text->cursor);
    http_respond_stream(request, CONTENT_TYPE, &source, text);
}
