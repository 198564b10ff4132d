/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/net/loop.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "common/base/bug.h"
#include "common/base/mem.h"

#define NS_A_SEC INT64_C(1000000000)
#define NS_A_MS  INT64_C(1000000)

struct post {
    struct post *next;
    loop_fn fn;
    void *ctx;
};

/*
 * The lock guards the posts and the wish to stop; all else is the loop thread's.
 * So libevent needs no locks of its own.
 */
struct loop {
    struct event_base *base;
    int wake_fd;
    struct event *wake;
    pthread_mutex_t lock;
    struct post *first;
    struct post **last;
    bool stopping;
};

/*
 * A timer that is moved to later, as that of a busy connection at each byte, only notes
 * it: its event fires as planned, finds that the time has not come, and is planned anew.
 */
struct loop_timer {
    struct event event;
    loop_fn fn;
    void *ctx;
    int64_t due_ns;
    int64_t planned_ns; /* when the event fires */
    bool is_planned;
};

struct loop_io {
    struct event event;
    unsigned events;
    loop_io_fn fn;
    void *ctx;
};

struct loop_signal {
    struct event *event;
    loop_fn fn;
    void *ctx;
};

static void loop_wake(struct loop *loop)
{
    uint64_t one = 1;

    /* EAGAIN: the counter is full, so the loop is about to wake anyway. */
    while (write(loop->wake_fd, &one, sizeof(one)) < 0 && errno == EINTR)
        continue;
}

static struct post *loop_take_posts(struct loop *loop, bool *stopping_r)
{
    pthread_mutex_lock(&loop->lock);
    struct post *posts = loop->first;
    loop->first = NULL;
    loop->last = &loop->first;
    *stopping_r = loop->stopping;
    loop->stopping = false;
    pthread_mutex_unlock(&loop->lock);
    return posts;
}

static void on_wake(evutil_socket_t fd, short what, void *ctx)
{
    struct loop *loop = ctx;
    uint64_t count;
    bool stopping;

    (void)what;
    while (read((int)fd, &count, sizeof(count)) < 0 && errno == EINTR)
        continue;
    struct post *post = loop_take_posts(loop, &stopping);
    while (post) {
        struct post *next = post->next;
        post->fn(post->ctx);
        free(post);
        post = next;
    }
    if (stopping)
        event_base_loopbreak(loop->base);
}

static struct event *event_make(struct event_base *base, int fd, short what, event_callback_fn fn,
                                void *ctx)
{
    struct event *event = event_new(base, fd, what, fn, ctx);

    BUG_ON(!event);
    return event;
}

static struct event_base *loop_base_new(void)
{
    struct event_config *config = event_config_new();

    BUG_ON(!config);
    /* A timer counts from when it is started, not from when the loop last woke up. */
    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_NO_CACHE_TIME);
    struct event_base *base = event_base_new_with_config(config);
    event_config_free(config);
    if (!base)
        BUG("no event loop: %s", strerror(errno));
    return base;
}

struct loop *loop_new(void)
{
    struct loop *loop = x_calloc(1, sizeof(*loop));

    loop->base = loop_base_new();
    loop->last = &loop->first;
    pthread_mutex_init(&loop->lock, NULL);
    loop->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (loop->wake_fd < 0)
        BUG("eventfd: %s", strerror(errno));
    loop->wake = event_make(loop->base, loop->wake_fd, EV_READ | EV_PERSIST, on_wake, loop);
    BUG_ON(event_add(loop->wake, NULL) != 0);
    return loop;
}

void loop_free(struct loop **loop)
{
    struct loop *old = *loop;
    bool stopping;

    if (!old)
        return;
    *loop = NULL;
    struct post *post = loop_take_posts(old, &stopping);
    while (post) {
        struct post *next = post->next;
        free(post);
        post = next;
    }
    event_free(old->wake);
    close(old->wake_fd);
    event_base_free(old->base);
    pthread_mutex_destroy(&old->lock);
    free(old);
}

void loop_run(struct loop *loop)
{
    BUG_ON(event_base_loop(loop->base, EVLOOP_NO_EXIT_ON_EMPTY) < 0);
}

void loop_run_once(struct loop *loop)
{
    BUG_ON(event_base_loop(loop->base, EVLOOP_ONCE | EVLOOP_NONBLOCK) < 0);
}

void loop_stop(struct loop *loop)
{
    pthread_mutex_lock(&loop->lock);
    loop->stopping = true;
    pthread_mutex_unlock(&loop->lock);
    loop_wake(loop);
}

void loop_post(struct loop *loop, loop_fn fn, void *ctx)
{
    struct post *post = x_malloc(sizeof(*post));

    *post = (struct post){.fn = fn, .ctx = ctx};
    pthread_mutex_lock(&loop->lock);
    *loop->last = post;
    loop->last = &post->next;
    pthread_mutex_unlock(&loop->lock);
    loop_wake(loop);
}

/* The clock that libevent looks at, too: the two agree on what has come. */
static int64_t timer_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (int64_t)now.tv_sec * NS_A_SEC + now.tv_nsec;
}

static void timer_plan(struct loop_timer *timer, int64_t now_ns)
{
    int64_t left_ns = timer->due_ns - now_ns;
    struct timeval tv = {.tv_sec = (time_t)(left_ns / NS_A_SEC),
                         .tv_usec = (suseconds_t)(left_ns % NS_A_SEC / 1000)};

    BUG_ON(event_add(&timer->event, &tv) != 0);
    timer->planned_ns = timer->due_ns;
    timer->is_planned = true;
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
    struct loop_timer *timer = ctx;
    int64_t now_ns = timer_now_ns();

    (void)fd;
    (void)what;
    timer->is_planned = false;
    if (timer->due_ns - now_ns >= NS_A_MS)
        timer_plan(timer, now_ns);
    else
        timer->fn(timer->ctx);
}

struct loop_timer *loop_timer_new(struct loop *loop, loop_fn fn, void *ctx)
{
    struct loop_timer *timer = x_calloc(1, sizeof(*timer));

    timer->fn = fn;
    timer->ctx = ctx;
    BUG_ON(event_assign(&timer->event, loop->base, -1, 0, on_timer, timer) != 0);
    return timer;
}

void loop_timer_start(struct loop_timer *timer, int64_t after_ms)
{
    int64_t now_ns = timer_now_ns();

    timer->due_ns = now_ns + (after_ms > 0 ? after_ms * NS_A_MS : 0);
    if (!timer->is_planned || timer->planned_ns > timer->due_ns)
        timer_plan(timer, now_ns);
}

void loop_timer_stop(struct loop_timer *timer)
{
    event_del(&timer->event);
    timer->is_planned = false;
}

void loop_timer_free(struct loop_timer **timer)
{
    if (!*timer)
        return;
    event_del(&(*timer)->event);
    free(*timer);
    *timer = NULL;
}

static void on_io(evutil_socket_t fd, short what, void *ctx)
{
    struct loop_io *io = ctx;
    unsigned events = 0;

    (void)fd;
    if (what & EV_READ)
        events |= LOOP_READ;
    if (what & EV_WRITE)
        events |= LOOP_WRITE;
    io->fn(events, io->ctx);
}

struct loop_io *loop_io_new(struct loop *loop, int fd, unsigned events, loop_io_fn fn, void *ctx)
{
    struct loop_io *io = x_calloc(1, sizeof(*io));

    io->fn = fn;
    io->ctx = ctx;
    BUG_ON(event_assign(&io->event, loop->base, fd, EV_READ | EV_PERSIST, on_io, io) != 0);
    loop_io_want(io, events);
    return io;
}

void loop_io_want(struct loop_io *io, unsigned events)
{
    short what = EV_PERSIST;

    if (events == io->events)
        return;
    if (events & LOOP_READ)
        what |= EV_READ;
    if (events & LOOP_WRITE)
        what |= EV_WRITE;
    event_del(&io->event);
    io->events = events;
    if (!events)
        return;
    BUG_ON(event_assign(&io->event, event_get_base(&io->event), event_get_fd(&io->event), what,
                        on_io, io) != 0);
    if (event_add(&io->event, NULL) != 0)
        BUG("cannot watch descriptor %d: %s", (int)event_get_fd(&io->event), strerror(errno));
}

void loop_io_free(struct loop_io **io)
{
    if (!*io)
        return;
    event_del(&(*io)->event);
    free(*io);
    *io = NULL;
}

static void on_signal(evutil_socket_t signo, short what, void *ctx)
{
    struct loop_signal *signal = ctx;

    (void)signo;
    (void)what;
    signal->fn(signal->ctx);
}

struct loop_signal *loop_signal_new(struct loop *loop, int signo, loop_fn fn, void *ctx)
{
    struct loop_signal *signal = x_malloc(sizeof(*signal));

    signal->fn = fn;
    signal->ctx = ctx;
    signal->event = event_make(loop->base, signo, EV_SIGNAL | EV_PERSIST, on_signal, signal);
    BUG_ON(event_add(signal->event, NULL) != 0);
    return signal;
}

void loop_signal_free(struct loop_signal **signal)
{
    if (!*signal)
        return;
    event_free((*signal)->event);
    free(*signal);
    *signal = NULL;
}

struct event_base *loop_event_base(struct loop *loop)
{
    return loop->base;
}
