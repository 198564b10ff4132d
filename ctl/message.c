/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "ctl/message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/str.h"

#define MESSAGE_MAX ((size_t)100 * 1024 * 1024)
#define READ_SIZE   65536u

static int read_all(FILE *file, const char *path, struct buf *raw, struct error *error_r)
{
    size_t got;

    do {
        got = fread(buf_reserve(raw, READ_SIZE), 1, READ_SIZE, file);
        buf_commit(raw, got);
        if (raw->len > MESSAGE_MAX)
            return error_set(error_r, ERROR_CONFIG, "%s: a message of more than %zu MiB", path,
                             MESSAGE_MAX / 1024 / 1024);
    } while (got);
    return ferror(file) ? error_set_errno(error_r, "cannot read %s", path) : 0;
}

int message_read(const char *path, struct buf *raw, struct error *error_r)
{
    bool is_stdin = str_eq(path, "-");
    FILE *file = is_stdin ? stdin : fopen(path, "rb");
    const char *name = is_stdin ? "standard input" : path;

    if (!file)
        return error_set_errno(error_r, "cannot open %s", path);
    int rc = read_all(file, name, raw, error_r);
    if (!is_stdin)
        fclose(file);
    if (rc == 0 && raw->len == 0)
        rc = error_set(error_r, ERROR_CONFIG, "%s: empty, no message", name);
    return rc;
}

void message_to_wire(const uint8_t *bytes, size_t len, struct buf *out)
{
    size_t at = 0;

    while (at < len) {
        const uint8_t *feed = memchr(bytes + at, '\n', len - at);
        if (!feed) {
            buf_put(out, bytes + at, len - at);
            buf_puts(out, "\r\n");
            return;
        }
        bool bare = feed == bytes || feed[-1] != '\r';
        buf_put(out, bytes + at, (size_t)(feed - bytes) - at);
        buf_puts(out, bare ? "\r\n" : "\n");
        at = (size_t)(feed - bytes) + 1;
    }
}

int message_take_field(const struct message_field *field, char **name_r, char **value_r,
                       struct error *error_r)
{
    *name_r = str_take(field->name, field->name_len, SIZE_MAX);
    *value_r = str_take(field->value, field->value_len, SIZE_MAX);
    if (*name_r && *value_r)
        return 0;
    error_set(error_r, ERROR_CONFIG, "the field %s holds a NUL byte", *name_r);
    free(*name_r);
    free(*value_r);
    return -1;
}

/* Where the line at `at` ends, its line end included. */
static size_t line_end(const uint8_t *bytes, size_t len, size_t at)
{
    const uint8_t *feed = memchr(bytes + at, '\n', len - at);
    return feed ? (size_t)(feed - bytes) + 1 : len;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

/* Bytes of the field name that a line begins with (RFC 5322 3.6.8); 0: it is no field. */
static size_t name_len(const uint8_t *line, size_t len, size_t *colon_r)
{
    size_t name = 0, at;

    while (name < len && line[name] > ' ' && line[name] < 0x7f && line[name] != ':')
        name++;
    for (at = name; at < len && is_blank(line[at]); at++)
        ;
    *colon_r = at;
    return at < len && line[at] == ':' ? name : 0;
}

size_t message_start(const uint8_t *bytes, size_t len)
{
    return len >= 5 && memcmp(bytes, "From ", 5) == 0 ? line_end(bytes, len, 0) : 0;
}

bool message_next_field(const uint8_t *bytes, size_t len, size_t *at_r,
                        struct message_field *field_r)
{
    size_t at = *at_r, colon;

    if (at == 0)
        at = message_start(bytes, len);
    *at_r = at;
    if (at >= len)
        return false;
    size_t end = line_end(bytes, len, at);
    if (end - at == 2 && bytes[at] == '\r') {
        *at_r = end;
        return false;
    }
    size_t name = name_len(bytes + at, end - at, &colon);
    if (!name)
        return false;
    while (end < len && is_blank(bytes[end]))
        end = line_end(bytes, len, end);
    *at_r = end;
    if (end > at && bytes[end - 1] == '\n')
        end--;
    if (bytes[end - 1] == '\r')
        end--;
    size_t value = at + colon + 1;
    end = end < value ? value : end;
    *field_r = (struct message_field){bytes + at, name, bytes + value, end - value};
    return true;
}
