/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/crowdsec.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/str.h"
#include "policyd/decision.h"

#define CONTENT_TYPE "application/json"
#define LOOKS_MAX    1024 /* at bans for one piece: others wait meanwhile */

/* One answer on its way. */
struct pull {
    struct crowdsec *crowdsec;
    struct pulls_reader reader;
    struct pulls_mark at; /* what he has when it is over */
    uint64_t from;        /* the first change he has not, up to at */
    uint64_t change;      /* the next one to tell */
    bool is_whole;        /* every ban is told, not what has changed */
    bool is_start;        /* he has none yet */
    bool is_lost;         /* a change was not kept long enough */
    bool hosts, nets;     /* which he wants */
    bool is_walking;      /* the cursor is open */
    struct bans_cursor cursor;
    bool (*step)(struct pull *pull, struct buf *out); /* one look; false: none is left */
    bool is_over;
    bool has_one; /* in the list that is being written */
};

static void on_change(struct bans_watcher *watcher, const struct ban *ban, bool is_gone)
{
    struct crowdsec *crowdsec = (struct crowdsec *)(void *)watcher; /* its first member */

    (void)is_gone;
    if (ban->acts == CONFIG_ACTS_ALL)
        pulls_add(&crowdsec->pulls, &ban->node.prefix);
}

void crowdsec_init(struct crowdsec *crowdsec, struct exports *exports)
{
    *crowdsec = (struct crowdsec){.watcher.fn = on_change, .exports = exports};
    bans_watch(engine_bans(exports->engine), &crowdsec->watcher);
}

void crowdsec_fini(struct crowdsec *crowdsec)
{
    if (!crowdsec->exports)
        return;
    bans_unwatch(engine_bans(crowdsec->exports->engine), &crowdsec->watcher);
    pulls_fini(&crowdsec->pulls);
}

/* --- what is told --------------------------------------------------------------- */

static void put(struct pull *pull, const struct decision *decision, struct buf *out)
{
    bool is_host = decision->prefix->bits == addr_bits(&decision->prefix->addr);

    if (!(is_host ? pull->hosts : pull->nets))
        return;
    if (pull->has_one)
        buf_putc(out, ',');
    pull->has_one = true;
    decision_put(decision, out);
}

static void put_ban(struct pull *pull, const struct ban *ban, struct buf *out)
{
    int64_t now_ms = engine_now_mono_ms(pull->crowdsec->exports->engine);

    put(pull,
        &(struct decision){.prefix = &ban->node.prefix,
                           .jail = ban->jail,
                           .id = ban->number + 1,
                           .seconds = bans_seconds_left(ban, now_ms)},
        out);
}

static void put_gone(struct pull *pull, const struct prefix *prefix, struct buf *out)
{
    put(pull, &(struct decision){.prefix = prefix, .jail = "unban"}, out);
}

/* What changed next, and whether it is shown now; NULL: that was all. */
static const struct prefix *next_change(struct pull *pull, const struct ban **shown_r)
{
    const struct exports *exports = pull->crowdsec->exports;

    *shown_r = NULL;
    if (pull->change >= pull->at.change)
        return NULL;
    const struct prefix *prefix = pulls_change(&pull->crowdsec->pulls, pull->change++);
    if (!prefix) {
        pull->is_lost = true;
        return NULL;
    }
    const struct ban *ban = bans_find(engine_bans(exports->engine), prefix);
    if (ban && exports_shows(exports, ban, CONFIG_ACTS_ALL))
        *shown_r = ban;
    return prefix;
}

static bool step_gone(struct pull *pull, struct buf *out)
{
    const struct ban *shown;
    const struct prefix *prefix = next_change(pull, &shown);

    if (prefix && !shown)
        put_gone(pull, prefix, out);
    return prefix;
}

/* Those that were shown to him, perhaps, and are not any more. */
static bool step_hidden(struct pull *pull, struct buf *out)
{
    const struct ban *ban = bans_cursor_step(&pull->cursor);

    if (!ban)
        return step_gone(pull, out);
    if (ban->acts == CONFIG_ACTS_ALL &&
        !exports_shows(pull->crowdsec->exports, ban, CONFIG_ACTS_ALL))
        put_gone(pull, &ban->node.prefix, out);
    return true;
}

static bool step_changed(struct pull *pull, struct buf *out)
{
    const struct ban *shown;
    const struct prefix *prefix = next_change(pull, &shown);

    if (shown)
        put_ban(pull, shown, out);
    return prefix;
}

static bool step_every(struct pull *pull, struct buf *out)
{
    const struct ban *ban = bans_cursor_step(&pull->cursor);

    if (ban && exports_shows(pull->crowdsec->exports, ban, CONFIG_ACTS_ALL))
        put_ban(pull, ban, out);
    return ban;
}

static void end_walk(struct pull *pull)
{
    if (pull->is_walking)
        bans_cursor_close(engine_bans(pull->crowdsec->exports->engine), &pull->cursor);
    pull->is_walking = false;
}

/* One list of the two. */
static void begin_list(struct pull *pull, const char *head,
                       bool (*step)(struct pull *pull, struct buf *out), struct buf *out)
{
    end_walk(pull);
    bans_cursor_open(engine_bans(pull->crowdsec->exports->engine), &pull->cursor);
    pull->is_walking = true;
    pull->change = pull->from;
    pull->has_one = false;
    pull->step = step;
    buf_puts(out, head);
}

static void begin_new(struct pull *pull, struct buf *out)
{
    begin_list(pull, "{\"new\":[", pull->is_whole ? step_every : step_changed, out);
}

static void begin_deleted(struct pull *pull, struct buf *out)
{
    bool may_have_hidden = pull->is_whole && !pull->is_start;

    begin_list(pull, "],\"deleted\":[", may_have_hidden ? step_hidden : step_gone, out);
}

static void end_list(struct pull *pull, struct buf *out)
{
    if (pull->step == step_every || pull->step == step_changed) {
        begin_deleted(pull, out);
        return;
    }
    buf_puts(out, "]}\n");
    pull->is_over = true;
}

static void end_pull(struct pull *pull)
{
    struct pulls *pulls = &pull->crowdsec->pulls;

    if (pull->is_lost)
        pulls_forget(pulls, &pull->reader);
    else
        pulls_set(pulls, &pull->reader, &pull->at);
}

/* He has it when he asks for more than the last of it. */
static bool more(void *ctx, struct buf *out)
{
    struct pull *pull = ctx;
    bool has_more = true;

    if (pull->is_over) {
        end_pull(pull);
        return true;
    }
    if (!pull->step)
        begin_new(pull, out);
    for (int looks = 0; has_more && looks < LOOKS_MAX && out->len < HTTP_PIECE; looks++)
        has_more = pull->step(pull, out);
    if (!has_more)
        end_list(pull, out);
    /* Who waits for more has to be woken: white space keeps him going. */
    if (!out->len)
        buf_putc(out, '\n');
    return false;
}

static void gone(void *ctx)
{
    struct pull *pull = ctx;

    end_walk(pull);
    free(pull);
}

/* --- what is asked ---------------------------------------------------------------- */

static struct pulls_reader reader_of(const struct http_request *request)
{
    const char *agent = http_request_header(request, "User-Agent");

    return (struct pulls_reader){
        .peer = *http_request_peer(request),
        .agent = agent ? map_hash(agent, strlen(agent)) : 0,
    };
}

static bool has_word(const char *list, const char *word)
{
    size_t len = strlen(word);

    for (; *list; list += strcspn(list, ","), list += *list == ',') {
        if (strcspn(list, ",") == len && strncasecmp(list, word, len) == 0)
            return true;
    }
    return false;
}

static void choose_scopes(struct pull *pull, const char *scopes)
{
    bool all = !scopes || !*scopes;

    pull->hosts = all || has_word(scopes, "ip");
    pull->nets = all || has_word(scopes, "range");
}

/* Where he goes on, or that he gets all. */
static void choose_start(struct pull *pull, const char *startup)
{
    const struct pulls *pulls = &pull->crowdsec->pulls;
    const struct pulls_mark *mark = pulls_find(pulls, &pull->reader);

    pull->is_start = startup && str_eq_nocase(startup, "true");
    bool is_known = mark && (mark->change == pull->at.change || pulls_change(pulls, mark->change));
    pull->from = is_known && !pull->is_start ? mark->change : pull->at.change;
    pull->is_whole = pull->is_start || !is_known || mark->turn != pull->at.turn ||
                     (mark->is_held && !pull->at.is_held);
}

void crowdsec_handle_stream(struct http_request *request, struct crowdsec *crowdsec)
{
    static const struct http_source source = {more, gone};
    struct engine *engine = crowdsec->exports->engine;
    struct pull *pull = x_calloc(1, sizeof(*pull));

    engine_expire(engine);
    pulls_begin(&crowdsec->pulls);
    pull->crowdsec = crowdsec;
    pull->reader = reader_of(request);
    pull->at = (struct pulls_mark){
        .change = crowdsec->pulls.next,
        .turn = crowdsec->exports->turn,
        .is_held = engine_holds_back(engine),
    };
    choose_scopes(pull, http_request_argument(request, "scopes"));
    choose_start(pull, http_request_argument(request, "startup"));
    http_respond_stream(request, CONTENT_TYPE, &source, pull);
}

void crowdsec_handle_metrics(struct http_request *request)
{
    http_respond(request, 201, CONTENT_TYPE, "{}\n", 3);
}
