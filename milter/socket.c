/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "milter/socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <libmilter/mfapi.h>

#include "common/base/addr.h"
#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/base/process.h"
#include "common/base/str.h"

#define DESCRIPTORS_AT_START 1024 /* far more than are open before there is a session */

const char *socket_path(const char *listen)
{
    if (str_has_prefix(listen, "unix:"))
        return listen + strlen("unix:");
    return str_has_prefix(listen, "local:") ? listen + strlen("local:") : NULL;
}

/* "HOST:PORT" of an IPv4 address or a name, "[HOST]:PORT" of IPv6. */
static char *from_host_port(const char *listen)
{
    /* Never NULL, which it believes of a path too:
     * NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker) */
    const char *colon = strrchr(listen, ':');
    const char *family = *listen == '[' ? "inet6" : "inet";
    struct buf out;

    if (colon == NULL || colon == listen || colon[1] == '\0')
        return NULL;
    if ((*listen == '[') != (colon[-1] == ']') ||
        (*listen != '[' && memchr(listen, ':', (size_t)(colon - listen)) != NULL))
        return NULL;
    buf_init(&out);
    buf_printf(&out, "%s:%s@%.*s", family, colon + 1, (int)(colon - listen), listen);
    return buf_steal(&out);
}

char *socket_libmilter_form(const char *listen)
{
    if (socket_path(listen) != NULL || str_has_prefix(listen, "inet:") ||
        str_has_prefix(listen, "inet6:"))
        return x_strdup(listen);
    return from_host_port(listen);
}

/* Whether somebody answers there: libmilter would take the path away from a running milter. */
static bool is_in_use(const char *path)
{
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    bool used = false;
    int fd;

    if (strlen(path) >= sizeof sun.sun_path)
        return false;
    memcpy(sun.sun_path, path, strlen(path) + 1);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    used = connect(fd, (const struct sockaddr *)&sun, sizeof sun) == 0;
    close(fd);
    return used;
}

/* The mode must be right from the first moment: umask, not chmod. */
static int open_with_mode(const char *listen, struct error *error_r)
{
    char *form = socket_libmilter_form(listen);
    mode_t old;
    int rc = MI_FAILURE;

    if (form == NULL)
        return error_set(error_r, ERROR_CONFIG, "milter: cannot listen on %s", listen);
    old = umask(0117);
    if (smfi_setconn(form) == MI_SUCCESS)
        rc = smfi_opensocket(true);
    umask(old);
    free(form);
    return rc == MI_SUCCESS ? 0 : error_set_errno(error_r, "milter: cannot listen on %s", listen);
}

/*
 * libmilter answers in several small writes, of which Nagle's algorithm would hold each back
 * until the server acknowledges the one before, 40 ms later. What is accepted inherits this
 * from the listener, which libmilter keeps to itself: all there are get it.
 */
static void send_at_once(void)
{
    const int yes = 1;

    for (int fd = 0; fd < DESCRIPTORS_AT_START; fd++) {
        int listens = 0;
        socklen_t len = sizeof listens;
        if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) == 0 && listens)
            (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    }
}

int socket_open(const char *listen, const char *group, struct error *error_r)
{
    const char *path = socket_path(listen);
    gid_t gid = (gid_t)-1;

    if (path != NULL && is_in_use(path))
        return error_set(error_r, ERROR_SYSTEM, "milter: %s is in use by a running program", path);
    if (path != NULL && group != NULL && process_find_group(group, &gid, error_r) != 0)
        return -1;
    if (open_with_mode(listen, error_r) != 0)
        return -1;
    send_at_once();
    /* Whoever owns the directory could put a link in its place. */
    if (gid != (gid_t)-1 && lchown(path, (uid_t)-1, gid) != 0)
        return error_set_errno(error_r, "milter: cannot give %s to group %s", path, group);
    return 0;
}

void socket_remove(const char *listen)
{
    const char *path = socket_path(listen);

    if (path != NULL)
        (void)unlink(path);
}
