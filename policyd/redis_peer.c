/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/redis_peer.h"

#include <stdlib.h>

#include "common/base/mem.h"
#include "common/base/random.h"

#define BACKOFF_FIRST_MS 100
#define BACKOFF_MAX_MS   5000 /* one that was ready for so long begins with the first again */

struct redis_peer {
    struct loop *loop;
    const struct clock *clock;
    const struct redis_login *login;
    const char *channel;
    struct redis_peer_handler handler;
    struct redis_link *link;
    struct loop_timer *again;
    unsigned attempts;
    int64_t backoff_ms;
    int64_t ready_mono_ms;
};

/* Between half of it and all: those that lost it together do not come back together. */
static int64_t wait_ms(struct redis_peer *peer)
{
    int64_t half = peer->backoff_ms / 2, ms = half + random_u32() % (uint32_t)(half + 1);

    peer->backoff_ms *= 2;
    if (peer->backoff_ms > BACKOFF_MAX_MS)
        peer->backoff_ms = BACKOFF_MAX_MS;
    return ms;
}

static void on_ready(void *ctx)
{
    struct redis_peer *peer = ctx;

    peer->ready_mono_ms = clock_mono_ms(peer->clock);
    peer->handler.up(peer->handler.ctx);
}

static void on_ended(const char *why, void *ctx)
{
    struct redis_peer *peer = ctx;
    int64_t now = clock_mono_ms(peer->clock);

    if (peer->ready_mono_ms != 0 && now - peer->ready_mono_ms >= BACKOFF_MAX_MS)
        peer->backoff_ms = BACKOFF_FIRST_MS;
    peer->ready_mono_ms = 0;
    loop_timer_start(peer->again, wait_ms(peer));
    peer->handler.down(why, peer->handler.ctx);
}

static void on_message(const uint8_t *bytes, size_t len, void *ctx)
{
    struct redis_peer *peer = ctx;

    peer->handler.message(bytes, len, peer->handler.ctx);
}

static void on_again(void *ctx)
{
    struct redis_peer *peer = ctx;
    const char *address = peer->handler.address(peer->handler.ctx);

    redis_link_free(&peer->link);
    if (!address) {
        loop_timer_start(peer->again, BACKOFF_FIRST_MS);
        return;
    }
    peer->link = redis_link_new(peer->loop, peer->clock, address, peer->attempts++, peer->login,
                                peer->channel,
                                &(struct redis_link_handler){on_ready, on_ended, on_message, peer});
}

struct redis_peer *redis_peer_new(struct loop *loop, const struct clock *clock,
                                  const struct redis_login *login, const char *channel,
                                  const struct redis_peer_handler *handler)
{
    struct redis_peer *peer = x_calloc(1, sizeof(*peer));

    peer->loop = loop;
    peer->clock = clock;
    peer->login = login;
    peer->channel = channel;
    peer->handler = *handler;
    peer->backoff_ms = BACKOFF_FIRST_MS;
    peer->again = loop_timer_new(loop, on_again, peer);
    loop_timer_start(peer->again, 0);
    return peer;
}

void redis_peer_free(struct redis_peer **peer)
{
    if (!*peer)
        return;
    redis_link_free(&(*peer)->link);
    loop_timer_free(&(*peer)->again);
    free(*peer);
    *peer = NULL;
}

void redis_peer_drop(struct redis_peer **peer)
{
    if (!*peer)
        return;
    redis_link_drop(&(*peer)->link);
    redis_peer_free(peer);
}

struct redis_link *redis_peer_link(const struct redis_peer *peer)
{
    return redis_link_is_ready(peer->link) ? peer->link : NULL;
}
