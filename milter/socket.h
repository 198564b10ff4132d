/* SPDX-License-Identifier: MIT */
#ifndef PN_MILTER_SOCKET_H
#define PN_MILTER_SOCKET_H

#include "common/base/error.h"

/*
 * milter.listen as libmilter wants it: "unix:PATH" and libmilter's own "local:PATH",
 * "inet:PORT@HOST" and "inet6:PORT@HOST" as they are; "HOST:PORT" and "[HOST]:PORT"
 * turned into these. The caller frees; NULL when it is none of them. Pure.
 */
char *socket_libmilter_form(const char *listen) __attribute__((warn_unused_result));

/* The path in "unix:PATH" or "local:PATH", or NULL. */
const char *socket_path(const char *listen);

/*
 * Open the listening socket through libmilter, whose callbacks are registered: a Unix
 * socket with mode 0660 and `group` (NULL: the process's own). One that nobody
 * listens on is replaced, one in use is an error. 0 or -1.
 */
int socket_open(const char *listen, const char *group, struct error *error_r)
    __attribute__((warn_unused_result));

/* Remove what socket_open() left in the file system, if this process may. */
void socket_remove(const char *listen);

#endif
