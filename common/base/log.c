/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/base/log.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "common/base/buf.h"

static struct {
    const char *ident;
    enum log_target target;
    enum log_level least;
    bool priorities;
    log_capture_fn capture;
    void *capture_ctx;
} out = {.ident = "postern", .least = LOG_LEVEL_INFO};

static const int priorities[] = {LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERR};

/* The variable is inherited by everything that a service starts: only its device and inode say
 * whether journald reads this stderr (systemd.exec(5)). */
static bool journal_reads_stderr(void)
{
    const char *journal = getenv("JOURNAL_STREAM");
    char own[64];
    struct stat st;

    if (!journal || fstat(STDERR_FILENO, &st) < 0)
        return false;
    snprintf(own, sizeof(own), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
    return strcmp(journal, own) == 0;
}

void log_open(const char *ident, enum log_target target, enum log_level least)
{
    out.ident = ident;
    out.target = target;
    out.least = least;
    out.priorities = target == LOG_TARGET_STDERR && journal_reads_stderr();
    if (target == LOG_TARGET_SYSLOG)
        openlog(ident, LOG_PID | LOG_NDELAY, LOG_MAIL);
}

void log_capture(log_capture_fn fn, void *ctx)
{
    out.capture = fn;
    out.capture_ctx = ctx;
}

static bool needs_quotes(const char *value)
{
    if (!*value)
        return true;
    for (; *value; value++) {
        unsigned char c = (unsigned char)*value;
        if (c <= ' ' || c >= 0x7f || c == '"' || c == '=' || c == '\\')
            return true;
    }
    return false;
}

static void put_value(struct buf *line, const char *value)
{
    if (!needs_quotes(value) && strlen(value) <= LOG_VALUE_MAX) {
        buf_puts(line, value);
        return;
    }
    buf_putc(line, '"');
    for (size_t i = 0; value[i]; i++) {
        unsigned char c = (unsigned char)value[i];
        if (i == LOG_VALUE_MAX) {
            buf_puts(line, "...");
            break;
        }
        if (c == '"' || c == '\\')
            buf_printf(line, "\\%c", c);
        else if (c < ' ' || c >= 0x7f)
            buf_printf(line, "\\x%02x", c);
        else
            buf_putc(line, (char)c);
    }
    buf_putc(line, '"');
}

static void put_field(struct buf *line, const struct log_field *field)
{
    buf_printf(line, " %s=", field->key);
    switch (field->kind) {
    case LOG_KIND_STR:
        put_value(line, field->value.str ? field->value.str : "-");
        break;
    case LOG_KIND_INT:
        buf_printf(line, "%" PRId64, field->value.num);
        break;
    case LOG_KIND_UINT:
        buf_printf(line, "%" PRIu64, field->value.unum);
        break;
    case LOG_KIND_END:
        break;
    }
}

static void emit(enum log_level level, struct buf *line)
{
    if (out.capture)
        out.capture(level, buf_str(line), out.capture_ctx);
    if (out.target == LOG_TARGET_SYSLOG) {
        syslog(priorities[level], "%s", buf_str(line));
    } else if (out.target == LOG_TARGET_STDERR) {
        struct buf whole = {0};
        if (out.priorities)
            buf_printf(&whole, "<%d>", priorities[level]);
        buf_printf(&whole, "%s: %s\n", out.ident, buf_str(line));
        ssize_t written = write(STDERR_FILENO, whole.data, whole.len);
        (void)written; /* nowhere to complain */
        buf_fini(&whole);
    }
}

bool log_wants(enum log_level level)
{
    return level >= out.least;
}

void log_write(enum log_level level, const char *session, const char *event,
               const struct log_field *fields)
{
    struct buf line = {0};

    if (level < out.least)
        return;
    put_value(&line, session ? session : "-");
    buf_printf(&line, " %s", event);
    for (; fields->kind != LOG_KIND_END; fields++)
        put_field(&line, fields);
    emit(level, &line);
    buf_fini(&line);
}
