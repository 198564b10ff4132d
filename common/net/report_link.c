/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/net/report_link.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/error.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/net/control.h"
#include "common/net/stream.h"
#include "common/wire/attr.h"

struct report_link {
    struct loop *loop;
    struct report_link_options options;
    struct loop_timer *retry;
    struct loop_timer *summary;
    struct stream *stream;         /* NULL: not connected */
    char *batch[REPORT_BATCH_MAX]; /* taken from the queue, not answered yet */
    size_t count;
    bool has_answered;   /* on this connection */
    unsigned failures;   /* in a row: nobody there, or gone without an answer */
    unsigned fruitless;  /* connections in a row that ended so over the same report */
    bool away_was_told;  /* until there is an answer */
    bool reason_is_told; /* of a refusal, until the next summary */
    bool waited;         /* for an answer, at the last summary */
    uint64_t dropped_told, refused_told, done_seen;
};

static void send_batch(struct report_link *link)
{
    struct buf *out = stream_output(link->stream);

    for (size_t i = 0; i < link->count; i++)
        buf_puts(out, link->batch[i]);
    stream_flush(link->stream);
}

static void refill(struct report_link *link)
{
    if (!link->count)
        link->count = report_queue_take(link->options.queue, link->batch, REPORT_BATCH_MAX);
}

static void retry_later(struct report_link *link)
{
    int64_t after_ms = link->options.retry_min_ms;

    for (unsigned i = 0; i < link->failures && after_ms < link->options.retry_max_ms; i++)
        after_ms *= 2;
    if (after_ms > link->options.retry_max_ms)
        after_ms = link->options.retry_max_ms;
    link->failures++;
    loop_timer_start(link->retry, after_ms);
}

static void tell_away(struct report_link *link, const char *reason)
{
    if (!link->away_was_told)
        log_warning(NULL, "reports-wait", LOG_STR("socket", link->options.address),
                    LOG_STR("reason", reason));
    link->away_was_told = true;
}

static void tell_back(struct report_link *link)
{
    if (link->away_was_told)
        log_info(NULL, "reports-go-on", LOG_STR("socket", link->options.address));
    link->away_was_told = false;
}

/* --- answers ------------------------------------------------------------------------- */

static void finish_first(struct report_link *link, bool is_accepted)
{
    free(link->batch[0]);
    memmove(link->batch, link->batch + 1, --link->count * sizeof(link->batch[0]));
    link->fruitless = 0;
    report_queue_done(link->options.queue, is_accepted);
}

/* False: it is no answer to a report. */
static bool take_answer(struct report_link *link, const struct attr_list *answer)
{
    const char *status = attr_get(answer, "status");
    const char *reason = attr_get(answer, "reason");
    bool is_accepted = status && str_eq(status, "ok");

    if (!status || !link->count)
        return false;
    if (!is_accepted && !link->reason_is_told)
        log_warning(NULL, "report-refused", LOG_STR("socket", link->options.address),
                    LOG_STR("reason", reason ? reason : "refused without a reason"));
    link->reason_is_told = link->reason_is_told || !is_accepted;
    finish_first(link, is_accepted);
    link->has_answered = true;
    link->failures = 0;
    tell_back(link);
    return true;
}

static void on_input(struct stream *stream, struct buf *in, void *ctx)
{
    struct report_link *link = ctx;
    struct attr_list answer;
    size_t consumed;
    enum attr_status status;

    while ((status = attr_parse(in->data, in->len, &answer, &consumed)) == ATTR_OK) {
        buf_consume(in, consumed);
        if (!take_answer(link, &answer))
            break;
    }
    if (status != ATTR_MORE) {
        tell_away(link, "what answers there is not postern-policyd");
        stream_abort(stream);
        return;
    }
    if (link->count)
        return;
    refill(link);
    send_batch(link);
}

/* --- the connection -------------------------------------------------------------------- */

static void give_up_first(struct report_link *link)
{
    log_warning(NULL, "report-given-up", LOG_STR("socket", link->options.address),
                LOG_UINT("tries", REPORT_TRIES_MAX),
                LOG_STR("reason", "each connection ends without an answer to it"));
    finish_first(link, false);
}

static void on_end(struct stream *stream, enum stream_end why, void *ctx)
{
    struct report_link *link = ctx;

    (void)stream;
    link->stream = NULL;
    if (!link->count) {
        loop_timer_start(link->retry, 0); /* something may have come just now */
        return;
    }
    if (link->failures > 0)
        tell_away(link, stream_strend(why));
    if (!link->has_answered && ++link->fruitless == REPORT_TRIES_MAX)
        give_up_first(link);
    retry_later(link);
}

static const struct stream_handlers handlers = {.on_input = on_input, .on_end = on_end};

static void connect_and_send(struct report_link *link)
{
    static const struct stream_limits limits = {
        .input_max = ATTR_LIST_MAX + 1,
        .output_max = REPORT_BATCH_MAX * (size_t)REPORT_ENCODED_MAX,
    };
    struct error error = {0};
    int fd = control_dial(link->options.address, &error);

    if (fd < 0) {
        tell_away(link, error.text);
        retry_later(link);
        return;
    }
    link->has_answered = false;
    link->stream = stream_new(link->loop, fd, &handlers, &limits, link);
    send_batch(link);
}

static void on_retry(void *ctx)
{
    struct report_link *link = ctx;

    refill(link);
    if (link->count && !link->stream)
        connect_and_send(link);
}

void report_link_wake(struct report_link *link)
{
    if (link->count)
        return; /* on its way: what is new follows by itself */
    refill(link);
    if (link->count && link->stream)
        send_batch(link);
    else if (link->count)
        connect_and_send(link);
}

bool report_link_is_idle(struct report_link *link)
{
    return !link->stream || (!link->count && !report_queue_counts(link->options.queue).waiting);
}

/* --- once a minute ----------------------------------------------------------------------- */

static void tell_losses(struct report_link *link, const struct report_counts *counts)
{
    if (counts->dropped != link->dropped_told || counts->refused != link->refused_told)
        log_warning(NULL, "reports-lost", LOG_UINT("dropped", counts->dropped - link->dropped_told),
                    LOG_UINT("refused", counts->refused - link->refused_told),
                    LOG_UINT("waiting", counts->waiting + link->count));
    link->dropped_told = counts->dropped;
    link->refused_told = counts->refused;
}

static void on_summary(void *ctx)
{
    struct report_link *link = ctx;
    struct report_counts counts = report_queue_counts(link->options.queue);
    uint64_t done = counts.accepted + counts.refused;
    bool waits = link->stream && link->count;

    if (waits && link->waited && done == link->done_seen)
        tell_away(link, "policyd does not answer");
    tell_losses(link, &counts);
    link->waited = waits;
    link->done_seen = done;
    link->reason_is_told = false;
    loop_timer_start(link->summary, link->options.summary_ms);
}

struct report_link *report_link_new(struct loop *loop, const struct report_link_options *options)
{
    struct report_link *link = x_calloc(1, sizeof(*link));

    link->loop = loop;
    link->options = *options;
    link->retry = loop_timer_new(loop, on_retry, link);
    link->summary = loop_timer_new(loop, on_summary, link);
    loop_timer_start(link->summary, options->summary_ms);
    return link;
}

size_t report_link_free(struct report_link **link)
{
    struct report_link *old = *link;

    if (!old)
        return 0;
    *link = NULL;
    struct report_counts counts = report_queue_counts(old->options.queue);
    tell_losses(old, &counts);
    size_t lost = old->count;
    /* on_end finds nothing to send again. */
    while (old->count)
        free(old->batch[--old->count]);
    if (old->stream)
        stream_abort(old->stream);
    loop_timer_free(&old->summary);
    loop_timer_free(&old->retry);
    free(old);
    return lost;
}
