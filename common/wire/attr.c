/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/wire/attr.h"

#include <inttypes.h>
#include <string.h>

/* One line without its line feed; adds where its parts will be in the list's text. */
static enum attr_status take_line(struct attr_list *list, const uint8_t *line, size_t at,
                                  size_t len)
{
    const uint8_t *equals = memchr(line, '=', len);

    if (!equals || equals == line)
        return ATTR_BAD_LINE;
    size_t name_len = (size_t)(equals - line);
    if (len - name_len - 1 > ATTR_VALUE_MAX)
        return ATTR_BAD_VALUE_LEN;
    if (list->count == ATTR_COUNT_MAX)
        return ATTR_BAD_COUNT;
    const char *name = list->text + at;
    list->items[list->count++] = (struct attr){name, name + name_len + 1};
    return ATTR_OK;
}

/* Copies the whole at once, then ends each name and each value in it. */
static void keep_text(struct attr_list *list, const uint8_t *bytes, size_t len)
{
    memcpy(list->text, bytes, len);
    for (size_t i = 0; i < list->count; i++) {
        size_t name_at = (size_t)(list->items[i].name - list->text);
        list->text[list->items[i].value - list->text - 1] = 0;
        if (name_at)
            list->text[name_at - 1] = 0;
    }
    /* The last value's line feed; the empty line is behind it. */
    if (len > 1)
        list->text[len - 2] = 0;
}

/* Whether a line that has no end yet can still become a good one. */
static enum attr_status judge_rest(const uint8_t *rest, size_t len)
{
    const uint8_t *equals = memchr(rest, '=', len);

    if (equals == rest && len)
        return ATTR_BAD_LINE;
    if (equals && len - (size_t)(equals - rest) - 1 > ATTR_VALUE_MAX)
        return ATTR_BAD_VALUE_LEN;
    return ATTR_MORE;
}

/* Takes lines until the empty one, an end of the bytes, or one that is refused. */
static enum attr_status take_lines(const uint8_t *bytes, size_t len, struct attr_list *list,
                                   size_t *seen_r)
{
    const uint8_t *end;
    size_t at = 0;

    while ((end = memchr(bytes + at, '\n', len - at))) {
        size_t line_len = (size_t)(end - bytes) - at;
        *seen_r = at + line_len + 1;
        if (line_len == 0)
            return ATTR_OK;
        enum attr_status status = take_line(list, bytes + at, at, line_len);
        if (status != ATTR_OK)
            return status;
        at = *seen_r;
    }
    *seen_r = len;
    return judge_rest(bytes + at, len - at);
}

enum attr_status attr_parse(const uint8_t *bytes, size_t len, struct attr_list *list,
                            size_t *consumed_r)
{
    size_t limit = len < ATTR_LIST_MAX ? len : ATTR_LIST_MAX, seen = 0;

    list->count = 0;
    if (!len)
        return ATTR_MORE;
    enum attr_status status = take_lines(bytes, limit, list, &seen);
    /* What lies behind the list is the next one's. */
    if (memchr(bytes, 0, seen))
        return ATTR_BAD_NUL;
    if (status == ATTR_OK) {
        keep_text(list, bytes, seen);
        *consumed_r = seen;
    }
    return status == ATTR_MORE && len >= ATTR_LIST_MAX ? ATTR_BAD_LIST_LEN : status;
}

const char *attr_strstatus(enum attr_status status)
{
    static const char *const words[] = {
        [ATTR_OK] = "complete",
        [ATTR_MORE] = "incomplete",
        [ATTR_BAD_NUL] = "NUL byte",
        [ATTR_BAD_LINE] = "line that is not name=value",
        [ATTR_BAD_LIST_LEN] = "list too long",
        [ATTR_BAD_VALUE_LEN] = "value too long",
        [ATTR_BAD_COUNT] = "too many attributes",
    };
    return words[status];
}

const char *attr_get(const struct attr_list *list, const char *name)
{
    for (size_t i = 0; i < list->count; i++) {
        const char *own = list->items[i].name;
        if (*own == *name && strcmp(own, name) == 0)
            return list->items[i].value;
    }
    return NULL;
}

const char *attr_get_or_empty(const struct attr_list *list, const char *name)
{
    const char *value = attr_get(list, name);
    return value ? value : "";
}

void attr_put(struct buf *out, const char *name, const char *value)
{
    size_t len = strnlen(value, ATTR_VALUE_MAX);

    buf_puts(out, name);
    buf_putc(out, '=');
    uint8_t *to = buf_reserve(out, len);
    for (size_t i = 0; i < len; i++)
        to[i] = value[i] == '\n' ? ' ' : (uint8_t)value[i];
    buf_commit(out, len);
    buf_putc(out, '\n');
}

void attr_put_uint(struct buf *out, const char *name, uint64_t value)
{
    buf_printf(out, "%s=%" PRIu64 "\n", name, value);
}

void attr_end(struct buf *out)
{
    buf_putc(out, '\n');
}
