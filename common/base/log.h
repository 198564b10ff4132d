/* SPDX-License-Identifier: MIT */
#ifndef PN_BASE_LOG_H
#define PN_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/error.h"

/*
 * One line an event:
 *
 *     SESSION EVENT key=value key="value with spaces"
 *
 * Values are escaped here and nowhere else: a value that holds a space, a quote,
 * '=' or nothing is quoted, bytes outside printable ASCII become \xHH, and a value
 * is cut at LOG_VALUE_MAX bytes. So a peer can forge neither a line nor a key.
 * Never pass a secret.
 *
 *     log_info(session, "ban", LOG_STR("prefix", text), LOG_UINT("seconds", 3600));
 *
 * session may be NULL; the place then shows "-". Any thread may log.
 */
#define LOG_VALUE_MAX 512

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARNING, LOG_LEVEL_ERROR };

enum log_target {
    LOG_TARGET_STDERR,  /* with a syslog priority in <> before each line when journald reads it */
    LOG_TARGET_SYSLOG,  /* facility mail */
    LOG_TARGET_NOWHERE, /* for who looks at log_capture() only */
};

enum log_kind { LOG_KIND_END, LOG_KIND_STR, LOG_KIND_INT, LOG_KIND_UINT };

struct log_field {
    const char *key;
    enum log_kind kind;
    union {
        const char *str;
        int64_t num;
        uint64_t unum;
    } value;
};

#define LOG_STR(k, v)  ((struct log_field){(k), LOG_KIND_STR, {.str = (v)}})
#define LOG_INT(k, v)  ((struct log_field){(k), LOG_KIND_INT, {.num = (v)}})
#define LOG_UINT(k, v) ((struct log_field){(k), LOG_KIND_UINT, {.unum = (v)}})
#define LOG_ERR(err)   LOG_STR("error", (err)->text)
#define LOG_FIELDS(...)                                                                            \
    ((const struct log_field[]){__VA_ARGS__ __VA_OPT__(, ){NULL, LOG_KIND_END, {.str = NULL}}})

#define log_debug(s, ev, ...)   log_write(LOG_LEVEL_DEBUG, s, ev, LOG_FIELDS(__VA_ARGS__))
#define log_info(s, ev, ...)    log_write(LOG_LEVEL_INFO, s, ev, LOG_FIELDS(__VA_ARGS__))
#define log_warning(s, ev, ...) log_write(LOG_LEVEL_WARNING, s, ev, LOG_FIELDS(__VA_ARGS__))
#define log_error(s, ev, ...)   log_write(LOG_LEVEL_ERROR, s, ev, LOG_FIELDS(__VA_ARGS__))

/* ident is the program's name, borrowed for the life of the process. Call before any thread starts.
 */
void log_open(const char *ident, enum log_target target, enum log_level least);

/* Whether such a line would be written: to spare making what goes into it. */
bool log_wants(enum log_level level);

void log_write(enum log_level level, const char *session, const char *event,
               const struct log_field *fields);

/* Every line, without ident, also goes to fn (NULL: to nobody). */
typedef void (*log_capture_fn)(enum log_level level, const char *line, void *ctx);
void log_capture(log_capture_fn fn, void *ctx);

#endif
