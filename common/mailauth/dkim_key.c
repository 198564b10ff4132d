/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/mailauth/dkim_key.h"

#include <string.h>
#include <strings.h>

#include "common/wire/taglist.h"

#define ED25519_SIZE      32
#define EXPONENT_SIZE_MAX 8 /* bytes; nearly all keys have 65537 */

const char *dkim_key_strstatus(enum dkim_key_status status)
{
    static const char *const words[] = {
        [DKIM_KEY_OK] = "good",
        [DKIM_KEY_TOO_LONG] = "the key record is too long",
        [DKIM_KEY_NUL] = "the key record holds a NUL",
        [DKIM_KEY_NO_LIST] = "the key record is malformed",
        [DKIM_KEY_BAD_V] = "the key record does not begin with v=DKIM1",
        [DKIM_KEY_BAD_H] = "the key is not for sha256",
        [DKIM_KEY_BAD_K] = "the key is of an unknown type",
        [DKIM_KEY_BAD_S] = "the key is not for mail",
        [DKIM_KEY_NO_P] = "the key record has no key",
        [DKIM_KEY_REVOKED] = "the key is revoked",
        [DKIM_KEY_BAD_P] = "the key cannot be read",
        [DKIM_KEY_TOO_SMALL] = "the key is too small",
        [DKIM_KEY_TOO_LARGE] = "the key is too large",
    };
    return words[status];
}

/* --- the tags ---------------------------------------------------------------------------- */

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_readable(const uint8_t *record, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (!is_blank(record[i]) && (record[i] <= 0x20 || record[i] >= 0x7f))
            return false;
    }
    return true;
}

/* Whether one of the words between colons is this one. No tag is no word. */
static bool has_word(const struct tag *tag, const char *word)
{
    const uint8_t *at = tag ? tag->value : NULL, *end = tag ? at + tag->value_len : NULL;

    while (tag && at <= end) {
        const uint8_t *colon = at < end ? memchr(at, ':', (size_t)(end - at)) : NULL;
        const uint8_t *stop = colon ? colon : end, *next = stop + 1;
        while (at < stop && is_blank(*at))
            at++;
        while (stop > at && is_blank(stop[-1]))
            stop--;
        if ((size_t)(stop - at) == strlen(word) &&
            strncasecmp((const char *)at, word, strlen(word)) == 0)
            return true;
        at = next;
    }
    return false;
}

/* --- base64, RFC 4648 section 4 --------------------------------------------------------------- */

static int digit_of(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/*
 * text has no blanks, and no "=" at its end; out has room for three bytes of each four. How many
 * there are; 0: it is none.
 */
static size_t decode(const char *text, size_t len, uint8_t *out)
{
    uint32_t bits = 0;
    size_t count = 0;

    if (len % 4 == 1)
        return 0;
    for (size_t i = 0; i < len; i++) {
        int digit = digit_of((uint8_t)text[i]);
        if (digit < 0)
            return 0;
        bits = bits << 6 | (uint32_t)digit;
        if (i % 4)
            out[count++] = (uint8_t)(bits >> (6 - i % 4 * 2));
    }
    return count;
}

/* --- the key itself: SubjectPublicKeyInfo in DER, RFC 5280 4.1 and RFC 8017 A.1.1 ----------- */

/* What is left to read. at is NULL after a fault, and then nothing is. */
struct der {
    const uint8_t *at;
    size_t len;
};

/* How many bytes the length behind the type takes; 0: a form that no key of ours needs. */
static size_t der_length(const struct der *der, size_t *len_r)
{
    uint8_t first = der->at[1];
    size_t more = first > 0x80 ? first - 0x80u : 0;

    if (first == 0x80 || more > 2 || der->len < 2 + more)
        return 0;
    *len_r = more ? 0 : first;
    for (size_t i = 0; i < more; i++)
        *len_r = *len_r << 8 | der->at[2 + i];
    return 1 + more;
}

/* The content of the next element, which must be of this type; the cursor goes behind it. */
static struct der der_next(struct der *der, uint8_t type)
{
    struct der content = {NULL, 0};
    size_t len = 0, head = 0;

    if (der->at && der->len >= 2 && der->at[0] == type)
        head = der_length(der, &len);
    if (head && len <= der->len - 1 - head)
        content = (struct der){der->at + 1 + head, len};
    *der = content.at ? (struct der){content.at + len, der->len - 1 - head - len} : content;
    return content;
}

static unsigned bits_of(struct der number)
{
    unsigned bits;

    while (number.len && !number.at[0])
        number = (struct der){number.at + 1, number.len - 1};
    bits = (unsigned)number.len * 8;
    for (uint8_t first = number.len ? number.at[0] : 0x80; !(first & 0x80); first <<= 1)
        bits--;
    return bits;
}

static enum dkim_key_status judge_rsa(const uint8_t *bytes, size_t len, struct dkim_key *key)
{
    static const uint8_t algorithm[] = {6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 13, 1, 1, 1};
    struct der der = {bytes, len}, all = der_next(&der, 0x30), name = der_next(&all, 0x30);
    struct der string = der_next(&all, 3);

    if (!string.at || string.len < 1 || string.at[0] || name.len < sizeof(algorithm) ||
        memcmp(name.at, algorithm, sizeof(algorithm)) != 0)
        return DKIM_KEY_BAD_P;
    string = (struct der){string.at + 1, string.len - 1};
    struct der pair = der_next(&string, 0x30), modulus = der_next(&pair, 2);
    struct der exponent = der_next(&pair, 2);
    if (!exponent.at || bits_of(exponent) < 2)
        return DKIM_KEY_BAD_P;
    key->bits = bits_of(modulus);
    if (key->bits < DKIM_KEY_BITS_MIN)
        return DKIM_KEY_TOO_SMALL;
    return key->bits > DKIM_KEY_BITS_MAX || bits_of(exponent) > EXPONENT_SIZE_MAX * 8
               ? DKIM_KEY_TOO_LARGE
               : DKIM_KEY_OK;
}

/* Into key->p, without blanks. Its length, or SIZE_MAX: it is longer than any good key. */
static size_t copy_p(const struct tag *p, struct dkim_key *key)
{
    size_t len = 0;

    for (size_t i = 0; i < p->value_len; i++) {
        if (is_blank(p->value[i]))
            continue;
        if (len == DKIM_KEY_P_MAX)
            return SIZE_MAX;
        key->p[len++] = (char)p->value[i];
    }
    return len;
}

/* People who copy keys lose "=" at the end. */
static size_t pad_p(struct dkim_key *key, size_t len)
{
    size_t bare = len;

    while (bare && len - bare < 2 && key->p[bare - 1] == '=')
        bare--;
    for (len = bare; len % 4; len++)
        key->p[len] = '=';
    key->p[len] = 0;
    return bare;
}

static enum dkim_key_status read_p(const struct tag *p, struct dkim_key *key)
{
    uint8_t bytes[DKIM_KEY_P_MAX];
    size_t len;

    if (!p)
        return DKIM_KEY_NO_P;
    if (!p->value_len)
        return DKIM_KEY_REVOKED;
    len = copy_p(p, key);
    if (len == SIZE_MAX)
        return DKIM_KEY_TOO_LARGE;
    len = decode(key->p, pad_p(key, len), bytes);
    if (!key->is_ed25519)
        return judge_rsa(bytes, len, key);
    return len == ED25519_SIZE ? DKIM_KEY_OK : DKIM_KEY_BAD_P;
}

enum dkim_key_status dkim_key_parse(const uint8_t *record, size_t len, struct dkim_key *key_r)
{
    struct tags tags;

    memset(key_r, 0, sizeof(*key_r));
    if (len > DKIM_KEY_RECORD_MAX)
        return DKIM_KEY_TOO_LONG;
    if (len && memchr(record, 0, len))
        return DKIM_KEY_NUL;
    if (!is_readable(record, len) || tags_read(record, len, &tags) != TAGS_OK)
        return DKIM_KEY_NO_LIST;
    const struct tag *v = tags_find(&tags, "v"), *k = tags_find(&tags, "k"),
                     *h = tags_find(&tags, "h"), *s = tags_find(&tags, "s"),
                     *t = tags_find(&tags, "t");
    key_r->is_testing = has_word(t, "y");
    key_r->is_exact = has_word(t, "s");
    if (v && (v != &tags.items[0] || v->value_len != 5 || memcmp(v->value, "DKIM1", 5) != 0))
        return DKIM_KEY_BAD_V;
    if (h && !has_word(h, "sha256"))
        return DKIM_KEY_BAD_H;
    key_r->is_ed25519 = k && tag_has(k, "ed25519");
    if (k && !key_r->is_ed25519 && !tag_has(k, "rsa"))
        return DKIM_KEY_BAD_K;
    if (s && !has_word(s, "*") && !has_word(s, "email"))
        return DKIM_KEY_BAD_S;
    return read_p(tags_find(&tags, "p"), key_r);
}
