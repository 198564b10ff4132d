/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/mailauth/dkim.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <opendkim/dkim.h>

#include "common/base/buf.h"
#include "common/base/bug.h"
#include "common/base/mem.h"
#include "common/base/str.h"

#define KEY_BITS_MIN    1024 /* RFC 8301 3.2 */
#define KEY_RECORD_MAX  4096 /* bytes of a key record: an rsa key of 16384 bits takes 2800 */
#define SIGNED_MAX      1000 /* names in h= */
#define SIGNATURE_SHOWN 8    /* characters of b=, RFC 6008 3 */

struct dkim_library {
    DKIM_LIB *lib;
};

/* A DKIM-Signature field of the message. */
struct signature {
    const char *refused; /* why it was never given to libopendkim, or NULL */
    DKIM_SIGINFO *info;
    char *key_name;        /* NULL: not asked for */
    struct dns_answer key; /* when it was */
    const char *key_error; /* static text */
};

enum phase { PHASE_HEADER, PHASE_BODY, PHASE_DONE };

struct dkim_verifier {
    DKIM *dkim;
    struct dns *dns;
    struct dns_budget *budget;
    unsigned max_signatures;
    enum phase phase;
    const char *broken; /* why no signature can be verified, or NULL */
    struct buf field;
    size_t header_len;
    struct signature *signatures;
    size_t count;
    struct dkim_result *results;
};

/* --- keys ---------------------------------------------------------------------- */

static struct signature *find_signature(struct dkim_verifier *verifier, const DKIM_SIGINFO *info)
{
    for (size_t i = 0; i < verifier->count; i++) {
        if (verifier->signatures[i].info == info)
            return &verifier->signatures[i];
    }
    return NULL;
}

static const char *take_key(const struct dns_answer *answer, u_char *buf, size_t size)
{
    const struct dns_record *key = &answer->records[0];

    if (answer->count > 1)
        return "more than one key record";
    if (key->txt_len > KEY_RECORD_MAX || key->txt_len >= size)
        return "the key record is too long";
    if (strlen((const char *)key->txt) != key->txt_len)
        return "the key record holds a NUL";
    memcpy(buf, key->txt, key->txt_len + 1);
    return NULL;
}

/*
 * What is not a key is told to the library as "not found" always: any error would end
 * the work on the signatures behind this one. The signature keeps what really happened.
 */
static DKIM_CBSTAT give_key(DKIM *dkim, DKIM_SIGINFO *info, u_char *buf, size_t size)
{
    struct signature *signature = find_signature(dkim_get_user_context(dkim), info);

    if (!signature || !signature->key_name || signature->key.status != DNS_FOUND)
        return DKIM_CBSTAT_NOTFOUND;
    signature->key_error = take_key(&signature->key, buf, size);
    return signature->key_error ? DKIM_CBSTAT_NOTFOUND : DKIM_CBSTAT_CONTINUE;
}

/* The name of the key of a signature that is good so far, or NULL. */
static char *key_name(DKIM_SIGINFO *info)
{
    const u_char *selector = dkim_sig_getselector(info), *domain = dkim_sig_getdomain(info);
    struct buf name = {0};

    if (dkim_sig_geterror(info) != DKIM_SIGERROR_UNKNOWN || !selector || !domain)
        return NULL;
    buf_printf(&name, "%s._domainkey.%s", selector, domain);
    if (!strchr(buf_str(&name), '\\'))
        return buf_steal(&name);
    buf_fini(&name);
    return NULL;
}

static void ask_keys(struct dkim_verifier *verifier)
{
    struct dns_question *questions = x_calloc(verifier->count, sizeof(questions[0]));
    struct dns_answer *answers = x_calloc(verifier->count, sizeof(answers[0]));
    size_t count = 0;

    for (size_t i = 0; i < verifier->count; i++) {
        if (verifier->signatures[i].key_name)
            questions[count++] =
                (struct dns_question){verifier->signatures[i].key_name, DNS_TYPE_TXT};
    }
    if (count)
        dns_ask(verifier->dns, questions, count, verifier->budget, answers);
    count = 0;
    for (size_t i = 0; i < verifier->count; i++) {
        if (verifier->signatures[i].key_name)
            verifier->signatures[i].key = answers[count++];
    }
    free(answers);
    free(questions);
}

/* Called once, before any key is wanted: which of its handles is which of our fields. */
static DKIM_CBSTAT prescreen(DKIM *dkim, DKIM_SIGINFO **infos, int count)
{
    struct dkim_verifier *verifier = dkim_get_user_context(dkim);
    int next = 0;

    for (size_t i = 0; i < verifier->count && next < count; i++) {
        struct signature *signature = &verifier->signatures[i];
        if (signature->refused)
            continue;
        signature->info = infos[next++];
        signature->key_name = key_name(signature->info);
    }
    ask_keys(verifier);
    return DKIM_CBSTAT_CONTINUE;
}

/* --- library --------------------------------------------------------------------- */

struct dkim_library *dkim_library_new(struct error *error_r)
{
    DKIM_LIB *lib = dkim_init(NULL, NULL);
    /* Else one signature with bad syntax would hide all others. */
    unsigned flags = DKIM_LIBFLAGS_BADSIGHANDLES;
    unsigned bits = KEY_BITS_MIN;

    if (!lib) {
        error_set(error_r, ERROR_SYSTEM, "libopendkim does not start");
        return NULL;
    }
    if (dkim_options(lib, DKIM_OP_SETOPT, DKIM_OPTS_FLAGS, &flags, sizeof(flags)) ||
        dkim_options(lib, DKIM_OP_SETOPT, DKIM_OPTS_MINKEYBITS, &bits, sizeof(bits)) ||
        dkim_set_key_lookup(lib, give_key) || dkim_set_prescreen(lib, prescreen)) {
        error_set(error_r, ERROR_SYSTEM, "libopendkim lacks an option that is needed");
        dkim_close(lib);
        return NULL;
    }
    struct dkim_library *library = x_calloc(1, sizeof(*library));
    library->lib = lib;
    return library;
}

void dkim_library_free(struct dkim_library **library)
{
    if (!*library)
        return;
    dkim_close((*library)->lib);
    free(*library);
    *library = NULL;
}

/* --- the message ------------------------------------------------------------------ */

struct dkim_verifier *dkim_verifier_new(struct dkim_library *library, const char *session,
                                        unsigned max_signatures, struct dns *dns,
                                        struct dns_budget *budget)
{
    struct dkim_verifier *verifier = x_calloc(1, sizeof(*verifier));
    DKIM_STAT status;

    verifier->dns = dns;
    verifier->budget = budget;
    verifier->max_signatures =
        max_signatures < DKIM_SIGNATURES_MAX ? max_signatures : DKIM_SIGNATURES_MAX;
    verifier->signatures = x_calloc(verifier->max_signatures, sizeof(verifier->signatures[0]));
    verifier->dkim =
        dkim_verify(library->lib, (const u_char *)(session ? session : "-"), NULL, &status);
    if (!verifier->dkim)
        BUG("out of memory");
    dkim_set_user_context(verifier->dkim, verifier);
    return verifier;
}

void dkim_verifier_free(struct dkim_verifier **verifier)
{
    if (!*verifier)
        return;
    dkim_free((*verifier)->dkim);
    for (size_t i = 0; i < (*verifier)->count; i++) {
        free((*verifier)->signatures[i].key_name);
        dns_answer_fini(&(*verifier)->signatures[i].key);
    }
    buf_fini(&(*verifier)->field);
    free((*verifier)->signatures);
    free((*verifier)->results);
    free(*verifier);
    *verifier = NULL;
}

/* Blanks may stand before the colon (RFC 5322 4.5.8): libopendkim takes such a signature too. */
static bool is_signature(const char *name)
{
    size_t len = sizeof(DKIM_SIGNHEADER) - 1;

    return strncasecmp(name, DKIM_SIGNHEADER, len) == 0 && !name[len + strspn(name + len, " \t")];
}

/*
 * The field as it was on the wire: every fold with CR LF. But no tab in the name:
 * libopendkim would drop the field, and what it does not see could be a second From.
 */
static void write_field(struct buf *out, const char *name, const char *value)
{
    buf_reset(out);
    for (; *name; name++)
        buf_putc(out, *name == '\t' ? ' ' : *name);
    buf_putc(out, ':');
    for (const char *p = value; *p && out->len < DKIM_HEADER_MAX; p++) {
        if (*p == '\n' && out->data[out->len - 1] != '\r')
            buf_putc(out, '\r');
        buf_putc(out, *p);
    }
}

/* Why a signature is not worth the library's time, or NULL. */
static const char *screen_signature(const struct buf *field)
{
    size_t colons = 0;

    if (field->len >= DKIM_HEADER_MAX)
        return "the signature is too long";
    for (size_t i = 0; i < field->len; i++)
        colons += field->data[i] == ':';
    return colons > SIGNED_MAX ? "the signature names too many fields" : NULL;
}

void dkim_verifier_header(struct dkim_verifier *verifier, const char *name, const char *value)
{
    const char *refused = NULL;

    if (verifier->phase != PHASE_HEADER || verifier->broken)
        return;
    write_field(&verifier->field, name, value);
    verifier->header_len += verifier->field.len;
    if (verifier->header_len > DKIM_HEADERS_MAX) {
        /* What is not seen could be a second From: judge nothing. */
        verifier->broken = "the header is too large";
        return;
    }
    if (is_signature(name)) {
        if (verifier->count == verifier->max_signatures)
            return;
        refused = screen_signature(&verifier->field);
        verifier->signatures[verifier->count++].refused = refused;
    }
    /* A field that it refuses is not one of RFC 5322, and cannot be signed. */
    if (!refused)
        (void)dkim_header(verifier->dkim, verifier->field.data, verifier->field.len);
}

void dkim_verifier_end_header(struct dkim_verifier *verifier)
{
    if (verifier->phase != PHASE_HEADER)
        return;
    verifier->phase = PHASE_BODY;
    if (!verifier->count || verifier->broken)
        return;
    switch (dkim_eoh(verifier->dkim)) {
    case DKIM_STAT_OK:
    case DKIM_STAT_NOSIG:
    case DKIM_STAT_CANTVRFY:
        break;
    case DKIM_STAT_SYNTAX:
        verifier->broken = "the header is malformed";
        break;
    default:
        verifier->broken = "libopendkim failed";
    }
}

void dkim_verifier_body(struct dkim_verifier *verifier, const uint8_t *bytes, size_t len)
{
    if (verifier->phase != PHASE_BODY || verifier->broken || !verifier->count || !len)
        return;
    if (dkim_body(verifier->dkim, (u_char *)(uintptr_t)bytes, len) != DKIM_STAT_OK)
        verifier->broken = "libopendkim failed";
}

/* --- results ------------------------------------------------------------------------ */

static void judge(struct dkim_result *result, enum auth_result value, const char *reason)
{
    result->result = value;
    snprintf(result->reason, sizeof(result->reason), "%s", reason);
}

/* What the library's error means as a result of RFC 8601 2.7.1. */
static enum auth_result result_of_error(int error)
{
    switch (error) {
    case DKIM_SIGERROR_BADSIG:
    case DKIM_SIGERROR_EXPIRED:
    case DKIM_SIGERROR_TOOLARGE_L:
        return AUTH_FAIL;
    case DKIM_SIGERROR_KEYTOOSMALL:
        return AUTH_POLICY;
    case DKIM_SIGERROR_KEYFAIL:
        return AUTH_TEMPERROR;
    case DKIM_SIGERROR_NOKEY:
    case DKIM_SIGERROR_DNSSYNTAX:
    case DKIM_SIGERROR_SUBDOMAIN:
    case DKIM_SIGERROR_MULTIREPLY:
    case DKIM_SIGERROR_KEYVERSION:
    case DKIM_SIGERROR_KEYUNKNOWNHASH:
    case DKIM_SIGERROR_KEYHASHMISMATCH:
    case DKIM_SIGERROR_NOTEMAILKEY:
    case DKIM_SIGERROR_KEYTYPEMISSING:
    case DKIM_SIGERROR_KEYTYPEUNKNOWN:
    case DKIM_SIGERROR_KEYREVOKED:
    case DKIM_SIGERROR_KEYDECODE:
    case DKIM_SIGERROR_UNKNOWN:
        return AUTH_PERMERROR;
    default:
        return AUTH_NEUTRAL; /* the signature's own syntax */
    }
}

static void judge_key(const struct signature *signature, struct dkim_result *result)
{
    /* A name that cannot be asked for has no key either. */
    enum dns_status status = signature->key_name ? signature->key.status : DNS_NXDOMAIN;
    char reason[DKIM_TEXT_MAX];

    if (signature->key_error) {
        judge(result, AUTH_PERMERROR, signature->key_error);
    } else if (status == DNS_NXDOMAIN || status == DNS_NODATA) {
        judge(result, AUTH_PERMERROR, "no key");
    } else {
        snprintf(reason, sizeof(reason), "DNS, key: %s", dns_strstatus(status));
        judge(result, AUTH_TEMPERROR, reason);
    }
}

static void judge_signature(const struct signature *signature, struct dkim_result *result)
{
    DKIM_SIGINFO *info = signature->info;
    int error = dkim_sig_geterror(info);
    unsigned flags = dkim_sig_getflags(info);
    bool is_rsa = str_has_prefix(result->algorithm, "rsa-");

    if (error == DKIM_SIGERROR_NOKEY) {
        judge_key(signature, result);
    } else if (flags & DKIM_SIGFLAG_PASSED && dkim_sig_getbh(info) == DKIM_SIGBH_MISMATCH) {
        judge(result, AUTH_FAIL, "body hash mismatch");
    } else if (error != DKIM_SIGERROR_OK && error != DKIM_SIGERROR_UNKNOWN) {
        const char *text = dkim_sig_geterrorstr(error);
        judge(result, result_of_error(error), text ? text : "unknown error");
    } else if (!(flags & DKIM_SIGFLAG_PROCESSED)) {
        judge(result, AUTH_PERMERROR, "not processed");
    } else if (!(flags & DKIM_SIGFLAG_PASSED)) {
        judge(result, AUTH_FAIL, "signature verification failed");
    } else if (dkim_sig_getbh(info) != DKIM_SIGBH_MATCH) {
        judge(result, AUTH_PERMERROR, "body not processed");
    } else if (str_eq(result->algorithm, "rsa-sha1")) {
        judge(result, AUTH_POLICY, "rsa-sha1 is obsolete"); /* RFC 8301 3.1 */
    } else if (is_rsa && result->key_bits < KEY_BITS_MIN) {
        judge(result, AUTH_POLICY, "signing key too small");
    } else {
        result->result = AUTH_PASS;
    }
}

/* Printable ASCII without spaces only, and only if it fits: else "". */
static void take_text(const u_char *text, char *out, size_t size)
{
    size_t len = text ? strlen((const char *)text) : 0;

    out[0] = 0;
    for (size_t i = 0; i < len; i++) {
        if (text[i] <= 0x20 || text[i] >= 0x7f)
            return;
    }
    if (len && len < size)
        memcpy(out, text, len + 1);
}

static void take_signature_start(DKIM_SIGINFO *info, struct dkim_result *result)
{
    u_char tag[] = "b";
    const u_char *b = dkim_sig_gettagvalue(info, 0, tag);
    size_t len = 0;

    for (; b && *b && len < SIGNATURE_SHOWN; b++) {
        if (strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=", *b))
            result->signature[len++] = (char)*b;
    }
    result->signature[len] = 0;
}

static void fill(const struct signature *signature, const char *broken, struct dkim_result *result)
{
    u_char tag[] = "a";

    if (signature->info) {
        take_text(dkim_sig_getdomain(signature->info), result->domain, sizeof(result->domain));
        take_text(dkim_sig_getselector(signature->info), result->selector,
                  sizeof(result->selector));
        take_text(dkim_sig_gettagvalue(signature->info, 0, tag), result->algorithm,
                  sizeof(result->algorithm));
        take_signature_start(signature->info, result);
        if (dkim_sig_getkeysize(signature->info, &result->key_bits) != DKIM_STAT_OK)
            result->key_bits = 0;
    }
    if (signature->refused)
        judge(result, AUTH_NEUTRAL, signature->refused);
    else if (broken)
        judge(result, AUTH_PERMERROR, broken);
    else if (!signature->info)
        judge(result, AUTH_NEUTRAL, "the signature is malformed");
    else
        judge_signature(signature, result);
}

const struct dkim_result *dkim_verifier_finish(struct dkim_verifier *verifier, size_t *count_r)
{
    *count_r = verifier->count;
    if (verifier->phase == PHASE_DONE)
        return verifier->results;
    if (verifier->phase == PHASE_HEADER)
        dkim_verifier_end_header(verifier);
    verifier->phase = PHASE_DONE;
    verifier->results = x_calloc(verifier->count, sizeof(verifier->results[0]));
    /* Its result is that of one signature; each is asked below. */
    if (verifier->count && !verifier->broken)
        (void)dkim_eom(verifier->dkim, NULL);
    for (size_t i = 0; i < verifier->count; i++)
        fill(&verifier->signatures[i], verifier->broken, &verifier->results[i]);
    return verifier->results;
}
