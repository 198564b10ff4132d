/* SPDX-License-Identifier: MIT */
#ifndef PN_CONFIG_SECRET_H
#define PN_CONFIG_SECRET_H

#include "common/base/error.h"

#define SECRET_MAX      1024
#define SECRET_TEXT_MAX 16384 /* the PEM of an rsa key of 4096 bits has 3.3 kB */

/*
 * The one line of a secret file, without its line feed. The file must be a regular
 * one that not everybody may read and its owner alone may write; its line has 1 to
 * SECRET_MAX bytes of UTF-8 without control characters. NULL and the reason, which never shows the
 * content. The caller frees with secret_free(), which wipes.
 */
char *secret_read(const char *path, struct error *error_r) __attribute__((warn_unused_result));
/* The same for a key: the whole text, 1 to SECRET_TEXT_MAX bytes on any number of lines. */
char *secret_read_text(const char *path, struct error *error_r) __attribute__((warn_unused_result));
void secret_free(char **secret);

/*
 * Whether a file belongs to root, to user, or to whom the process runs as: who else owns it
 * could put another key there. 0, or -1 and the reason.
 */
int secret_check_owner(const char *path, const char *user, struct error *error_r)
    __attribute__((warn_unused_result));

#endif
