/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/mailauth/authres.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/str.h"

#define LINE_MAX_SOFT 78  /* RFC 5322 2.1.1: should */
#define ITEM_MAX      900 /* and with its line below the 998 that must be kept */

/* --- characters ------------------------------------------------------------ */

static bool is_printable(char c)
{
    return c >= 0x20 && c < 0x7f;
}

/* RFC 2045 5.1; RFC 6532 lets UTF-8 in, where it comes from others. */
static bool is_token_char(char c)
{
    return (unsigned char)c >= 0x80 ||
           (is_printable(c) && c != ' ' && !strchr("()<>@,;:\\\"/[]?=", c));
}

static bool is_token(const char *text)
{
    for (const char *p = text; *p; p++) {
        if (!is_token_char(*p) || !is_printable(*p))
            return false;
    }
    return *text != 0;
}

static bool is_all_printable(const char *text)
{
    while (is_printable(*text))
        text++;
    return !*text;
}

/* RFC 5322 3.2.3, ASCII. */
static bool is_dot_atom(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '.' && (i == 0 || i + 1 == len || text[i - 1] == '.'))
            return false;
        if (!is_printable(text[i]) || strchr(" ()<>@,;:\\\"[]", text[i]))
            return false;
    }
    return len > 0;
}

/* local@domain and @domain stand without quotes in a pvalue, RFC 8601 2.2. */
static bool is_plain_address(const char *text)
{
    const char *at = strrchr(text, '@');
    size_t local_len = at ? (size_t)(at - text) : 0;

    return at && (!local_len || is_dot_atom(text, local_len)) &&
           is_dot_atom(at + 1, strlen(at + 1));
}

/* --- writing ----------------------------------------------------------------- */

static void put_quoted(struct buf *out, const char *text)
{
    buf_putc(out, '"');
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            buf_putc(out, '\\');
        buf_putc(out, is_printable(*text) ? *text : '?');
    }
    buf_putc(out, '"');
}

static void put_value(struct buf *out, const char *text)
{
    if (is_token(text))
        buf_puts(out, text);
    else
        put_quoted(out, text);
}

/* One result as words between which the field may fold. */
struct resinfo {
    struct buf text;
    size_t column;
};

static void put_word(struct resinfo *info, const struct buf *word)
{
    if (!word->len || word->len > ITEM_MAX)
        return;
    if (info->text.len) {
        bool fold = info->column + 1 + word->len > LINE_MAX_SOFT;
        buf_puts(&info->text, fold ? "\n\t" : " ");
        info->column = fold ? 8 : info->column + 1;
    }
    buf_put(&info->text, word->data, word->len);
    info->column += word->len;
}

static void start(struct resinfo *info, const char *method, enum auth_result result)
{
    struct buf word = {0};

    buf_reset(&info->text);
    info->column = 8;
    buf_printf(&word, "%s=%s", method, auth_result_name(result));
    put_word(info, &word);
    buf_fini(&word);
}

static void put_comment(struct resinfo *info, const char *text)
{
    struct buf word = {0};

    if (!text || !*text)
        return;
    buf_putc(&word, '(');
    for (; *text; text++) {
        if (strchr("()\\", *text))
            buf_putc(&word, '\\');
        buf_putc(&word, is_printable(*text) ? *text : '?');
    }
    buf_putc(&word, ')');
    put_word(info, &word);
    buf_fini(&word);
}

static void put_reason(struct resinfo *info, const char *text)
{
    struct buf word = {0};

    if (!*text)
        return;
    buf_puts(&word, "reason=");
    put_quoted(&word, text);
    put_word(info, &word);
    buf_fini(&word);
}

static void put_property(struct resinfo *info, const char *name, const char *value)
{
    struct buf word = {0};

    if (!*value || !is_all_printable(value))
        return;
    buf_printf(&word, "%s=", name);
    if (is_plain_address(value))
        buf_puts(&word, value);
    else
        put_value(&word, value);
    put_word(info, &word);
    buf_fini(&word);
}

/* --- the results ------------------------------------------------------------- */

struct field {
    struct buf *out;
    size_t began;
    const char *comment; /* still to be written */
};

static void finish(struct field *field, struct resinfo *info)
{
    size_t used = field->out->len - field->began;

    if (used + info->text.len + 3 > AUTHRES_MAX)
        return;
    buf_puts(field->out, ";\n\t");
    buf_put(field->out, info->text.data, info->text.len);
}

static void begin(struct field *field, struct resinfo *info, const char *method,
                  enum auth_result result)
{
    start(info, method, result);
    put_comment(info, field->comment);
    field->comment = NULL;
}

static void write_iprev(struct field *field, struct resinfo *info, const struct authres *results)
{
    char text[ADDR_TEXT_MAX];

    begin(field, info, "iprev", results->iprev->result);
    put_comment(info, results->iprev->name);
    if (results->client)
        put_property(info, "policy.iprev", addr_format(results->client, text));
    finish(field, info);
}

static void write_spf(struct field *field, struct resinfo *info, const struct spf_check *check,
                      const char *property, const char *value)
{
    begin(field, info, "spf", check->result);
    put_reason(info, check->reason);
    put_property(info, property, value);
    finish(field, info);
}

static void write_spf_verdict(struct field *field, struct resinfo *info,
                              const struct authres *results)
{
    const struct spf_verdict *spf = results->spf;
    const char *sender = results->spf_request->sender, *helo = results->spf_request->helo;

    /* With the null sender the identity is postmaster@HELO, and HELO's result says it. */
    if (*sender)
        write_spf(field, info, &spf->mailfrom, "smtp.mailfrom", sender);
    if (*helo || !*sender)
        write_spf(field, info, &spf->helo, "smtp.helo", helo);
}

static void write_masked(struct field *field, struct resinfo *info, const char *reason)
{
    begin(field, info, "spf", AUTH_TEMPERROR);
    put_comment(info, reason);
    finish(field, info);
}

/* What keeps a pass from being worth as much as others. */
static void write_dkim_comments(struct resinfo *info, const struct dkim_result *dkim)
{
    struct buf text = {0};

    if (dkim->testing)
        put_comment(info, "the domain is testing DKIM");
    if (dkim->body_unsigned) {
        buf_printf(&text, "body length limit: %ju bytes not signed",
                   (uintmax_t)dkim->body_unsigned);
        put_comment(info, buf_str(&text));
        buf_fini(&text);
    }
}

static void write_dkim(struct field *field, struct resinfo *info, const struct dkim_result *dkim)
{
    begin(field, info, "dkim", dkim->result);
    write_dkim_comments(info, dkim);
    put_reason(info, dkim->reason);
    put_property(info, "header.d", dkim->domain);
    put_property(info, "header.s", dkim->selector);
    put_property(info, "header.a", dkim->algorithm);
    put_property(info, "header.b", dkim->signature);
    finish(field, info);
}

static void write_dmarc(struct field *field, struct resinfo *info,
                        const struct dmarc_verdict *dmarc)
{
    struct buf published = {0};

    begin(field, info, "dmarc", dmarc->result);
    if (*dmarc->record_domain) {
        buf_printf(&published, "p=%s%s", dmarc_policy_name(dmarc->published),
                   dmarc->testing ? " t=y" : "");
        put_comment(info, buf_str(&published));
    }
    put_reason(info, dmarc->reason);
    put_property(info, "header.from", dmarc->domain);
    if (dmarc->result == AUTH_FAIL)
        put_property(info, "policy.dmarc", dmarc_policy_name(dmarc->policy));
    finish(field, info);
    buf_fini(&published);
}

void authres_build(struct buf *out, const struct authres *results)
{
    struct field field = {.out = out, .began = out->len, .comment = results->comment};
    struct resinfo info = {0};

    put_value(out, results->authserv_id);
    size_t head = out->len;
    if (results->iprev && !results->masked)
        write_iprev(&field, &info, results);
    if (results->masked)
        write_masked(&field, &info, results->masked);
    else if (results->spf)
        write_spf_verdict(&field, &info, results);
    for (size_t i = 0; i < results->dkim_count; i++)
        write_dkim(&field, &info, &results->dkim[i]);
    if (results->dkim_evaluated && !results->dkim_count) {
        begin(&field, &info, "dkim", AUTH_NONE);
        finish(&field, &info);
    }
    if (results->dmarc)
        write_dmarc(&field, &info, results->dmarc);
    if (out->len == head)
        buf_puts(out, "; none");
    buf_fini(&info.text);
}

/* --- reading ------------------------------------------------------------------- */

/* Past a comment that begins at p, nested ones included; NULL when it does not end. */
static const char *skip_comment(const char *p)
{
    size_t depth = 0;

    for (; *p; p++) {
        if (*p == '\\' && p[1])
            p++;
        else if (*p == '(')
            depth++;
        else if (*p == ')' && --depth == 0)
            return p + 1;
    }
    return NULL;
}

static const char *skip_cfws(const char *p)
{
    for (;;) {
        while (*p && strchr(" \t\r\n", *p))
            p++;
        if (*p != '(')
            return p;
        p = skip_comment(p);
        if (!p)
            return NULL;
    }
}

/* A token or quoted-string at *p into out; moves *p behind it. -1: neither. */
static int take_value(const char **p, struct buf *out)
{
    if (**p != '"') {
        while (is_token_char(**p))
            buf_putc(out, *(*p)++);
        return out->len ? 0 : -1;
    }
    for (++*p; **p && **p != '"'; ++*p) {
        if (**p == '\\' && (*p)[1])
            ++*p;
        if (**p != '\r' && **p != '\n')
            buf_putc(out, **p);
    }
    return **p && *(*p)++ == '"' && out->len ? 0 : -1;
}

static const char *skip_version(const char *p)
{
    while (*p >= '0' && *p <= '9')
        p++;
    return skip_cfws(p);
}

enum authres_status authres_parse_id(const char *value, char **id_r)
{
    struct buf id = {0};
    const char *p = skip_cfws(value);

    *id_r = NULL;
    if (p && take_value(&p, &id) == 0) {
        p = skip_cfws(p);
        p = p ? skip_version(p) : NULL;
        if (p && *p == ';')
            *id_r = str_lower(buf_steal(&id));
    }
    buf_fini(&id);
    return *id_r ? AUTHRES_OK : AUTHRES_BAD;
}
