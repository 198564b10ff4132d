/* SPDX-License-Identifier: MIT */
/*
 * Asks policyd as Postfix or Dovecot does, in a closed loop: each connection has a fixed
 * number of requests under way, and the next one follows an answer.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/bench/ask.h"
#include "tests/bench/bench.h"

#define CONNECTIONS_MAX 10000
#define DEPTH_MAX       64
#define INPUT_MAX       8192
#define EVENTS_MAX      64

static const char usage[] =
    "Usage: policy_load [-a ASK] [-c CONNECTIONS] [-d DEPTH] [-k CLIENTS]\n"
    "                   [-t MILLISECONDS | -1] ADDRESS\n"
    "\n"
    "  -a   what: policy, Postfix's; or Dovecot's allow or report; policy\n"
    "  -c   connections; 8\n"
    "  -d   requests under way on each: 1, as both do\n"
    "  -k   client addresses, each as likely as any other; 1000\n"
    "  -t   for so long; 1000\n"
    "  -1   until each client was asked about once, one after the other\n"
    "\n"
    "ADDRESS is unix:PATH or HOST:PORT. Latencies are in microseconds; other= counts the\n"
    "answers that refuse or are none.\n";

struct options {
    const struct ask *ask;
    size_t connections;
    size_t depth;
    uint32_t clients;
    int64_t milliseconds;
    bool once;
    const char *address;
};

struct conn {
    int fd;
    int64_t sent_ns[DEPTH_MAX]; /* a ring: answers come in the order of the requests */
    size_t first;
    size_t under_way;
    size_t in_len;
    char in[INPUT_MAX];
};

struct load {
    struct options options;
    struct latencies latencies;
    uint64_t sent;
    uint64_t other;
    size_t under_way;
    int64_t stop_ns;
};

static bool wants_more(const struct load *load, int64_t now_ns)
{
    return load->options.once ? load->sent < load->options.clients : now_ns < load->stop_ns;
}

static uint32_t next_client(const struct load *load)
{
    return load->options.once ? (uint32_t)load->sent : bench_random(load->options.clients);
}

static void send_all(int fd, const char *bytes, size_t len)
{
    while (len) {
        ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);
        if (n < 0)
            bench_fail("send");
        bytes += n;
        len -= (size_t)n;
    }
}

/* Fills the connection up with requests, in one write. */
static void ask(struct load *load, struct conn *conn, int64_t now_ns)
{
    static char bytes[DEPTH_MAX * ASK_MAX];
    size_t len = 0;

    while (conn->under_way < load->options.depth && wants_more(load, now_ns)) {
        char client[CLIENT_TEXT_MAX];
        client_format(next_client(load), client);
        len += load->options.ask->put(bytes + len, client, (uint32_t)load->sent);
        conn->sent_ns[(conn->first + conn->under_way) % DEPTH_MAX] = now_ns;
        conn->under_way++;
        load->under_way++;
        load->sent++;
    }
    send_all(conn->fd, bytes, len);
}

static void take_answer(struct load *load, struct conn *conn, bool is_go_on, int64_t now_ns)
{
    if (!conn->under_way) {
        fprintf(stderr, "policy_load: an answer that nobody asked for\n");
        exit(2);
    }
    latencies_add(&load->latencies, (uint64_t)(now_ns - conn->sent_ns[conn->first]));
    conn->first = (conn->first + 1) % DEPTH_MAX;
    conn->under_way--;
    load->under_way--;
    load->other += !is_go_on;
}

static void take_answers(struct load *load, struct conn *conn, int64_t now_ns)
{
    const struct ask *what = load->options.ask;
    size_t at = 0, len;

    while ((len = what->answer_len(conn->in + at, conn->in_len - at))) {
        take_answer(load, conn, what->is_go_on(conn->in + at, len), now_ns);
        at += len;
    }
    conn->in_len -= at;
    memmove(conn->in, conn->in + at, conn->in_len);
}

static void hear(struct load *load, struct conn *conn)
{
    ssize_t n = recv(conn->fd, conn->in + conn->in_len, INPUT_MAX - conn->in_len, MSG_DONTWAIT);

    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        errno = n ? errno : ECONNRESET;
        bench_fail("the server");
    }
    conn->in_len += (size_t)n;
    int64_t now_ns = bench_now_ns();
    take_answers(load, conn, now_ns);
    ask(load, conn, now_ns);
}

static struct conn *open_all(const struct options *options, int poll_fd)
{
    struct conn *conns = calloc(options->connections, sizeof(*conns));

    for (size_t i = 0; conns && i < options->connections; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data = {.ptr = &conns[i]}};
        conns[i].fd = bench_connect(options->address);
        if (epoll_ctl(poll_fd, EPOLL_CTL_ADD, conns[i].fd, &event))
            bench_fail("epoll_ctl");
    }
    return conns;
}

/*
 * Else the kernel switches to us at each answer, but only as long as the server costs
 * more than we do: the tables would tell of two contests in one.
 */
static void take_answers_in_batches(void)
{
    struct sched_param param = {0};

    if (sched_setscheduler(0, SCHED_BATCH, &param))
        bench_fail("sched_setscheduler");
}

static void run(struct load *load)
{
    struct epoll_event events[EVENTS_MAX];
    int poll_fd = epoll_create1(EPOLL_CLOEXEC);
    struct conn *conns = open_all(&load->options, poll_fd);
    int64_t start_ns = bench_now_ns();

    load->stop_ns = start_ns + load->options.milliseconds * 1000000;
    for (size_t i = 0; i < load->options.connections; i++)
        ask(load, &conns[i], start_ns);
    while (load->under_way) {
        int count = epoll_wait(poll_fd, events, EVENTS_MAX, -1);
        for (int i = 0; i < count; i++)
            hear(load, events[i].data.ptr);
    }
    printf("other=%" PRIu64 " ", load->other);
    latencies_print(&load->latencies, bench_now_ns() - start_ns);
    free(conns);
}

static void read_options(int argc, char **argv, struct options *options)
{
    int option;

    while ((option = getopt(argc, argv, "a:c:d:k:t:1")) != -1) {
        switch (option) {
        case 'a':
            options->ask = ask_find(optarg);
            break;
        case 'c':
            options->connections = bench_number(optarg, CONNECTIONS_MAX);
            break;
        case 'd':
            options->depth = bench_number(optarg, DEPTH_MAX);
            break;
        case 'k':
            options->clients = (uint32_t)bench_number(optarg, CLIENT_MAX);
            break;
        case 't':
            options->milliseconds = (int64_t)bench_number(optarg, 3600000);
            break;
        case '1':
            options->once = true;
            break;
        default:
            fputs(usage, stderr);
            exit(2);
        }
    }
    if (optind != argc - 1 || !options->ask) {
        fputs(usage, stderr);
        exit(2);
    }
    options->address = argv[optind];
}

int main(int argc, char **argv)
{
    static struct load load = {
        .options = {.connections = 8, .depth = 1, .clients = 1000, .milliseconds = 1000}};

    load.options.ask = ask_find("policy");
    read_options(argc, argv, &load.options);
    take_answers_in_batches();
    run(&load);
    return 0;
}
