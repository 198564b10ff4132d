/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/replay_events.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/random.h"
#include "policyd/engine.h"
#include "policyd/replay_asker.h"
#include "policyd/replay_line.h"
#include "policyd/replay_tally.h"

/* A store that keeps nothing, and says so only when it is asked, as a real one answers later. */
struct answer {
    store_done_fn done;
    void *ctx;
};

struct replay {
    struct clock clock;
    struct store store;
    struct engine *engine;
    struct replay_tally *tally;
    FILE *to;
    int64_t now_ms;
    struct answer *answers;
    size_t answer_count;
    size_t answer_cap;
};

static struct replay *of_clock(const struct clock *clock)
{
    return (struct replay *)(void *)(uintptr_t)clock; /* its first member */
}

static int64_t replayed_ms(const struct clock *clock)
{
    return of_clock(clock)->now_ms;
}

static struct replay *of_store(struct store *store)
{
    return (struct replay *)(void *)((char *)store - offsetof(struct replay, store));
}

static void owe_answer(struct replay *replay, store_done_fn done, void *ctx)
{
    if (!done)
        return;
    if (replay->answer_count == replay->answer_cap) {
        replay->answer_cap = replay->answer_cap ? 2 * replay->answer_cap : 64;
        replay->answers =
            x_reallocarray(replay->answers, replay->answer_cap, sizeof(*replay->answers));
    }
    replay->answers[replay->answer_count++] = (struct answer){done, ctx};
}

static void keep_no_ban(struct store *store, const struct store_ban *ban, store_done_fn done,
                        void *ctx)
{
    (void)ban;
    owe_answer(of_store(store), done, ctx);
}

static void delete_no_ban(struct store *store, const struct prefix *prefix, store_done_fn done,
                          void *ctx)
{
    (void)prefix;
    owe_answer(of_store(store), done, ctx);
}

static void answer_all(struct replay *replay)
{
    for (size_t i = 0; i < replay->answer_count; i++)
        replay->answers[i].done(NULL, replay->answers[i].ctx);
    replay->answer_count = 0;
}

/* What goes on as usual is counted, not printed. */
static void take_log(enum log_level level, const char *line, void *ctx)
{
    const struct replay *replay = ctx;
    time_t at = (time_t)(replay->now_ms / 1000);
    char text[32];
    struct tm tm;

    replay_tally_take(replay->tally, line);
    if (level == LOG_LEVEL_DEBUG)
        return;
    if (gmtime_r(&at, &tm) && strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm))
        fprintf(replay->to, "%s %s\n", text, line);
}

static int64_t next_end(const struct engine *engine)
{
    int64_t of_prefix = bans_next_end(engine_bans(engine));
    int64_t of_login = bans_next_end(engine_logins(engine));

    return of_prefix < 0 || (of_login >= 0 && of_login < of_prefix) ? of_login : of_prefix;
}

/* Up to then, what ends ends at its time. */
static void pass_to(struct replay *replay, int64_t at_ms)
{
    for (;;) {
        int64_t next_ms = next_end(replay->engine);
        if (next_ms < 0 || next_ms > at_ms)
            break;
        replay->now_ms = next_ms;
        engine_tick(replay->engine);
        answer_all(replay);
    }
    replay->now_ms = at_ms;
    engine_tick(replay->engine);
    answer_all(replay);
}

static void take(struct replay *replay, struct replay_line *line)
{
    if (line->is_empty)
        return;
    pass_to(replay, line->at_ms);
    bool happens = replay_ask(replay->engine, line);
    if (happens && line->is_auth_ok)
        engine_note_login(replay->engine, &line->peer, line->event.login);
    else if (happens)
        engine_report(replay->engine, &line->peer, &line->event, engine_nobody_waits, NULL);
    answer_all(replay);
}

static int take_lines(struct replay *replay, FILE *from, struct error *error_r)
{
    char text[REPLAY_LINE_MAX];
    struct replay_line line;
    unsigned number = 0;

    while (fgets(text, sizeof(text), from)) {
        number++;
        const char *wrong = "longer than 4094 bytes";
        if (strchr(text, '\n') || feof(from))
            wrong = replay_line_parse(text, replay->now_ms, &line);
        if (wrong)
            return error_set(error_r, ERROR_CONFIG, "line %u: %s", number, wrong);
        line.number = number;
        take(replay, &line);
    }
    return ferror(from) ? error_set(error_r, ERROR_SYSTEM, "cannot read the events") : 0;
}

int replay_events(const struct config *config, const struct origin_rules *rules, FILE *from,
                  FILE *to, struct error *error_r)
{
    struct replay replay = {
        .clock = {replayed_ms, replayed_ms},
        .store = {.put_ban = keep_no_ban, .delete_ban = delete_no_ban},
        .tally = replay_tally_new(config),
        .to = to,
        .now_ms = 1,
    };

    replay.engine = engine_new(&(struct engine_options){.config = config,
                                                        .rules = rules,
                                                        .clock = &replay.clock,
                                                        .store = &replay.store,
                                                        .random = random_u32});
    log_open("replay", LOG_TARGET_NOWHERE, LOG_LEVEL_DEBUG);
    log_capture(take_log, &replay);
    int rc = take_lines(&replay, from, error_r);
    if (rc == 0)
        replay_tally_log(replay.tally);
    log_capture(NULL, NULL);
    engine_free(&replay.engine);
    replay_tally_free(&replay.tally);
    free(replay.answers);
    return rc;
}
