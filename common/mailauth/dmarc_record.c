/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/mailauth/dmarc_record.h"

#include <string.h>
#include <strings.h>

#include "common/wire/taglist.h"

/* What one of p, sp and np says. */
struct request {
    bool present;
    bool bad;
    enum dmarc_policy policy;
};

/* A record as it is read. */
struct draft {
    struct request p, sp, np;
    bool wants_reports;
};

const char *dmarc_policy_name(enum dmarc_policy policy)
{
    static const char *const names[] = {
        [DMARC_POLICY_NONE] = "none",
        [DMARC_POLICY_QUARANTINE] = "quarantine",
        [DMARC_POLICY_REJECT] = "reject",
    };
    return names[policy];
}

/* The ABNF's "v" and the table of tags are of either case (RFC 5234 2.3), and so they are read. */
static bool is_named(const struct tag *tag, const char *name)
{
    return tag->name_len == strlen(name) &&
           strncasecmp((const char *)tag->name, name, tag->name_len) == 0;
}

static bool is_version(const struct tag *tag)
{
    static const char version[] = "DMARC1";
    size_t len = sizeof(version) - 1;

    return is_named(tag, "v") && tag->value_len == len && memcmp(tag->value, version, len) == 0;
}

static void read_request(const struct tag *tag, struct request *request)
{
    for (unsigned i = DMARC_POLICY_NONE; i <= DMARC_POLICY_REJECT; i++) {
        enum dmarc_policy policy = (enum dmarc_policy)i;
        if (!tag_has(tag, dmarc_policy_name(policy)))
            continue;
        if (request->present && request->policy != policy)
            request->bad = true;
        request->present = true;
        request->policy = policy;
        return;
    }
    request->bad = true;
}

static bool is_alpha(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_scheme_rest(uint8_t c)
{
    return is_digit(c) || c == '+' || c == '-' || c == '.';
}

/* RFC 3986: a scheme, and characters that may stand in a URI; "!10m" may follow. */
static bool is_uri(const uint8_t *begin, const uint8_t *end)
{
    const uint8_t *p = begin;

    while (p < end && (is_alpha(*p) || (p > begin && is_scheme_rest(*p))))
        p++;
    if (p == begin || p == end || *p != ':' || ++p == end)
        return false;
    for (; p < end; p++)
        if (*p <= ' ' || *p > '~' || strchr("\"<>\\^`{|}", *p))
            return false;
    return true;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

/* Whether one of the addresses between commas can be one. */
static bool has_uri(const struct tag *tag)
{
    const uint8_t *at = tag->value, *end = tag->value + tag->value_len;

    while (at < end) {
        const uint8_t *comma = memchr(at, ',', (size_t)(end - at));
        const uint8_t *last = comma ? comma : end;
        const uint8_t *first = at;
        at = comma ? comma + 1 : end;
        while (first < last && is_blank(*first))
            first++;
        while (first < last && is_blank(last[-1]))
            last--;
        if (is_uri(first, last))
            return true;
    }
    return false;
}

static void read_psd(const struct tag *tag, struct dmarc_record *record)
{
    if (record->psd != DMARC_PSD_U)
        return;
    if (tag_has(tag, "y"))
        record->psd = DMARC_PSD_Y;
    else if (tag_has(tag, "n"))
        record->psd = DMARC_PSD_N;
}

static void read_tag(const struct tag *tag, struct draft *draft, struct dmarc_record *record)
{
    if (is_named(tag, "p"))
        read_request(tag, &draft->p);
    else if (is_named(tag, "sp"))
        read_request(tag, &draft->sp);
    else if (is_named(tag, "np"))
        read_request(tag, &draft->np);
    else if (is_named(tag, "rua"))
        draft->wants_reports |= has_uri(tag);
    else if (is_named(tag, "adkim"))
        record->strict_dkim |= tag_has(tag, "s");
    else if (is_named(tag, "aspf"))
        record->strict_spf |= tag_has(tag, "s");
    else if (is_named(tag, "t"))
        record->testing |= tag_has(tag, "y");
    else if (is_named(tag, "psd"))
        read_psd(tag, record);
}

/* RFC 9989 4.10.1. */
static void settle(const struct draft *draft, struct dmarc_record *record)
{
    if (!draft->p.present || draft->p.bad || draft->sp.bad || draft->np.bad) {
        record->applies = draft->wants_reports;
        return;
    }
    record->applies = true;
    record->policy = draft->p.policy;
    record->subdomain_policy = draft->sp.present ? draft->sp.policy : draft->p.policy;
    record->nonexistent_policy = draft->np.present ? draft->np.policy : record->subdomain_policy;
}

bool dmarc_record_parse(const uint8_t *txt, size_t len, struct dmarc_record *record_r)
{
    struct taglist list = taglist_of(txt, len);
    struct draft draft = {0};
    enum taglist_status status;
    struct tag tag;

    memset(record_r, 0, sizeof(*record_r));
    if (taglist_next(&list, &tag) != TAGLIST_TAG || !is_version(&tag))
        return false;
    while ((status = taglist_next(&list, &tag)) != TAGLIST_END) {
        if (status == TAGLIST_TAG)
            read_tag(&tag, &draft, record_r);
    }
    settle(&draft, record_r);
    return true;
}
