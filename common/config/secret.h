/* SPDX-License-Identifier: MIT */
#ifndef PN_CONFIG_SECRET_H
#define PN_CONFIG_SECRET_H

#include "common/base/error.h"

#define SECRET_MAX 1024

/*
 * The one line of a secret file, without its line feed. The file must be a regular
 * one that not everybody may read; its line has 1 to SECRET_MAX bytes of UTF-8
 * without control characters. NULL and the reason, which never shows the content.
 * The caller frees with secret_free(), which wipes.
 */
char *secret_read(const char *path, struct error *error_r) __attribute__((warn_unused_result));
void secret_free(char **secret);

#endif
