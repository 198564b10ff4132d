/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE

#include <dlfcn.h>
#include <time.h>
#include <unistd.h>

#define SET_BACK "/run/lab/set-back" /* while it exists, it is an hour ago */

/*
 * Preloaded into a daemon of the lab, whose hosts share the machine's wall clock: the
 * daemon's own can be set back while it runs.
 */
int clock_gettime(clockid_t id, struct timespec *now)
{
    static int (*real)(clockid_t, struct timespec *);

    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
    int rc = real(id, now);
    if (rc == 0 && id == CLOCK_REALTIME && access(SET_BACK, F_OK) == 0)
        now->tv_sec -= 3600;
    return rc;
}
