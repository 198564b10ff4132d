/* SPDX-License-Identifier: MIT */
/*
 * A server behind a PROXY port that does nothing: it greets once the header has come, and
 * reads the rest away.
 */
#include "config.h"

#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/bench/bench.h"

#define EVENTS_MAX 64
#define PIECE      262144
#define GREETING   "220 mail.example.org ESMTP\r\n"

static void watch(int poll_fd, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events, .data = {.fd = fd}};

    if (epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &event))
        bench_fail("epoll_ctl");
}

/* The first bytes are the header; the descriptor's bit says that it has come. */
static uint8_t is_greeted[65536];

static void accept_one(int poll_fd, int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

    if (fd < 0 || fd >= (int)sizeof(is_greeted))
        bench_fail("accept");
    bench_set_nodelay(fd);
    is_greeted[fd] = 0;
    watch(poll_fd, fd, EPOLLIN);
}

static void serve(int fd)
{
    static char piece[PIECE];

    if (recv(fd, piece, sizeof(piece), 0) <= 0) {
        close(fd);
    } else if (!is_greeted[fd]) {
        is_greeted[fd] = 1;
        (void)!send(fd, GREETING, sizeof(GREETING) - 1, MSG_NOSIGNAL);
    }
}

int main(int argc, char **argv)
{
    struct epoll_event events[EVENTS_MAX];
    int poll_fd = epoll_create1(EPOLL_CLOEXEC);

    if (argc != 2) {
        fprintf(stderr, "Usage: proxy_sink HOST:PORT\n");
        return 2;
    }
    int listener = bench_listen(argv[1]);
    watch(poll_fd, listener, EPOLLIN);
    for (;;) {
        int count = epoll_wait(poll_fd, events, EVENTS_MAX, -1);
        for (int i = 0; i < count; i++) {
            if (events[i].data.fd == listener)
                accept_one(poll_fd, listener);
            else
                serve(events[i].data.fd);
        }
    }
}
