/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifdef HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/str.h"

#define LOOKUP_BUFFER_MAX (1u << 20)
#define INHERITED_MAX     4096

#ifndef __has_feature
#define __has_feature(feature) 0
#endif

static int user_find(const char *user, uid_t *uid_r, gid_t *gid_r, struct error *error_r)
{
    struct passwd passwd, *found = NULL;
    int rc = ERANGE;

    for (size_t size = 1024; rc == ERANGE && size <= LOOKUP_BUFFER_MAX; size *= 2) {
        char *scratch = x_malloc(size);
        rc = getpwnam_r(user, &passwd, scratch, size, &found);
        if (found) {
            *uid_r = passwd.pw_uid;
            *gid_r = passwd.pw_gid;
        }
        free(scratch);
    }
    if (found)
        return 0;
    if (rc) {
        errno = rc;
        return error_set_errno(error_r, "cannot look up the user %s", user);
    }
    return error_set(error_r, ERROR_CONFIG, "there is no user %s", user);
}

int process_find_group(const char *name, gid_t *gid_r, struct error *error_r)
{
    struct group group, *found = NULL;
    int rc = ERANGE;

    for (size_t size = 1024; rc == ERANGE && size <= LOOKUP_BUFFER_MAX; size *= 2) {
        char *scratch = x_malloc(size);
        rc = getgrnam_r(name, &group, scratch, size, &found);
        if (found)
            *gid_r = group.gr_gid;
        free(scratch);
    }
    if (found)
        return 0;
    if (rc) {
        errno = rc;
        return error_set_errno(error_r, "cannot look up the group %s", name);
    }
    return error_set(error_r, ERROR_CONFIG, "there is no group %s", name);
}

static int become(const char *user, struct error *error_r)
{
    uid_t uid = 0;
    gid_t gid = 0;

    if (user_find(user, &uid, &gid, error_r) < 0)
        return -1;
    if (uid == 0)
        return error_set(error_r, ERROR_CONFIG, "the user %s is root: name another to run as",
                         user);
    if (initgroups(user, gid) < 0 || setresgid(gid, gid, gid) < 0)
        return error_set_errno(error_r, "cannot take the groups of %s", user);
    if (setresuid(uid, uid, uid) < 0)
        return error_set_errno(error_r, "cannot become %s", user);
    if (setuid(0) == 0)
        return error_set(error_r, ERROR_SYSTEM, "became %s, but could be root again", user);
    return 0;
}

/* capset(2) has no function in the C library. */
static int take_net_admin(struct error *error_r)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{0}};

    data[0].permitted = data[0].effective = data[0].inheritable = 1u << CAP_NET_ADMIN;
    if (syscall(SYS_capset, &header, data) < 0 ||
        prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_ADMIN, 0, 0) < 0)
        return error_set_errno(error_r, "cannot keep CAP_NET_ADMIN");
    return 0;
}

static int leave_root(const char *user, enum process_keep keep, struct error *error_r)
{
    bool keeps = keep == PROCESS_KEEP_NET_ADMIN;

    if (keeps && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
        return error_set_errno(error_r, "cannot keep capabilities");
    if (become(user, error_r) < 0)
        return -1;
    return keeps ? take_net_admin(error_r) : 0;
}

int process_drop_root(const char *user, enum process_keep keep, struct error *error_r)
{
    if (geteuid() == 0 && leave_root(user, keep, error_r) < 0)
        return -1;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return error_set_errno(error_r, "cannot set no_new_privs");
    return 0;
}

static int stdio_to_null(struct error *error_r)
{
    int fd = open("/dev/null", O_RDWR | O_NOCTTY);

    if (fd < 0)
        return error_set_errno(error_r, "/dev/null");
    for (int stdio = STDIN_FILENO; stdio <= STDERR_FILENO; stdio++) {
        if (dup2(fd, stdio) < 0)
            return error_set_errno(error_r, "dup2");
    }
    if (fd > STDERR_FILENO)
        close(fd);
    return 0;
}

int process_detach(struct error *error_r)
{
    pid_t pid = fork();

    if (pid < 0)
        return error_set_errno(error_r, "fork");
    if (pid > 0)
        _exit(0);
    if (setsid() < 0)
        return error_set_errno(error_r, "setsid");
    if (chdir("/") < 0)
        return error_set_errno(error_r, "/");
    return stdio_to_null(error_r);
}

char *process_group_of(const char *user)
{
    struct group group, *found = NULL;
    uid_t uid;
    gid_t gid = (gid_t)-1;
    int rc = ERANGE;
    char *name = NULL;

    if (user_find(user, &uid, &gid, NULL) < 0)
        return NULL;
    for (size_t size = 1024; rc == ERANGE && size <= LOOKUP_BUFFER_MAX; size *= 2) {
        char *scratch = x_malloc(size);
        rc = getgrgid_r(gid, &group, scratch, size, &found);
        if (found)
            name = x_strdup(group.gr_name);
        free(scratch);
    }
    return name;
}

void process_guard_secrets(void)
{
    const struct rlimit none = {0, 0};

    setrlimit(RLIMIT_CORE, &none);
#if !defined(__SANITIZE_ADDRESS__) && !__has_feature(address_sanitizer)
    /* The leak checker of a sanitized build traces its own process, which this forbids. */
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
}

void process_raise_descriptors(uint64_t wanted, const char *effect)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur >= wanted)
        return;
    limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : (rlim_t)wanted;
    if (setrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur < wanted)
        log_warning(NULL, "descriptor-limit", LOG_UINT("wanted", wanted),
                    LOG_UINT("limit", limit.rlim_cur), LOG_STR("effect", effect));
}

static void notify(const char *state)
{
#ifdef HAVE_SYSTEMD
    sd_notify(0, state);
#else
    (void)state;
#endif
}

void process_notify_ready(void)
{
    notify("READY=1");
}

void process_notify_alive(void)
{
    notify("WATCHDOG=1");
}

void process_notify_stopping(void)
{
    notify("STOPPING=1");
}

void process_notify_taken_over(void)
{
    char state[64];

    snprintf(state, sizeof(state), "READY=1\nMAINPID=%ld", (long)getpid());
    notify(state);
}

/* 0 where the environment has none. */
static uint64_t number_of(const char *text, uint64_t max)
{
    uint64_t number;

    return text && str_parse_u64(text, 0, max, &number) == 0 ? number : 0;
}

/* WATCHDOG_PID may name a process before this one, in whose place this one is. */
int64_t process_notify_alive_ms(void)
{
    uint64_t usec = number_of(getenv("WATCHDOG_USEC"), INT64_MAX);

    return usec / 2000 || !usec ? (int64_t)(usec / 2000) : 1;
}

/* The environment speaks to this process, not to the one that had it before. */
static bool is_told(void)
{
    return number_of(getenv("LISTEN_PID"), INT32_MAX) == (uint64_t)getpid();
}

/* As sd_listen_fds(3) does, whose library may not be there. */
int process_inherited_count(void)
{
    int count = 0;

    if (is_told())
        count = (int)number_of(getenv("LISTEN_FDS"), INHERITED_MAX);
    for (int fd = PROCESS_INHERITED_FIRST; fd < PROCESS_INHERITED_FIRST + count; fd++)
        (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    return count;
}

bool process_has_predecessor(void)
{
    return getenv("PN_MANAGED_FDS") && is_told();
}

int process_managed_count(void)
{
    int count = process_inherited_count();

    return process_has_predecessor() ? (int)number_of(getenv("PN_MANAGED_FDS"), (uint64_t)count)
                                     : count;
}

size_t process_predecessor_channels(int *fds_r, size_t max)
{
    int first = PROCESS_INHERITED_FIRST + process_inherited_count();
    uint64_t wanted = 1 + number_of(getenv("PN_OLDER_CHANNELS"), INHERITED_MAX);
    size_t count = 0;

    for (int fd = first; process_has_predecessor() && fd < first + (int)wanted; fd++) {
        if (fcntl(fd, F_SETFD, FD_CLOEXEC) || fcntl(fd, F_SETFL, O_NONBLOCK))
            break;
        if (count == max)
            close(fd);
        else
            fds_r[count++] = fd;
    }
    return count;
}
