/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/redis_guide.h"

#include <stdlib.h>

#include "common/base/mem.h"
#include "policyd/redis_server.h"

#define SWITCHED "+switch-master" /* the channel on which a sentinel tells of another master */

#define ASK_MS   2000 /* between two questions */
#define HURRY_MS 100  /* at least */
#define VAIN_MAX 5    /* answers that do not help, until another is asked */

struct redis_guide {
    struct redis_guide_options options;
    struct redis_server *server;
    struct redis_server *news; /* of the same sentinel, once it is there; NULL: a Cluster */
    struct loop_timer *ask;
    size_t turn;   /* whom to ask next */
    unsigned vain; /* answers in a row that did not help */
    bool is_asking;
    int64_t asked_mono_ms;
};

static int64_t now_of(const struct redis_guide *guide)
{
    return clock_mono_ms(guide->options.clock);
}

static int read_answer(const struct redis_guide *guide, struct redis_map *map,
                       const struct redis_value *value, const char *asked)
{
    return guide->options.master ? redis_map_read_sentinel(map, value)
                                 : redis_map_read_cluster(map, value, asked);
}

/* One that is cut off from the others names a master that is none any more, for ever. */
static void take_map(struct redis_guide *guide, const struct redis_map *map,
                     struct redis_link *link)
{
    guide->vain = guide->options.learned(map, guide->options.ctx) ? 0 : guide->vain + 1;
    if (guide->vain < VAIN_MAX)
        return;
    guide->vain = 0;
    redis_link_fail(link, "what it names is away");
}

static void on_answer(struct redis_command *command, const struct redis_value *value)
{
    struct redis_guide *guide = command->owner;
    struct redis_link *link = command->link;
    struct redis_map *map;

    redis_command_free(&command);
    guide->is_asking = false;
    if (!value)
        return;
    loop_timer_start(guide->ask, ASK_MS);
    map = redis_map_new();
    if (read_answer(guide, map, value, redis_link_address(link)) == 0)
        take_map(guide, map, link);
    else
        redis_link_fail(link, guide->options.master
                                  ? "it knows no master of that name (master in section redis)"
                                  : "it tells no slots: this is no Cluster, or an unfinished one");
    redis_map_free(&map);
}

static struct redis_command *question(const struct redis_guide *guide)
{
    const char *const sentinel[] = {"SENTINEL", "get-master-addr-by-name", guide->options.master};
    const char *const cluster[] = {"CLUSTER", "SLOTS"};

    return guide->options.master ? redis_command_new(3, sentinel, NULL)
                                 : redis_command_new(2, cluster, NULL);
}

static void on_ask(void *ctx)
{
    struct redis_guide *guide = ctx;
    struct redis_link *link = redis_server_link(guide->server);
    struct redis_command *command;

    if (!link || guide->is_asking)
        return;
    command = question(guide);
    command->done = on_answer;
    command->owner = guide;
    guide->is_asking = redis_link_send(link, command);
    guide->asked_mono_ms = now_of(guide);
    if (!guide->is_asking)
        redis_command_free(&command);
}

void redis_guide_hurry(struct redis_guide *guide)
{
    int64_t wait_ms = guide->asked_mono_ms + HURRY_MS - now_of(guide);

    loop_timer_start(guide->ask, wait_ms > 0 ? wait_ms : 0);
}

static const char *on_address(void *ctx)
{
    struct redis_guide *guide = ctx;
    const struct config_strings *servers = guide->options.servers;
    const char *other;

    if (guide->turn >= servers->count) {
        other = guide->options.other(guide->turn - servers->count, guide->options.ctx);
        guide->turn = other ? guide->turn + 1 : 0;
        if (other)
            return other;
    }
    return servers->items[guide->turn++];
}

static const char *news_address(void *ctx)
{
    const struct redis_guide *guide = ctx;
    const struct redis_link *link = redis_server_link(guide->server);

    return link ? redis_link_address(link) : NULL;
}

/* Also when it can tell again: what it told meanwhile is lost. */
static void on_news_up(void *ctx)
{
    redis_guide_hurry(ctx);
}

static void on_news(const uint8_t *bytes, size_t len, void *ctx)
{
    (void)bytes;
    (void)len;
    redis_guide_hurry(ctx);
}

/* Without them it is asked as often as ever. */
static void on_news_down(const char *why, void *ctx)
{
    (void)why;
    (void)ctx;
}

static void follow_news(struct redis_guide *guide)
{
    const struct redis_guide_options *options = &guide->options;

    redis_server_free(&guide->news);
    guide->news = redis_server_new(
        options->loop, options->clock, options->login, SWITCHED,
        &(struct redis_server_handler){news_address, on_news_up, on_news_down, on_news, guide});
}

static void on_up(void *ctx)
{
    struct redis_guide *guide = ctx;

    loop_timer_start(guide->ask, 0);
    if (guide->options.master)
        follow_news(guide);
}

static void on_down(const char *why, void *ctx)
{
    struct redis_guide *guide = ctx;

    guide->options.down(why, guide->options.ctx);
}

struct redis_guide *redis_guide_new(const struct redis_guide_options *options)
{
    struct redis_guide *guide = x_calloc(1, sizeof(*guide));

    guide->options = *options;
    guide->ask = loop_timer_new(options->loop, on_ask, guide);
    guide->server =
        redis_server_new(options->loop, options->clock, options->login, NULL,
                         &(struct redis_server_handler){on_address, on_up, on_down, NULL, guide});
    return guide;
}

void redis_guide_free(struct redis_guide **guide)
{
    if (!*guide)
        return;
    redis_server_free(&(*guide)->news);
    redis_server_free(&(*guide)->server);
    loop_timer_free(&(*guide)->ask);
    free(*guide);
    *guide = NULL;
}
