/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "milter/gate.h"

#include <errno.h>
#include <time.h>

#include "common/base/bug.h"

void gate_init(struct gate *gate)
{
    pthread_condattr_t attr;

    *gate = (struct gate){.state = GATE_OPEN};
    pthread_mutex_init(&gate->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&gate->empty, &attr);
    pthread_condattr_destroy(&attr);
}

bool gate_enter(struct gate *gate, const bool *held)
{
    pthread_mutex_lock(&gate->lock);
    bool welcome =
        gate->state == GATE_OPEN || (gate->state == GATE_CLOSING && held != NULL && *held);
    if (welcome)
        gate->inside++;
    pthread_mutex_unlock(&gate->lock);
    return welcome;
}

static void one_less(struct gate *gate)
{
    BUG_ON(gate->inside == 0);
    if (--gate->inside == 0)
        pthread_cond_broadcast(&gate->empty);
}

int gate_leave(struct gate *gate, int status)
{
    pthread_mutex_lock(&gate->lock);
    one_less(gate);
    pthread_mutex_unlock(&gate->lock);
    return status;
}

void gate_hold(struct gate *gate, bool *held)
{
    pthread_mutex_lock(&gate->lock);
    if (!*held)
        gate->inside++;
    *held = true;
    pthread_mutex_unlock(&gate->lock);
}

void gate_let_go(struct gate *gate, bool *held)
{
    pthread_mutex_lock(&gate->lock);
    if (*held)
        one_less(gate);
    *held = false;
    pthread_mutex_unlock(&gate->lock);
}

static struct timespec deadline_in(unsigned timeout_ms)
{
    struct timespec at;

    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += timeout_ms / 1000;
    at.tv_nsec += (long)(timeout_ms % 1000) * 1000000L;
    if (at.tv_nsec >= 1000000000L) {
        at.tv_sec++;
        at.tv_nsec -= 1000000000L;
    }
    return at;
}

bool gate_close(struct gate *gate, unsigned timeout_ms)
{
    struct timespec until = deadline_in(timeout_ms);
    int rc = 0;

    pthread_mutex_lock(&gate->lock);
    gate->state = GATE_CLOSING;
    while (gate->inside > 0 && rc != ETIMEDOUT)
        rc = pthread_cond_timedwait(&gate->empty, &gate->lock, &until);
    bool empty = gate->inside == 0;
    gate->state = GATE_SHUT;
    pthread_mutex_unlock(&gate->lock);
    return empty;
}
