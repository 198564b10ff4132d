/* SPDX-License-Identifier: MIT */
#ifndef PN_NET_LOOP_H
#define PN_NET_LOOP_H

#include <stdint.h>

struct event_base;

/*
 * One thread's event loop over libevent. Everything here belongs to the thread
 * that runs the loop, except loop_post() and loop_stop().
 */
struct loop;
struct loop_timer;
struct loop_io;
struct loop_signal;

typedef void (*loop_fn)(void *ctx);

#define LOOP_READ  1u
#define LOOP_WRITE 2u
typedef void (*loop_io_fn)(unsigned events, void *ctx);

/* After process_detach(): a loop does not survive a fork. */
struct loop *loop_new(void);
/*
 * After loop_run() returned, and after everything made on it was freed. Posts that
 * did not run yet never will.
 */
void loop_free(struct loop **loop);

/* Runs until loop_stop(), which counts when it came first, too. */
void loop_run(struct loop *loop);
/* Any thread. */
void loop_stop(struct loop *loop);
/* One round without waiting; for tests. */
void loop_run_once(struct loop *loop);

/* Any thread: have fn called in the loop's thread, in the order of the posts. */
void loop_post(struct loop *loop, loop_fn fn, void *ctx);

/*
 * A timer that fires once each time it is started; starting again moves it. Any of
 * the loop's things may be freed from within its own fn.
 */
struct loop_timer *loop_timer_new(struct loop *loop, loop_fn fn, void *ctx);
void loop_timer_start(struct loop_timer *timer, int64_t after_ms);
void loop_timer_stop(struct loop_timer *timer);
void loop_timer_free(struct loop_timer **timer);

/* Watches fd, which stays the caller's. events may be 0: nothing for now. */
struct loop_io *loop_io_new(struct loop *loop, int fd, unsigned events, loop_io_fn fn, void *ctx);
void loop_io_want(struct loop_io *io, unsigned events);
void loop_io_free(struct loop_io **io);

struct loop_signal *loop_signal_new(struct loop *loop, int signo, loop_fn fn, void *ctx);
void loop_signal_free(struct loop_signal **signal);

/* For the modules that hand it to a library (the resolver). */
struct event_base *loop_event_base(struct loop *loop);

#endif
