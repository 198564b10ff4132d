/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "ingress/pipes.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "common/base/bug.h"

int pipes_get(struct pipes *pipes, int ends_r[2])
{
    if (pipes->idle_count) {
        memcpy(ends_r, pipes->idle[--pipes->idle_count], sizeof(pipes->idle[0]));
    } else if (pipe2(ends_r, O_NONBLOCK | O_CLOEXEC)) {
        return -1;
    }
    pipes->used_count++;
    return 0;
}

static void close_both(const int ends[2])
{
    close(ends[0]);
    close(ends[1]);
}

void pipes_put(struct pipes *pipes, const int ends[2])
{
    BUG_ON(!pipes->used_count);
    pipes->used_count--;
    if (pipes->idle_count < PIPES_IDLE_MAX)
        memcpy(pipes->idle[pipes->idle_count++], ends, sizeof(pipes->idle[0]));
    else
        close_both(ends);
}

void pipes_drop(struct pipes *pipes, const int ends[2])
{
    BUG_ON(!pipes->used_count);
    pipes->used_count--;
    close_both(ends);
}

void pipes_fini(struct pipes *pipes)
{
    BUG_ON(pipes->used_count);
    while (pipes->idle_count)
        close_both(pipes->idle[--pipes->idle_count]);
}
