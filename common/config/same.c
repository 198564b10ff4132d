/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/config/same.h"

#include "common/base/str.h"

bool same_text(const char *a, const char *b)
{
    return a && b ? str_eq_secret(a, b) : a == b;
}

bool same_strings(const struct config_strings *a, const struct config_strings *b)
{
    bool same = a->count == b->count;

    for (size_t i = 0; same && i < a->count; i++)
        same = str_eq(a->items[i], b->items[i]);
    return same;
}

bool same_prefixes(const struct prefixlist *a, const struct prefixlist *b)
{
    bool same = a->count == b->count;

    for (size_t i = 0; same && i < a->count; i++)
        same = prefix_eq(&a->items[i], &b->items[i]);
    return same;
}

static bool same_http(const struct config_http *a, const struct config_http *b)
{
    return same_text(a->listen, b->listen) && same_text(a->group, b->group) &&
           a->serve == b->serve && same_text(a->token, b->token) &&
           same_prefixes(&a->from, &b->from) && a->max_connections == b->max_connections &&
           a->max_request == b->max_request && a->max_memory == b->max_memory &&
           a->idle_timeout_sec == b->idle_timeout_sec &&
           a->request_timeout_sec == b->request_timeout_sec;
}

/* The program's next section from *index on, which moves behind it; NULL at the end. */
static const struct config_http *next_http(const struct config *config, enum config_program program,
                                           size_t *index)
{
    while (*index < config->http_count && config->https[*index].program != program)
        ++*index;
    return *index < config->http_count ? &config->https[(*index)++] : NULL;
}

bool same_https(const struct config *a, const struct config *b, enum config_program program)
{
    size_t index_a = 0, index_b = 0;
    const struct config_http *http_a, *http_b;

    do {
        http_a = next_http(a, program, &index_a);
        http_b = next_http(b, program, &index_b);
    } while (http_a && http_b && same_http(http_a, http_b));
    return !http_a && !http_b;
}

static bool same_redis(const struct config_redis *a, const struct config_redis *b)
{
    return same_text(a->user, b->user) && same_text(a->password, b->password) &&
           a->database == b->database && same_text(a->prefix, b->prefix) &&
           same_text(a->master, b->master) &&
           same_text(a->sentinel_password, b->sentinel_password) && a->timeout_ms == b->timeout_ms;
}

bool same_store(const struct config *a, const struct config *b)
{
    return same_text(a->store.url, b->store.url) &&
           (a->store.kind == CONFIG_STORE_FILE || same_redis(&a->redis, &b->redis));
}
