/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/redis_server.h"

#include <stdlib.h>

#include "common/base/mem.h"
#include "common/base/random.h"

#define BACKOFF_FIRST_MS 100
#define BACKOFF_MAX_MS   5000 /* one that was ready for so long begins with the first again */

struct redis_server {
    struct loop *loop;
    const struct clock *clock;
    const struct redis_login *login;
    const char *channel;
    struct redis_server_handler handler;
    struct redis_link *link;
    struct loop_timer *again;
    unsigned attempts;
    int64_t backoff_ms;
    int64_t ready_mono_ms;
};

/* Between half of it and all: those that lost it together do not come back together. */
static int64_t wait_ms(struct redis_server *server)
{
    int64_t half = server->backoff_ms / 2, ms = half + random_u32() % (uint32_t)(half + 1);

    server->backoff_ms *= 2;
    if (server->backoff_ms > BACKOFF_MAX_MS)
        server->backoff_ms = BACKOFF_MAX_MS;
    return ms;
}

static void on_ready(void *ctx)
{
    struct redis_server *server = ctx;

    server->ready_mono_ms = clock_mono_ms(server->clock);
    server->handler.up(server->handler.ctx);
}

static void on_ended(const char *why, void *ctx)
{
    struct redis_server *server = ctx;
    int64_t now = clock_mono_ms(server->clock);

    if (server->ready_mono_ms != 0 && now - server->ready_mono_ms >= BACKOFF_MAX_MS)
        server->backoff_ms = BACKOFF_FIRST_MS;
    server->ready_mono_ms = 0;
    loop_timer_start(server->again, wait_ms(server));
    server->handler.down(why, server->handler.ctx);
}

static void on_message(const uint8_t *bytes, size_t len, void *ctx)
{
    struct redis_server *server = ctx;

    server->handler.message(bytes, len, server->handler.ctx);
}

static void on_again(void *ctx)
{
    struct redis_server *server = ctx;
    const char *address = server->handler.address(server->handler.ctx);

    redis_link_free(&server->link);
    if (!address) {
        loop_timer_start(server->again, BACKOFF_FIRST_MS);
        return;
    }
    server->link = redis_link_new(
        server->loop, server->clock, address, server->attempts++, server->login, server->channel,
        &(struct redis_link_handler){on_ready, on_ended, on_message, server});
}

struct redis_server *redis_server_new(struct loop *loop, const struct clock *clock,
                                      const struct redis_login *login, const char *channel,
                                      const struct redis_server_handler *handler)
{
    struct redis_server *server = x_calloc(1, sizeof(*server));

    server->loop = loop;
    server->clock = clock;
    server->login = login;
    server->channel = channel;
    server->handler = *handler;
    server->backoff_ms = BACKOFF_FIRST_MS;
    server->again = loop_timer_new(loop, on_again, server);
    loop_timer_start(server->again, 0);
    return server;
}

void redis_server_free(struct redis_server **server)
{
    if (!*server)
        return;
    redis_link_free(&(*server)->link);
    loop_timer_free(&(*server)->again);
    free(*server);
    *server = NULL;
}

void redis_server_drop(struct redis_server **server)
{
    if (!*server)
        return;
    redis_link_drop(&(*server)->link);
    redis_server_free(server);
}

struct redis_link *redis_server_link(const struct redis_server *server)
{
    return redis_link_is_ready(server->link) ? server->link : NULL;
}
