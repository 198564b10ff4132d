/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/store_redis_text.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/str.h"
#include "policyd/jail.h"
#include "policyd/window.h"

#define TEXT_MAX 512 /* of a key or of a value; ours are shorter but for the option prefix */

/* --- the names of keys ----------------------------------------------------------------- */

static const struct {
    uint8_t family;
    const char *name;
} hashed[] = {{JAIL_KEY_LOGIN, "login:"}, {JAIL_KEY_CLIENT_LOGIN, "client+login:"}};

#define HASHED_COUNT (sizeof(hashed) / sizeof(*hashed))

static void put_key(struct buf *out, const struct prefix *key)
{
    char text[PREFIX_TEXT_MAX];

    for (size_t i = 0; i < HASHED_COUNT; i++) {
        if (hashed[i].family != key->addr.family)
            continue;
        buf_puts(out, hashed[i].name);
        for (size_t n = 0; n < sizeof(key->addr.bytes); n++)
            buf_printf(out, "%02x", key->addr.bytes[n]);
        return;
    }
    buf_puts(out, prefix_format(key, text));
}

static void put_tagged(struct buf *out, const char *prefix, const char *kind,
                       const struct prefix *key)
{
    buf_puts(out, prefix);
    buf_puts(out, kind);
    put_key(out, key);
    buf_putc(out, '}');
}

void store_redis_put_counter_key(struct buf *out, const char *prefix, const struct prefix *key)
{
    put_tagged(out, prefix, "c:{", key);
}

void store_redis_put_ban_key(struct buf *out, const char *prefix, const struct prefix *net)
{
    put_tagged(out, prefix, "b:{", net);
}

void store_redis_put_ban_net(struct buf *out, const struct store_ban *ban)
{
    put_key(out, &ban->prefix);
    if (!jail_key_is_hash(&ban->prefix))
        return;
    buf_putc(out, ':');
    for (const char *p = ban->login; *p; p++)
        buf_printf(out, "%02x", (unsigned char)*p);
}

void store_redis_put_ban_pattern(struct buf *out, const char *prefix)
{
    for (const char *p = prefix; *p; p++) {
        if (strchr("*?[]\\^-", *p))
            buf_putc(out, '\\');
        buf_putc(out, *p);
    }
    buf_puts(out, "b:{*}");
}

static int digit_of(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *found = c ? strchr(digits, c) : NULL;

    return found ? (int)(found - digits) : -1;
}

static int read_hex(const char *text, uint8_t *bytes, size_t count)
{
    if (strlen(text) != 2 * count)
        return -1;
    for (size_t i = 0; i < count; i++) {
        int high = digit_of(text[2 * i]), low = digit_of(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return -1;
        bytes[i] = (uint8_t)(high << 4 | low);
    }
    return 0;
}

static int read_key(const char *text, struct prefix *key_r)
{
    for (size_t i = 0; i < HASHED_COUNT; i++) {
        if (!str_has_prefix(text, hashed[i].name))
            continue;
        *key_r = (struct prefix){.addr.family = hashed[i].family};
        return read_hex(text + strlen(hashed[i].name), key_r->addr.bytes,
                        sizeof(key_r->addr.bytes));
    }
    return prefix_parse(text, key_r);
}

int store_redis_read_counter_key(const char *text, size_t len, const char *prefix,
                                 struct prefix *key_r)
{
    size_t prefix_len = strlen(prefix);
    char *name = str_take((const uint8_t *)text, len, TEXT_MAX);
    bool is_one = name && str_has_prefix(name, prefix) &&
                  str_has_prefix(name + prefix_len, "c:{") && name[len - 1] == '}';
    int rc = -1;

    if (is_one) {
        name[len - 1] = '\0';
        rc = read_key(name + prefix_len + strlen("c:{"), key_r);
    }
    free(name);
    return rc;
}

/* --- bans ------------------------------------------------------------------------------ */

/* Up to the next space, which becomes the word's end; NULL: there is none. */
static char *take_word(char **rest)
{
    char *word = *rest, *end = strchr(word, ' ');

    if (!end)
        return NULL;
    *end = '\0';
    *rest = end + 1;
    return word;
}

static int take_number(char **rest, uint64_t max, uint64_t *value_r)
{
    const char *word = take_word(rest);

    return word ? str_parse_u64(word, 0, max, value_r) : -1;
}

#define TIME_MAX ((uint64_t)1 << 53) /* as far as Lua's numbers go */

static int read_net(char *net, struct store_ban *ban)
{
    char *name = str_has_prefix(net, "login:") ? strrchr(net, ':') : NULL;
    size_t len = name ? strlen(name + 1) / 2 : 0;

    if (!name)
        return prefix_parse(net, &ban->prefix);
    *name = '\0';
    if (read_key(net, &ban->prefix) || len >= sizeof(ban->login) ||
        read_hex(name + 1, (uint8_t *)ban->login, len))
        return -1;
    return strlen(ban->login) == len ? 0 : -1;
}

/*
 * The ends may be in the past, or so far away that no ban is: the caller sees to that. One that
 * begins later than now, as the server's clock was set back, begins now, to be no longer for it.
 */
static int read_ban(char *rest, int64_t server_ms, int64_t wall_ms, struct store_ban *ban_r)
{
    uint64_t version, until_ms, since_ms, acts;
    char *net;

    *ban_r = (struct store_ban){0};
    if (take_number(&rest, TIME_MAX, &version) || take_number(&rest, TIME_MAX, &until_ms) ||
        take_number(&rest, TIME_MAX, &since_ms) || take_number(&rest, CONFIG_ACTS_ALL, &acts) ||
        !(net = take_word(&rest)) || read_net(net, ban_r) || strlen(rest) >= sizeof(ban_r->jail))
        return -1;
    if ((int64_t)since_ms > server_ms)
        server_ms = (int64_t)since_ms;
    ban_r->version = version;
    ban_r->until_wall_ms = wall_ms + ((int64_t)until_ms - server_ms);
    ban_r->since_wall_ms = wall_ms + ((int64_t)since_ms - server_ms);
    ban_r->acts = (unsigned)acts;
    ban_r->is_lifted = !acts;
    if (acts && jail_key_is_hash(&ban_r->prefix) && !*ban_r->login)
        return -1;
    memcpy(ban_r->jail, rest, strlen(rest) + 1);
    return 0;
}

int store_redis_read_ban(const char *text, size_t len, int64_t server_ms, int64_t wall_ms,
                         struct store_ban *ban_r)
{
    char *copy = str_take((const uint8_t *)text, len, TEXT_MAX);
    int rc = copy ? read_ban(copy, server_ms, wall_ms, ban_r) : -1;

    free(copy);
    return rc;
}

int store_redis_read_dated_ban(const char *text, size_t len, int64_t wall_ms,
                               struct store_ban *ban_r)
{
    char *copy = str_take((const uint8_t *)text, len, TEXT_MAX), *rest = copy;
    uint64_t server_ms;
    int rc = copy && take_number(&rest, TIME_MAX, &server_ms) == 0
                 ? read_ban(rest, (int64_t)server_ms, wall_ms, ban_r)
                 : -1;

    free(copy);
    return rc;
}

/* --- hits ------------------------------------------------------------------------------ */

#define FLAG_FORGETS 1
#define FLAG_BEGINS  2
#define FLAG_TELLS   4

/* Big-endian. */
static uint8_t *put_bytes(uint8_t *out, uint64_t value, size_t count)
{
    for (size_t i = count; i-- > 0; value >>= 8)
        out[i] = (uint8_t)value;
    return out + count;
}

static uint64_t take_bytes(const char **at, size_t count)
{
    uint64_t value = 0;

    for (size_t i = 0; i < count; i++)
        value = value << 8 | (uint8_t)(*at)[i];
    *at += count;
    return value;
}

size_t store_redis_write_jail(const struct store_hit_jail *jail, uint8_t out[STORE_REDIS_JAIL_MAX])
{
    uint8_t *end = put_bytes(out, jail->jail, 4);

    end = put_bytes(end, (uint64_t)jail->by.findtime_ms, 6);
    end = put_bytes(end, jail->by.limit, 4);
    end = put_bytes(end, jail->by.weight, 2);
    end =
        put_bytes(end,
                  (uint64_t)((jail->forgets ? FLAG_FORGETS : 0) | (jail->begins ? FLAG_BEGINS : 0) |
                             (jail->tells_others ? FLAG_TELLS : 0)),
                  1);
    end = put_bytes(end, jail->by.hash_max, 1);
    if (jail->by.hash_max)
        end = put_bytes(end, jail->by.hash, 4);
    return (size_t)(end - out);
}

#define ANSWER_LEN 19

int store_redis_read_answers(const char *text, size_t len, size_t count,
                             struct store_hit_answer *answers_r)
{
    if (len != count * ANSWER_LEN)
        return -1;
    for (size_t i = 0; i < count; i++) {
        uint64_t decision = take_bytes(&text, 1);
        if (decision > JAIL_REACHED)
            return -1;
        answers_r[i].decision = (enum jail_decision)decision;
        answers_r[i].count = take_bytes(&text, 4);
        answers_r[i].elapsed_ms = (int64_t)take_bytes(&text, 6);
        answers_r[i].current = (uint32_t)take_bytes(&text, 4);
        answers_r[i].previous = (uint32_t)take_bytes(&text, 4);
        if (answers_r[i].current > WINDOW_COUNT_MAX || answers_r[i].previous > WINDOW_COUNT_MAX)
            return -1;
    }
    return 0;
}

#define WINDOW_LEN 18

int store_redis_read_window(const char *text, size_t len, const char *prefix,
                            struct store_window *window_r)
{
    const char *at = text;

    if (len < WINDOW_LEN)
        return -1;
    window_r->jail = take_bytes(&at, 4);
    window_r->elapsed_ms = (int64_t)take_bytes(&at, 6);
    window_r->current = (uint32_t)take_bytes(&at, 4);
    window_r->previous = (uint32_t)take_bytes(&at, 4);
    if (window_r->current > WINDOW_COUNT_MAX || window_r->previous > WINDOW_COUNT_MAX)
        return -1;
    return store_redis_read_counter_key(at, len - WINDOW_LEN, prefix, &window_r->key);
}
