/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "ingress/pump.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/socket.h>
#include <unistd.h>

#define PIECE      65536    /* what a pipe holds */
#define COPY_MAX   PIPE_BUF /* what is less is not worth a pipe's two ways */
#define TURN_STEPS 8        /* pieces moved before others have their turn */

void pump_init(struct pump *pump, int from, int to)
{
    *pump = (struct pump){.from = from, .to = to, .result = PUMP_READ};
}

static void give_back(struct pump *pump, struct pipes *pipes)
{
    if (pump->in_pipe)
        pipes_drop(pipes, pump->pipe);
    else
        pipes_put(pipes, pump->pipe);
    pump->in_pipe = 0;
}

void pump_fini(struct pump *pump, struct pipes *pipes)
{
    if (pump->in_pipe)
        give_back(pump, pipes);
}

static bool would_wait(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK;
}

static ssize_t move(int from, int to, size_t len)
{
    ssize_t n;

    do
        n = splice(from, NULL, to, NULL, len, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    while (n < 0 && errno == EINTR);
    return n;
}

static enum pump_result pass_end_on(struct pump *pump)
{
    pump->has_passed = true;
    if (shutdown(pump->to, SHUT_WR) && errno != ENOTCONN)
        return PUMP_BROKEN;
    return PUMP_DONE;
}

/* What a read that brought n bytes, 0 or -1, means. */
static enum pump_result nothing_came(struct pump *pump, ssize_t n)
{
    if (n == 0)
        return pass_end_on(pump);
    return would_wait() ? PUMP_READ : PUMP_BROKEN;
}

/* Bytes that were sent on: tcp(7) throws them away with MSG_TRUNC. */
static void forget(int from, size_t len)
{
    while (len) {
        ssize_t n = recv(from, NULL, len, MSG_TRUNC);
        if (n <= 0 && errno != EINTR)
            return;
        len -= n > 0 ? (size_t)n : 0;
    }
}

/*
 * Out of descriptors there is no pipe; but what is open must be able to go on, and to end,
 * for only that frees some. What the receiver does not take stays with the kernel.
 */
static enum pump_result copy_without_pipe(struct pump *pump)
{
    uint8_t bytes[COPY_MAX];
    ssize_t n = recv(pump->from, bytes, sizeof(bytes), MSG_PEEK);

    if (n <= 0)
        return nothing_came(pump, n);
    n = send(pump->to, bytes, (size_t)n, MSG_NOSIGNAL);
    if (n < 0)
        return would_wait() ? PUMP_WRITE : PUMP_BROKEN;
    forget(pump->from, (size_t)n);
    return PUMP_AGAIN;
}

/* An empty pipe takes PIPE_BUF bytes whole. */
static enum pump_result keep(struct pump *pump, const uint8_t *bytes, size_t len)
{
    if (write(pump->pipe[1], bytes, len) != (ssize_t)len)
        return PUMP_BROKEN;
    pump->in_pipe = (uint32_t)len;
    return PUMP_WRITE;
}

/* A line or two cost less as a copy; what the receiver does not take at once waits in the pipe. */
static enum pump_result copy(struct pump *pump)
{
    uint8_t bytes[COPY_MAX];
    ssize_t n = recv(pump->from, bytes, sizeof(bytes), 0);

    if (n <= 0)
        return nothing_came(pump, n);
    ssize_t sent = send(pump->to, bytes, (size_t)n, MSG_NOSIGNAL);
    if (sent < 0 && !would_wait())
        return PUMP_BROKEN;
    if (sent < 0)
        sent = 0;
    if (sent < n)
        return keep(pump, bytes + sent, (size_t)(n - sent));
    pump->is_bulk = n == COPY_MAX;
    return pump->is_bulk ? PUMP_AGAIN : PUMP_READ;
}

static enum pump_result fill_pipe(struct pump *pump)
{
    ssize_t n = move(pump->from, pump->pipe[1], PIECE);

    if (n <= 0)
        return nothing_came(pump, n);
    pump->is_bulk = n >= COPY_MAX;
    pump->in_pipe = (uint32_t)n;
    return PUMP_AGAIN;
}

/* PUMP_AGAIN: there are bytes in the pipe now, or some were copied. */
static enum pump_result take_in(struct pump *pump, struct pipes *pipes)
{
    if (pipes_get(pipes, pump->pipe))
        return copy_without_pipe(pump);
    enum pump_result result = pump->is_bulk ? fill_pipe(pump) : copy(pump);
    int reason = errno;
    if (!pump->in_pipe)
        give_back(pump, pipes);
    errno = reason;
    return result;
}

/* PUMP_AGAIN: the pipe is empty, and given back. */
static enum pump_result put_out(struct pump *pump, struct pipes *pipes)
{
    while (pump->in_pipe) {
        ssize_t n = move(pump->pipe[0], pump->to, pump->in_pipe);
        if (n <= 0)
            return n < 0 && would_wait() ? PUMP_WRITE : PUMP_BROKEN;
        pump->in_pipe -= (uint32_t)n;
    }
    give_back(pump, pipes);
    return PUMP_AGAIN;
}

enum pump_result pump_run(struct pump *pump, struct pipes *pipes)
{
    enum pump_result result = pump->has_passed ? PUMP_DONE : PUMP_AGAIN;

    for (int i = 0; i < TURN_STEPS && result == PUMP_AGAIN; i++) {
        if (!pump->in_pipe)
            result = take_in(pump, pipes);
        if (result == PUMP_AGAIN && pump->in_pipe)
            result = put_out(pump, pipes);
    }
    pump->result = result;
    return result;
}
