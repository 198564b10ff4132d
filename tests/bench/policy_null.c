/* SPDX-License-Identifier: MIT */
/*
 * A policy server that does nothing but its input and output: it answers action=DUNNO
 * to each complete list. What is faster than this is faster than the kernel's part.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/bench/bench.h"

#define INPUT_MAX    65536
#define ANSWER       "action=DUNNO\n\n"
#define ANSWER_LEN   (sizeof(ANSWER) - 1)
#define ANSWERS_MAX  128
#define EVENTS_MAX   64
#define LISTENER_MAX 4

struct conn {
    int fd;
    size_t len;
    char in[INPUT_MAX];
};

static void watch(int poll_fd, int fd, void *ptr)
{
    struct epoll_event event = {.events = EPOLLIN, .data = {.ptr = ptr}};

    if (epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &event))
        bench_fail("epoll_ctl");
}

static void accept_one(int poll_fd, int listener)
{
    struct conn *conn = calloc(1, sizeof(*conn));
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

    if (fd < 0 || !conn)
        bench_fail("accept");
    bench_set_nodelay(fd);
    conn->fd = fd;
    watch(poll_fd, fd, conn);
}

/* How many whole lists there are; they are taken out of the input. */
static size_t take_lists(struct conn *conn)
{
    size_t count = 0, at = 0;
    char *end;

    while (count < ANSWERS_MAX && (end = memmem(conn->in + at, conn->len - at, "\n\n", 2))) {
        at = (size_t)(end - conn->in) + 2;
        count++;
    }
    conn->len -= at;
    memmove(conn->in, conn->in + at, conn->len);
    return count;
}

static void serve(struct conn *conn)
{
    static char answers[ANSWERS_MAX * ANSWER_LEN];
    ssize_t n = recv(conn->fd, conn->in + conn->len, sizeof(conn->in) - conn->len, 0);

    if (n <= 0) {
        close(conn->fd);
        free(conn);
        return;
    }
    conn->len += (size_t)n;
    size_t len = take_lists(conn) * ANSWER_LEN;
    for (size_t at = 0; at < len; at += ANSWER_LEN)
        memcpy(answers + at, ANSWER, ANSWER_LEN);
    if (len && send(conn->fd, answers, len, MSG_NOSIGNAL) != (ssize_t)len)
        bench_fail("send");
}

int main(int argc, char **argv)
{
    int listeners[LISTENER_MAX], poll_fd = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event events[EVENTS_MAX];

    if (argc < 2 || argc > LISTENER_MAX + 1) {
        fprintf(stderr, "Usage: policy_null ADDRESS...\n");
        return 2;
    }
    for (int i = 1; i < argc; i++) {
        listeners[i - 1] = bench_listen(argv[i]);
        watch(poll_fd, listeners[i - 1], &listeners[i - 1]);
    }
    for (;;) {
        int count = epoll_wait(poll_fd, events, EVENTS_MAX, -1);
        for (int i = 0; i < count; i++) {
            int *listener = events[i].data.ptr;
            if (listener >= listeners && listener < listeners + LISTENER_MAX)
                accept_one(poll_fd, *listener);
            else
                serve(events[i].data.ptr);
        }
    }
}
