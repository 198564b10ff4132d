/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/base/clock.h"
#include "common/mailauth/spf_engines.h"
#include "common/mailauth/spf_macro.h"
#include "common/mailauth/spf_walk.h"

/* RFC 7208 itself: the terms that ask DNS, section 5, and the macros, section 7. */

#define NAMES_PART 4  /* of the budget that is left, for the names of a client */
#define NAMES_MAX  10 /* RFC 7208 4.6.4: names of an mx, a ptr or a macro p that are looked up */

struct engine {
    struct spf_terms terms;
    const struct spf_request *request;
    struct dns *dns;
    struct dns_budget *budget;
    struct spf_check *check;
    const char *domain;               /* of the record whose macros are expanded */
    char validated[DNS_NAME_MAX + 1]; /* p */
};

static struct engine *engine_of(struct spf_terms *terms)
{
    return (struct engine *)(void *)((char *)terms - offsetof(struct engine, terms));
}

static uint16_t address_type(const struct engine *engine)
{
    return engine->request->client.family == ADDR_IPV4 ? DNS_TYPE_A : DNS_TYPE_AAAA;
}

static void ask(struct engine *engine, const char *domain, uint16_t type,
                struct dns_answer *answer_r)
{
    struct buf name = {0};

    spf_question_name(domain, &name);
    struct dns_question question = {buf_str(&name), type};
    dns_ask(engine->dns, &question, 1, engine->budget, answer_r);
    buf_fini(&name);
}

static bool finds_nothing(enum dns_status status)
{
    return status == DNS_NXDOMAIN || status == DNS_NODATA;
}

/* --- addresses ------------------------------------------------------------------------------ */

/* Whether one of the answer's addresses shares `bits` with the client. */
static bool has_client(const struct engine *engine, const struct dns_answer *answer, unsigned bits)
{
    const struct addr *client = &engine->request->client;

    for (size_t i = 0; i < answer->count; i++) {
        struct addr addr = {.family = client->family};
        memcpy(addr.bytes, answer->records[i].addr, addr_bits(client) / 8);
        struct prefix net = prefix_of(&addr, bits);
        if (prefix_contains(&net, client))
            return true;
    }
    return false;
}

static unsigned bits_of(const struct engine *engine, const struct spf_term *term)
{
    return engine->request->client.family == ADDR_IPV4 ? term->bits4 : term->bits6;
}

/* Ask for the addresses of count names at once. Yes: one of them has the client. */
static enum spf_match match_names(struct engine *engine, const struct dns_record *names,
                                  size_t count, unsigned bits, const char **reason_r)
{
    struct dns_question questions[NAMES_MAX] = {{NULL, 0}};
    struct dns_answer answers[NAMES_MAX];
    enum spf_match match = SPF_MATCH_NO;

    for (size_t i = 0; i < count; i++)
        questions[i] = (struct dns_question){names[i].name, address_type(engine)};
    dns_ask(engine->dns, questions, count, engine->budget, answers);
    for (size_t i = 0; i < count; i++) {
        enum dns_status status = answers[i].status;
        if (status == DNS_FOUND && has_client(engine, &answers[i], bits)) {
            match = SPF_MATCH_YES;
        } else if (match == SPF_MATCH_NO && status != DNS_FOUND && !finds_nothing(status)) {
            match = SPF_MATCH_TEMPERROR;
            *reason_r = dns_strstatus(status);
        }
        dns_answer_fini(&answers[i]);
    }
    return match;
}

/* --- a, exists, mx -------------------------------------------------------------------------- */

static enum spf_match match_address(struct engine *engine, const struct spf_term *term,
                                    const char *domain, bool *void_r, const char **reason_r)
{
    bool is_exists = term->type == SPF_TERM_EXISTS;
    enum spf_match match = SPF_MATCH_NO;
    struct dns_answer answer;

    /* exists asks for an IPv4 address whatever the client has, RFC 7208 5.7. */
    ask(engine, domain, is_exists ? DNS_TYPE_A : address_type(engine), &answer);
    *void_r = finds_nothing(answer.status);
    if (answer.status == DNS_FOUND) {
        if (is_exists || has_client(engine, &answer, bits_of(engine, term)))
            match = SPF_MATCH_YES;
    } else if (!*void_r) {
        match = SPF_MATCH_TEMPERROR;
        *reason_r = dns_strstatus(answer.status);
    }
    dns_answer_fini(&answer);
    return match;
}

static enum spf_match match_mx(struct engine *engine, const struct spf_term *term,
                               const char *domain, bool *void_r, const char **reason_r)
{
    enum spf_match match = SPF_MATCH_NO;
    struct dns_answer answer;

    ask(engine, domain, DNS_TYPE_MX, &answer);
    *void_r = finds_nothing(answer.status);
    if (answer.status == DNS_FOUND && answer.count > NAMES_MAX) {
        match = SPF_MATCH_PERMERROR;
        *reason_r = "more than 10 mail exchangers";
    } else if (answer.status == DNS_FOUND) {
        match = match_names(engine, answer.records, answer.count, bits_of(engine, term), reason_r);
    } else if (!*void_r) {
        match = SPF_MATCH_TEMPERROR;
        *reason_r = dns_strstatus(answer.status);
    }
    dns_answer_fini(&answer);
    return match;
}

/* --- ptr and the macro p: the client's names that lead back to it, RFC 7208 5.5 -------------- */

static bool is_in_domain(const char *name, const char *domain)
{
    size_t name_len = strlen(name), len = strlen(domain);

    if (len && domain[len - 1] == '.')
        len--;
    /* An escaped dot is no end of a label. */
    if (!len || name_len < len || strchr(name, '\\') ||
        strncasecmp(name + name_len - len, domain, len) != 0)
        return false;
    return name_len == len || name[name_len - len - 1] == '.';
}

static bool leads_back(struct engine *engine, const struct dns_record *name)
{
    const char *reason;
    unsigned bits = addr_bits(&engine->request->client);

    /* An error is no match, and no error. */
    return match_names(engine, name, 1, bits, &reason) == SPF_MATCH_YES;
}

/*
 * The servers of the client's names are the client's: silent, they may not use up the time
 * for what would tell that it is not allowed. A part of the budget is for them.
 */
static struct dns_budget *begin_part(struct engine *engine, struct dns_budget *part)
{
    struct dns_budget *whole = engine->budget;

    part->left_ms = whole->left_ms / NAMES_PART;
    whole->left_ms -= part->left_ms;
    engine->budget = part;
    return whole;
}

static void end_part(struct engine *engine, struct dns_budget *whole)
{
    whole->left_ms += engine->budget->left_ms > 0 ? engine->budget->left_ms : 0;
    engine->budget = whole;
}

static void ask_names(struct engine *engine, struct dns_answer *answer_r)
{
    char reverse[ADDR_REVERSE_MAX];

    addr_format_reverse(&engine->request->client, reverse);
    struct dns_question question = {reverse, DNS_TYPE_PTR};
    dns_ask(engine->dns, &question, 1, engine->budget, answer_r);
    if (answer_r->count > NAMES_MAX) {
        for (size_t i = NAMES_MAX; i < answer_r->count; i++)
            free(answer_r->records[i].name);
        answer_r->count = NAMES_MAX;
    }
}

static enum spf_match match_ptr(struct engine *engine, const char *domain, bool *void_r)
{
    enum spf_match match = SPF_MATCH_NO;
    struct dns_answer names;
    struct dns_budget part, *whole = begin_part(engine, &part);

    ask_names(engine, &names);
    *void_r = finds_nothing(names.status);
    for (size_t i = 0; i < names.count && match == SPF_MATCH_NO; i++)
        if (is_in_domain(names.records[i].name, domain) && leads_back(engine, &names.records[i]))
            match = SPF_MATCH_YES;
    dns_answer_fini(&names);
    end_part(engine, whole);
    return match;
}

/* How well a name suits: the current domain itself, a name below it, any. RFC 7208 7.3. */
static int rank(const char *name, const char *domain)
{
    if (!is_in_domain(name, domain))
        return 1;
    return strlen(name) <= strlen(domain) ? 3 : 2;
}

static const char *validated_name(void *ctx)
{
    struct engine *engine = ctx;
    struct dns_answer names;
    int best = 0;

    /* It is counted as a term is. */
    if (++engine->check->lookups > SPF_LOOKUPS_MAX)
        return NULL;
    memcpy(engine->validated, "unknown", sizeof("unknown"));
    struct dns_budget part, *whole = begin_part(engine, &part);
    ask_names(engine, &names);
    for (size_t i = 0; i < names.count; i++) {
        const char *name = names.records[i].name;
        if (rank(name, engine->domain) <= best || strlen(name) > DNS_NAME_MAX ||
            !leads_back(engine, &names.records[i]))
            continue;
        best = rank(name, engine->domain);
        memcpy(engine->validated, name, strlen(name) + 1);
    }
    dns_answer_fini(&names);
    end_part(engine, whole);
    return engine->validated;
}

/* --- for the walk ----------------------------------------------------------------------------- */

static int expand(struct spf_terms *terms, const char *text, const char *domain, struct buf *out)
{
    struct engine *engine = engine_of(terms);
    const struct spf_request *request = engine->request;
    struct spf_macro_values values = {
        .sender = request->sender,
        .domain = domain,
        .helo = *request->helo ? request->helo : "unknown",
        .receiver = *request->receiver ? request->receiver : "unknown",
        .client = &request->client,
        .now_sec = clock_wall_ms(&clock_system) / 1000,
        .validated_name = validated_name,
        .ctx = engine,
    };

    engine->domain = domain;
    return spf_macro_expand(text, &values, out);
}

static enum spf_match match_at(struct engine *engine, const struct spf_term *term,
                               const char *domain, bool *void_r, const char **reason_r)
{
    switch (term->type) {
    case SPF_TERM_MX:
        return match_mx(engine, term, domain, void_r, reason_r);
    case SPF_TERM_PTR:
        return match_ptr(engine, domain, void_r);
    default:
        return match_address(engine, term, domain, void_r, reason_r);
    }
}

static enum spf_match match(struct spf_terms *terms, const struct spf_term *term,
                            const char *domain, bool *void_r, const char **reason_r)
{
    struct buf expanded = {0};
    enum spf_match result = SPF_MATCH_PERMERROR;

    if (!*term->domain)
        return match_at(engine_of(terms), term, domain, void_r, reason_r);
    if (expand(terms, term->domain, domain, &expanded) == 0)
        result = match_at(engine_of(terms), term, buf_str(&expanded), void_r, reason_r);
    else
        *reason_r = "its macros cannot be expanded";
    buf_fini(&expanded);
    return result;
}

static void check_host(const struct spf_request *request, enum spf_identity identity,
                       const char *domain, struct dns *dns, struct dns_budget *budget,
                       struct spf_check *check_r)
{
    struct engine engine = {
        .terms = {match, expand},
        .request = request,
        .dns = dns,
        .budget = budget,
        .check = check_r,
    };

    (void)identity;
    spf_walk(domain, request, &engine.terms, dns, budget, check_r);
}

const struct spf_engine spf_engine_rfc7208 = {"rfc7208", check_host};
