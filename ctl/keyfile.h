/* SPDX-License-Identifier: MIT */
#ifndef PN_CTL_KEYFILE_H
#define PN_CTL_KEYFILE_H

#include <sys/types.h>

#include "common/base/error.h"

/*
 * Write a new secret file, on disk when this returns: mode 0600 of who runs this, or, with a
 * group other than (gid_t)-1, 0640 of that group. One that exists is never touched. -1 and
 * the reason; no file is left behind then.
 */
int keyfile_write(const char *path, const char *text, gid_t group, struct error *error_r)
    __attribute__((warn_unused_result));

#endif
