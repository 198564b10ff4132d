/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "ingress/generation.h"

#include <signal.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/base/process.h"
#include "common/net/listener.h"
#include "ingress/handover.h"
#include "ingress/predecessor.h"

struct generation {
    struct generation_options options;
    struct predecessor *predecessor; /* NULL: there was none, or others hear it now */
    struct handover *handover;       /* NULL: not in service yet */
    struct loop_signal *hangup, *user;
    struct loop_timer *alive; /* NULL: the service manager does not ask */
};

/* One at a time: an old process that lives on does not stand for the one in service. */
static void on_alive(void *ctx)
{
    struct generation *generation = ctx;

    if (handover_is_done(generation->handover))
        return;
    process_notify_alive();
    loop_timer_start(generation->alive, process_notify_alive_ms());
}

static void on_handover_signal(void *ctx)
{
    struct generation *generation = ctx;

    handover_begin(generation->handover);
}

static void on_drained(void *ctx)
{
    struct generation *generation = ctx;

    generation->options.on_drained(generation->options.ctx);
}

static void on_draining(void *ctx)
{
    struct generation *generation = ctx;

    handover_look(generation->handover);
}

static void expect_next(struct generation *generation)
{
    struct loop *loop = generation->options.loop;

    generation->handover = handover_new(&(struct handover_options){
        .loop = loop,
        .server = generation->options.server,
        .argv = generation->options.next,
        .drain_timeout_sec = generation->options.drain_timeout_sec,
        .predecessor = &generation->predecessor,
        .on_drained = on_drained,
        .ctx = generation,
    });
    generation->hangup = loop_signal_new(loop, SIGHUP, on_handover_signal, generation);
    generation->user = loop_signal_new(loop, SIGUSR2, on_handover_signal, generation);
}

/* The sockets are this process's alone, and all that it needs is there. */
static void on_go(void *ctx)
{
    struct generation *generation = ctx;

    listener_leave_files(false);
    server_accept(generation->options.server);
    expect_next(generation);
    generation->options.on_service(generation->options.ctx);
    if (process_has_predecessor())
        process_notify_taken_over();
    else
        process_notify_ready();
    if (process_notify_alive_ms()) {
        generation->alive = loop_timer_new(generation->options.loop, on_alive, generation);
        on_alive(generation);
    }
}

static void take_over(struct generation *generation, const int *channels, size_t count)
{
    generation->predecessor = predecessor_new(&(struct predecessor_options){
        .loop = generation->options.loop,
        .fds = channels,
        .count = count,
        .sessions = server_sessions(generation->options.server),
        .draining = server_draining(generation->options.server),
        .on_go = on_go,
        .on_draining = on_draining,
        .ctx = generation,
    });
}

struct generation *generation_new(const struct generation_options *options)
{
    struct generation *generation = x_calloc(1, sizeof(*generation));
    int channels[GENERATIONS_MAX];
    size_t count = process_predecessor_channels(channels, GENERATIONS_MAX);

    generation->options = *options;
    if (count)
        take_over(generation, channels, count);
    else
        on_go(generation);
    return generation;
}

void generation_free(struct generation **generation)
{
    struct generation *old = *generation;

    if (!old)
        return;
    *generation = NULL;
    handover_free(&old->handover);
    predecessor_free(&old->predecessor);
    loop_timer_free(&old->alive);
    loop_signal_free(&old->user);
    loop_signal_free(&old->hangup);
    free(old);
}

void generation_stops(const struct generation *generation)
{
    if (generation->handover && !handover_is_done(generation->handover))
        process_notify_stopping();
}
