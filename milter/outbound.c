/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "milter/outbound.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/mailauth/dkim_own.h"
#include "milter/fields.h"

struct outbound {
    const struct sign_keys *keys;
    struct dkim_library *library;
    const char *session;
    struct buf fields; /* name and value of each, both with their NUL */
    bool too_large;
    bool bears_signature;
    struct author author;
    struct dkim_signing signings[CONFIG_SIGNATURES_MAX];
    size_t count;
    struct dkim_signer *signer; /* NULL: not to be signed */
    struct dkim_own own;
    struct dns_budget budget;
    struct dkim_verifier *verifier; /* of our own signatures, where there may be one */
};

struct outbound *outbound_new(const struct sign_keys *keys, struct dkim_library *library,
                              const char *session)
{
    struct outbound *outbound = x_calloc(1, sizeof *outbound);

    outbound->keys = keys;
    outbound->library = library;
    outbound->session = session;
    return outbound;
}

void outbound_free(struct outbound **outbound)
{
    if (*outbound == NULL)
        return;
    dkim_verifier_free(&(*outbound)->verifier);
    dkim_signer_free(&(*outbound)->signer);
    buf_fini(&(*outbound)->fields);
    free(*outbound);
    *outbound = NULL;
}

void outbound_header(struct outbound *outbound, const char *name, const char *value)
{
    size_t name_size = strlen(name) + 1, value_size = strlen(value) + 1;

    if (outbound->fields.len + name_size + value_size > DKIM_HEADERS_MAX)
        outbound->too_large = true;
    if (outbound->too_large)
        return;
    buf_put(&outbound->fields, name, name_size);
    buf_put(&outbound->fields, value, value_size);
    if (fields_name_is(name, "From"))
        author_field(&outbound->author, value);
    if (fields_name_is(name, "DKIM-Signature"))
        outbound->bears_signature = true;
}

static void start(struct outbound *outbound)
{
    outbound->signer = dkim_signer_new(outbound->signings, outbound->count);
    if (!outbound->bears_signature)
        return;
    dkim_own_init(&outbound->own, outbound->signings, outbound->count);
    outbound->verifier =
        dkim_verifier_new(outbound->library, outbound->session, DKIM_SIGNATURES_MAX,
                          &outbound->own.dns, &outbound->budget);
}

static void feed_fields(struct outbound *outbound)
{
    const char *end = (const char *)outbound->fields.data + outbound->fields.len;

    for (const char *name = (const char *)outbound->fields.data; name < end;) {
        const char *value = name + strlen(name) + 1;
        dkim_signer_header(outbound->signer, name, value);
        if (outbound->verifier != NULL)
            dkim_verifier_header(outbound->verifier, name, value);
        name = value + strlen(value) + 1;
    }
    dkim_signer_end_header(outbound->signer);
    if (outbound->verifier != NULL)
        dkim_verifier_end_header(outbound->verifier);
}

void outbound_end_header(struct outbound *outbound)
{
    if (!outbound->too_large)
        outbound->count = sign_keys_choose(outbound->keys, &outbound->author, outbound->signings);
    if (outbound->count > 0) {
        start(outbound);
        feed_fields(outbound);
    }
    buf_fini(&outbound->fields);
}

bool outbound_is_signed(const struct outbound *outbound)
{
    return outbound->signer != NULL;
}

void outbound_body(struct outbound *outbound, const uint8_t *bytes, size_t len)
{
    if (outbound->signer == NULL)
        return;
    dkim_signer_body(outbound->signer, bytes, len);
    if (outbound->verifier != NULL)
        dkim_verifier_body(outbound->verifier, bytes, len);
}

/* Those of our signatures that the message does not bear yet move to the front. */
static size_t drop_borne(struct outbound *outbound, struct buf *fields)
{
    const struct dkim_result *results;
    size_t count, kept = 0;

    if (outbound->verifier == NULL)
        return outbound->count;
    results = dkim_verifier_finish(outbound->verifier, &count);
    for (size_t i = 0; i < outbound->count; i++) {
        if (dkim_own_has_signed(&outbound->signings[i], results, count))
            buf_fini(&fields[i]);
        else
            fields[kept++] = fields[i];
    }
    return kept;
}

size_t outbound_finish(struct outbound *outbound, int64_t now_sec,
                       struct buf fields_r[CONFIG_SIGNATURES_MAX], struct error *error_r)
{
    *error_r = (struct error){.code = ERROR_NONE};
    if (outbound->too_large)
        error_set(error_r, ERROR_REFUSED, "the header is too large");
    if (outbound->signer == NULL)
        return 0;
    for (size_t i = 0; i < outbound->count; i++)
        buf_init(&fields_r[i]);
    if (dkim_signer_finish(outbound->signer, now_sec, fields_r, error_r) != 0) {
        for (size_t i = 0; i < outbound->count; i++)
            buf_fini(&fields_r[i]);
        return 0;
    }
    return drop_borne(outbound, fields_r);
}
