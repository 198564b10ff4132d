/* SPDX-License-Identifier: MIT */
#ifndef PN_CTL_CTL_H
#define PN_CTL_CTL_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/error.h"

/* The exit codes, posternctl(1). */
enum ctl_exit {
    CTL_YES = 0,    /* yes, or done */
    CTL_NO = 1,     /* no, or a problem was found */
    CTL_FAILED = 2, /* wrong usage, or the question could not be asked */
};

/* An option "--name", of a command or of all. */
struct ctl_option {
    const char *name;
    char letter;       /* its short form, or 0 */
    const char *value; /* what the help calls its value; NULL: it takes none */
    const char *help;
};

struct ctl;

struct ctl_command {
    const char *name;
    const char *arguments; /* as the usage line shows them, "" for none */
    const char *summary;   /* one line */
    const char *details;   /* what else --help says: lines, each with its line feed */
    const struct ctl_option *options;
    size_t option_count;
    size_t args_min, args_max;
    enum ctl_exit (*run)(const struct ctl *ctl);
};

#define CTL_OPTIONS_MAX 12
#define CTL_ARGS_MAX    2

/* A command line that was understood. Strings are argv's. */
struct ctl {
    const struct ctl_command *command; /* NULL: none named */
    bool json;
    const char *globals[4];              /* values by the order of ctl_options */
    const char *values[CTL_OPTIONS_MAX]; /* values by the order of command->options */
    const char *args[CTL_ARGS_MAX];
    size_t arg_count;
};

/* The options that every command takes: config, json, help, version. */
extern const struct ctl_option ctl_options[4];
extern const struct ctl_command ctl_commands[];
extern const size_t ctl_command_count;

/* The value of an option: NULL when it was not given, "" for one without a value. */
const char *ctl_value(const struct ctl *ctl, const char *name);

/*
 * Say on stderr why the command failed, and with --json also on stdout as
 * {"error": …}. Returns CTL_NO where a daemon refused, else CTL_FAILED.
 */
enum ctl_exit ctl_fail(const struct ctl *ctl, const struct error *error);

/* The commands, a file for each group of them. */
enum ctl_exit ctl_run_config(const struct ctl *ctl);
enum ctl_exit ctl_run_status(const struct ctl *ctl);
enum ctl_exit ctl_run_bans(const struct ctl *ctl);
enum ctl_exit ctl_run_ban(const struct ctl *ctl);
enum ctl_exit ctl_run_unban(const struct ctl *ctl);
enum ctl_exit ctl_run_why(const struct ctl *ctl);
enum ctl_exit ctl_run_counters(const struct ctl *ctl);
enum ctl_exit ctl_run_jails(const struct ctl *ctl);
enum ctl_exit ctl_run_jails_test(const struct ctl *ctl);
enum ctl_exit ctl_run_watch(const struct ctl *ctl);
enum ctl_exit ctl_run_route(const struct ctl *ctl);
enum ctl_exit ctl_run_spf(const struct ctl *ctl);
enum ctl_exit ctl_run_verify(const struct ctl *ctl);
enum ctl_exit ctl_run_sign(const struct ctl *ctl);
enum ctl_exit ctl_run_keygen(const struct ctl *ctl);
enum ctl_exit ctl_run_proxy(const struct ctl *ctl);

#endif
