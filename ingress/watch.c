/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "ingress/watch.h"

#include <stdlib.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/net/control.h"
#include "common/net/stream.h"
#include "common/wire/attr.h"

#define RETRY_MIN_MS 200
#define RETRY_MAX_MS 5000
#define SILENCE_MS   45000 /* three pings that did not come */
#define SECONDS_MAX  UINT64_C(315360000)
#define SWEEP_MS     10000

struct watch {
    struct loop *loop;
    struct watch_options options;
    struct stream *stream; /* NULL: not connected */
    struct loop_timer *retry;
    struct loop_timer *sweep;
    int64_t retry_ms;
    bool is_in_step;
    bool away_was_told;
};

/* --- what policyd says ------------------------------------------------------------------- */

/* Whether it is for the ingress at all: what acts on logins alone is not. */
static bool acts_here(const struct attr_list *record, enum bantable_reach *reach_r)
{
    const char *acts = attr_get(record, "acts");

    *reach_r = acts && str_eq(acts, "smtp") ? BANTABLE_SMTP_PORT : BANTABLE_EVERY_PORT;
    return !acts || str_eq(acts, "all") || str_eq(acts, "smtp");
}

static int take_ban(struct watch *watch, const char *text, const struct attr_list *record)
{
    struct bantable *bans = watch->options.bans;
    int64_t now_ms = clock_mono_ms(watch->options.clock);
    struct prefix prefix;
    enum bantable_reach reach;
    uint64_t seconds;

    if (prefix_parse(text, &prefix) ||
        str_parse_u64(attr_get_or_empty(record, "seconds"), 1, SECONDS_MAX, &seconds))
        return -1;
    if (!acts_here(record, &reach))
        bantable_remove(bans, &prefix);
    else if (bantable_put(bans, &prefix, reach, now_ms + (int64_t)seconds * 1000))
        watch->options.on_ban(&prefix, reach, watch->options.ctx);
    return 0;
}

static int take_unban(struct watch *watch, const char *text)
{
    struct prefix prefix;

    if (prefix_parse(text, &prefix))
        return -1;
    bantable_remove(watch->options.bans, &prefix);
    return 0;
}

static int take_sync(struct watch *watch)
{
    bantable_end_round(watch->options.bans);
    watch->is_in_step = true;
    watch->retry_ms = RETRY_MIN_MS;
    log_info(NULL, "bans-followed", LOG_STR("socket", watch->options.address),
             LOG_UINT("bans", watch->options.bans->count));
    watch->away_was_told = false;
    return 0;
}

/* What this version does not know, as a login that is banned, is not for it. */
static int take_record(struct watch *watch, const struct attr_list *record)
{
    const char *ban = attr_get(record, "ban"), *unban = attr_get(record, "unban");
    const char *status = attr_get(record, "status");

    if (status && !str_eq(status, "ok"))
        return -1;
    if (ban)
        return take_ban(watch, ban, record);
    if (unban)
        return take_unban(watch, unban);
    return attr_get(record, "sync") ? take_sync(watch) : 0;
}

static void on_input(struct stream *stream, struct buf *in, void *ctx)
{
    struct attr_list record;
    size_t consumed;
    enum attr_status status;

    while ((status = attr_parse(in->data, in->len, &record, &consumed)) == ATTR_OK) {
        int wrong = take_record(ctx, &record);
        buf_consume(in, consumed);
        if (wrong)
            break;
    }
    if (status != ATTR_MORE)
        stream_abort(stream);
}

/* --- the connection ---------------------------------------------------------------------- */

static void retry_later(struct watch *watch, const char *reason)
{
    watch->is_in_step = false;
    if (!watch->away_was_told)
        log_warning(NULL, "bans-unfollowed", LOG_STR("socket", watch->options.address),
                    LOG_STR("reason", reason),
                    LOG_STR("effect", "the bans known so far hold, new ones are not heard of"));
    watch->away_was_told = true;
    loop_timer_start(watch->retry, watch->retry_ms);
    if (watch->retry_ms < RETRY_MAX_MS)
        watch->retry_ms *= 2;
}

static void on_end(struct stream *stream, enum stream_end why, void *ctx)
{
    struct watch *watch = ctx;

    (void)stream;
    watch->stream = NULL;
    retry_later(watch, stream_strend(why));
}

static const struct stream_handlers handlers = {.on_input = on_input, .on_end = on_end};

static void dial(void *ctx)
{
    static const struct stream_limits limits = {
        .input_max = 4 * (size_t)ATTR_LIST_MAX,
        .output_max = 1024,
        .idle_ms = SILENCE_MS,
    };
    struct watch *watch = ctx;
    struct error error = {0};
    int fd = control_dial(watch->options.address, &error);

    if (fd < 0) {
        retry_later(watch, error.text);
        return;
    }
    bantable_begin_round(watch->options.bans);
    watch->stream = stream_new(watch->loop, fd, &handlers, &limits, watch);
    attr_put(stream_output(watch->stream), "request", "watch");
    attr_end(stream_output(watch->stream));
    stream_flush(watch->stream);
}

static void on_sweep(void *ctx)
{
    struct watch *watch = ctx;

    bantable_sweep(watch->options.bans, clock_mono_ms(watch->options.clock));
    loop_timer_start(watch->sweep, SWEEP_MS);
}

struct watch *watch_new(struct loop *loop, const struct watch_options *options)
{
    struct watch *watch = x_calloc(1, sizeof(*watch));

    watch->loop = loop;
    watch->options = *options;
    watch->retry_ms = RETRY_MIN_MS;
    watch->retry = loop_timer_new(loop, dial, watch);
    watch->sweep = loop_timer_new(loop, on_sweep, watch);
    loop_timer_start(watch->retry, 0);
    loop_timer_start(watch->sweep, SWEEP_MS);
    return watch;
}

void watch_free(struct watch **watch)
{
    struct watch *old = *watch;

    if (!old)
        return;
    *watch = NULL;
    old->away_was_told = true; /* that it ends by itself is no news */
    if (old->stream)
        stream_abort(old->stream);
    loop_timer_free(&old->retry);
    loop_timer_free(&old->sweep);
    free(old);
}

bool watch_is_in_step(const struct watch *watch)
{
    return watch->is_in_step;
}
