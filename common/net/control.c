/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/net/control.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/endpoint.h"
#include "common/base/mem.h"
#include "common/base/str.h"

#define READ_SIZE 4096u

struct control {
    int fd;
    int timeout_ms;
    char *address;
    struct buf in;
};

static int connect_unix(int fd, const char *path, struct error *error_r)
{
    struct sockaddr_un sun = {.sun_family = AF_UNIX};

    memcpy(sun.sun_path, path, strlen(path) + 1);
    if (connect(fd, (const struct sockaddr *)&sun, sizeof(sun)) == 0)
        return 0;
    if (errno == ENOENT || errno == ECONNREFUSED)
        return error_set(error_r, ERROR_SYSTEM, "nobody listens on %s: is postern-policyd running?",
                         path);
    return error_set_errno(error_r, "cannot connect to %s", path);
}

int control_dial(const char *address, struct error *error_r)
{
    struct endpoint where;
    const char *reason = "it must be unix:PATH";

    if (endpoint_parse(address, &where, &reason) < 0 || !where.is_unix)
        return error_set(error_r, ERROR_CONFIG, "control socket %s: %s", address, reason);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return error_set_errno(error_r, "socket");
    if (connect_unix(fd, where.path, error_r) == 0)
        return fd;
    close(fd);
    return -1;
}

struct control *control_open(const char *address, int timeout_ms, struct error *error_r)
{
    int fd = control_dial(address, error_r);

    if (fd < 0)
        return NULL;
    struct control *control = x_calloc(1, sizeof(*control));
    control->fd = fd;
    control->timeout_ms = timeout_ms;
    control->address = x_strdup(address + strlen("unix:"));
    return control;
}

void control_close(struct control **control)
{
    struct control *old = *control;

    if (!old)
        return;
    *control = NULL;
    close(old->fd);
    buf_fini(&old->in);
    free(old->address);
    free(old);
}

static int control_wait(const struct control *control, short events, int64_t deadline,
                        struct error *error_r)
{
    struct pollfd pfd = {.fd = control->fd, .events = events};

    for (;;) {
        int64_t left = deadline - clock_mono_ms(&clock_system);
        int rc = poll(&pfd, 1, left > 0 ? (int)left : 0);
        if (rc > 0)
            return 0;
        if (rc == 0)
            return error_set(error_r, ERROR_TIMEOUT, "no answer on %s within %d ms",
                             control->address, control->timeout_ms);
        if (errno != EINTR)
            return error_set_errno(error_r, "poll");
    }
}

static bool is_transient(int reason)
{
    return reason == EINTR || reason == EAGAIN || reason == EWOULDBLOCK;
}

int control_send(struct control *control, const struct buf *request, struct error *error_r)
{
    int64_t deadline = clock_mono_ms(&clock_system) + control->timeout_ms;
    size_t sent = 0;

    while (sent < request->len) {
        if (control_wait(control, POLLOUT, deadline, error_r) < 0)
            return -1;
        ssize_t n = send(control->fd, request->data + sent, request->len - sent, MSG_NOSIGNAL);
        if (n < 0 && !is_transient(errno))
            return error_set_errno(error_r, "cannot write to %s", control->address);
        if (n > 0)
            sent += (size_t)n;
    }
    return 0;
}

static int control_read(struct control *control, int64_t deadline, struct error *error_r)
{
    if (control_wait(control, POLLIN, deadline, error_r) < 0)
        return -1;
    ssize_t n = recv(control->fd, buf_reserve(&control->in, READ_SIZE), READ_SIZE, 0);
    if (n > 0)
        buf_commit(&control->in, (size_t)n);
    else if (n == 0)
        return error_set(error_r, ERROR_PEER, "%s was closed in the middle of an answer",
                         control->address);
    else if (!is_transient(errno))
        return error_set_errno(error_r, "cannot read from %s", control->address);
    return 0;
}

/* attr_parse() refuses what is too long, so the buffer stays bounded. */
static int control_read_record(struct control *control, struct attr_list *record_r,
                               struct error *error_r)
{
    int64_t deadline = clock_mono_ms(&clock_system) + control->timeout_ms;
    size_t consumed;

    for (;;) {
        enum attr_status status =
            attr_parse(control->in.data, control->in.len, record_r, &consumed);
        if (status == ATTR_OK) {
            buf_consume(&control->in, consumed);
            return 0;
        }
        if (status != ATTR_MORE)
            return error_set(error_r, ERROR_PEER, "bad answer on %s: %s", control->address,
                             attr_strstatus(status));
        if (control_read(control, deadline, error_r) < 0)
            return -1;
    }
}

int control_next(struct control *control, struct attr_list *record_r, struct error *error_r)
{
    if (control_read_record(control, record_r, error_r) < 0)
        return -1;
    const char *status = attr_get(record_r, "status");
    if (!status)
        return 1;
    if (str_eq(status, "ok"))
        return 0;
    const char *reason = attr_get(record_r, "reason");
    return error_set(error_r, ERROR_REFUSED, "%s", reason ? reason : "refused without a reason");
}
