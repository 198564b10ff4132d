/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int error_set(struct error *error_r, enum error_code code, const char *fmt, ...)
{
    va_list ap;

    if (!error_r)
        return -1;
    error_r->code = code;
    va_start(ap, fmt);
    vsnprintf(error_r->text, sizeof(error_r->text), fmt, ap);
    va_end(ap);
    return -1;
}

int error_set_errno(struct error *error_r, const char *fmt, ...)
{
    int saved = errno;
    char reason[128];
    va_list ap;

    if (!error_r)
        return -1;
    error_r->code = ERROR_SYSTEM;
    va_start(ap, fmt);
    vsnprintf(error_r->text, sizeof(error_r->text), fmt, ap);
    va_end(ap);
    size_t used = strlen(error_r->text);
    snprintf(error_r->text + used, sizeof(error_r->text) - used, ": %s",
             strerror_r(saved, reason, sizeof(reason)));
    errno = saved;
    return -1;
}
