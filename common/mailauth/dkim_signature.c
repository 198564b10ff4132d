/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/mailauth/dkim_signature.h"

#include <string.h>
#include <strings.h>

#include "common/base/str.h"
#include "common/mailauth/domain.h"
#include "common/wire/taglist.h"

#define TIME_DIGITS   12   /* RFC 6376 3.5, t= and x= */
#define LENGTH_DIGITS 76   /* the same, l= */
#define SHA256_BASE64 44   /* characters of 32 bytes */
#define SIGNED_BYTES  4000 /* of h=; libopendkim reads 4095 and forgets the rest */
#define LABEL_MAX     63
#define DIGITS        "0123456789"
#define LETTERS       "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

const char *dkim_signature_strstatus(enum dkim_signature_status status)
{
    static const char *const words[] = {
        [DKIM_SIGNATURE_OK] = "good",
        [DKIM_SIGNATURE_TOO_LONG] = "the signature is too long",
        [DKIM_SIGNATURE_CHARACTERS] = "the signature holds other characters than ASCII",
        [DKIM_SIGNATURE_NO_LIST] = "the signature is no list of tags",
        [DKIM_SIGNATURE_TWICE] = "the signature has a tag twice",
        [DKIM_SIGNATURE_BAD_V] = "v= is not 1",
        [DKIM_SIGNATURE_BAD_A] = "a= names no known algorithm",
        [DKIM_SIGNATURE_OBSOLETE] = "rsa-sha1 is obsolete",
        [DKIM_SIGNATURE_BAD_C] = "c= names no known canonicalization",
        [DKIM_SIGNATURE_BAD_D] = "d= is no domain",
        [DKIM_SIGNATURE_BAD_S] = "s= is no selector",
        [DKIM_SIGNATURE_BAD_H] = "h= is no list of field names",
        [DKIM_SIGNATURE_TOO_MANY] = "the signature names too many fields",
        [DKIM_SIGNATURE_NO_FROM] = "From is not signed",
        [DKIM_SIGNATURE_BAD_I] = "i= is not of the domain in d=",
        [DKIM_SIGNATURE_BAD_Q] = "q= names no known way to the key",
        [DKIM_SIGNATURE_BAD_L] = "l= is no length",
        [DKIM_SIGNATURE_BAD_T] = "t= is no time",
        [DKIM_SIGNATURE_BAD_X] = "x= is no time",
        [DKIM_SIGNATURE_EXPIRES_FIRST] = "x= is not behind t=",
        [DKIM_SIGNATURE_BAD_BH] = "bh= is no SHA-256 hash in base64",
        [DKIM_SIGNATURE_BAD_B] = "b= is no signature in base64",
    };
    return words[status];
}

/* --- texts ---------------------------------------------------------------------------- */

/* A tag's value, or a part of it, without blanks and folds at its ends. */
struct value {
    const char *text;
    size_t len;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_readable(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (!is_blank(text[i]) && (text[i] <= 0x20 || text[i] >= 0x7f))
            return false;
    }
    return true;
}

static bool value_is(struct value value, const char *text)
{
    return value.text && value.len == strlen(text) && strncasecmp(value.text, text, value.len) == 0;
}

static bool is_made_of(struct value value, const char *chars)
{
    for (size_t i = 0; i < value.len; i++) {
        if (!strchr(chars, value.text[i]))
            return false;
    }
    return value.len > 0;
}

static struct value trimmed(struct value value)
{
    while (value.len && is_blank(value.text[0]))
        value = (struct value){value.text + 1, value.len - 1};
    while (value.len && is_blank(value.text[value.len - 1]))
        value.len--;
    return value;
}

/* What stands before the next separator; *rest is what stands behind it, text NULL at the end. */
static struct value next_part(struct value *rest, char separator)
{
    const char *found = memchr(rest->text, separator, rest->len);
    struct value part = {rest->text, found ? (size_t)(found - rest->text) : rest->len};

    *rest = found ? (struct value){found + 1, rest->len - part.len - 1} : (struct value){NULL, 0};
    return trimmed(part);
}

static void keep(struct value value, char *out, size_t size)
{
    if (!value.text || value.len >= size)
        return;
    memcpy(out, value.text, value.len);
    out[value.len] = 0;
}

/* How many characters of base64 it has, blanks left out; 0: it is none. */
static size_t base64_len(struct value value)
{
    size_t count = 0, padding = 0;

    for (size_t i = 0; value.text && i < value.len; i++) {
        char c = value.text[i];
        if (is_blank(c))
            continue;
        if (c == '=')
            padding++;
        else if (padding || !strchr(LETTERS DIGITS "+/", c))
            return 0;
        count++;
    }
    return padding > 2 || count % 4 || count == padding ? 0 : count;
}

static bool read_number(struct value value, size_t digits, uint64_t *number_r)
{
    *number_r = 0;
    if (!is_made_of(value, DIGITS) || value.len > digits)
        return false;
    for (size_t i = 0; i < value.len; i++) {
        if (__builtin_mul_overflow(*number_r, 10u, number_r) ||
            __builtin_add_overflow(*number_r, (uint64_t)(value.text[i] - '0'), number_r)) {
            *number_r = UINT64_MAX;
            return true;
        }
    }
    return true;
}

/* --- the tags ---------------------------------------------------------------------------- */

/* text is NULL where there is no such tag. */
static struct value find(const struct tags *tags, const char *name)
{
    const struct tag *tag = tags_find(tags, name);

    return tag ? (struct value){(const char *)tag->value, tag->value_len} : (struct value){NULL, 0};
}

static bool is_field_name(struct value name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (name.text[i] <= 0x20 || name.text[i] >= 0x7f)
            return false;
    }
    return name.len > 0;
}

static enum dkim_signature_status read_h(struct value h, struct dkim_signature *signature)
{
    size_t count = 0;
    bool has_from = false;

    if (!h.text)
        return DKIM_SIGNATURE_BAD_H;
    if (h.len > SIGNED_BYTES)
        return DKIM_SIGNATURE_TOO_MANY;
    signature->names = h.text;
    signature->names_len = h.len;
    while (h.text) {
        struct value name = next_part(&h, ':');
        if (!is_field_name(name))
            return DKIM_SIGNATURE_BAD_H;
        if (++count > DKIM_SIGNED_MAX)
            return DKIM_SIGNATURE_TOO_MANY;
        has_from = has_from || value_is(name, "From");
        signature->signs_signatures |= value_is(name, "DKIM-Signature");
    }
    return has_from ? DKIM_SIGNATURE_OK : DKIM_SIGNATURE_NO_FROM;
}

static bool is_canonicalization(struct value value)
{
    return value_is(value, "simple") || value_is(value, "relaxed");
}

static bool read_c(struct value c, struct dkim_signature *signature)
{
    struct value rest = c;

    if (!c.text)
        return true;
    if (!is_canonicalization(next_part(&rest, '/')))
        return false;
    signature->has_relaxed_body = rest.text && value_is(rest, "relaxed");
    return !rest.text || is_canonicalization(rest);
}

static bool has_dns(struct value q)
{
    bool found = !q.text;

    while (q.text)
        found = value_is(next_part(&q, ':'), "dns/txt") || found;
    return found;
}

/* RFC 6376 3.1: sub-domains as SMTP has them. The underscore is none of theirs, but in use. */
static bool is_selector(struct value s)
{
    if (!s.text || s.len >= DNS_NAME_MAX)
        return false;
    while (s.text) {
        const char *end = memchr(s.text, '.', s.len);
        size_t len = end ? (size_t)(end - s.text) : s.len;
        if (!is_made_of((struct value){s.text, len}, LETTERS DIGITS "-_") || len > LABEL_MAX)
            return false;
        s = end ? (struct value){end + 1, s.len - len - 1} : (struct value){NULL, 0};
    }
    return true;
}

static bool read_i(struct value i, struct dkim_signature *signature)
{
    const char *at = i.text ? memrchr(i.text, '@', i.len) : NULL;
    char domain[DNS_NAME_MAX];

    signature->is_exact = true;
    if (!i.text)
        return true;
    if (!at || domain_normalize(at + 1, i.len - (size_t)(at + 1 - i.text), domain) != DOMAIN_OK)
        return false;
    signature->is_exact = strcmp(domain, signature->domain) == 0;
    return str_is_domain_within(domain, signature->domain);
}

static enum dkim_signature_status check_times(struct value t, struct value x)
{
    uint64_t signed_at = 0, expires_at = UINT64_MAX;

    if (t.text && !read_number(t, TIME_DIGITS, &signed_at))
        return DKIM_SIGNATURE_BAD_T;
    if (x.text && !read_number(x, TIME_DIGITS, &expires_at))
        return DKIM_SIGNATURE_BAD_X;
    return signed_at < expires_at ? DKIM_SIGNATURE_OK : DKIM_SIGNATURE_EXPIRES_FIRST;
}

static void read_start(struct value b, struct dkim_signature *signature)
{
    size_t len = 0;

    if (!base64_len(b))
        return;
    for (size_t i = 0; i < b.len && len + 1 < sizeof(signature->start); i++) {
        if (!is_blank(b.text[i]))
            signature->start[len++] = b.text[i];
    }
}

/* What a result shows, even of a signature that is otherwise worthless. */
static void read_names(const struct tags *tags, struct dkim_signature *signature)
{
    struct value d = find(tags, "d"), s = find(tags, "s"), a = find(tags, "a");

    if (d.text && domain_normalize(d.text, d.len, signature->domain) != DOMAIN_OK)
        signature->domain[0] = 0;
    if (is_selector(s))
        keep(s, signature->selector, sizeof(signature->selector));
    if (a.text && is_field_name(a))
        keep(a, signature->algorithm, sizeof(signature->algorithm));
    read_start(find(tags, "b"), signature);
}

static enum dkim_signature_status check_algorithm(struct value a, struct dkim_signature *signature)
{
    signature->is_ed25519 = value_is(a, "ed25519-sha256");
    if (value_is(a, "rsa-sha1"))
        return DKIM_SIGNATURE_OBSOLETE;
    return signature->is_ed25519 || value_is(a, "rsa-sha256") ? DKIM_SIGNATURE_OK
                                                              : DKIM_SIGNATURE_BAD_A;
}

static enum dkim_signature_status check_hashes(const struct tags *tags)
{
    if (base64_len(find(tags, "bh")) != SHA256_BASE64)
        return DKIM_SIGNATURE_BAD_BH;
    return base64_len(find(tags, "b")) ? DKIM_SIGNATURE_OK : DKIM_SIGNATURE_BAD_B;
}

static enum dkim_signature_status check_rest(const struct tags *tags,
                                             struct dkim_signature *signature)
{
    enum dkim_signature_status status = read_h(find(tags, "h"), signature);
    struct value l = find(tags, "l");

    if (status != DKIM_SIGNATURE_OK)
        return status;
    if (!read_c(find(tags, "c"), signature))
        return DKIM_SIGNATURE_BAD_C;
    if (!read_i(find(tags, "i"), signature))
        return DKIM_SIGNATURE_BAD_I;
    if (!has_dns(find(tags, "q")))
        return DKIM_SIGNATURE_BAD_Q;
    signature->has_length = l.text != NULL;
    if (l.text && !read_number(l, LENGTH_DIGITS, &signature->length))
        return DKIM_SIGNATURE_BAD_L;
    status = check_times(find(tags, "t"), find(tags, "x"));
    return status == DKIM_SIGNATURE_OK ? check_hashes(tags) : status;
}

enum dkim_signature_status dkim_signature_parse(const char *value, size_t len,
                                                struct dkim_signature *signature_r)
{
    struct tags tags;
    enum dkim_signature_status status;

    memset(signature_r, 0, sizeof(*signature_r));
    if (len > DKIM_SIGNATURE_MAX)
        return DKIM_SIGNATURE_TOO_LONG;
    if (!is_readable(value, len))
        return DKIM_SIGNATURE_CHARACTERS;
    enum tags_status list = tags_read((const uint8_t *)value, len, &tags);
    if (list != TAGS_OK)
        return list == TAGS_TWICE ? DKIM_SIGNATURE_TWICE : DKIM_SIGNATURE_NO_LIST;
    read_names(&tags, signature_r);
    if (!value_is(find(&tags, "v"), "1"))
        return DKIM_SIGNATURE_BAD_V;
    status = check_algorithm(find(&tags, "a"), signature_r);
    if (status != DKIM_SIGNATURE_OK)
        return status;
    if (!signature_r->domain[0])
        return DKIM_SIGNATURE_BAD_D;
    if (!signature_r->selector[0])
        return DKIM_SIGNATURE_BAD_S;
    return check_rest(&tags, signature_r);
}
