/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "ctl/keyfile.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/mem.h"

static int write_all(int fd, const char *text)
{
    for (size_t left = strlen(text); left;) {
        ssize_t n = write(fd, text, left);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        text += n;
        left -= (size_t)n;
    }
    return 0;
}

/* Its entry in the folder outlives a crash, too. */
static int sync_folder(const char *path)
{
    char *copy = x_strdup(path);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = fd < 0 ? -1 : fsync(fd);

    if (fd >= 0)
        close(fd);
    free(copy);
    return rc;
}

static int fill(int fd, const char *text, gid_t group)
{
    if (write_all(fd, text) < 0)
        return -1;
    if (group != (gid_t)-1 && (fchown(fd, (uid_t)-1, group) < 0 || fchmod(fd, 0640) < 0))
        return -1;
    return fsync(fd);
}

int keyfile_write(const char *path, const char *text, gid_t group, struct error *error_r)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0 && errno == EEXIST)
        return error_set(error_r, ERROR_CONFIG,
                         "%s exists, and no key is ever overwritten: another --selector is right",
                         path);
    if (fd < 0)
        return error_set_errno(error_r, "cannot create %s", path);
    int rc = fill(fd, text, group);
    if (rc == 0)
        rc = sync_folder(path);
    if (rc < 0) {
        error_set_errno(error_r, "cannot write %s", path);
        unlink(path);
    }
    close(fd);
    return rc;
}
