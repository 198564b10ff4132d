/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "ingress/successor.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/process.h"

#define EXIT_NO_PROGRAM 127
#define NUMBERS_MAX     48
#define COMMAND_MAX     6 /* words, with the NULL */

/* --- its command ----------------------------------------------------------------------------- */

/* Whatever the directory. A link stays one: what it leads to then is wanted. */
static char *absolute(const char *path)
{
    char *folder = path[0] == '/' ? NULL : getcwd(NULL, 0);
    struct buf whole = {0};

    if (!folder)
        return x_strdup(path);
    buf_printf(&whole, "%s/%s", folder, path);
    free(folder);
    return buf_steal(&whole);
}

char **successor_command(const char *program, const struct program_options *options)
{
    char **argv = x_calloc(COMMAND_MAX, sizeof(*argv));
    size_t i = 0;

    argv[i++] = strchr(program, '/') ? absolute(program) : x_strdup(program);
    argv[i++] = x_strdup("-c");
    argv[i++] = absolute(options->config_path);
    if (options->foreground)
        argv[i++] = x_strdup("-f");
    if (options->verbose)
        argv[i++] = x_strdup("-v");
    return argv;
}

void successor_command_free(char ***argv)
{
    for (char **word = *argv; word && *word; word++)
        free(*word);
    free(*argv);
    *argv = NULL;
}

/* --- the new process, before it is another program ----------------------------------------- */

/* To where sd_listen_fds(3) looks, by way of numbers that none of them has. */
static int place_descriptors(const struct successor_options *options, int channel)
{
    int count = (int)options->count, above = PROCESS_INHERITED_FIRST + count + 1;
    int *fds = x_calloc(options->count + 1, sizeof(*fds));
    int failed = 0;

    for (int i = 0; i <= count; i++) {
        fds[i] = fcntl(i < count ? options->fds[i] : channel, F_DUPFD_CLOEXEC, above);
        failed |= fds[i] < 0;
    }
    for (int i = 0; i <= count && !failed; i++)
        failed |= dup2(fds[i], PROCESS_INHERITED_FIRST + i) < 0;
    free(fds);
    return failed ? -1 : 0;
}

static int tell_in_environment(const struct successor_options *options)
{
    char pid[NUMBERS_MAX], count[NUMBERS_MAX], ours[NUMBERS_MAX];

    snprintf(pid, sizeof(pid), "%ld", (long)getpid());
    snprintf(count, sizeof(count), "%zu", options->count);
    snprintf(ours, sizeof(ours), "%zu", options->managed);
    return setenv("LISTEN_PID", pid, 1) || setenv("LISTEN_FDS", count, 1) ||
           setenv("PN_MANAGED_FDS", ours, 1) || unsetenv("LISTEN_FDNAMES");
}

static _Noreturn void become_program(const struct successor_options *options, int channel)
{
    pid_t pid = getpid();
    char scratch[128];

    signal(SIGHUP, SIG_IGN); /* meant for the one before, it would end this one */
    signal(SIGUSR2, SIG_IGN);
    if (send(channel, &pid, sizeof(pid), MSG_NOSIGNAL) == (ssize_t)sizeof(pid) &&
        place_descriptors(options, channel) == 0 && tell_in_environment(options) == 0)
        execvp(options->argv[0], options->argv);
    log_error(NULL, "start-failed", LOG_STR("program", options->argv[0]),
              LOG_STR("error", strerror_r(errno, scratch, sizeof(scratch))));
    _exit(EXIT_NO_PROGRAM);
}

/* --- the one before ------------------------------------------------------------------------ */

/* By a process in between, so that the new one is no child that would have to be waited for. */
static int fork_twice(const struct successor_options *options, int channel, struct error *error_r)
{
    int status;
    pid_t pid = fork();

    if (pid < 0)
        return error_set_errno(error_r, "fork");
    if (pid == 0) {
        pid = fork();
        if (pid == 0)
            become_program(options, channel);
        _exit(pid < 0);
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (status)
        return error_set(error_r, ERROR_SYSTEM, "cannot make a process");
    return 0;
}

/* The first that it says, before anything can hinder it. */
static int read_pid(int channel, pid_t *pid_r, struct error *error_r)
{
    ssize_t n;

    do {
        n = recv(channel, pid_r, sizeof(*pid_r), MSG_WAITALL);
    } while (n < 0 && errno == EINTR);
    if (n != (ssize_t)sizeof(*pid_r))
        return error_set(error_r, ERROR_SYSTEM, "the new process ended at once");
    if (fcntl(channel, F_SETFL, O_NONBLOCK) < 0)
        return error_set_errno(error_r, "fcntl");
    return 0;
}

int successor_start(const struct successor_options *options, pid_t *pid_r, struct error *error_r)
{
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
        return error_set_errno(error_r, "socketpair");
    int rc = fork_twice(options, ends[1], error_r);
    close(ends[1]);
    if (rc == 0)
        rc = read_pid(ends[0], pid_r, error_r);
    if (rc == 0)
        return ends[0];
    close(ends[0]);
    return -1;
}
