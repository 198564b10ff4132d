/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/wire/taglist.h"

#include <string.h>
#include <strings.h>

struct taglist taglist_of(const uint8_t *bytes, size_t len)
{
    return (struct taglist){.next = bytes, .end = len == 0 ? bytes : bytes + len};
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_alpha(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static void trim(const uint8_t **begin, const uint8_t **end)
{
    while (*begin < *end && is_blank(**begin))
        ++*begin;
    while (*begin < *end && is_blank((*end)[-1]))
        --*end;
}

static bool is_name(const uint8_t *begin, const uint8_t *end)
{
    if (begin == end || !is_alpha(*begin))
        return false;
    for (const uint8_t *p = begin; p < end; p++)
        if (!is_alpha(*p) && !(*p >= '0' && *p <= '9') && *p != '_')
            return false;
    return true;
}

static enum taglist_status read_piece(const uint8_t *begin, const uint8_t *end, struct tag *tag_r)
{
    const uint8_t *equals = memchr(begin, '=', (size_t)(end - begin));

    if (equals == NULL)
        return TAGLIST_BAD;
    const uint8_t *name_end = equals, *value = equals + 1;
    trim(&begin, &name_end);
    trim(&value, &end);
    if (!is_name(begin, name_end))
        return TAGLIST_BAD;
    *tag_r = (struct tag){begin, (size_t)(name_end - begin), value, (size_t)(end - value)};
    return TAGLIST_TAG;
}

enum taglist_status taglist_next(struct taglist *list, struct tag *tag_r)
{
    const uint8_t *begin = list->next, *end;

    if (begin == list->end)
        return TAGLIST_END;
    end = memchr(begin, ';', (size_t)(list->end - begin));
    list->next = end == NULL ? list->end : end + 1;
    bool is_last = end == NULL;
    if (end == NULL)
        end = list->end;
    const uint8_t *first = begin, *last = end;
    trim(&first, &last);
    if (first == last)
        return is_last ? TAGLIST_END : TAGLIST_BAD;
    return read_piece(begin, end, tag_r);
}

bool tag_is(const struct tag *tag, const char *name)
{
    return tag->name_len == strlen(name) && memcmp(tag->name, name, tag->name_len) == 0;
}

bool tag_has(const struct tag *tag, const char *text)
{
    return tag->value_len == strlen(text) &&
           strncasecmp((const char *)tag->value, text, tag->value_len) == 0;
}

static bool has_name_of(const struct tags *tags, const struct tag *tag)
{
    for (size_t i = 0; i < tags->count; i++) {
        const struct tag *known = &tags->items[i];
        if (known->name_len == tag->name_len &&
            strncasecmp((const char *)known->name, (const char *)tag->name, tag->name_len) == 0)
            return true;
    }
    return false;
}

enum tags_status tags_read(const uint8_t *bytes, size_t len, struct tags *tags_r)
{
    struct taglist list = taglist_of(bytes, len);
    enum taglist_status status;
    struct tag tag;

    tags_r->count = 0;
    while ((status = taglist_next(&list, &tag)) != TAGLIST_END) {
        if (status == TAGLIST_BAD || tags_r->count == TAGS_MAX)
            return TAGS_BAD;
        if (has_name_of(tags_r, &tag))
            return TAGS_TWICE;
        tags_r->items[tags_r->count++] = tag;
    }
    return TAGS_OK;
}

const struct tag *tags_find(const struct tags *tags, const char *name)
{
    for (size_t i = 0; i < tags->count; i++)
        if (tag_is(&tags->items[i], name))
            return &tags->items[i];
    return NULL;
}
