/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE

#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/*
 * Preloaded into postern-policyd: a disk on which nothing gets while the file that HELD_DISK
 * names is there. What the store waits for is fdatasync(2); its thread stands still, and that
 * is all that does.
 */
int fdatasync(int fd)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    __typeof__(&fdatasync) real = (__typeof__(&fdatasync))dlsym(RTLD_NEXT, "fdatasync");
    const char *path = getenv("HELD_DISK");

    if (!real || !path)
        abort();
    while (access(path, F_OK) == 0)
        nanosleep(&pause, NULL);
    return real(fd);
}
