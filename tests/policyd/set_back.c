/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE

#include <dlfcn.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/* Preloaded into a Redis: while the file that SET_BACK names exists, it is an hour ago for it. */
static time_t set_back(void)
{
    const char *path = getenv("SET_BACK");

    return path && access(path, F_OK) == 0 ? 3600 : 0;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    static int (*real)(struct timeval *, void *);

    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "gettimeofday");
    int rc = real(now, zone);
    if (rc == 0)
        now->tv_sec -= set_back();
    return rc;
}

time_t time(time_t *now_r)
{
    struct timeval now;

    (void)gettimeofday(&now, NULL);
    if (now_r)
        *now_r = now.tv_sec;
    return now.tv_sec;
}
