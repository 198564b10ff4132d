/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "common/config/form.h"

#include <string.h>

#include "common/base/endpoint.h"
#include "common/base/str.h"

#define DOMAIN_MAX       253
#define LABEL_MAX        63
#define ACCOUNT_MAX      32
#define SECTION_NAME_MAX 64

static bool is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool all_of(const char *text, const char *also)
{
    for (; *text != '\0'; text++)
        if (!is_alnum(*text) && strchr(also, *text) == NULL)
            return false;
    return true;
}

static bool is_label(const char *label, size_t len)
{
    return len > 0 && len <= LABEL_MAX && label[0] != '-' && label[len - 1] != '-';
}

/* Letters, digits, "-" and "_" in labels. */
static bool is_labels(const char *text)
{
    const char *label = text;
    size_t len;

    if (strlen(text) > DOMAIN_MAX || !all_of(text, "-_."))
        return false;
    for (;; label += len + 1) {
        len = strcspn(label, ".");
        if (!is_label(label, len))
            return false;
        if (label[len] == '\0')
            return true;
    }
}

/* The last label is no number, or it would be an address. */
static bool is_domain(const char *text)
{
    const char *dot = strrchr(text, '.'), *last = dot == NULL ? text : dot + 1;

    return is_labels(text) && last[strspn(last, "0123456789")] != '\0';
}

const char *form_fqdn(char *text)
{
    if (!is_domain(text) || strchr(text, '.') == NULL)
        return "a full domain name like \"mail.example.com\" (international ones in their "
               "\"xn--\" form)";
    str_lower(text);
    return NULL;
}

const char *form_host(char *text)
{
    if (!is_domain(text))
        return "a host name (no address: its certificate is checked against the name)";
    str_lower(text);
    return NULL;
}

const char *form_author(char *text)
{
    if (str_eq(text, "*") || form_fqdn(str_has_prefix(text, "*.") ? text + 2 : text) == NULL)
        return NULL;
    return "a domain like \"example.com\", \"*.example.com\" for those below it, or \"*\"";
}

const char *form_selector(char *text)
{
    if (!is_labels(text))
        return "a selector of letters, digits, \"-\", \"_\" and \".\"";
    str_lower(text);
    return NULL;
}

const char *form_account(char *text)
{
    if (strlen(text) > ACCOUNT_MAX || !all_of(text, "-_.") || strchr("-.", text[0]) != NULL)
        return "a name of letters, digits, \"-\", \"_\" and \".\"";
    return NULL;
}

const char *form_name(char *text)
{
    if (text[0] == '\0' || strlen(text) > SECTION_NAME_MAX || !all_of(text, "-_."))
        return "a name of 1 to 64 letters, digits, \"-\", \"_\" and \".\"";
    return NULL;
}

const char *form_login(char *text)
{
    return strchr(text, ':') == NULL ? NULL
                                     : "a login without \":\": Postfix takes what follows the "
                                       "first one for the password";
}

const char *form_honeypot(char *text)
{
    return text[0] != '\0' && text[strcspn(text, " \t")] == '\0'
               ? NULL
               : "a login or an address without blanks";
}

const char *form_address(char *text)
{
    struct addr addr;

    return addr_parse(text, &addr) == 0 ? NULL
                                        : "one IP address like \"203.0.113.1\" or \"2001:db8::1\"";
}

const char *form_prefix(char *text)
{
    struct prefix prefix;

    return prefix_parse(text, &prefix) == 0
               ? NULL
               : "an address or a network like \"192.168.1.0/24\", its host bits zero";
}

static int parse_port(const char *text, uint16_t *port_r)
{
    uint64_t port;

    if (str_parse_u64(text, 1, UINT16_MAX, &port) != 0)
        return -1;
    *port_r = (uint16_t)port;
    return 0;
}

static int parse_addr_n(const char *text, size_t len, struct addr *addr_r)
{
    char copy[ADDR_TEXT_MAX];

    if (len >= sizeof(copy))
        return -1;
    memcpy(copy, text, len);
    copy[len] = '\0';
    return addr_parse(copy, addr_r);
}

const char *form_resolver(char *text)
{
    size_t len = strcspn(text, "@");
    struct addr addr;
    uint16_t port;

    if (parse_addr_n(text, len, &addr) != 0 ||
        (text[len] == '@' && parse_port(text + len + 1, &port) != 0))
        return "ADDRESS or ADDRESS@PORT of a resolver, like \"127.0.0.1@5353\"";
    return NULL;
}

/* Port 0 is for tests: nobody would find the listener. */
static bool is_listener(const char *text)
{
    struct endpoint endpoint;
    const char *reason;

    return endpoint_parse_milter(text, &endpoint, &reason) == 0 &&
           (endpoint.is_unix || endpoint.port != 0);
}

const char *form_milter(char *text)
{
    return is_listener(text)
               ? NULL
               : "a listener: \"unix:/PATH\", \"ADDRESS:PORT\", \"[ADDRESS]:PORT\" or "
                 "\"inet:PORT@ADDRESS\"";
}

const char *form_listener(char *text)
{
    if (str_has_prefix(text, "inet") || !is_listener(text))
        return "a listener: \"unix:/PATH\", \"ADDRESS:PORT\" or \"[ADDRESS]:PORT\"";
    return NULL;
}

const char *form_unix_listener(char *text)
{
    if (!str_has_prefix(text, "unix:") || !is_listener(text))
        return "a Unix socket \"unix:/PATH\": who may command is a matter of its group";
    return NULL;
}

const char *form_word(char *text)
{
    return text[strcspn(text, " \t")] == '\0' ? NULL : "a name without blanks";
}

/* A brace would begin or end the part of a key that chooses its node in a Cluster. */
const char *form_key_prefix(char *text)
{
    return all_of(text, "-_.:/") ? NULL
                                 : "the beginning of a key: letters, digits, \"-\", \"_\", "
                                   "\".\", \":\" and \"/\"";
}

const char *form_sender(char *text)
{
    static const char phrase[] = "\"*\", \"@example.com\", \"user@example.com\" or \"<>\"";
    char *at = strrchr(text, '@');

    if (str_eq(text, "*") || str_eq(text, "<>"))
        return NULL;
    if (at == NULL || form_fqdn(at + 1) != NULL)
        return phrase;
    for (const char *c = text; c < at; c++)
        if (*c == '@' || *c == ' ' || *c == '\t' || *c == '<' || *c == '>')
            return phrase;
    str_lower(text);
    return NULL;
}

const char *form_port(char *text)
{
    uint64_t port;

    /* No leading zero: the same port would be in a list twice. */
    if (text[0] == '0' || str_parse_u64(text, 1, 65535, &port) != 0)
        return "a port, 1 to 65535";
    return NULL;
}
