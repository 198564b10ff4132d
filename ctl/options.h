/* SPDX-License-Identifier: MIT */
#ifndef PN_CTL_OPTIONS_H
#define PN_CTL_OPTIONS_H

#include <stdio.h>

#include "ctl/ctl.h"

/*
 * Understand a command line: [OPTION…] COMMAND [OPTION | ARGUMENT]…, each option at
 * most once, "--name VALUE" or "--name=VALUE", "--" before what only looks like an
 * option. With --help or --version the rest need not be complete. 0, or -1 and what
 * is wrong.
 */
int options_parse(struct ctl *ctl, int argc, char **argv, struct error *error_r)
    __attribute__((warn_unused_result));

/* What --help prints, of one command or (NULL) of the whole. */
void options_help(const struct ctl_command *command, FILE *to);

#endif
