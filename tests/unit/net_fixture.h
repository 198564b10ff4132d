/* SPDX-License-Identifier: MIT */
#ifndef PN_TEST_NET_FIXTURE_H
#define PN_TEST_NET_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/net/loop.h"

#define FIXTURE_PATIENCE_MS 10000

/*
 * Let the loop turn until cond holds, asked once a turn; the test fails when it does
 * not within the patience.
 */
#define FIXTURE_TURN_UNTIL(loop, cond)                                                             \
    do {                                                                                           \
        int64_t fixture_deadline = clock_mono_ms(&clock_system) + FIXTURE_PATIENCE_MS;             \
        loop_run_once(loop);                                                                       \
        while (!(cond)) {                                                                          \
            if (clock_mono_ms(&clock_system) > fixture_deadline)                                   \
                fail_msg("waited in vain for: %s", #cond);                                         \
            poll(NULL, 0, 1);                                                                      \
            loop_run_once(loop);                                                                   \
        }                                                                                          \
    } while (0)

/* A fresh directory; fixture_dir_remove() wants it empty. */
static inline char *fixture_dir_new(void)
{
    char template[] = "/tmp/postern-test-XXXXXX";
    char *dir = strdup(mkdtemp(template));
    assert_non_null(dir);
    return dir;
}

static inline void fixture_dir_remove(char *dir)
{
    assert_int_equal(rmdir(dir), 0);
    free(dir);
}

static inline int fixture_set_nonblocking(int fd)
{
    assert_int_equal(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK), 0);
    return fd;
}

/* Non-blocking; -1 with errno when refused. address: "unix:PATH", or NULL for 127.0.0.1:port. */
static inline int fixture_connect(const char *address, uint16_t port)
{
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    struct sockaddr_in sin = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(address ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int rc;

    assert_true(fd >= 0);
    if (address) {
        snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", address + strlen("unix:"));
        rc = connect(fd, (struct sockaddr *)&sun, sizeof(sun));
    } else {
        rc = connect(fd, (struct sockaddr *)&sin, sizeof(sin));
    }
    if (rc == 0)
        return fixture_set_nonblocking(fd);
    int reason = errno;
    close(fd);
    errno = reason;
    return -1;
}

static inline uint16_t fixture_port(int fd)
{
    struct sockaddr_storage ss;
    socklen_t len = sizeof(ss);

    assert_int_equal(getsockname(fd, (struct sockaddr *)&ss, &len), 0);
    return ntohs(ss.ss_family == AF_INET ? ((struct sockaddr_in *)&ss)->sin_port
                                         : ((struct sockaddr_in6 *)&ss)->sin6_port);
}

static inline void fixture_send(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* What is there now is added to `to`. Whether the other end is still open. */
static inline int fixture_receive(int fd, struct buf *to)
{
    for (;;) {
        ssize_t n = recv(fd, buf_reserve(to, 4096), 4096, MSG_DONTWAIT);
        buf_commit(to, n > 0 ? (size_t)n : 0);
        if (n <= 0)
            return n < 0 && (errno == EAGAIN || errno == EINTR);
    }
}

#endif
