/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/redis_lookup.h"

#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/endpoint.h"
#include "common/base/mem.h"

#define ADDRESSES_MAX 60 /* 1 to 6 of them are all tried as often as each other */

struct redis_lookup {
    struct loop_io *io;
    int fd;
    redis_lookup_fn fn;
    void *ctx;
};

/* What the thread has for its own: nothing is shared but the socket. */
struct question {
    int fd;
    char *host;
    unsigned turn;
};

/* The one whose turn it is, of all there are. */
static int find_address(const char *host, unsigned turn, struct addr *addr_r)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL, *at;
    struct endpoint endpoint = {0};
    int result = -1;

    if (getaddrinfo(host, "0", &hints, &list) != 0)
        return -1;
    at = list;
    for (unsigned i = turn % ADDRESSES_MAX; i > 0 && at; i--)
        at = at->ai_next ? at->ai_next : list;
    if (at)
        result = endpoint_from_sockaddr(at->ai_addr, at->ai_addrlen, &endpoint);
    freeaddrinfo(list);
    *addr_r = endpoint.addr;
    return result;
}

static void *ask(void *ctx)
{
    struct question *question = ctx;
    struct addr addr;

    if (find_address(question->host, question->turn, &addr) == 0)
        (void)!send(question->fd, &addr, sizeof(addr), MSG_NOSIGNAL);
    close(question->fd);
    free(question->host);
    free(question);
    return NULL;
}

static void on_answer(unsigned events, void *ctx)
{
    struct redis_lookup *lookup = ctx;
    struct addr addr;
    ssize_t n = recv(lookup->fd, &addr, sizeof(addr), 0);

    (void)events;
    loop_io_want(lookup->io, 0);
    lookup->fn(n == (ssize_t)sizeof(addr) ? &addr : NULL, lookup->ctx);
}

/* Signals are the loop's. */
static int start_thread(struct question *question)
{
    pthread_attr_t attr;
    sigset_t all, before;
    pthread_t thread;
    int error;

    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&thread, &attr, ask, question);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    return error == 0 ? 0 : -1;
}

struct redis_lookup *redis_lookup_new(struct loop *loop, const char *host, unsigned turn,
                                      redis_lookup_fn fn, void *ctx)
{
    struct redis_lookup *lookup;
    struct question *question;
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0)
        return NULL;
    question = x_calloc(1, sizeof(*question));
    *question = (struct question){pair[1], x_strdup(host), turn};
    if (start_thread(question) != 0) {
        close(pair[0]);
        close(pair[1]);
        free(question->host);
        free(question);
        return NULL;
    }
    lookup = x_calloc(1, sizeof(*lookup));
    *lookup = (struct redis_lookup){NULL, pair[0], fn, ctx};
    lookup->io = loop_io_new(loop, pair[0], LOOP_READ, on_answer, lookup);
    return lookup;
}

void redis_lookup_free(struct redis_lookup **lookup)
{
    if (!*lookup)
        return;
    loop_io_free(&(*lookup)->io);
    close((*lookup)->fd);
    free(*lookup);
    *lookup = NULL;
}
