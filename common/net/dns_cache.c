/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/net/dns_cache.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/map.h"
#include "common/base/mem.h"

#define KEY_MAX (4 * DNS_NAME_MAX + 2) /* every octet of a name may be escaped */

struct entry {
    struct map_node node;
    struct entry *newer, *older; /* by the last time it was asked for */
    int64_t until_ms;
    struct dns_answer answer;
    size_t bytes;
    size_t key_len;
    char key[];
};

struct dns_cache {
    const struct clock *clock;
    pthread_mutex_t lock;
    struct map entries;
    struct entry *newest, *oldest;
    size_t bytes;
};

/* --- keys and sizes ------------------------------------------------------------------- */

/* The type and the name in lower case, without the last dot; 0: too long to be kept. */
static size_t make_key(const struct dns_question *question, char key[KEY_MAX])
{
    size_t len = strlen(question->name);

    if (len > KEY_MAX - sizeof(question->type))
        return 0;
    memcpy(key, &question->type, sizeof(question->type));
    char *name = key + sizeof(question->type);
    for (size_t i = 0; i < len; i++) {
        char c = question->name[i];
        name[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    /* An escaped dot is part of the name. */
    if (len > 1 && name[len - 1] == '.' && name[len - 2] != '\\')
        len--;
    return len + sizeof(question->type);
}

static bool has_key(const struct map_node *node, const void *key, size_t key_len)
{
    const struct entry *entry = MAP_ENTRY(node, const struct entry, node);

    return entry->key_len == key_len && memcmp(entry->key, key, key_len) == 0;
}

static size_t answer_bytes(const struct dns_answer *answer)
{
    size_t bytes = answer->count * sizeof(answer->records[0]);

    for (size_t i = 0; i < answer->count; i++) {
        const struct dns_record *record = &answer->records[i];
        bytes += record->txt_len + (record->name ? strlen(record->name) + 1 : 0);
    }
    return bytes;
}

/* --- entries: the lock is held ---------------------------------------------------------- */

static void unlink_entry(struct dns_cache *cache, struct entry *entry)
{
    *(entry->newer ? &entry->newer->older : &cache->newest) = entry->older;
    *(entry->older ? &entry->older->newer : &cache->oldest) = entry->newer;
}

static void link_newest(struct dns_cache *cache, struct entry *entry)
{
    entry->newer = NULL;
    entry->older = cache->newest;
    *(cache->newest ? &cache->newest->newer : &cache->oldest) = entry;
    cache->newest = entry;
}

static void drop(struct dns_cache *cache, struct entry *entry)
{
    map_remove(&cache->entries, &entry->node);
    unlink_entry(cache, entry);
    cache->bytes -= entry->bytes;
    dns_answer_fini(&entry->answer);
    free(entry);
}

static struct entry *find(const struct dns_cache *cache, const struct dns_question *question)
{
    char key[KEY_MAX];
    size_t len = make_key(question, key);
    struct map_node *node = len ? map_find(&cache->entries, key, len) : NULL;

    return node ? MAP_ENTRY(node, struct entry, node) : NULL;
}

static void insert(struct dns_cache *cache, const struct dns_question *question,
                   const struct dns_answer *answer)
{
    char key[KEY_MAX];
    size_t len = make_key(question, key);
    uint32_t ttl_sec = answer->ttl_sec < DNS_CACHE_TTL_MAX ? answer->ttl_sec : DNS_CACHE_TTL_MAX;

    if (!len)
        return;
    struct entry *entry = x_calloc(1, sizeof(*entry) + len);
    entry->until_ms = clock_mono_ms(cache->clock) + (int64_t)ttl_sec * 1000;
    entry->answer = dns_answer_copy(answer);
    entry->bytes = sizeof(*entry) + len + answer_bytes(answer);
    entry->key_len = len;
    memcpy(entry->key, key, len);
    map_insert(&cache->entries, &entry->node, key, len);
    link_newest(cache, entry);
    cache->bytes += entry->bytes;
    while (cache->bytes > DNS_CACHE_BYTES_MAX)
        drop(cache, cache->oldest);
}

static bool is_worth_keeping(const struct dns_answer *answer)
{
    bool is_known = answer->status == DNS_FOUND || answer->status == DNS_NXDOMAIN ||
                    answer->status == DNS_NODATA;

    return is_known && answer->ttl_sec && answer_bytes(answer) <= DNS_CACHE_ANSWER_MAX;
}

/* --- the cache ---------------------------------------------------------------------------- */

struct dns_cache *dns_cache_new(const struct clock *clock)
{
    struct dns_cache *cache = x_calloc(1, sizeof(*cache));

    cache->clock = clock;
    pthread_mutex_init(&cache->lock, NULL);
    map_init(&cache->entries, has_key);
    return cache;
}

void dns_cache_free(struct dns_cache **cache)
{
    struct dns_cache *gone = *cache;

    if (!gone)
        return;
    *cache = NULL;
    while (gone->oldest)
        drop(gone, gone->oldest);
    map_fini(&gone->entries);
    pthread_mutex_destroy(&gone->lock);
    free(gone);
}

/* With how much of its time is left. */
static struct dns_answer take(struct dns_cache *cache, struct entry *entry, int64_t now_ms)
{
    struct dns_answer answer = dns_answer_copy(&entry->answer);

    answer.ttl_sec = (uint32_t)((entry->until_ms - now_ms + 999) / 1000);
    unlink_entry(cache, entry);
    link_newest(cache, entry);
    return answer;
}

bool dns_cache_find(struct dns_cache *cache, const struct dns_question *questions, size_t count,
                    struct dns_answer *answers_r)
{
    int64_t now_ms = clock_mono_ms(cache->clock);
    bool has_all = true;

    pthread_mutex_lock(&cache->lock);
    for (size_t i = 0; i < count && has_all; i++) {
        const struct entry *entry = find(cache, &questions[i]);
        has_all = entry && entry->until_ms > now_ms;
    }
    for (size_t i = 0; i < count && has_all; i++)
        answers_r[i] = take(cache, find(cache, &questions[i]), now_ms);
    pthread_mutex_unlock(&cache->lock);
    return has_all;
}

void dns_cache_keep(struct dns_cache *cache, const struct dns_question *questions, size_t count,
                    const struct dns_answer *answers)
{
    pthread_mutex_lock(&cache->lock);
    for (size_t i = 0; i < count; i++) {
        struct entry *before = find(cache, &questions[i]);
        if (!is_worth_keeping(&answers[i]))
            continue;
        if (before)
            drop(cache, before);
        insert(cache, &questions[i], &answers[i]);
    }
    pthread_mutex_unlock(&cache->lock);
}
