/* SPDX-License-Identifier: MIT */
#ifndef PN_MILTER_GATE_H
#define PN_MILTER_GATE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * Who is inside a callback. libmilter frees sessions under its own running threads
 * when it is told to stop, so the program is not stopped that way: it closes the
 * gate, waits until the last callback is out, and leaves.
 *
 * Any thread.
 */
struct gate {
    pthread_mutex_t lock;
    pthread_cond_t empty;
    size_t inside;
    bool closed;
};

void gate_init(struct gate *gate);
/* Nobody may come to it any more, not even to find it closed. */
void gate_fini(struct gate *gate);

/* False once the gate is closed: then nothing may be touched, and gate_leave() is not called. */
bool gate_enter(struct gate *gate) __attribute__((warn_unused_result));

/* Returns status, so that a callback can be written in one line. */
int gate_leave(struct gate *gate, int status);

/* Lets nobody in any more. True when all were out within timeout_ms. */
bool gate_close(struct gate *gate, unsigned timeout_ms) __attribute__((warn_unused_result));

#endif
