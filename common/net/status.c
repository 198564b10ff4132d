/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/net/status.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/bug.h"
#include "common/base/mem.h"
#include "common/base/str.h"

void status_put_listener(struct buf *out, const struct status_listener *listener)
{
    struct buf value = {0};

    buf_printf(&value, "%s %" PRIu64 " %" PRIu64 " %s", listener->serves, listener->open,
               listener->closed, listener->address);
    attr_put(out, STATUS_LISTENER, buf_str(&value));
    buf_fini(&value);
}

/* The word before the next space, of which value then begins; NULL at the end. */
static char *take_word(char **value)
{
    char *word = *value, *space = strchr(word, ' ');

    if (!space)
        return NULL;
    *space = '\0';
    *value = space + 1;
    return word;
}

int status_parse_listener(char *value, struct status_listener *listener_r)
{
    const char *serves = take_word(&value);
    const char *open = serves ? take_word(&value) : NULL;
    const char *closed = open ? take_word(&value) : NULL;

    if (!closed || str_parse_u64(open, 0, INT64_MAX, &listener_r->open) ||
        str_parse_u64(closed, 0, INT64_MAX, &listener_r->closed))
        return -1;
    listener_r->serves = serves;
    listener_r->address = value;
    return 0;
}

/* A string whatever its bytes: those that are not UTF-8 become "?". */
static json_t *text_json(const char *text)
{
    char *clean = x_strdup(text);
    bool utf8 = str_is_utf8(clean);

    for (char *p = clean; *p; p++) {
        if ((unsigned char)*p >= 0x80 && !utf8)
            *p = '?';
    }
    json_t *string = json_string(clean);
    free(clean);
    return string;
}

static void add_listener(json_t *listeners, const char *text)
{
    char *value = x_strdup(text);
    struct status_listener listener;

    if (status_parse_listener(value, &listener) == 0)
        json_array_append_new(listeners, json_pack("{s:o, s:o, s:I, s:I}", "serves",
                                                   text_json(listener.serves), "address",
                                                   text_json(listener.address), "connections",
                                                   (json_int_t)listener.open, "connections_closed",
                                                   (json_int_t)listener.closed));
    free(value);
}

/* Words that look like a number in some version must not change their type. */
static bool is_text(const char *name)
{
    static const char *const names[] = {"program",  "version",       "store", "store_error",
                                        "last_ban", "last_ban_jail", NULL};
    size_t i = 0;

    while (names[i] && !str_eq(names[i], name))
        i++;
    return names[i] != NULL;
}

static json_t *value_json(const char *name, const char *value)
{
    uint64_t number;

    if (is_text(name))
        return text_json(value);
    if (str_eq(value, "yes") || str_eq(value, "no"))
        return json_boolean(str_eq(value, "yes"));
    if (str_parse_u64(value, 0, INT64_MAX, &number) == 0)
        return json_integer((json_int_t)number);
    return text_json(value);
}

json_t *status_json(const struct attr_list *list)
{
    json_t *object = json_object(), *listeners = json_array();

    for (size_t i = 0; i < list->count; i++) {
        const char *name = list->items[i].name, *value = list->items[i].value;
        if (str_eq(name, STATUS_LISTENER))
            add_listener(listeners, value);
        else if (!str_eq(name, "status") && str_is_utf8(name) && !json_object_get(object, name))
            json_object_set_new(object, name, value_json(name, value));
    }
    if (json_array_size(listeners))
        json_object_set(object, "listeners", listeners);
    json_decref(listeners);
    return object;
}

void status_respond(struct http_request *request, const struct buf *attributes)
{
    struct attr_list list;
    size_t consumed;

    BUG_ON(attr_parse(attributes->data, attributes->len, &list, &consumed) != ATTR_OK);
    json_t *json = status_json(&list);
    char *text = json_dumps(json, JSON_INDENT(2));
    http_respond(request, 200, "application/json", text, strlen(text));
    free(text);
    json_decref(json);
}
