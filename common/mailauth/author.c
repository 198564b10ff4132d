/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/mailauth/author.h"

#include <string.h>

#include "common/base/str.h"

/* RFC 5322 3.2.3: atext, and the dots that join atoms; where they stand is nobody's doubt. */
#define WORD_CHARS                                                                                 \
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-/=?^_`{|}~."

const char *author_strstatus(enum author_status status)
{
    switch (status) {
    case AUTHOR_NO_FIELD:
        return "the message has no From field";
    case AUTHOR_OK:
        return "the From field names an author domain";
    case AUTHOR_MANY_FIELDS:
        return "the message has more than one From field";
    case AUTHOR_NO_ADDRESS:
        return "the From field has no address";
    case AUTHOR_TOO_MANY:
        return "the From field has too many domains or bytes";
    case AUTHOR_MALFORMED:
        break;
    }
    return "the From field cannot be read for certain";
}

struct reader {
    const char *at;
    bool in_group;
};

/* A member of the list, as far as it is there. */
struct mailbox {
    bool has_words;
    char shown[DNS_NAME_MAX]; /* of an address without < > */
    char domain[DNS_NAME_MAX];
};

/* --- what stands between words, RFC 5322 3.2.2 ---------------------------------------------- */

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

/* Characters that a field may have, and line ends only in folds. */
static bool is_clean(const char *text)
{
    if (!str_is_utf8(text))
        return false;
    for (; *text; text++) {
        if (text[0] == '\r' && text[1] == '\n')
            text++;
        bool is_control = ((unsigned char)*text < ' ' && *text != '\t') || *text == 0x7f;
        if (is_control && !(*text == '\n' && is_space(text[1])))
            return false;
    }
    return true;
}

static bool has_long_line(const char *text)
{
    size_t len;

    for (; (len = strcspn(text, "\n")) <= AUTHOR_LINE_MAX; text += len + 1) {
        if (!text[len])
            return false;
    }
    return true;
}

static void skip_space(struct reader *reader)
{
    while (is_space(*reader->at) || *reader->at == '\r' || *reader->at == '\n')
        reader->at++;
}

/* A byte within a comment or quotes, with its backslash. 0: the end, or no byte to be escaped. */
static size_t text_len(const char *text)
{
    if (*text != '\\')
        return *text != 0;
    return (unsigned char)text[1] >= ' ' || text[1] == '\t' ? 2 : 0;
}

static bool skip_comment(struct reader *reader)
{
    size_t depth = 0;

    do {
        size_t len = text_len(reader->at);
        if (!len)
            return false;
        if (*reader->at == '(')
            depth++;
        else if (*reader->at == ')')
            depth--;
        reader->at += len;
    } while (depth);
    return true;
}

static bool skip_space_and_comments(struct reader *reader)
{
    for (skip_space(reader); *reader->at == '('; skip_space(reader)) {
        if (!skip_comment(reader))
            return false;
    }
    return true;
}

/* --- words and addresses, RFC 5322 3.2.4 and 3.4.1 ------------------------------------------ */

static size_t atoms_len(const char *text)
{
    size_t len = 0;

    while ((unsigned char)text[len] >= 0x80 || (text[len] && strchr(WORD_CHARS, text[len])))
        len++;
    return len;
}

static bool read_quoted(struct reader *reader)
{
    for (reader->at++; *reader->at != '"';) {
        size_t len = text_len(reader->at);
        if (!len)
            return false;
        reader->at += len;
    }
    reader->at++;
    return true;
}

/* Atoms joined by dots, or a quoted string. */
static bool read_word(struct reader *reader)
{
    if (*reader->at == '"')
        return read_quoted(reader);
    size_t len = atoms_len(reader->at);
    reader->at += len;
    return len != 0;
}

/* Others take an @ in it for the address's own, or decode it first. */
static bool is_misleading(const char *local_part, size_t len)
{
    return memchr(local_part, '@', len) || memmem(local_part, len, "=?", 2);
}

/* The domain behind a local part that has been read. */
static bool read_domain(struct reader *reader, const char *local_part, char domain_r[DNS_NAME_MAX])
{
    if (*reader->at != '@' || is_misleading(local_part, (size_t)(reader->at - local_part)))
        return false;
    const char *domain = reader->at + 1;
    size_t len = atoms_len(domain);
    reader->at = domain + len;
    return domain_normalize(domain, len, domain_r) == DOMAIN_OK;
}

/* --- lists, RFC 5322 3.4 -------------------------------------------------------------------- */

/* Words of a name, or an address without < >. */
static bool read_name(struct reader *reader, struct mailbox *mailbox)
{
    while (skip_space_and_comments(reader)) {
        const char *word = reader->at;
        if (*word != '"' && !atoms_len(word))
            return true;
        if (*mailbox->shown || !read_word(reader))
            return false;
        if (*reader->at == '@' &&
            (mailbox->has_words || !read_domain(reader, word, mailbox->shown)))
            return false;
        mailbox->has_words = true;
    }
    return false;
}

static bool read_angle(struct reader *reader, struct mailbox *mailbox)
{
    reader->at++;
    skip_space(reader);
    const char *local_part = reader->at;
    if (!read_word(reader) || !read_domain(reader, local_part, mailbox->domain))
        return false;
    skip_space(reader);
    if (*reader->at++ != '>')
        return false;
    return skip_space_and_comments(reader);
}

/* Up to what delimits it. With words and no domain it is the name of a group. */
static bool read_mailbox(struct reader *reader, struct mailbox *mailbox_r)
{
    memset(mailbox_r, 0, sizeof(*mailbox_r));
    if (!read_name(reader, mailbox_r))
        return false;
    if (*reader->at == '<')
        return read_angle(reader, mailbox_r) &&
               (!*mailbox_r->shown || str_eq(mailbox_r->shown, mailbox_r->domain));
    memcpy(mailbox_r->domain, mailbox_r->shown, sizeof(mailbox_r->domain));
    return true;
}

static bool end_group(struct reader *reader)
{
    reader->in_group = false;
    return skip_space_and_comments(reader) && (*reader->at == ',' || !*reader->at);
}

/* What stands behind a mailbox; the end of the field stays. */
static bool read_delimiter(struct reader *reader, const struct mailbox *mailbox)
{
    bool is_name = mailbox->has_words && !*mailbox->domain;
    bool was_in_group = reader->in_group;

    switch (*reader->at) {
    case '\0':
        return !is_name && !was_in_group;
    case ',':
        reader->at++;
        return !is_name;
    case ':':
        reader->at++;
        reader->in_group = true;
        return is_name && !was_in_group;
    case ';':
        reader->at++;
        return !is_name && was_in_group && end_group(reader);
    default:
        return false;
    }
}

static bool add_domain(struct author *author, const char *domain)
{
    for (size_t i = 0; i < author->count; i++) {
        if (str_eq(author->domains[i], domain))
            return true;
    }
    if (author->count == AUTHOR_DOMAINS_MAX)
        return false;
    memcpy(author->domains[author->count++], domain, strlen(domain) + 1);
    return true;
}

static enum author_status read_list(struct author *author, const char *value)
{
    struct reader reader = {.at = value};
    struct mailbox mailbox;
    bool is_last;

    do {
        if (!read_mailbox(&reader, &mailbox))
            return AUTHOR_MALFORMED;
        is_last = !*reader.at;
        if (!read_delimiter(&reader, &mailbox))
            return AUTHOR_MALFORMED;
        if (*mailbox.domain && !add_domain(author, mailbox.domain))
            return AUTHOR_TOO_MANY;
    } while (!is_last);
    return author->count ? AUTHOR_OK : AUTHOR_NO_ADDRESS;
}

void author_field(struct author *author, const char *value)
{
    if (author->status != AUTHOR_NO_FIELD)
        author->status = AUTHOR_MANY_FIELDS;
    else if (strnlen(value, AUTHOR_FIELD_MAX + 1) > AUTHOR_FIELD_MAX)
        author->status = AUTHOR_TOO_MANY;
    else if (!is_clean(value) || has_long_line(value))
        author->status = AUTHOR_MALFORMED;
    else
        author->status = read_list(author, value);
    if (author->status != AUTHOR_OK)
        *author = (struct author){.status = author->status};
}
