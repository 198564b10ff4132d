/* SPDX-License-Identifier: MIT */
#ifndef PN_MILTER_GATE_H
#define PN_MILTER_GATE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * Who is inside a callback, or in the middle of what several callbacks do. libmilter
 * frees sessions under its own running threads when it is told to stop, so the program
 * is not stopped that way: it closes the gate, waits until the last one is out, and
 * leaves.
 *
 * Any thread.
 */
struct gate {
    pthread_mutex_t lock;
    pthread_cond_t empty;
    size_t inside;
    enum { GATE_OPEN, GATE_CLOSING, GATE_SHUT } state;
};

/* For the life of the process: somebody may come late, and must find it closed. */
void gate_init(struct gate *gate);

/*
 * False once the gate is closed: then nothing may be touched, and gate_leave() is not
 * called. While it is closing, those still come in that hold it; held is where they
 * know that from, or NULL, and is not looked at any more once the gate is shut.
 */
bool gate_enter(struct gate *gate, const bool *held) __attribute__((warn_unused_result));

/* Returns status, so that a callback can be written in one line. */
int gate_leave(struct gate *gate, int status);

/* Count as inside between two callbacks too, until gate_let_go(). Both may be repeated. */
void gate_hold(struct gate *gate, bool *held);
void gate_let_go(struct gate *gate, bool *held);

/* Lets nobody in any more but those who hold it. True when all were out within timeout_ms. */
bool gate_close(struct gate *gate, unsigned timeout_ms) __attribute__((warn_unused_result));

#endif
