/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/wire/attr.h"

#include <inttypes.h>
#include <string.h>

/* One line without its line feed, copied to text; adds it to the list. */
static enum attr_status take_line(struct attr_list *list, char *text, size_t len)
{
    char *equals = memchr(text, '=', len);

    if (!equals || equals == text)
        return ATTR_BAD_LINE;
    if (len - (size_t)(equals - text) - 1 > ATTR_VALUE_MAX)
        return ATTR_BAD_VALUE_LEN;
    if (list->count == ATTR_COUNT_MAX)
        return ATTR_BAD_COUNT;
    text[len] = 0;
    *equals = 0;
    list->items[list->count++] = (struct attr){text, equals + 1};
    return ATTR_OK;
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

enum attr_status attr_parse(const uint8_t *bytes, size_t len, struct attr_list *list,
                            size_t *consumed_r)
{
    size_t seen = len < ATTR_LIST_MAX ? len : ATTR_LIST_MAX;
    size_t at = 0;

    list->count = 0;
    while (at < seen) {
        const uint8_t *end = memchr(bytes + at, '\n', seen - at);
        size_t line_len = (end ? (size_t)(end - bytes) : seen) - at;
        if (memchr(bytes + at, 0, line_len))
            return ATTR_BAD_NUL;
        if (!end) {
            enum attr_status status = judge_rest(bytes + at, line_len);
            if (status != ATTR_MORE)
                return status;
            break;
        }
        if (line_len == 0) {
            *consumed_r = at + 1;
            return ATTR_OK;
        }
        memcpy(list->text + at, bytes + at, line_len);
        enum attr_status status = take_line(list, list->text + at, line_len);
        if (status != ATTR_OK)
            return status;
        at += line_len + 1;
    }
    return len >= ATTR_LIST_MAX ? ATTR_BAD_LIST_LEN : ATTR_MORE;
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
        if (strcmp(list->items[i].name, name) == 0)
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

    buf_printf(out, "%s=", name);
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
