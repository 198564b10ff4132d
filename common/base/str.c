/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

static unsigned char lower(char c)
{
    unsigned char u = (unsigned char)c;
    return u >= 'A' && u <= 'Z' ? (unsigned char)(u + 32) : u;
}

bool str_eq(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

bool str_eq_nocase(const char *a, const char *b)
{
    while (*a && lower(*a) == lower(*b)) {
        a++;
        b++;
    }
    return lower(*a) == lower(*b);
}

bool str_has_prefix(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

char *str_lower(char *text)
{
    for (char *p = text; *p; p++)
        *p = (char)lower(*p);
    return text;
}

/* Length of the well-formed sequence at p, RFC 3629 section 4; 0 when there is none. */
static size_t utf8_len(const unsigned char *p)
{
    static const struct {
        unsigned char first_min, first_max, second_min, second_max, len;
    } forms[] = {
        {0x01, 0x7f, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
        {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
        {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
    };
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        if (p[0] < forms[i].first_min || p[0] > forms[i].first_max)
            continue;
        if (forms[i].len == 1)
            return 1;
        if (p[1] < forms[i].second_min || p[1] > forms[i].second_max)
            return 0;
        for (size_t k = 2; k < forms[i].len; k++) {
            if (p[k] < 0x80 || p[k] > 0xbf)
                return 0;
        }
        return forms[i].len;
    }
    return 0;
}

bool str_is_ascii(const char *text)
{
    for (; *text; text++) {
        if ((unsigned char)*text >= 0x80)
            return false;
    }
    return true;
}

bool str_is_utf8(const char *text)
{
    const unsigned char *p = (const unsigned char *)text;
    while (*p) {
        size_t len = utf8_len(p);
        if (!len)
            return false;
        p += len;
    }
    return true;
}

char *str_take(const uint8_t *bytes, size_t len, size_t max)
{
    if (len > max || (len && memchr(bytes, 0, len)))
        return NULL;
    char *text = x_malloc(len + 1);
    if (len)
        memcpy(text, bytes, len);
    text[len] = 0;
    return text;
}

int str_parse_u64(const char *text, uint64_t min, uint64_t max, uint64_t *value_r)
{
    uint64_t value = 0;

    if (!*text)
        return -1;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return -1;
        uint64_t digit = (uint64_t)(*text - '0');
        if (value > (UINT64_MAX - digit) / 10)
            return -1;
        value = value * 10 + digit;
    }
    if (value < min || value > max)
        return -1;
    *value_r = value;
    return 0;
}

static const struct {
    char unit;
    uint64_t sec;
} units[] = {{'w', 604800}, {'d', 86400}, {'h', 3600}, {'m', 60}, {'s', 1}};
#define UNIT_COUNT (sizeof(units) / sizeof(units[0]))

int str_parse_duration(const char *text, uint64_t *sec_r)
{
    char digits[16];
    size_t len = strlen(text);
    uint64_t factor = 1, value;

    if (!len || len >= sizeof(digits))
        return -1;
    memcpy(digits, text, len + 1);
    for (size_t i = 0; i < UNIT_COUNT; i++) {
        if (digits[len - 1] == units[i].unit) {
            factor = units[i].sec;
            digits[len - 1] = 0;
            break;
        }
    }
    if (str_parse_u64(digits, 0, UINT32_MAX, &value) < 0)
        return -1;
    *sec_r = value * factor;
    return 0;
}

const char *str_format_duration(uint64_t sec, char out[STR_DURATION_MAX])
{
    size_t i = 0;

    while (i < UNIT_COUNT - 1 && sec < units[i].sec)
        i++;
    uint64_t whole = sec / units[i].sec, rest = sec % units[i].sec;
    uint64_t next = i + 1 < UNIT_COUNT ? rest / units[i + 1].sec : 0;
    if (next)
        snprintf(out, STR_DURATION_MAX, "%llu%c %llu%c", (unsigned long long)whole, units[i].unit,
                 (unsigned long long)next, units[i + 1].unit);
    else
        snprintf(out, STR_DURATION_MAX, "%llu%c", (unsigned long long)whole, units[i].unit);
    return out;
}

bool str_eq_secret(const char *a, const char *b)
{
    size_t a_len = strlen(a), b_len = strlen(b);
    unsigned diff = a_len != b_len;

    for (size_t i = 0; i < a_len; i++)
        diff |= (unsigned)(a[i] ^ b[b_len ? i % b_len : 0]);
    return !diff;
}

bool str_is_domain_within(const char *domain, const char *parent)
{
    size_t len = strlen(domain), parent_len = strlen(parent);

    if (!parent_len || parent_len > len || !str_eq(domain + len - parent_len, parent))
        return false;
    return parent_len == len || domain[len - parent_len - 1] == '.';
}
