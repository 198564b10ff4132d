/* SPDX-License-Identifier: MIT */
/*
 * Loads what takes PROXY headers as a gateway does, in a closed loop: each connection is
 * opened, sends a version 2 header of some client, waits for the server's greeting and is
 * reset; or (-b) sends as much as it can for the time.
 */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/bench/bench.h"

#define SLOTS_MAX  1024
#define EVENTS_MAX 64
#define PIECE      262144
#define HEADER_LEN 28

struct slot {
    int fd;
    bool is_open; /* the header is sent */
    int64_t began_ns;
};

static struct sockaddr_in target;
static struct latencies latencies;
static uint64_t bytes;
static int poll_fd;

/* A client of 20.0.0.0/8: global, and nobody's gateway. */
static void put_header(uint8_t out[HEADER_LEN])
{
    static const uint8_t head[] = {'\r', '\n', '\r', '\n', 0,    '\r', '\n', 'Q',
                                   'U',  'I',  'T',  '\n', 0x21, 0x11, 0,    12};
    uint32_t client = htonl(UINT32_C(20) << 24 | bench_random(CLIENT_MAX));
    uint32_t server = htonl(UINT32_C(0xC6336419)); /* 198.51.100.25 */
    uint16_t ports[2] = {htons(40000), htons(25)};

    memcpy(out, head, sizeof(head));
    memcpy(out + 16, &client, 4);
    memcpy(out + 20, &server, 4);
    memcpy(out + 24, ports, 4);
}

static void want(struct slot *slot, int operation, uint32_t events)
{
    struct epoll_event event = {.events = events, .data = {.ptr = slot}};

    if (epoll_ctl(poll_fd, operation, slot->fd, &event))
        bench_fail("epoll_ctl");
}

static void open_slot(struct slot *slot)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};

    slot->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (slot->fd < 0)
        bench_fail("socket");
    bench_set_nodelay(slot->fd);
    (void)setsockopt(slot->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    slot->is_open = false;
    slot->began_ns = bench_now_ns();
    if (connect(slot->fd, (struct sockaddr *)&target, sizeof(target)) && errno != EINPROGRESS)
        bench_fail("connect");
    want(slot, EPOLL_CTL_ADD, EPOLLOUT);
}

static void introduce(struct slot *slot, uint32_t next)
{
    uint8_t header[HEADER_LEN];

    put_header(header);
    if (send(slot->fd, header, sizeof(header), MSG_NOSIGNAL) != sizeof(header))
        bench_fail("send");
    slot->is_open = true;
    want(slot, EPOLL_CTL_MOD, next);
}

static void hear(struct slot *slot)
{
    char greeting[512];

    if (recv(slot->fd, greeting, sizeof(greeting), 0) <= 0)
        bench_fail("no greeting");
    latencies_add(&latencies, (uint64_t)(bench_now_ns() - slot->began_ns));
    close(slot->fd);
    open_slot(slot);
}

static void pour(struct slot *slot)
{
    static uint8_t piece[PIECE];
    ssize_t n = send(slot->fd, piece, sizeof(piece), MSG_NOSIGNAL);

    if (n < 0 && errno != EAGAIN)
        bench_fail("send");
    if (n > 0)
        bytes += (uint64_t)n;
}

static void turn(struct slot *slot, bool is_bulk)
{
    if (!slot->is_open)
        introduce(slot, is_bulk ? EPOLLOUT : EPOLLIN);
    else if (is_bulk)
        pour(slot);
    else
        hear(slot);
}

static void run(int64_t until_ns, bool is_bulk)
{
    struct epoll_event events[EVENTS_MAX];

    while (bench_now_ns() < until_ns) {
        int count = epoll_wait(poll_fd, events, EVENTS_MAX, 100);
        for (int i = 0; i < count; i++)
            turn(events[i].data.ptr, is_bulk);
    }
}

static void aim(const char *address)
{
    char host[64];
    const char *colon = strrchr(address, ':');

    if (!colon || (size_t)(colon - address) >= sizeof(host))
        bench_fail("HOST:PORT is right");
    memcpy(host, address, (size_t)(colon - address));
    host[colon - address] = '\0';
    target.sin_family = AF_INET;
    target.sin_port = htons((uint16_t)bench_number(colon + 1, 65535));
    if (inet_pton(AF_INET, host, &target.sin_addr) != 1)
        bench_fail(host);
}

int main(int argc, char **argv)
{
    static struct slot slots[SLOTS_MAX];
    uint64_t count = 1, milliseconds = 1000;
    bool is_bulk = false;
    int option;

    while ((option = getopt(argc, argv, "bc:t:")) != -1) {
        if (option == 'b')
            is_bulk = true;
        else if (option == 'c')
            count = bench_number(optarg, SLOTS_MAX);
        else if (option == 't')
            milliseconds = bench_number(optarg, 3600000);
    }
    if (optind + 1 != argc) {
        fprintf(stderr, "Usage: proxy_load [-b] [-c CONNECTIONS] [-t MS] HOST:PORT\n");
        return 2;
    }
    aim(argv[optind]);
    poll_fd = epoll_create1(EPOLL_CLOEXEC);
    for (uint64_t i = 0; i < count; i++)
        open_slot(&slots[i]);
    int64_t began_ns = bench_now_ns();
    run(began_ns + (int64_t)milliseconds * 1000000, is_bulk);
    int64_t elapsed_ns = bench_now_ns() - began_ns;
    if (is_bulk)
        printf("count=%.1f rate=%.1f\n", (double)bytes / 1e6,
               (double)bytes * 1e3 / (double)elapsed_ns);
    else
        latencies_print(&latencies, elapsed_ns);
    return 0;
}
