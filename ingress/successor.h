/* SPDX-License-Identifier: MIT */
#ifndef PN_INGRESS_SUCCESSOR_H
#define PN_INGRESS_SUCCESSOR_H

#include <stddef.h>
#include <sys/types.h>

#include "common/base/error.h"
#include "common/config/program.h"

/*
 * A process that starts the next one of its program, with its listening sockets: as
 * sd_listen_fds(3) finds them, and with a channel to speak over. The new process is nobody's
 * child, so that a service manager may take it for the one to look after. It finds what it
 * got with process_inherited_count(), process_managed_count() and
 * process_predecessor_channels(), and SIGHUP and SIGUSR2 ignored until it wants them.
 */

/* What starts it: this program with its own options, in whatever directory; program: argv[0]. */
char **successor_command(const char *program, const struct program_options *options);
void successor_command_free(char ***argv);

struct successor_options {
    char *const *argv; /* argv[0] as execvp(3) takes it */
    const int *fds;
    size_t count;
    size_t managed;   /* so many of them, the first, are a service manager's */
    const int *older; /* channels of the processes before this one */
    size_t older_count;
};

/* Our end of the channel, non-blocking and close-on-exec, or -1. Before any thread is made. */
int successor_start(const struct successor_options *options, pid_t *pid_r, struct error *error_r)
    __attribute__((warn_unused_result));

#endif
