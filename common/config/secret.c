/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "common/config/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/base/str.h"

static int check_file(int fd, const char *path, struct error *error_r)
{
    struct stat st;

    if (fstat(fd, &st) != 0)
        return error_set_errno(error_r, "%s", path);
    if (!S_ISREG(st.st_mode))
        return error_set(error_r, ERROR_CONFIG, "%s is not a regular file", path);
    if ((st.st_mode & S_IROTH) != 0)
        return error_set(error_r, ERROR_CONFIG,
                         "%s can be read by everybody (mode %04o): chmod 0640 is right", path,
                         (unsigned)(st.st_mode & 07777));
    if ((st.st_mode & (S_IWOTH | S_IWGRP)) != 0)
        return error_set(error_r, ERROR_CONFIG,
                         "%s can be written by others than its owner (mode %04o): chmod 0640 is "
                         "right",
                         path, (unsigned)(st.st_mode & 07777));
    return 0;
}

/* As much as there is, at most size. The length, or -1. */
static ssize_t read_all(int fd, char *bytes, size_t size)
{
    size_t len = 0;

    while (len < size) {
        ssize_t n = read(fd, bytes + len, size - len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        len += (size_t)n;
    }
    return (ssize_t)len;
}

static bool is_one_line(const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)bytes[i] < 0x20 || bytes[i] == 0x7f)
            return false;
    return true;
}

static char *take_line(const char *bytes, size_t len, const char *path, struct error *error_r)
{
    char *secret;

    if (len > 0 && bytes[len - 1] == '\n')
        len--;
    if (len > 0 && bytes[len - 1] == '\r')
        len--;
    if (len == 0)
        error_set(error_r, ERROR_CONFIG, "%s is empty: one line with the secret is right", path);
    else if (len > SECRET_MAX)
        error_set(error_r, ERROR_CONFIG, "%s is longer than %d bytes", path, SECRET_MAX);
    else if (!is_one_line(bytes, len))
        error_set(error_r, ERROR_CONFIG,
                  "%s is more than one line of text: the secret alone is right", path);
    else {
        secret = x_strndup(bytes, len);
        if (str_is_utf8(secret))
            return secret;
        secret_free(&secret);
        error_set(error_r, ERROR_CONFIG, "%s is not UTF-8", path);
    }
    return NULL;
}

static char *take_text(const char *bytes, size_t len, const char *path, struct error *error_r)
{
    if (len == 0)
        error_set(error_r, ERROR_CONFIG, "%s is empty", path);
    else if (len > SECRET_TEXT_MAX)
        error_set(error_r, ERROR_CONFIG, "%s is longer than %d bytes", path, SECRET_TEXT_MAX);
    else if (memchr(bytes, '\0', len))
        error_set(error_r, ERROR_CONFIG, "%s is not text", path);
    else
        return x_strndup(bytes, len);
    return NULL;
}

typedef char *(*take_fn)(const char *bytes, size_t len, const char *path, struct error *error_r);

/* What take makes of the file's first size bytes. */
static char *read_file(const char *path, size_t size, take_fn take, struct error *error_r)
{
    char *bytes = x_malloc(size), *secret = NULL;
    ssize_t len;
    /* O_NONBLOCK: a FIFO must not hold the start up. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0) {
        error_set_errno(error_r, "%s", path);
    } else if (check_file(fd, path, error_r) == 0) {
        len = read_all(fd, bytes, size);
        if (len < 0)
            error_set_errno(error_r, "%s", path);
        else
            secret = take(bytes, (size_t)len, path, error_r);
        explicit_bzero(bytes, size);
    }
    if (fd >= 0)
        close(fd);
    free(bytes);
    return secret;
}

char *secret_read(const char *path, struct error *error_r)
{
    /* "\r\n", and one to see that there is more */
    return read_file(path, SECRET_MAX + 3, take_line, error_r);
}

char *secret_read_text(const char *path, struct error *error_r)
{
    return read_file(path, SECRET_TEXT_MAX + 1, take_text, error_r);
}

void secret_free(char **secret)
{
    if (*secret != NULL)
        explicit_bzero(*secret, strlen(*secret));
    free(*secret);
    *secret = NULL;
}

int secret_check_owner(const char *path, const char *user, struct error *error_r)
{
    const struct passwd *account = getpwnam(user);
    struct stat st;

    if (stat(path, &st) != 0)
        return error_set_errno(error_r, "%s", path);
    if (st.st_uid == 0 || st.st_uid == geteuid() ||
        (account != NULL && st.st_uid == account->pw_uid))
        return 0;
    return error_set(error_r, ERROR_CONFIG,
                     "%s belongs to the user with number %u: chown it to root or %s", path,
                     (unsigned)st.st_uid, user);
}
