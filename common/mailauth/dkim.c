/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/mailauth/dkim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <opendkim/dkim.h>

#include "common/base/buf.h"
#include "common/base/bug.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/mailauth/dkim_body.h"
#include "common/mailauth/dkim_key.h"
#include "common/mailauth/dkim_signed.h"

#define SIGNATURE_SHOWN 8 /* characters of b=, RFC 6008 3 */

struct dkim_library {
    DKIM_LIB *lib;
};

/* A signature that was chosen. */
struct signature {
    struct dkim_choice choice;
    size_t name; /* which of the key names is its own */
    struct dkim_key key;
    bool is_live; /* nothing has spoken against it: libopendkim gets it */
    DKIM_SIGINFO *info;
};

enum phase { PHASE_HEADER, PHASE_SELECTED, PHASE_BODY, PHASE_DONE };

struct dkim_verifier {
    struct dkim_library *library;
    DKIM *dkim; /* once there is a live signature */
    struct dns *dns;
    struct dns_budget *budget;
    char *session;
    unsigned max_signatures;
    enum phase phase;
    const char *broken; /* why no signature can be verified, or NULL */
    struct dkim_fields fields;
    struct signature *signatures;
    struct dkim_result *results; /* one for each */
    size_t count;
    char **names; /* of keys */
    size_t name_count;
    struct dns_answer *answers; /* one for each name, once asked */
    struct dkim_body body;
    bool counts_body; /* a live signature has l= */
};

/* --- callbacks of libopendkim --------------------------------------------------------- */

static DKIM_CBSTAT give_key(DKIM *dkim, DKIM_SIGINFO *info, u_char *buf, size_t size)
{
    const struct dkim_verifier *verifier = dkim_get_user_context(dkim);

    for (size_t i = 0; i < verifier->count; i++) {
        const struct signature *signature = &verifier->signatures[i];
        if (signature->is_live && signature->info == info) {
            int len = snprintf((char *)buf, size, "k=%s; p=%s",
                               signature->key.is_ed25519 ? "ed25519" : "rsa", signature->key.p);
            return len > 0 && (size_t)len < size ? DKIM_CBSTAT_CONTINUE : DKIM_CBSTAT_NOTFOUND;
        }
    }
    return DKIM_CBSTAT_NOTFOUND;
}

static struct signature *live_signature(struct dkim_verifier *verifier, size_t field)
{
    for (size_t i = 0; i < verifier->count; i++) {
        if (verifier->signatures[i].is_live && verifier->signatures[i].choice.field == field)
            return &verifier->signatures[i];
    }
    return NULL;
}

/* Called once, before any key is wanted: which of its handles is which of our fields. */
static DKIM_CBSTAT prescreen(DKIM *dkim, DKIM_SIGINFO **infos, int count)
{
    struct dkim_verifier *verifier = dkim_get_user_context(dkim);
    int next = 0;

    for (size_t i = 0; i < verifier->fields.count && next < count; i++) {
        const struct dkim_field *field = &verifier->fields.fields[i];
        if (!field->is_signature || !field->is_wanted)
            continue;
        struct signature *signature = live_signature(verifier, i);
        if (signature)
            signature->info = infos[next++];
        else
            dkim_sig_ignore(infos[next++]);
    }
    return DKIM_CBSTAT_CONTINUE;
}

/* --- library --------------------------------------------------------------------- */

struct dkim_library *dkim_library_new(struct error *error_r)
{
    DKIM_LIB *lib = dkim_init(NULL, NULL);
    /* Else one signature with bad syntax would hide all others. */
    unsigned flags = DKIM_LIBFLAGS_BADSIGHANDLES;
    unsigned bits = DKIM_KEY_BITS_MIN;

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

/* --- the header ------------------------------------------------------------------- */

struct dkim_verifier *dkim_verifier_new(struct dkim_library *library, const char *session,
                                        unsigned max_signatures, struct dns *dns,
                                        struct dns_budget *budget)
{
    struct dkim_verifier *verifier = x_calloc(1, sizeof(*verifier));

    verifier->library = library;
    verifier->session = x_strdup(session ? session : "-");
    verifier->dns = dns;
    verifier->budget = budget;
    verifier->max_signatures =
        max_signatures < DKIM_SIGNATURES_MAX ? max_signatures : DKIM_SIGNATURES_MAX;
    return verifier;
}

void dkim_verifier_free(struct dkim_verifier **verifier)
{
    struct dkim_verifier *old = *verifier;

    if (!old)
        return;
    if (old->dkim)
        dkim_free(old->dkim);
    for (size_t i = 0; i < old->name_count; i++) {
        if (old->answers)
            dns_answer_fini(&old->answers[i]);
        free(old->names[i]);
    }
    free(old->answers);
    free(old->names);
    free(old->results);
    free(old->signatures);
    free(old->session);
    dkim_fields_fini(&old->fields);
    free(old);
    *verifier = NULL;
}

void dkim_verifier_header(struct dkim_verifier *verifier, const char *name, const char *value)
{
    if (verifier->phase == PHASE_HEADER)
        dkim_fields_add(&verifier->fields, name, value);
}

/* --- the choice ----------------------------------------------------------------------- */

static void judge(struct dkim_result *result, enum auth_result value, const char *reason)
{
    result->result = value;
    snprintf(result->reason, sizeof(result->reason), "%s", reason);
}

/* Which of the names it is, a new one if need be. */
static size_t add_name(struct dkim_verifier *verifier, const struct dkim_signature *signature)
{
    struct buf name = {0};

    buf_printf(&name, "%s._domainkey.%s", signature->selector, signature->domain);
    for (size_t i = 0; i < verifier->name_count; i++) {
        if (str_eq_nocase(verifier->names[i], buf_str(&name))) {
            buf_fini(&name);
            return i;
        }
    }
    verifier->names[verifier->name_count] = buf_steal(&name);
    return verifier->name_count++;
}

/* So many characters of b= that no other signature begins like this one. */
static size_t shown_len(const struct dkim_verifier *verifier, size_t index)
{
    const char *own = verifier->signatures[index].choice.signature.start;
    size_t shown = SIGNATURE_SHOWN;

    for (size_t i = 0; i < verifier->count; i++) {
        const char *other = verifier->signatures[i].choice.signature.start;
        size_t same = 0;
        while (i != index && own[same] && own[same] == other[same])
            same++;
        shown = same >= shown ? same + 1 : shown;
    }
    return shown;
}

static void tell_signature(struct dkim_verifier *verifier, size_t index)
{
    const struct dkim_choice *choice = &verifier->signatures[index].choice;
    const struct dkim_signature *signature = &choice->signature;
    struct dkim_result *result = &verifier->results[index];

    memcpy(result->domain, signature->domain, sizeof(result->domain));
    memcpy(result->selector, signature->selector, sizeof(result->selector));
    memcpy(result->algorithm, signature->algorithm, sizeof(result->algorithm));
    snprintf(result->signature, sizeof(result->signature), "%.*s", (int)shown_len(verifier, index),
             signature->start);
    if (choice->status != DKIM_SIGNATURE_OK)
        judge(result, choice->status == DKIM_SIGNATURE_OBSOLETE ? AUTH_POLICY : AUTH_NEUTRAL,
              dkim_signature_strstatus(choice->status));
    if (verifier->broken)
        judge(result, AUTH_PERMERROR, verifier->broken);
}

/* A message that is signed by what was not kept is not one without a signature. */
static size_t choose(struct dkim_verifier *verifier, const struct author *author,
                     struct dkim_choice **choices_r)
{
    size_t count =
        dkim_fields_choose(&verifier->fields, author, verifier->max_signatures, choices_r);

    if (count || !verifier->fields.lacks_signature || !verifier->max_signatures)
        return count;
    free(*choices_r);
    *choices_r = x_calloc(1, sizeof(**choices_r));
    return 1;
}

void dkim_verifier_select(struct dkim_verifier *verifier, const struct author *author)
{
    struct dkim_choice *choices;

    if (verifier->phase != PHASE_HEADER)
        return;
    verifier->phase = PHASE_SELECTED;
    verifier->broken = verifier->fields.broken;
    verifier->count = choose(verifier, author, &choices);
    verifier->signatures = x_calloc(verifier->count, sizeof(verifier->signatures[0]));
    verifier->results = x_calloc(verifier->count, sizeof(verifier->results[0]));
    verifier->names = x_calloc(verifier->count, sizeof(verifier->names[0]));
    for (size_t i = 0; i < verifier->count; i++) {
        struct signature *signature = &verifier->signatures[i];
        signature->choice = choices[i];
        signature->is_live = !verifier->broken && choices[i].status == DKIM_SIGNATURE_OK;
        if (signature->is_live)
            signature->name = add_name(verifier, &signature->choice.signature);
    }
    for (size_t i = 0; i < verifier->count; i++)
        tell_signature(verifier, i);
    free(choices);
}

size_t dkim_verifier_key_names(const struct dkim_verifier *verifier, const char *const **names_r)
{
    *names_r = (const char *const *)verifier->names;
    return verifier->name_count;
}

/* --- the keys -------------------------------------------------------------------------- */

static void ask_keys(struct dkim_verifier *verifier)
{
    struct dns_question *questions = x_calloc(verifier->name_count, sizeof(questions[0]));

    verifier->answers = x_calloc(verifier->name_count, sizeof(verifier->answers[0]));
    for (size_t i = 0; i < verifier->name_count; i++)
        questions[i] = (struct dns_question){verifier->names[i], DNS_TYPE_TXT};
    if (verifier->name_count)
        dns_ask(verifier->dns, questions, verifier->name_count, verifier->budget,
                verifier->answers);
    free(questions);
}

static void judge_answer(const struct dns_answer *answer, struct dkim_result *result)
{
    char reason[DKIM_TEXT_MAX];

    if (answer->status == DNS_NXDOMAIN || answer->status == DNS_NODATA ||
        (answer->status == DNS_FOUND && !answer->count)) {
        judge(result, AUTH_PERMERROR, "no key");
    } else if (answer->status != DNS_FOUND) {
        snprintf(reason, sizeof(reason), "DNS, key: %s", dns_strstatus(answer->status));
        judge(result, AUTH_TEMPERROR, reason);
    } else if (answer->count > 1) {
        judge(result, AUTH_PERMERROR, "more than one key record");
    }
}

static void judge_key(struct signature *signature, enum dkim_key_status status,
                      struct dkim_result *result)
{
    const struct dkim_signature *said = &signature->choice.signature;
    bool is_sized = status == DKIM_KEY_TOO_SMALL || status == DKIM_KEY_TOO_LARGE;

    if (status != DKIM_KEY_OK)
        judge(result, is_sized ? AUTH_POLICY : AUTH_PERMERROR, dkim_key_strstatus(status));
    else if (signature->key.is_ed25519 != said->is_ed25519)
        judge(result, AUTH_PERMERROR, "the key is of another type than a=");
    else if (signature->key.is_exact && !said->is_exact)
        judge(result, AUTH_PERMERROR, "the key is not for subdomains in i=");
    result->key_bits = signature->key.bits;
    result->testing = signature->key.is_testing;
}

static void take_key(struct dkim_verifier *verifier, size_t index)
{
    struct signature *signature = &verifier->signatures[index];
    const struct dns_answer *answer = &verifier->answers[signature->name];
    struct dkim_result *result = &verifier->results[index];

    judge_answer(answer, result);
    if (!result->reason[0]) {
        const struct dns_record *record = &answer->records[0];
        judge_key(signature, dkim_key_parse(record->txt, record->txt_len, &signature->key), result);
    }
    signature->is_live = !result->reason[0];
    verifier->counts_body |= signature->is_live && signature->choice.signature.has_length;
}

/* --- the library's part ------------------------------------------------------------------ */

/*
 * A field with a blank inside its name, which no h= can name: when every field there is was named,
 * and then one more, libopendkim 2.11 would write behind its list of them.
 */
static void give_unnamable(DKIM *dkim)
{
    u_char field[] = "no name:";

    (void)dkim_header(dkim, field, sizeof(field) - 1);
}

/*
 * Other signatures are part of what a live one may have signed. The library then gets all of
 * them, as long as they are not so many that their hashes would cost too much.
 */
static bool gives_all_signatures(const struct dkim_verifier *verifier)
{
    size_t count = 0;
    bool wanted = false;

    for (size_t i = 0; i < verifier->count; i++)
        wanted |= verifier->signatures[i].is_live &&
                  verifier->signatures[i].choice.signature.signs_signatures;
    for (size_t i = 0; i < verifier->fields.count; i++)
        count += verifier->fields.fields[i].is_signature;
    return wanted && count <= 2 * (size_t)verifier->max_signatures;
}

/*
 * libopendkim seeks each name of each h= among all fields that it was given. It gets those that
 * it can come to choose and no others, so that neither a long header costs much nor a long h=.
 */
static void mark_fields(struct dkim_verifier *verifier)
{
    struct dkim_fields *fields = &verifier->fields;
    struct dkim_signed covered = {0};
    bool all = gives_all_signatures(verifier);

    for (size_t i = 0; i < verifier->count; i++) {
        const struct dkim_signature *signature = &verifier->signatures[i].choice.signature;
        if (verifier->signatures[i].is_live)
            dkim_signed_add(&covered, signature->names, signature->names_len);
    }
    dkim_signed_sort(&covered);
    for (size_t i = fields->count; i-- > 0;) {
        struct dkim_field *field = &fields->fields[i];
        const char *name = (const char *)fields->text.data + field->at;
        if (field->is_signature)
            field->is_wanted = all || live_signature(verifier, i);
        else
            field->is_wanted = dkim_signed_take(&covered, name, field->name_len);
    }
    dkim_signed_fini(&covered);
}

static void give_fields(struct dkim_verifier *verifier)
{
    const struct dkim_fields *fields = &verifier->fields;

    mark_fields(verifier);
    give_unnamable(verifier->dkim);
    for (size_t i = 0; i < fields->count; i++) {
        /* A field that it refuses is not one of RFC 5322, and cannot be signed. */
        if (fields->fields[i].is_wanted)
            (void)dkim_header(verifier->dkim, fields->text.data + fields->fields[i].at,
                              fields->fields[i].len);
    }
}

static void open_library(struct dkim_verifier *verifier)
{
    DKIM_STAT status;

    verifier->dkim =
        dkim_verify(verifier->library->lib, (const u_char *)verifier->session, NULL, &status);
    if (!verifier->dkim)
        BUG("out of memory");
    dkim_set_user_context(verifier->dkim, verifier);
    give_fields(verifier);
    status = dkim_eoh(verifier->dkim);
    if (status != DKIM_STAT_OK && status != DKIM_STAT_NOSIG && status != DKIM_STAT_CANTVRFY)
        verifier->broken =
            status == DKIM_STAT_SYNTAX ? "the header is malformed" : "libopendkim failed";
}

void dkim_verifier_end_header(struct dkim_verifier *verifier)
{
    bool any_live = false;

    dkim_verifier_select(verifier, NULL);
    if (verifier->phase != PHASE_SELECTED)
        return;
    verifier->phase = PHASE_BODY;
    ask_keys(verifier);
    for (size_t i = 0; i < verifier->count; i++) {
        if (verifier->signatures[i].is_live)
            take_key(verifier, i);
        any_live |= verifier->signatures[i].is_live;
    }
    if (any_live)
        open_library(verifier);
}

void dkim_verifier_body(struct dkim_verifier *verifier, const uint8_t *bytes, size_t len)
{
    if (verifier->phase != PHASE_BODY || verifier->broken || !verifier->dkim || !len)
        return;
    if (verifier->counts_body)
        dkim_body_add(&verifier->body, bytes, len);
    if (dkim_body(verifier->dkim, (u_char *)(uintptr_t)bytes, len) != DKIM_STAT_OK)
        verifier->broken = "libopendkim failed";
}

/* --- results ------------------------------------------------------------------------ */

/* What the library's error means as a result of RFC 8601 2.7.1. */
static enum auth_result result_of_error(int error)
{
    switch (error) {
    case DKIM_SIGERROR_EXPIRED:
    case DKIM_SIGERROR_TOOLARGE_L:
        return AUTH_FAIL;
    case DKIM_SIGERROR_FUTURE:
    case DKIM_SIGERROR_INVALID_L:
        return AUTH_NEUTRAL; /* the signature's own syntax */
    default:
        return AUTH_PERMERROR;
    }
}

static void judge_message(DKIM_SIGINFO *info, struct dkim_result *result)
{
    int error = dkim_sig_geterror(info);
    unsigned flags = dkim_sig_getflags(info);
    bool has_failed = flags & DKIM_SIGFLAG_PROCESSED && !(flags & DKIM_SIGFLAG_PASSED);
    bool has_error = error != DKIM_SIGERROR_OK && error != DKIM_SIGERROR_UNKNOWN;

    if (flags & DKIM_SIGFLAG_PASSED && dkim_sig_getbh(info) == DKIM_SIGBH_MISMATCH) {
        judge(result, AUTH_FAIL, "body hash mismatch");
    } else if (error == DKIM_SIGERROR_BADSIG || (has_failed && !has_error)) {
        judge(result, AUTH_FAIL, "signature verification failed");
    } else if (has_error) {
        const char *text = dkim_sig_geterrorstr(error);
        judge(result, result_of_error(error), text ? text : "unknown error");
    } else if (!(flags & DKIM_SIGFLAG_PASSED)) {
        judge(result, AUTH_PERMERROR, "not processed");
    } else if (dkim_sig_getbh(info) != DKIM_SIGBH_MATCH) {
        judge(result, AUTH_PERMERROR, "body not processed");
    } else {
        result->result = AUTH_PASS;
    }
}

static uint64_t unsigned_bytes(const struct dkim_body *body, const struct dkim_signature *signature)
{
    uint64_t total = signature->has_relaxed_body ? dkim_body_relaxed(body) : dkim_body_simple(body);

    return signature->has_length && total > signature->length ? total - signature->length : 0;
}

static void finish_signature(struct dkim_verifier *verifier, size_t index)
{
    struct signature *signature = &verifier->signatures[index];
    struct dkim_result *result = &verifier->results[index];

    if (signature->is_live && verifier->broken)
        judge(result, AUTH_PERMERROR, verifier->broken);
    else if (signature->is_live && !signature->info)
        judge(result, AUTH_PERMERROR, "not processed");
    else if (signature->is_live)
        judge_message(signature->info, result);
    if (signature->is_live)
        result->body_unsigned = unsigned_bytes(&verifier->body, &signature->choice.signature);
    if (result->testing && result->result != AUTH_PASS && result->result != AUTH_TEMPERROR)
        result->result = AUTH_NEUTRAL;
}

const struct dkim_result *dkim_verifier_finish(struct dkim_verifier *verifier, size_t *count_r)
{
    dkim_verifier_end_header(verifier);
    *count_r = verifier->count;
    if (verifier->phase == PHASE_DONE)
        return verifier->results;
    verifier->phase = PHASE_DONE;
    /* Its result is that of one signature; each is asked below. */
    if (verifier->dkim && !verifier->broken)
        (void)dkim_eom(verifier->dkim, NULL);
    for (size_t i = 0; i < verifier->count; i++)
        finish_signature(verifier, i);
    return verifier->results;
}
