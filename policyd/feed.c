/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/feed.h"

#include <stdlib.h>

#include "common/base/mem.h"
#include "common/base/str.h"
#include "policyd/nft.h"

struct change {
    struct prefix prefix;
    bool is_of_mail;       /* it acts on mail alone */
    int64_t until_mono_ms; /* 0: lifted */
};

struct feed {
    struct bans_watcher watcher;
    struct exports *exports;
    struct http_request *request;
    struct feed *prev;
    struct feed *next;
    struct nft nft;
    struct bans_cursor cursor; /* while walking */
    struct loop_timer *beat;   /* NULL: not followed */
    bool is_due;               /* a whole transaction */
    bool is_walking;           /* amid one */
    bool is_silent;            /* since the last beat */
    bool is_held;              /* there may be bans that could not be told */
    struct change *changes;    /* that came since it began, or after it */
    size_t change_count;
    size_t change_cap;
    size_t change_done;
};

static void forget_changes(struct feed *feed)
{
    free(feed->changes);
    feed->changes = NULL;
    feed->change_count = feed->change_cap = feed->change_done = 0;
    (void)http_hold(feed->request, 0);
}

static void restart(struct feed *feed)
{
    forget_changes(feed);
    feed->is_due = true;
}

/* --- what is told ------------------------------------------------------------ */

static bool is_of_mail(const struct ban *ban)
{
    return ban->acts == CONFIG_ACTS_SMTP;
}

static void begin(struct feed *feed, struct buf *out)
{
    const struct config *config = engine_config(feed->exports->engine);

    if (!config->enforce)
        nft_comment("enforce = false: no bans are sent", out);
    feed->is_due = false;
    feed->is_held = engine_holds_back(feed->exports->engine);
    feed->is_walking = true;
    bans_cursor_open(engine_bans(feed->exports->engine), &feed->cursor);
    nft_begin(&feed->nft, &config->policyd.ban_ports, out);
}

static void end_walk(struct feed *feed)
{
    if (feed->is_walking)
        bans_cursor_close(engine_bans(feed->exports->engine), &feed->cursor);
    feed->is_walking = false;
}

static void walk(struct feed *feed, struct buf *out)
{
    int64_t now_ms = engine_now_mono_ms(feed->exports->engine);

    while (out->len < HTTP_PIECE) {
        const struct ban *ban = exports_step(feed->exports, &feed->cursor, CONFIG_ACTS_SMTP);
        if (!ban) {
            nft_end(&feed->nft, out);
            end_walk(feed);
            return;
        }
        nft_put(&feed->nft, &ban->node.prefix, is_of_mail(ban), bans_seconds_left(ban, now_ms),
                out);
        feed->exports->element_count++;
    }
}

/* One whose end has come meanwhile is lifted: it may stand there with another end. */
static void tell(struct feed *feed, const struct change *change, struct buf *out)
{
    struct ban ban = {.until_mono_ms = change->until_mono_ms};
    int64_t now_ms = engine_now_mono_ms(feed->exports->engine);

    if (change->until_mono_ms <= now_ms) {
        nft_unban(&feed->nft, &change->prefix, out);
        return;
    }
    nft_ban(&feed->nft, &change->prefix, change->is_of_mail, bans_seconds_left(&ban, now_ms), out);
    feed->exports->element_count++;
}

static void tell_changes(struct feed *feed, struct buf *out)
{
    while (feed->change_done < feed->change_count && out->len < HTTP_PIECE)
        tell(feed, &feed->changes[feed->change_done++], out);
    if (feed->change_count && feed->change_done == feed->change_count)
        forget_changes(feed);
}

static bool more(void *ctx, struct buf *out)
{
    struct feed *feed = ctx;

    if (feed->is_due && !feed->is_walking)
        begin(feed, out);
    if (feed->is_walking)
        walk(feed, out);
    else
        tell_changes(feed, out);
    if (!out->len && feed->is_silent)
        nft_beat(out);
    feed->is_silent = false;
    return !feed->beat && !feed->is_walking;
}

/* --- what happens ------------------------------------------------------------- */

static void add_change(struct feed *feed, const struct change *change)
{
    if (feed->change_count == feed->change_cap) {
        feed->change_cap = feed->change_cap ? feed->change_cap * 2 : 16;
        feed->changes = x_reallocarray(feed->changes, feed->change_cap, sizeof(*feed->changes));
    }
    feed->changes[feed->change_count++] = *change;
    if (feed->change_count > FEED_CHANGES_MAX ||
        !http_hold(feed->request, feed->change_cap * sizeof(*feed->changes)))
        restart(feed);
}

static void on_change(struct bans_watcher *watcher, const struct ban *ban, bool is_gone)
{
    struct feed *feed = (struct feed *)(void *)watcher; /* its first member */
    int64_t now_ms = engine_now_mono_ms(feed->exports->engine);
    struct change change = {.prefix = ban->node.prefix, .is_of_mail = is_of_mail(ban)};

    /* What is begun anew will tell it; an element whose time is over ends by itself. */
    if (feed->is_due || !engine_config(feed->exports->engine)->enforce ||
        (is_gone && ban->until_mono_ms <= now_ms))
        return;
    if (!is_gone && !engine_may_tell(feed->exports->engine, ban)) {
        feed->is_held = true;
        return;
    }
    /* Not shown any more, it may have been. */
    if (!is_gone && exports_shows(feed->exports, ban, CONFIG_ACTS_SMTP))
        change.until_mono_ms = ban->until_mono_ms;
    add_change(feed, &change);
    http_wake(feed->request);
}

static void on_beat(void *ctx)
{
    struct feed *feed = ctx;

    feed->is_silent = true;
    if (feed->is_held && !engine_holds_back(feed->exports->engine))
        restart(feed);
    http_wake(feed->request);
    loop_timer_start(feed->beat, FEED_BEAT_MS);
}

/* --- its life ------------------------------------------------------------------- */

static void gone(void *ctx)
{
    struct feed *feed = ctx;
    struct exports *exports = feed->exports;

    if (feed->beat) {
        bans_unwatch(engine_bans(exports->engine), &feed->watcher);
        loop_timer_free(&feed->beat);
    }
    if (feed->prev)
        feed->prev->next = feed->next;
    else
        exports->feeds = feed->next;
    if (feed->next)
        feed->next->prev = feed->prev;
    exports->feed_count--;
    end_walk(feed);
    free(feed->changes);
    free(feed);
}

static void follow(struct feed *feed)
{
    feed->watcher.fn = on_change;
    bans_watch(engine_bans(feed->exports->engine), &feed->watcher);
    feed->beat = loop_timer_new(feed->exports->loop, on_beat, feed);
    loop_timer_start(feed->beat, FEED_BEAT_MS);
}

void feed_handle(struct http_request *request, struct exports *exports)
{
    static const struct http_source source = {more, gone};
    const char *wanted = http_request_argument(request, "follow");
    struct feed *feed = x_calloc(1, sizeof(*feed));

    feed->exports = exports;
    feed->request = request;
    feed->is_due = true;
    feed->next = exports->feeds;
    if (feed->next)
        feed->next->prev = feed;
    exports->feeds = feed;
    exports->feed_count++;
    if (wanted && str_eq(wanted, "1"))
        follow(feed);
    http_respond_stream(request, "text/plain; charset=utf-8", &source, feed);
}

void feeds_restart(struct feed *feeds)
{
    for (struct feed *feed = feeds; feed; feed = feed->next) {
        restart(feed);
        http_wake(feed->request);
    }
}
