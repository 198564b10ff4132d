/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/mailauth/spf_record.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/base/mem.h"
#include "common/base/str.h"

#define VERSION_TAG "v=spf1"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool spf_record_is(const uint8_t *txt, size_t len)
{
    size_t version_len = sizeof(VERSION_TAG) - 1;

    if (len < version_len || strncasecmp((const char *)txt, VERSION_TAG, version_len) != 0)
        return false;
    return len == version_len || txt[version_len] == ' ';
}

/* --- macros, RFC 7208 7.1 ------------------------------------------------ */

/* What stands behind the macro-expand at p ("%…"); NULL when it is none. */
static const char *skip_macro(const char *p, bool in_explanation)
{
    if (p[1] == '%' || p[1] == '_' || p[1] == '-')
        return p + 2;
    if (p[1] != '{' || !p[2] ||
        !strchr(in_explanation ? "slodiphcrtvSLODIPHCRTV" : "slodiphvSLODIPHV", p[2]))
        return NULL;
    p += 3;
    const char *digits = p;
    unsigned value = 0;
    while (is_digit(*p) && value < 1000)
        value = value * 10 + (unsigned)(*p++ - '0');
    if (p > digits && (value == 0 || value > 128))
        return NULL;
    if (*p == 'r' || *p == 'R')
        p++;
    while (*p && strchr(".-+,/_=", *p))
        p++;
    return *p == '}' ? p + 1 : NULL;
}

/*
 * Whether text is a macro-string. tail_r gets the literal behind its last
 * macro-expand, which is what RFC 7208 calls the domain's end.
 */
static bool check_macros(const char *text, bool in_explanation, const char **tail_r)
{
    const char *tail = text;

    for (const char *p = text; *p;) {
        if (*p == '%') {
            p = skip_macro(p, in_explanation);
            if (!p)
                return false;
            tail = p;
        } else if (*p < (in_explanation ? 0x20 : 0x21) || *p > 0x7e) {
            return false;
        } else {
            p++;
        }
    }
    if (tail_r)
        *tail_r = tail;
    return true;
}

bool spf_explanation_is_valid(const char *text)
{
    return check_macros(text, true, NULL);
}

static bool is_toplabel(const char *label, size_t len)
{
    bool alpha = false, hyphen = false;

    if (!len || label[0] == '-' || label[len - 1] == '-')
        return false;
    for (size_t i = 0; i < len; i++) {
        if (label[i] == '-')
            hyphen = true;
        else if (is_alpha(label[i]))
            alpha = true;
        else if (!is_digit(label[i]))
            return false;
    }
    return alpha || hyphen;
}

static bool is_domain_spec(const char *text)
{
    const char *tail;

    if (!*text || !check_macros(text, false, &tail))
        return false;
    size_t len = strlen(tail);
    if (!len)
        return true;
    if (tail[len - 1] == '.')
        len--;
    const char *dot = memrchr(tail, '.', len);
    return dot && is_toplabel(dot + 1, len - (size_t)(dot + 1 - tail));
}

/* --- terms --------------------------------------------------------------- */

/* "/" and digits without leading zero at the end of text: cut off, value_r set. -1 on bad digits.
 */
static int cut_cidr(char *text, unsigned max, unsigned *value_r, bool twice)
{
    char *slash = strrchr(text, '/');
    uint64_t value;

    if (!slash || !is_digit(slash[1]))
        return 0;
    if (twice != (slash > text && slash[-1] == '/'))
        return 0;
    if (str_parse_u64(slash + 1, 0, max, &value) < 0 || (slash[1] == '0' && slash[2]))
        return -1;
    *value_r = (unsigned)value;
    slash[twice ? -1 : 0] = 0;
    return 0;
}

static const char *parse_dual_cidr(char *value, struct spf_term *term)
{
    term->bits4 = 32;
    term->bits6 = 128;
    if (cut_cidr(value, 128, &term->bits6, true) < 0 ||
        cut_cidr(value, 32, &term->bits4, false) < 0)
        return "a prefix length that cannot be";
    return NULL;
}

static const char *parse_net(char *value, int family, struct spf_term *term)
{
    bool is_ip4 = family == AF_INET;
    unsigned bits = is_ip4 ? 32 : 128;
    struct addr addr = {.family = is_ip4 ? ADDR_IPV4 : ADDR_IPV6};

    if (cut_cidr(value, bits, &bits, false) < 0)
        return "a prefix length that cannot be";
    if (inet_pton(family, value, addr.bytes) != 1)
        return "an address that is none";
    term->net = prefix_of(&addr, bits);
    return NULL;
}

static const struct mechanism {
    const char *name;
    enum spf_term_type type;
    enum { DOMAIN_NONE, DOMAIN_MAY, DOMAIN_MUST } domain;
    bool cidr;
} mechanisms[] = {
    {"all", SPF_TERM_ALL, DOMAIN_NONE, false}, {"include", SPF_TERM_INCLUDE, DOMAIN_MUST, false},
    {"a", SPF_TERM_A, DOMAIN_MAY, true},       {"mx", SPF_TERM_MX, DOMAIN_MAY, true},
    {"ptr", SPF_TERM_PTR, DOMAIN_MAY, false},  {"ip4", SPF_TERM_IP4, DOMAIN_MUST, false},
    {"ip6", SPF_TERM_IP6, DOMAIN_MUST, false}, {"exists", SPF_TERM_EXISTS, DOMAIN_MUST, false},
};

/* rest is what follows the name: "", ":…" or "/…". It is cut up. */
static const char *parse_arguments(const struct mechanism *mechanism, char *rest,
                                   struct spf_term *term)
{
    if (mechanism->cidr) {
        const char *reason = parse_dual_cidr(rest, term);
        if (reason)
            return reason;
    }
    if (*rest && (*rest != ':' || mechanism->domain == DOMAIN_NONE))
        return "a mechanism with what it cannot have";
    if (!*rest)
        return mechanism->domain == DOMAIN_MUST ? "a mechanism without its domain or address"
                                                : NULL;
    if (mechanism->type == SPF_TERM_IP4)
        return parse_net(rest + 1, AF_INET, term);
    if (mechanism->type == SPF_TERM_IP6)
        return parse_net(rest + 1, AF_INET6, term);
    term->domain = rest + 1;
    return is_domain_spec(term->domain) ? NULL : "a domain that is none";
}

static const char *parse_mechanism(const char *text, char *work, struct spf_term *term)
{
    static const enum auth_result qualifiers[] = {AUTH_PASS, AUTH_FAIL, AUTH_SOFTFAIL,
                                                  AUTH_NEUTRAL};
    const char *qualifier = strchr("+-~?", *work);

    *term = (struct spf_term){.qualifier = AUTH_PASS, .text = text, .domain = ""};
    if (qualifier) {
        term->qualifier = qualifiers[qualifier - "+-~?"];
        work++;
    }
    size_t name_len = strcspn(work, ":/");
    for (size_t i = 0; i < sizeof(mechanisms) / sizeof(mechanisms[0]); i++) {
        const struct mechanism *mechanism = &mechanisms[i];
        if (strlen(mechanism->name) == name_len &&
            strncasecmp(mechanism->name, work, name_len) == 0) {
            term->type = mechanism->type;
            return parse_arguments(mechanism, work + name_len, term);
        }
    }
    return "a mechanism that nobody knows";
}

/* Bytes of the modifier name at the start of term, when '=' follows; else 0. */
static size_t modifier_name_len(const char *term)
{
    size_t len = 0;

    if (!is_alpha(term[0]))
        return 0;
    while (is_alpha(term[len]) || is_digit(term[len]) || (term[len] && strchr("-_.", term[len])))
        len++;
    return term[len] == '=' ? len : 0;
}

static const char *set_once(const char **to, const char *value)
{
    if (*to)
        return "a modifier twice";
    if (!is_domain_spec(value))
        return "a domain that is none";
    *to = value;
    return NULL;
}

static const char *parse_modifier(const char *term, size_t name_len, struct spf_record *record)
{
    const char *value = term + name_len + 1;

    if (name_len == 8 && strncasecmp(term, "redirect", 8) == 0)
        return set_once(&record->redirect, value);
    if (name_len == 3 && strncasecmp(term, "exp", 3) == 0)
        return set_once(&record->exp, value);
    return check_macros(value, false, NULL) ? NULL : "a modifier whose value cannot be";
}

static const char *parse_term(char *term, char *work, struct spf_record *record)
{
    size_t name_len = modifier_name_len(term);

    if (strlen(term) > SPF_TERM_MAX)
        return "a term that is too long";
    if (name_len)
        return parse_modifier(term, name_len, record);
    const char *reason = parse_mechanism(term, work, &record->terms[record->count]);
    record->count++;
    return reason;
}

/* Takes the terms apart at their spaces; work is a second copy that terms may cut up. */
static const char *parse_terms(char *text, char *work, struct spf_record *record)
{
    size_t at = strcspn(text, " ");

    while (text[at]) {
        text[at] = work[at] = 0;
        at++;
        size_t len = strcspn(text + at, " ");
        char after = text[at + len];
        text[at + len] = work[at + len] = 0;
        if (len) {
            const char *reason = parse_term(text + at, work + at, record);
            if (reason)
                return reason;
        }
        at += len;
        text[at] = work[at] = after;
    }
    return NULL;
}

static const char *parse(const uint8_t *txt, size_t len, struct spf_record *record)
{
    size_t spaces = 0;

    if (len > SPF_RECORD_MAX)
        return "too long";
    for (size_t i = 0; i < len; i++) {
        if (txt[i] < 0x20 || txt[i] > 0x7e)
            return "a byte that is not printable ASCII";
        spaces += txt[i] == ' ';
    }
    /* Two copies in one: the words as they stand, and those that are cut at their slashes. */
    record->text = x_malloc(2 * (len + 1));
    char *work = record->text + len + 1;
    if (len) {
        memcpy(record->text, txt, len);
        memcpy(work, txt, len);
    }
    record->text[len] = work[len] = 0;
    record->terms = x_calloc(spaces + 1, sizeof(record->terms[0]));
    return parse_terms(record->text, work, record);
}

int spf_record_parse(const uint8_t *txt, size_t len, struct spf_record *record_r,
                     const char **reason_r)
{
    memset(record_r, 0, sizeof(*record_r));
    *reason_r = parse(txt, len, record_r);
    if (*reason_r) {
        spf_record_fini(record_r);
        return -1;
    }
    for (size_t i = 0; i < record_r->count; i++) {
        if (record_r->terms[i].type == SPF_TERM_ALL)
            record_r->redirect = NULL;
    }
    return 0;
}

void spf_record_fini(struct spf_record *record)
{
    free(record->text);
    free(record->terms);
    memset(record, 0, sizeof(*record));
}
