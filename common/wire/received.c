/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/wire/received.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "common/base/mem.h"

#define FOLD "\n\t"

/* What is still to be read. */
struct rest {
    const char *at;
};

static bool take(struct rest *rest, const char *text)
{
    size_t len = strlen(text);

    if (strncmp(rest->at, text, len) != 0)
        return false;
    rest->at += len;
    return true;
}

/* A name of RFC 1123, or what a resolver lets pass for one. */
static size_t name_len(const char *text)
{
    return strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._");
}

static bool take_address(struct rest *rest, enum received_form form, struct addr *addr_r)
{
    char text[ADDR_TEXT_MAX];
    bool is_marked;

    if (!take(rest, "["))
        return false;
    is_marked = form == RECEIVED_POSTFIX && take(rest, "IPv6:");
    size_t len = strcspn(rest->at, "]");
    if (rest->at[len] == 0 || len >= sizeof(text))
        return false;
    memcpy(text, rest->at, len);
    text[len] = 0;
    rest->at += len + 1;
    if (form == RECEIVED_POSTFIX && is_marked != (strchr(text, ':') != NULL))
        return false;
    return addr_parse(text, addr_r) == 0;
}

/* --- Postfix ----------------------------------------------------------------------------- */

static bool take_postfix_from(struct rest *rest, struct received *received)
{
    received->helo = rest->at;
    received->helo_len = strcspn(rest->at, "(\n");
    rest->at += received->helo_len;
    if (received->helo_len < 2 || received->helo[--received->helo_len] != ' ' || !take(rest, "("))
        return false;
    size_t len = name_len(rest->at);
    rest->at += len;
    return len > 0 && take(rest, " ") && take_address(rest, RECEIVED_POSTFIX, &received->client) &&
           take(rest, ")");
}

/* Of TLS and of the login: each in parentheses, the second line of one behind a space. */
static void skip_remarks(struct rest *rest)
{
    while (take(rest, FOLD "(") || take(rest, FOLD " "))
        rest->at += strcspn(rest->at, "\n");
}

static void skip_mail_name(struct rest *rest)
{
    if (*rest->at == '(')
        rest->at += strcspn(rest->at, ")\n");
    (void)take(rest, ") ");
}

/* --- Exim -------------------------------------------------------------------------------- */

static void skip_digits(struct rest *rest)
{
    rest->at += strspn(rest->at, "0123456789");
}

/* To the parenthesis that ends the line: the HELO is not escaped, so only a plain one counts. */
static bool take_exim_details(struct rest *rest, struct received *received)
{
    const char *end = rest->at + strcspn(rest->at, "\n");

    if (end == rest->at || end[-1] != ')')
        return false;
    if (take(rest, "port="))
        skip_digits(rest);
    (void)take(rest, " ");
    if (take(rest, "helo=")) {
        size_t len = strcspn(rest->at, " )\n");
        bool is_plain = rest->at + len == end - 1 || strncmp(rest->at + len, " ident=", 7) == 0;
        received->helo = rest->at;
        received->helo_len = is_plain ? len : 0;
    }
    rest->at = end;
    return true;
}

static bool take_exim_nameless(struct rest *rest, struct received *received)
{
    received->helo = "";
    received->helo_len = 0;
    if (!take_address(rest, RECEIVED_EXIM, &received->client))
        return false;
    return take(rest, " (") ? take_exim_details(rest, received) : true;
}

static bool take_exim_from(struct rest *rest, struct received *received)
{
    if (*rest->at == '[')
        return take_exim_nameless(rest, received);
    received->helo = rest->at; /* unless it is told apart */
    received->helo_len = name_len(rest->at);
    rest->at += received->helo_len;
    if (received->helo_len == 0 || !(take(rest, " (") || take(rest, FOLD "(")) ||
        !take_address(rest, RECEIVED_EXIM, &received->client))
        return false;
    if (take(rest, ":"))
        skip_digits(rest);
    return take_exim_details(rest, received);
}

/* --- both ---------------------------------------------------------------------------------- */

static bool take_by(struct rest *rest, const char *by)
{
    size_t len = strlen(by);

    if (strncasecmp(rest->at, by, len) != 0 || rest->at[len] != ' ')
        return false;
    rest->at += len + 1;
    return true;
}

static bool is_smtp(enum received_form form, const char *text)
{
    static const char *const protocols[][9] = {
        [RECEIVED_POSTFIX] = {"SMTP ", "ESMTP ", "ESMTPS ", "UTF8SMTP ", "UTF8SMTPS "},
        [RECEIVED_EXIM] = {"smtp ", "esmtp ", "smtps ", "esmtps ", "utf8esmtp ", "utf8esmtps "},
    };

    for (const char *const *p = protocols[form]; *p; p++)
        if (strncmp(text, *p, strlen(*p)) == 0)
            return true;
    return false;
}

enum received_status received_parse(enum received_form form, const char *by, const char *value,
                                    struct received *received_r)
{
    struct rest rest = {value};
    struct received received;

    if (!take(&rest, "from ") || !(form == RECEIVED_POSTFIX ? take_postfix_from(&rest, &received)
                                                            : take_exim_from(&rest, &received)))
        return RECEIVED_BAD_FORM;
    if (form == RECEIVED_POSTFIX)
        skip_remarks(&rest);
    if (!take(&rest, FOLD "by "))
        return RECEIVED_BAD_FORM;
    if (!take_by(&rest, by))
        return RECEIVED_OTHER_HOST;
    if (form == RECEIVED_POSTFIX)
        skip_mail_name(&rest);
    if (!take(&rest, "with "))
        return RECEIVED_BAD_FORM;
    if (!is_smtp(form, rest.at))
        return RECEIVED_BAD_PROTOCOL;
    *received_r = received;
    return RECEIVED_OK;
}

char *received_unbroken(const char *value)
{
    char *text = x_strdup(value), *to = text;

    for (const char *p = value; *p;) {
        if (p[0] == '\n' && p[1] == ' ')
            p += 2;
        else
            *to++ = *p++;
    }
    *to = 0;
    return text;
}

const char *received_strstatus(enum received_status status)
{
    static const char *const words[] = {
        [RECEIVED_OK] = "names the client",
        [RECEIVED_BAD_FORM] = "is not what this MTA writes for an SMTP client",
        [RECEIVED_OTHER_HOST] = "names another host behind \"by\"",
        [RECEIVED_BAD_PROTOCOL] = "names a client that logged in, or no SMTP",
    };
    return words[status];
}
