/* SPDX-License-Identifier: MIT */
#ifndef PN_CONFIG_PROGRAM_H
#define PN_CONFIG_PROGRAM_H

#include <stdbool.h>

#include "common/config/config.h"

/* What one program knows of a right file that the others do not: 0, or -1 and more errors. */
typedef int (*program_check_fn)(const struct config *config, struct config_errors *errors_r);

/* What every daemon takes on its command line: -c FILE, -t, -f, -V, -v and -h. */
struct program {
    const char *name;
    const char *summary;
    const char *option; /* one more, a long one without its dashes; NULL: none */
    const char *option_help;
    program_check_fn check; /* NULL: there is no more to check */
};

struct program_options {
    const char *config_path;
    bool foreground; /* -f: stay, log to stderr */
    bool verbose;    /* -v: debug lines too */
    bool has_option; /* the program's own was given */
};

/*
 * Read the command line of the daemon, load the file, and answer -h, -V, -t
 * and every mistake by leaving the process: exit 0 for what was asked (with -t:
 * "PATH: ok"), 2 for a wrong command line, 1 for a wrong file with all its errors
 * on stderr. Opens the log. What is returned can be run.
 */
struct config *program_start(int argc, char **argv, const struct program *program,
                             struct program_options *options_r);

/*
 * The file read again while the daemon runs; NULL when it has errors, each of which is logged.
 * check as above.
 */
struct config *program_reload(const char *path, program_check_fn check)
    __attribute__((warn_unused_result));

#endif
