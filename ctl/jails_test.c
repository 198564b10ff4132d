/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/str.h"
#include "ctl/ctl.h"

/* Where the daemon is that belongs to this program: beside it, or where it is installed. */
static int find_daemon(char path[PATH_MAX], struct error *error_r)
{
    static const char *const places[] = {"", "../sbin/"};
    char self[PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);

    if (len < 0)
        return error_set(error_r, ERROR_SYSTEM, "/proc/self/exe: %s", strerror(errno));
    self[len] = '\0';
    *(strrchr(self, '/') + 1) = '\0';
    for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
        struct buf whole = {0};
        buf_printf(&whole, "%s%spostern-policyd", self, places[i]);
        bool is_short = whole.len < PATH_MAX;
        if (is_short)
            memcpy(path, buf_str(&whole), whole.len + 1);
        buf_fini(&whole);
        if (is_short && access(path, X_OK) == 0)
            return 0;
    }
    return error_set(error_r, ERROR_SYSTEM, "there is no postern-policyd beside posternctl");
}

/* The events become its standard input. */
static int open_events(const char *path, struct error *error_r)
{
    if (str_eq(path, "-"))
        return 0;
    int fd = open(path, O_RDONLY);
    if (fd < 0 || dup2(fd, STDIN_FILENO) < 0)
        return error_set(error_r, ERROR_SYSTEM, "%s: %s", path, strerror(errno));
    if (fd != STDIN_FILENO)
        close(fd);
    return 0;
}

/* The jails are the daemon's: it takes the events through them itself, and exits. */
enum ctl_exit ctl_run_jails_test(const struct ctl *ctl)
{
    const char *config = ctl_value(ctl, "config");
    struct error error = {0};
    char path[PATH_MAX];

    if (ctl->arg_count != 2 || !str_eq(ctl->args[0], "test"))
        error_set(&error, ERROR_CONFIG, "jails takes nothing, or: test FILE");
    else if (find_daemon(path, &error) == 0 && open_events(ctl->args[1], &error) == 0) {
        if (config)
            execl(path, path, "-c", config, "--replay", (char *)NULL);
        else
            execl(path, path, "--replay", (char *)NULL);
        error_set(&error, ERROR_SYSTEM, "%s: %s", path, strerror(errno));
    }
    return ctl_fail(ctl, &error);
}
