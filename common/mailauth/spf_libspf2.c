/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/mailauth/spf_engines.h"

#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <spf2/spf.h>

#include "common/base/bug.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/mailauth/spf_walk.h"

/*
 * libspf2 1.2.10 is asked one term at a time. Whole records are not put to it: it
 * loses the end of long ones, follows redirect= in its place, takes bad grammar for
 * good, counts no void look-ups and does not say which term decided. Nor is text that
 * the grammar did not pass: its compiler has an unfixed overflow (CVE-2023-42118), and
 * what it does not expect it answers with abort().
 */

/*
 * Bytes that a compiled macro-string may take. libspf2's buffer has 511, and writes
 * past its end when a string ends within the last four.
 */
#define COMPILED_MAX 480

/* libspf2 takes a prefix length of 0 for none; such a term is asked with this label in front. */
#define ANY_ADDRESS "_any-address."

#define PTR_NAMES_MAX 10 /* RFC 7208 4.6.4 */

struct engine {
    struct spf_terms terms;
    SPF_dns_server_t resolver;
    SPF_server_t *server;
    SPF_request_t *request;
    const struct addr *client;
    struct dns *dns;
    struct dns_budget *budget;
    struct spf_check *check;

    /* of the term at hand */
    const struct spf_term *term;
    bool found_nothing;
    enum dns_status failure;
    char *ptr_names[PTR_NAMES_MAX]; /* being validated */
    size_t ptr_count;
};

static struct engine *engine_of(struct spf_terms *terms)
{
    return (struct engine *)(void *)terms;
}

/* --- look-ups -------------------------------------------------------------- */

static void forget_ptr_names(struct engine *engine)
{
    while (engine->ptr_count)
        free(engine->ptr_names[--engine->ptr_count]);
}

static bool is_ptr_name(const struct engine *engine, const char *name)
{
    for (size_t i = 0; i < engine->ptr_count; i++) {
        if (str_eq_nocase(engine->ptr_names[i], name))
            return true;
    }
    return false;
}

/* Room for one more record of len bytes, zeroed. */
static SPF_dns_rr_data_t *add_record(SPF_dns_rr_t *rr, size_t len)
{
    if (len < sizeof(SPF_dns_rr_data_t))
        len = sizeof(SPF_dns_rr_data_t);
    if (SPF_dns_rr_buf_realloc(rr, rr->num_rr, len) != SPF_E_SUCCESS)
        BUG("out of memory");
    memset(rr->rr[rr->num_rr], 0, len);
    return rr->rr[rr->num_rr++];
}

static void add_name(SPF_dns_rr_t *rr, const char *prefix, const char *name)
{
    size_t prefix_len = strlen(prefix), len = strlen(name);
    char *to = add_record(rr, prefix_len + len + 1)->mx;

    memcpy(to, prefix, prefix_len);
    memcpy(to + prefix_len, name, len + 1);
}

static void add_records(struct engine *engine, SPF_dns_rr_t *rr, const struct dns_answer *answer,
                        bool any_address)
{
    for (size_t i = 0; i < answer->count; i++) {
        const struct dns_record *record = &answer->records[i];
        switch ((unsigned)rr->rr_type) {
        case DNS_TYPE_A:
        case DNS_TYPE_AAAA: {
            const uint8_t *bytes = any_address ? engine->client->bytes : record->addr;
            memcpy(add_record(rr, 0), bytes, rr->rr_type == ns_t_a ? 4 : 16);
            break;
        }
        case DNS_TYPE_MX:
            add_name(rr, any_address ? ANY_ADDRESS : "", record->name);
            break;
        case DNS_TYPE_PTR:
            /* libspf2 would take an escaped dot for the end of a label. */
            if (engine->ptr_count < PTR_NAMES_MAX && !strchr(record->name, '\\')) {
                engine->ptr_names[engine->ptr_count++] = x_strdup(record->name);
                add_name(rr, "", record->name);
            }
            break;
        default:
            break;
        }
    }
}

/* Whether the term asks this of its own name; not the address of a name that it found. */
static bool is_own_lookup(const struct engine *engine, ns_type type)
{
    if (!engine->term)
        return false;
    switch (engine->term->type) {
    case SPF_TERM_A:
    case SPF_TERM_EXISTS:
        return type == ns_t_a || type == ns_t_aaaa;
    case SPF_TERM_MX:
        return type == ns_t_mx;
    default:
        return type == ns_t_ptr;
    }
}

/* What libspf2 is to see as h_errno. */
static int judge(struct engine *engine, enum dns_status status, ns_type type, const char *name)
{
    /* An error on the way from an address to its names is no match, RFC 7208 5.5. */
    bool lenient = type == ns_t_ptr || is_ptr_name(engine, name);

    switch (status) {
    case DNS_FOUND:
        return NETDB_SUCCESS;
    case DNS_NXDOMAIN:
    case DNS_NODATA:
        if (is_own_lookup(engine, type) && !is_ptr_name(engine, name))
            engine->found_nothing = true;
        return status == DNS_NXDOMAIN ? HOST_NOT_FOUND : NO_DATA;
    default:
        if (lenient)
            return HOST_NOT_FOUND;
        engine->failure = status;
        return TRY_AGAIN;
    }
}

static SPF_dns_rr_t *lookup(SPF_dns_server_t *resolver, const char *domain, ns_type type,
                            int should_cache)
{
    struct engine *engine = resolver->hook;
    bool any_address = str_has_prefix(domain, ANY_ADDRESS);
    struct buf name = {0};
    struct dns_answer answer;

    (void)should_cache;
    if (any_address)
        domain += sizeof(ANY_ADDRESS) - 1;
    if (type == ns_t_ptr) {
        forget_ptr_names(engine);
        /* The macro p counts like a term. */
        if (!engine->term || engine->term->type != SPF_TERM_PTR)
            engine->check->lookups++;
    }
    spf_question_name(domain, &name);
    struct dns_question question = {buf_str(&name), (uint16_t)type};
    dns_ask(engine->dns, &question, 1, engine->budget, &answer);
    SPF_dns_rr_t *rr =
        SPF_dns_rr_new_init(resolver, domain, type, 0, judge(engine, answer.status, type, domain));
    if (!rr)
        BUG("out of memory");
    add_records(engine, rr, &answer, any_address);
    dns_answer_fini(&answer);
    buf_fini(&name);
    return rr;
}

/* --- one term ---------------------------------------------------------------- */

static const char *term_name(enum spf_term_type type)
{
    switch (type) {
    case SPF_TERM_A:
        return "a";
    case SPF_TERM_MX:
        return "mx";
    case SPF_TERM_PTR:
        return "ptr";
    default:
        return "exists";
    }
}

/* The term as a record of its own, with the prefix length of the client's family only. */
static void write_record(const struct engine *engine, const struct spf_term *term, struct buf *out)
{
    bool has_bits = term->type == SPF_TERM_A || term->type == SPF_TERM_MX;
    bool is_ip4 = engine->client->family == ADDR_IPV4;
    unsigned bits = is_ip4 ? term->bits4 : term->bits6;

    buf_printf(out, "v=spf1 %s", term_name(term->type));
    if (has_bits && bits == 0)
        buf_printf(out, ":%s%s", ANY_ADDRESS, term->domain[0] ? term->domain : "%{d}");
    else if (term->domain[0])
        buf_printf(out, ":%s", term->domain);
    if (has_bits && bits && bits < addr_bits(engine->client))
        buf_printf(out, "%s%u", is_ip4 ? "/" : "//", bits);
}

static enum spf_match outcome(const struct engine *engine, SPF_response_t *response,
                              const char **reason_r)
{
    SPF_result_t result = SPF_response_result(response);
    SPF_errcode_t error = SPF_response_errcode(response);

    if (result == SPF_RESULT_PASS)
        return SPF_MATCH_YES;
    if (result == SPF_RESULT_NEUTRAL)
        return SPF_MATCH_NO; /* ran off the end of its one term */
    if (result == SPF_RESULT_TEMPERROR && error == SPF_E_DNS_ERROR) {
        *reason_r = dns_strstatus(engine->failure);
        return SPF_MATCH_TEMPERROR;
    }
    *reason_r = SPF_strerror(error);
    return SPF_MATCH_PERMERROR;
}

static enum spf_match match(struct spf_terms *terms, const struct spf_term *term,
                            const char *domain, bool *void_r, const char **reason_r)
{
    struct engine *engine = engine_of(terms);
    enum spf_match result = SPF_MATCH_PERMERROR;
    SPF_response_t *response = SPF_response_new(engine->request);
    SPF_record_t *record = NULL;
    struct buf text = {0};

    if (!response)
        BUG("out of memory");
    engine->term = term;
    engine->found_nothing = false;
    engine->request->cur_dom = domain;
    write_record(engine, term, &text);
    SPF_errcode_t failed = SPF_record_compile(engine->server, response, &record, buf_str(&text));
    /* A term that is too big is left out without an error. */
    if (!failed && record->num_mech != 1)
        failed = SPF_E_BIG_MECH;
    if (failed) {
        *reason_r = SPF_strerror(failed);
    } else {
        response->spf_record_exp = record; /* or it aborts */
        SPF_record_interpret(record, engine->request, response, 0);
        result = outcome(engine, response, reason_r);
    }
    *void_r = engine->found_nothing;
    engine->term = NULL;
    forget_ptr_names(engine);
    if (record)
        SPF_record_free(record);
    SPF_response_free(response);
    buf_fini(&text);
    return result;
}

/* --- macros ------------------------------------------------------------------ */

/* At least as many bytes as libspf2 will take for a macro-string that the grammar passed. */
static size_t compiled_size(const char *text)
{
    size_t size = 16;

    while (*text) {
        if (*text != '%') {
            size += 1;
            text += 1;
        } else if (text[1] == '{') {
            size += 32; /* the macro, and the head of the literal behind it */
            text += strcspn(text, "}") + 1;
        } else {
            size += 3; /* "%-" becomes "%20" */
            text += 2;
        }
    }
    return size;
}

static SPF_data_t *macro_data(SPF_macro_t *macro)
{
    return (SPF_data_t *)(void *)((char *)macro + sizeof(*macro));
}

/* libspf2 makes a '%' of a space, which an explanation may have. */
static void hide_spaces(const char *text, struct buf *out)
{
    for (; *text; text++) {
        if (*text == ' ')
            buf_puts(out, "%_");
        else
            buf_putc(out, *text);
    }
}

static int expand_safe(struct engine *engine, const char *text, struct buf *out)
{
    SPF_response_t *response = SPF_response_new(engine->request);
    SPF_macro_t *macro = NULL;
    char *expanded = NULL;
    size_t size = 0;
    int result = -1;

    if (!response)
        BUG("out of memory");
    if (SPF_record_compile_macro(engine->server, response, &macro, text) == SPF_E_SUCCESS &&
        SPF_record_expand_data(engine->server, engine->request, response, macro_data(macro),
                               macro->macro_len, &expanded, &size) == SPF_E_SUCCESS) {
        buf_puts(out, expanded);
        result = 0;
    }
    forget_ptr_names(engine);
    free(expanded);
    if (macro)
        SPF_macro_free(macro);
    SPF_response_free(response);
    return result;
}

static int expand(struct spf_terms *terms, const char *text, const char *domain, struct buf *out)
{
    struct engine *engine = engine_of(terms);
    struct buf safe = {0};
    int result = -1;

    engine->request->cur_dom = domain;
    hide_spaces(text, &safe);
    if (compiled_size(buf_str(&safe)) <= COMPILED_MAX)
        result = expand_safe(engine, buf_str(&safe), out);
    buf_fini(&safe);
    return result;
}

/* --- check_host() ------------------------------------------------------------ */

static bool is_printable(const char *text)
{
    for (; *text; text++) {
        if (*text <= 0x20 || *text >= 0x7f)
            return false;
    }
    return true;
}

/* libspf2 takes the HELO first, then the sender, and both are always there: it aborts otherwise. */
static void fill_request(struct engine *engine, const struct spf_request *request)
{
    const char *helo = request->helo;

    if (!helo[0] || strlen(helo) >= DNS_NAME_MAX || !is_printable(helo))
        helo = "unknown";
    SPF_request_set_helo_dom(engine->request, helo);
    SPF_request_set_env_from(engine->request, request->sender);
    if (request->client.family == ADDR_IPV4) {
        struct in_addr in;
        memcpy(&in, request->client.bytes, sizeof(in));
        SPF_request_set_ipv4(engine->request, in);
    } else {
        struct in6_addr in6;
        memcpy(&in6, request->client.bytes, sizeof(in6));
        SPF_request_set_ipv6(engine->request, in6);
    }
}

static int open_engine(struct engine *engine, const struct spf_request *request)
{
    char name[HOST_NAME_MAX];

    /* It asks for this itself, and aborts when the name does not fit. */
    if (gethostname(name, sizeof(name)) < 0)
        return -1;
    engine->server = SPF_server_new_dns(&engine->resolver, 0);
    if (!engine->server)
        return -1;
    SPF_server_set_rec_dom(engine->server, request->receiver[0] ? request->receiver : "unknown");
    /* Counted in the walk. */
    SPF_server_set_max_dns_mech(engine->server, 1000);
    engine->request = SPF_request_new(engine->server);
    if (!engine->request)
        BUG("out of memory");
    fill_request(engine, request);
    return 0;
}

static void check_host(const struct spf_request *request, enum spf_identity identity,
                       const char *domain, struct dns *dns, struct dns_budget *budget,
                       struct spf_check *check_r)
{
    struct engine engine = {
        .terms = {match, expand},
        .resolver = {.lookup = lookup, .name = "postern"},
        .client = &request->client,
        .dns = dns,
        .budget = budget,
        .check = check_r,
    };

    (void)identity;
    engine.resolver.hook = &engine;
    if (open_engine(&engine, request) < 0) {
        check_r->result = AUTH_TEMPERROR;
        snprintf(check_r->reason, sizeof(check_r->reason), "libspf2 does not start");
        return;
    }
    spf_walk(domain, request, &engine.terms, dns, budget, check_r);
    SPF_request_free(engine.request);
    SPF_server_free(engine.server);
}

const struct spf_engine spf_engine_libspf2 = {"libspf2", check_host};
