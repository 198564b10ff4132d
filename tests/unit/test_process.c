/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/process.h"

/* What fn returns in a process of its own: these steps cannot be taken back. */
static int in_child(int (*fn)(void))
{
    int status;
    pid_t pid = fork();

    if (pid == 0)
        _exit(fn());
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int drop_to_nobody(void)
{
    const struct passwd *nobody = getpwnam("nobody");
    struct error error;
    gid_t groups[64];

    if (!nobody || process_drop_root("nobody", PROCESS_KEEP_NOTHING, &error) < 0)
        return 1;
    if (getuid() != nobody->pw_uid || geteuid() != nobody->pw_uid || getgid() != nobody->pw_gid)
        return 2;
    int count = getgroups(64, groups);
    for (int i = 0; i < count; i++) {
        if (groups[i] == 0)
            return 3;
    }
    if (setuid(0) == 0 || setgid(0) == 0)
        return 4;
    return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? 0 : 5;
}

static void root_is_dropped_for_good(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    assert_int_equal(in_child(drop_to_nobody), 0);
}

static int drop_without_root(void)
{
    struct error error;

    if (process_drop_root("nobody", PROCESS_KEEP_NOTHING, &error) < 0)
        return 1;
    uid_t uid = getuid();
    if (process_drop_root("no-such-user", PROCESS_KEEP_NOTHING, &error) < 0 || getuid() != uid)
        return 2;
    return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? 0 : 3;
}

static void without_root_nothing_is_dropped(void **state)
{
    (void)state;
    assert_int_equal(in_child(drop_without_root), 0);
}

static void a_user_must_exist_and_not_be_root(void **state)
{
    struct error error;

    (void)state;
    if (geteuid() != 0)
        skip();
    assert_int_equal(process_drop_root("no-such-user", PROCESS_KEEP_NOTHING, &error), -1);
    assert_string_equal(error.text, "there is no user no-such-user");
    assert_int_equal(process_drop_root("root", PROCESS_KEEP_NOTHING, &error), -1);
    assert_non_null(strstr(error.text, "root"));
    assert_int_equal(geteuid(), 0);
}

static void a_user_has_a_group(void **state)
{
    const struct passwd *passwd = getpwuid(geteuid());
    const struct group *group = passwd ? getgrgid(passwd->pw_gid) : NULL;

    (void)state;
    assert_null(process_group_of("no-such-user"));
    if (!group)
        skip();
    char *name = process_group_of(passwd->pw_name);
    assert_string_equal(name, group->gr_name);
    free(name);
}

static int guard(void)
{
    struct rlimit limit;

    process_guard_secrets();
    return getrlimit(RLIMIT_CORE, &limit) == 0 && limit.rlim_cur == 0 && limit.rlim_max == 0 ? 0
                                                                                             : 1;
}

static void no_core_is_left(void **state)
{
    (void)state;
    assert_int_equal(in_child(guard), 0);
}

static void detaching_leaves_session_directory_and_terminal(void **state)
{
    struct {
        pid_t sid, pid;
        int at_root;
    } seen = {0};
    int fds[2];

    (void)state;
    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork();
    if (pid == 0) {
        char dir[8];
        struct error error;
        if (process_detach(&error) < 0)
            _exit(1);
        seen.sid = getsid(0);
        seen.pid = getpid();
        seen.at_root = getcwd(dir, sizeof(dir)) && strcmp(dir, "/") == 0 && !isatty(STDIN_FILENO);
        _exit(write(fds[1], &seen, sizeof(seen)) == (ssize_t)sizeof(seen) ? 0 : 1);
    }
    close(fds[1]);
    assert_int_equal(read(fds[0], &seen, sizeof(seen)), sizeof(seen));
    close(fds[0]);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_int_equal(seen.sid, seen.pid);
    assert_int_not_equal(seen.pid, pid);
    assert_true(seen.at_root);
}

static void the_service_manager_is_told(void **state)
{
#ifdef HAVE_SYSTEMD
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    socklen_t len = sizeof(sun);
    char text[64];

    (void)state;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    /* An abstract address of the kernel's choice. */
    assert_int_equal(bind(fd, (struct sockaddr *)&sun, sizeof(sa_family_t)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&sun, &len), 0);
    char name[sizeof(sun.sun_path) + 1] = "@";
    memcpy(name + 1, sun.sun_path + 1, len - offsetof(struct sockaddr_un, sun_path) - 1);
    setenv("NOTIFY_SOCKET", name, 1);
    process_notify_ready();
    assert_int_equal(recv(fd, text, sizeof(text), 0), strlen("READY=1"));
    assert_memory_equal(text, "READY=1", strlen("READY=1"));
    process_notify_alive();
    assert_int_equal(recv(fd, text, sizeof(text), 0), strlen("WATCHDOG=1"));
    assert_memory_equal(text, "WATCHDOG=1", strlen("WATCHDOG=1"));
    process_notify_stopping();
    assert_int_equal(recv(fd, text, sizeof(text), 0), strlen("STOPPING=1"));
    unsetenv("NOTIFY_SOCKET");
    process_notify_ready();
    close(fd);
#else
    (void)state;
    skip();
#endif
}

static void a_sign_of_life_is_due_twice_as_often_as_is_asked(void **state)
{
    static const struct {
        const char *usec;
        int64_t wanted;
    } rows[] = {
        {NULL, 0},           {"", 0},     {"0", 0},    {"-1", 0}, {"x", 0}, {"1", 1}, {"1999", 1},
        {"30000000", 15000}, {"3000", 1}, {"4000", 2},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        if (rows[i].usec)
            setenv("WATCHDOG_USEC", rows[i].usec, 1);
        else
            unsetenv("WATCHDOG_USEC");
        assert_int_equal(process_notify_alive_ms(), rows[i].wanted);
    }
    unsetenv("WATCHDOG_USEC");
}

/* The process gets three channels behind its sockets, of which there are none. */
static int take_channels(void)
{
    char pid[24];
    int fds[4] = {0}, first = PROCESS_INHERITED_FIRST;

    for (int fd = first; fd < 64; fd++)
        close(fd);
    for (int i = 0; i < 3; i++) {
        if (open("/dev/null", O_RDONLY) != first + i)
            return 1;
    }
    snprintf(pid, sizeof(pid), "%ld", (long)getpid());
    setenv("LISTEN_PID", pid, 1);
    setenv("LISTEN_FDS", "0", 1);
    if (process_has_predecessor() || process_predecessor_channels(fds, 4) != 0)
        return 2;
    setenv("PN_MANAGED_FDS", "0", 1);
    if (!process_has_predecessor() || process_predecessor_channels(fds, 4) != 1 || fds[0] != first)
        return 3;
    setenv("PN_OLDER_CHANNELS", "2", 1);
    if (process_predecessor_channels(fds, 2) != 2 || fcntl(first + 2, F_GETFD) >= 0)
        return 4; /* the third was to be closed */
    if (fds[1] != first + 1 || fcntl(fds[1], F_GETFD) != FD_CLOEXEC ||
        !(fcntl(fds[1], F_GETFL) & O_NONBLOCK))
        return 5;
    setenv("LISTEN_PID", "1", 1);
    return process_has_predecessor() || process_predecessor_channels(fds, 4) != 0 ? 6 : 0;
}

static void channels_follow_the_sockets(void **state)
{
    (void)state;
    assert_int_equal(in_child(take_channels), 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(root_is_dropped_for_good),
        cmocka_unit_test(without_root_nothing_is_dropped),
        cmocka_unit_test(a_user_must_exist_and_not_be_root),
        cmocka_unit_test(a_user_has_a_group),
        cmocka_unit_test(no_core_is_left),
        cmocka_unit_test(detaching_leaves_session_directory_and_terminal),
        cmocka_unit_test(the_service_manager_is_told),
        cmocka_unit_test(a_sign_of_life_is_due_twice_as_often_as_is_asked),
        cmocka_unit_test(channels_follow_the_sockets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
