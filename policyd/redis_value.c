/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/redis_value.h"

#include <string.h>

#include <hiredis/hiredis.h>

static const redisReply *reply_of(const struct redis_value *value)
{
    return (const redisReply *)(const void *)value;
}

enum redis_kind redis_kind(const struct redis_value *value)
{
    switch (value ? reply_of(value)->type : REDIS_REPLY_NIL) {
    case REDIS_REPLY_INTEGER:
        return REDIS_INTEGER;
    case REDIS_REPLY_STRING:
    case REDIS_REPLY_STATUS:
        return REDIS_STRING;
    case REDIS_REPLY_ARRAY:
        return REDIS_ARRAY;
    case REDIS_REPLY_ERROR:
        return REDIS_ERROR;
    default:
        return REDIS_NIL;
    }
}

int64_t redis_integer(const struct redis_value *value)
{
    return redis_kind(value) == REDIS_INTEGER ? reply_of(value)->integer : 0;
}

const char *redis_string(const struct redis_value *value, size_t *len_r)
{
    enum redis_kind kind = redis_kind(value);
    bool is_text = kind == REDIS_STRING || kind == REDIS_ERROR;

    *len_r = is_text ? reply_of(value)->len : 0;
    return is_text ? reply_of(value)->str : NULL;
}

size_t redis_count(const struct redis_value *value)
{
    return redis_kind(value) == REDIS_ARRAY ? reply_of(value)->elements : 0;
}

const struct redis_value *redis_item(const struct redis_value *value, size_t i)
{
    if (i >= redis_count(value))
        return NULL;
    return (const struct redis_value *)(const void *)reply_of(value)->element[i];
}

bool redis_string_is(const struct redis_value *value, const char *text)
{
    size_t len;
    const char *bytes = redis_string(value, &len);

    return redis_kind(value) == REDIS_STRING && len == strlen(text) &&
           memcmp(bytes, text, len) == 0;
}

bool redis_error_is(const struct redis_value *value, const char *code)
{
    size_t len, code_len = strlen(code);
    const char *bytes = redis_string(value, &len);

    return redis_kind(value) == REDIS_ERROR && len >= code_len &&
           memcmp(bytes, code, code_len) == 0 && (len == code_len || bytes[code_len] == ' ');
}
