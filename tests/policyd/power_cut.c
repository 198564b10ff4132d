/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE

#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STORE "/policyd.mdb"

/*
 * Preloaded into postern-policyd: keeps beside its store, as policyd.mdb.durable, what of it
 * would be there after a power cut: what was synced, or written through a descriptor that
 * syncs by itself, and only once the directory knows the file's name. One thread writes a
 * store, so there are no locks here.
 */
static char store[PATH_MAX], durable[PATH_MAX], copy[PATH_MAX];
static int plain_fd = -1, syncing_fd = -1;
static bool is_named;

#define REAL(name) ((__typeof__(&name))real(#name))

static void *real(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);

    if (!found)
        abort();
    return found;
}

/* All or nothing, whenever the process is killed. */
static void copy_store(void)
{
    char buf[65536];
    int from = REAL(open)(store, O_RDONLY | O_CLOEXEC);
    int to = REAL(open)(copy, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ssize_t len = 0;

    while (from >= 0 && to >= 0 && (len = read(from, buf, sizeof(buf))) > 0)
        if (write(to, buf, (size_t)len) != len)
            abort();
    if (from < 0 || to < 0 || len < 0)
        abort();
    close(from);
    close(to);
    if (is_named && rename(copy, durable))
        abort();
}

static void store_opened(const char *path, int flags, int fd)
{
    struct stat st;

    if (flags & (O_DSYNC | O_SYNC)) {
        syncing_fd = fd;
        return;
    }
    plain_fd = fd;
    snprintf(store, sizeof(store), "%s", path);
    snprintf(durable, sizeof(durable), "%s.durable", path);
    snprintf(copy, sizeof(copy), "%s.copy", path);
    is_named = fstat(fd, &st) == 0 && st.st_size > 0; /* left by the last start */
    if (is_named)
        copy_store();
}

int open(const char *path, int flags, ...)
{
    size_t len = strlen(path);
    va_list args;

    va_start(args, flags);
    int fd = REAL(open)(path, flags, va_arg(args, mode_t));
    va_end(args);
    if (fd >= 0 && len >= strlen(STORE) && strcmp(path + len - strlen(STORE), STORE) == 0)
        store_opened(path, flags, fd);
    return fd;
}

ssize_t pwrite(int fd, const void *data, size_t len, off_t at)
{
    ssize_t done = REAL(pwrite)(fd, data, len, at);

    if (done < 0 || fd != syncing_fd)
        return done;
    int to = REAL(open)(is_named ? durable : copy, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (to < 0 || REAL(pwrite)(to, data, (size_t)done, at) != done)
        abort();
    close(to);
    return done;
}

int fdatasync(int fd)
{
    int rc = REAL(fdatasync)(fd);

    if (rc == 0 && (fd == plain_fd || fd == syncing_fd))
        copy_store();
    return rc;
}

int fsync(int fd)
{
    int rc = REAL(fsync)(fd);
    struct stat st;

    if (rc == 0 && (fd == plain_fd || fd == syncing_fd))
        copy_store();
    if (rc == 0 && !is_named && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
        is_named = true;
        if (access(copy, F_OK) == 0 && rename(copy, durable))
            abort();
    }
    return rc;
}
