/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/mailauth/domain.h"

#include <idn2.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/str.h"

#define LABEL_MAX  63 /* RFC 1035 2.3.4 */
#define DIGITS     "0123456789"
#define NAME_CHARS "abcdefghijklmnopqrstuvwxyz" DIGITS "-_" /* the underscore for _dmarc */

const char *domain_strstatus(enum domain_status status)
{
    switch (status) {
    case DOMAIN_OK:
        return "a domain name";
    case DOMAIN_EMPTY:
        return "empty";
    case DOMAIN_LITERAL:
        return "an address literal";
    case DOMAIN_ADDRESS:
        return "an address, not a name";
    case DOMAIN_BAD:
        break;
    }
    return "not a domain name";
}

/* --- conversion --------------------------------------------------------------------------- */

/*
 * A label of ASCII stays what it is: libidn2 would refuse names that are in use ("a--b") or
 * that can at least be looked up (an xn-- label that decodes to nothing). Its own check of
 * ASCII, IDN2_USE_STD3_ASCII_RULES, drops the characters that it should refuse; is_name() is ours.
 */
static bool put_label(const char *label, struct buf *name)
{
    char *converted = NULL;

    if (str_is_ascii(label)) {
        buf_puts(name, label);
        return true;
    }
    if (idn2_to_ascii_8z(label, &converted, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) != IDN2_OK)
        return false;
    buf_puts(name, converted);
    idn2_free(converted);
    return true;
}

/* A converted label may hold dots: those of other scripts count as dots. */
static bool convert(const char *text, struct buf *name)
{
    char label[DNS_NAME_MAX];

    for (;;) {
        size_t len = strcspn(text, ".");
        memcpy(label, text, len);
        label[len] = 0;
        if (!put_label(label, name))
            return false;
        if (!text[len])
            return true;
        buf_putc(name, '.');
        text += len + 1;
    }
}

/* --- what came of it ------------------------------------------------------------------------ */

static bool is_name(const char *name)
{
    for (;;) {
        size_t len = strspn(name, NAME_CHARS);
        if (!len || len > LABEL_MAX || (name[len] && name[len] != '.'))
            return false;
        if (!name[len])
            return true;
        name += len + 1;
    }
}

static bool is_address(const char *name)
{
    const char *last = domain_last_labels(name, 1);

    return last[strspn(last, DIGITS)] == 0;
}

/* Takes the name as it was converted; domain_r is written only when it is one. */
static enum domain_status judge(const char *name, char domain_r[DNS_NAME_MAX])
{
    char text[DNS_NAME_MAX];
    size_t len = strlen(name);

    if (len && name[len - 1] == '.')
        len--;
    if (len > DNS_NAME_MAX - 2)
        return DOMAIN_BAD; /* without its dot a name has 253 bytes */
    memcpy(text, name, len);
    text[len] = 0;
    if (!is_name(str_lower(text)))
        return DOMAIN_BAD;
    if (is_address(text))
        return DOMAIN_ADDRESS;
    memcpy(domain_r, text, len + 1);
    return DOMAIN_OK;
}

enum domain_status domain_normalize(const char *text, size_t len, char domain_r[DNS_NAME_MAX])
{
    char copy[DNS_NAME_MAX];
    struct buf name = {0};

    domain_r[0] = 0;
    if (!len)
        return DOMAIN_EMPTY;
    if (text[0] == '[')
        return DOMAIN_LITERAL;
    if (len >= sizeof(copy) || memchr(text, 0, len))
        return DOMAIN_BAD;
    memcpy(copy, text, len);
    copy[len] = 0;
    enum domain_status status = convert(copy, &name) ? judge(buf_str(&name), domain_r) : DOMAIN_BAD;
    buf_fini(&name);
    return status;
}

/* --- normalized names ----------------------------------------------------------------------- */

size_t domain_label_count(const char *domain)
{
    size_t count = *domain != 0;

    for (; *domain; domain++)
        count += *domain == '.';
    return count;
}

const char *domain_last_labels(const char *domain, size_t count)
{
    const char *start = domain + strlen(domain);

    while (count && start > domain && (start[-1] != '.' || --count))
        start--;
    return start;
}
