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

/* The listening sockets, the channel, and those of the processes before. */
static int descriptor_at(const struct successor_options *options, int channel, size_t i)
{
    if (i < options->count)
        return options->fds[i];
    return i == options->count ? channel : options->older[i - options->count - 1];
}

/* To where sd_listen_fds(3) looks, by way of numbers that none of them has. */
static int place_descriptors(const struct successor_options *options, int channel)
{
    size_t count = options->count + 1 + options->older_count;
    int *fds = x_calloc(count, sizeof(*fds));
    int failed = 0;

    for (size_t i = 0; i < count; i++) {
        fds[i] = fcntl(descriptor_at(options, channel, i), F_DUPFD_CLOEXEC,
                       PROCESS_INHERITED_FIRST + (int)count);
        failed |= fds[i] < 0;
    }
    for (size_t i = 0; i < count && !failed; i++)
        failed |= dup2(fds[i], PROCESS_INHERITED_FIRST + (int)i) < 0;
    free(fds);
    return failed ? -1 : 0;
}

static int put_number(const char *name, size_t number)
{
    char text[NUMBERS_MAX];

    snprintf(text, sizeof(text), "%zu", number);
    return setenv(name, text, 1);
}

static int tell_in_environment(const struct successor_options *options)
{
    return put_number("LISTEN_PID", (size_t)getpid()) || put_number("LISTEN_FDS", options->count) ||
           put_number("PN_MANAGED_FDS", options->managed) ||
           put_number("PN_OLDER_CHANNELS", options->older_count) || unsetenv("LISTEN_FDNAMES");
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
