/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/mailauth/spf_walk.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/base/str.h"
#include "common/mailauth/spf_macro.h"

#define EXPLANATION_MAX 1024 /* bytes before its macros are expanded; longer is none */

/* A record under evaluation; those above wait for the include they asked. */
struct frame {
    struct spf_record record;
    char domain[DNS_NAME_MAX];
    size_t at; /* the next term */
};

struct walk {
    const struct addr *client;
    bool has_ascii_sender;
    struct spf_terms *terms;
    struct dns *dns;
    struct dns_budget *budget;
    struct spf_check *check;
    struct frame frames[SPF_LOOKUPS_MAX + 1]; /* an include is a look-up */
    size_t depth;
};

/* --- names and texts ------------------------------------------------------ */

void spf_question_name(const char *expanded, struct buf *out)
{
    while (strlen(expanded) > DNS_NAME_MAX - 2) {
        const char *dot = strchr(expanded, '.');
        if (!dot)
            break;
        expanded = dot + 1;
    }
    for (const char *p = expanded; *p; p++) {
        unsigned char c = (unsigned char)*p;
        if (c == '\\')
            buf_puts(out, "\\\\");
        else if (c <= 0x20 || c >= 0x7f)
            buf_printf(out, "\\%03u", c);
        else
            buf_putc(out, (char)c);
    }
}

void spf_printable(const char *text, char *out, size_t size)
{
    size_t i = 0;

    for (; i < size - 1 && text[i]; i++)
        out[i] = text[i] >= 0x20 && text[i] < 0x7f ? text[i] : '?';
    out[i] = 0;
}

__attribute__((format(printf, 3, 4))) static enum auth_result because(struct walk *walk,
                                                                      enum auth_result result,
                                                                      const char *fmt, ...)
{
    char text[SPF_TEXT_MAX + DNS_NAME_MAX];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    spf_printable(text, walk->check->reason, sizeof(walk->check->reason));
    return result;
}

/* --- the record of a domain, RFC 7208 4.4 and 4.5 ------------------------- */

static enum auth_result select_record(struct walk *walk, const struct dns_answer *answer,
                                      struct frame *frame)
{
    const struct dns_record *found = NULL;
    const char *reason;

    for (size_t i = 0; i < answer->count; i++) {
        const struct dns_record *txt = &answer->records[i];
        if (!spf_record_is(txt->txt, txt->txt_len))
            continue;
        if (found)
            return because(walk, AUTH_PERMERROR, "%s has more than one SPF record", frame->domain);
        found = txt;
    }
    if (!found)
        return because(walk, AUTH_NONE, "%s has no SPF record", frame->domain);
    if (spf_record_parse(found->txt, found->txt_len, &frame->record, &reason) < 0)
        return because(walk, AUTH_PERMERROR, "the SPF record of %s has an error: %s", frame->domain,
                       reason);
    return AUTH_PASS;
}

/* Pass: there is a good record, now in frame. Else none, temperror or permerror. */
static enum auth_result fetch_record(struct walk *walk, struct frame *frame)
{
    struct buf name = {0};
    struct dns_answer answer;
    enum auth_result result;

    spf_question_name(frame->domain, &name);
    struct dns_question question = {buf_str(&name), DNS_TYPE_TXT};
    dns_ask(walk->dns, &question, 1, walk->budget, &answer);
    switch (answer.status) {
    case DNS_FOUND:
        result = select_record(walk, &answer, frame);
        break;
    case DNS_NXDOMAIN:
    case DNS_NODATA:
        result = because(walk, AUTH_NONE, "%s has no SPF record", frame->domain);
        break;
    default:
        result = because(walk, AUTH_TEMPERROR, "DNS, TXT of %s: %s", frame->domain,
                         dns_strstatus(answer.status));
    }
    dns_answer_fini(&answer);
    buf_fini(&name);
    return result;
}

/* --- limits, RFC 7208 4.6.4 ----------------------------------------------- */

static bool count_lookup(struct walk *walk)
{
    return ++walk->check->lookups <= SPF_LOOKUPS_MAX;
}

static enum auth_result too_many_lookups(struct walk *walk)
{
    return because(walk, AUTH_PERMERROR, "more than %d terms that need look-ups", SPF_LOOKUPS_MAX);
}

/* --- the walk ------------------------------------------------------------- */

/* RFC 8616 4: no name in DNS stands for a local part that is not ASCII. */
static bool is_nameable(const struct walk *walk, const char *spec)
{
    return walk->has_ascii_sender || !spf_macro_has_local_part(spec);
}

/* The domain that spec means in frame, into domain_r. -1: it cannot be one. */
static int expand_domain(struct walk *walk, const struct frame *frame, const char *spec,
                         char domain_r[DNS_NAME_MAX])
{
    struct buf expanded = {0};

    if (!is_nameable(walk, spec))
        return -1;
    int result = walk->terms->expand(walk->terms, spec, frame->domain, &expanded);
    const char *text = buf_str(&expanded);

    while (strlen(text) > DNS_NAME_MAX - 2 && strchr(text, '.'))
        text = strchr(text, '.') + 1;
    size_t len = strlen(text);
    if (len && text[len - 1] == '.')
        len--;
    if (result == 0 && len < DNS_NAME_MAX) {
        memcpy(domain_r, text, len);
        domain_r[len] = 0;
    } else {
        result = -1;
    }
    buf_fini(&expanded);
    return result;
}

/* Make the record of spec's domain the newest frame. Pass: it is there. */
static enum auth_result push(struct walk *walk, const struct frame *from, const char *spec)
{
    struct frame *frame = &walk->frames[walk->depth];

    memset(frame, 0, sizeof(*frame));
    if (expand_domain(walk, from, spec, frame->domain) < 0)
        return because(walk, AUTH_PERMERROR, "%s: its macros cannot be expanded", spec);
    enum auth_result result = fetch_record(walk, frame);
    if (result == AUTH_NONE)
        return AUTH_PERMERROR;
    if (result == AUTH_PASS)
        walk->depth++;
    return result;
}

static enum auth_result redirect(struct walk *walk, struct frame *frame)
{
    struct frame old = *frame;

    if (!count_lookup(walk))
        return too_many_lookups(walk);
    walk->depth--;
    enum auth_result result = push(walk, &old, old.record.redirect);
    spf_record_fini(&old.record);
    return result;
}

static enum spf_match match_term(struct walk *walk, const struct frame *frame,
                                 const struct spf_term *term)
{
    const char *reason = NULL;
    bool found_nothing = false;

    if (term->type == SPF_TERM_ALL)
        return SPF_MATCH_YES;
    if (term->type == SPF_TERM_IP4 || term->type == SPF_TERM_IP6)
        return prefix_contains(&term->net, walk->client) ? SPF_MATCH_YES : SPF_MATCH_NO;
    if (!count_lookup(walk)) {
        too_many_lookups(walk);
        return SPF_MATCH_PERMERROR;
    }
    enum spf_match match =
        walk->terms->match(walk->terms, term, frame->domain, &found_nothing, &reason);
    if (match == SPF_MATCH_TEMPERROR || match == SPF_MATCH_PERMERROR)
        because(walk, AUTH_PERMERROR, "%s: %s", term->text, reason);
    if (found_nothing && ++walk->check->void_lookups > SPF_VOIDS_MAX) {
        because(walk, AUTH_PERMERROR, "more than %d look-ups that find nothing", SPF_VOIDS_MAX);
        return SPF_MATCH_PERMERROR;
    }
    return match;
}

static enum auth_result matched(struct walk *walk, const struct spf_term *term)
{
    spf_printable(term->text, walk->check->mechanism, sizeof(walk->check->mechanism));
    return term->qualifier;
}

/* What frame's own terms say; AUTH_NONE: nothing, a deeper frame was pushed. */
static enum auth_result evaluate(struct walk *walk, struct frame *frame)
{
    while (frame->at < frame->record.count) {
        const struct spf_term *term = &frame->record.terms[frame->at++];
        if (!is_nameable(walk, term->domain))
            continue;
        if (term->type == SPF_TERM_INCLUDE) {
            if (!count_lookup(walk))
                return too_many_lookups(walk);
            enum auth_result result = push(walk, frame, term->domain);
            return result == AUTH_PASS ? AUTH_NONE : result;
        }
        switch (match_term(walk, frame, term)) {
        case SPF_MATCH_NO:
            break;
        case SPF_MATCH_YES:
            return matched(walk, term);
        case SPF_MATCH_TEMPERROR:
            return AUTH_TEMPERROR;
        case SPF_MATCH_PERMERROR:
            return AUTH_PERMERROR;
        }
    }
    if (frame->record.redirect) {
        enum auth_result result = redirect(walk, frame);
        return result == AUTH_PASS ? AUTH_NONE : result;
    }
    walk->check->mechanism[0] = 0;
    return AUTH_NEUTRAL;
}

static void pop(struct walk *walk)
{
    spf_record_fini(&walk->frames[--walk->depth].record);
}

/* Runs until the outermost record has a result; that frame stays for the explanation. */
static enum auth_result run(struct walk *walk)
{
    for (;;) {
        enum auth_result result = evaluate(walk, &walk->frames[walk->depth - 1]);
        if (result == AUTH_TEMPERROR || result == AUTH_PERMERROR)
            return result;
        if (result == AUTH_NONE)
            continue;
        /* An include matches when the record inside says pass, RFC 7208 5.2. */
        while (walk->depth > 1 && result == AUTH_PASS) {
            pop(walk);
            struct frame *frame = &walk->frames[walk->depth - 1];
            result = matched(walk, &frame->record.terms[frame->at - 1]);
        }
        if (walk->depth == 1)
            return result;
        pop(walk);
    }
}

/* --- the explanation, RFC 7208 6.2: whatever goes wrong means that there is none ----------- */

static void explain(struct walk *walk, const struct frame *frame)
{
    char domain[DNS_NAME_MAX];
    struct buf name = {0}, text = {0};
    struct dns_answer answer;

    if (!frame->record.exp || expand_domain(walk, frame, frame->record.exp, domain) < 0)
        return;
    spf_question_name(domain, &name);
    struct dns_question question = {buf_str(&name), DNS_TYPE_TXT};
    dns_ask(walk->dns, &question, 1, walk->budget, &answer);
    if (answer.status == DNS_FOUND && answer.count == 1 &&
        answer.records[0].txt_len <= EXPLANATION_MAX &&
        strlen((const char *)answer.records[0].txt) == answer.records[0].txt_len &&
        spf_explanation_is_valid((const char *)answer.records[0].txt) &&
        walk->terms->expand(walk->terms, (const char *)answer.records[0].txt, frame->domain,
                            &text) == 0)
        spf_printable(buf_str(&text), walk->check->explanation, sizeof(walk->check->explanation));
    dns_answer_fini(&answer);
    buf_fini(&text);
    buf_fini(&name);
}

void spf_walk(const char *domain, const struct spf_request *request, struct spf_terms *terms,
              struct dns *dns, struct dns_budget *budget, struct spf_check *check_r)
{
    struct walk walk = {
        .client = &request->client,
        .has_ascii_sender = str_is_ascii(request->sender),
        .terms = terms,
        .dns = dns,
        .budget = budget,
        .check = check_r,
    };

    snprintf(walk.frames[0].domain, sizeof(walk.frames[0].domain), "%s", domain);
    check_r->result = fetch_record(&walk, &walk.frames[0]);
    if (check_r->result != AUTH_PASS)
        return;
    walk.depth = 1;
    check_r->result = run(&walk);
    if (check_r->result == AUTH_FAIL)
        explain(&walk, &walk.frames[0]);
    if (check_r->result == AUTH_TEMPERROR || check_r->result == AUTH_PERMERROR)
        check_r->mechanism[0] = 0;
    else
        check_r->reason[0] = 0;
    while (walk.depth)
        pop(&walk);
}
