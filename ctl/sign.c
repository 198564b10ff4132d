/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/config/secret.h"
#include "common/mailauth/dkim.h"
#include "common/mailauth/dkim_own.h"
#include "common/mailauth/dkim_sign.h"
#include "ctl/ctl.h"
#include "ctl/message.h"
#include "ctl/output.h"
#include "ctl/signing.h"

/* One message, signed by one key unless it is already. */
struct work {
    struct signing_name name;
    struct dkim_signkey *key;
    struct dkim_signing signing;
    struct buf raw, wire;
    bool is_signed; /* by that key, before */
    struct buf value;
};

static int read_key(const char *path, struct dkim_signkey **key_r, struct error *error_r)
{
    struct error why;
    char *pem = secret_read_text(path, error_r);

    if (!pem)
        return -1;
    *key_r = dkim_signkey_parse(pem, &why);
    secret_free(&pem);
    return *key_r ? 0 : error_set(error_r, why.code, "%s: %s", path, why.text);
}

static int read_case(const struct ctl *ctl, struct work *work, struct error *error_r)
{
    const char *domain = ctl_value(ctl, "domain"), *selector = ctl_value(ctl, "selector");
    const char *key = ctl_value(ctl, "key");

    if (!domain || !selector || !key)
        return error_set(error_r, ERROR_CONFIG, "sign wants --domain, --selector and --key");
    if (signing_name_parse(domain, selector, &work->name, error_r) < 0 ||
        read_key(key, &work->key, error_r) < 0 ||
        message_read(ctl->args[0], &work->raw, error_r) < 0)
        return -1;
    work->signing = (struct dkim_signing){work->name.domain, work->name.selector, work->key};
    message_to_wire(work->raw.data, work->raw.len, &work->wire);
    return 0;
}

static int feed_header(const struct buf *wire, struct dkim_signer *signer,
                       struct dkim_verifier *verifier, size_t *body_r, struct error *error_r)
{
    struct message_field field;
    char *name, *value;

    *body_r = 0;
    while (message_next_field(wire->data, wire->len, body_r, &field)) {
        if (message_take_field(&field, &name, &value, error_r) < 0)
            return -1;
        dkim_signer_header(signer, name, value);
        dkim_verifier_header(verifier, name, value);
        free(name);
        free(value);
    }
    dkim_signer_end_header(signer);
    dkim_verifier_end_header(verifier);
    return 0;
}

static int sign(struct work *work, struct dkim_signer *signer, struct dkim_verifier *verifier,
                struct error *error_r)
{
    size_t body, count;

    if (feed_header(&work->wire, signer, verifier, &body, error_r) < 0)
        return -1;
    dkim_signer_body(signer, work->wire.data + body, work->wire.len - body);
    dkim_verifier_body(verifier, work->wire.data + body, work->wire.len - body);
    const struct dkim_result *results = dkim_verifier_finish(verifier, &count);
    work->is_signed = dkim_own_has_signed(&work->signing, results, count);
    if (work->is_signed)
        return 0;
    return dkim_signer_finish(signer, clock_wall_ms(&clock_system) / 1000, &work->value, error_r);
}

static int sign_message(struct work *work, struct error *error_r)
{
    struct dkim_library *library = dkim_library_new(error_r);
    struct dns_budget budget = {0};
    struct dkim_own own;

    if (!library)
        return -1;
    dkim_own_init(&own, &work->signing, 1);
    struct dkim_signer *signer = dkim_signer_new(&work->signing, 1);
    struct dkim_verifier *verifier =
        dkim_verifier_new(library, "sign", DKIM_SIGNATURES_MAX, &own.dns, &budget);
    int rc = sign(work, signer, verifier, error_r);
    dkim_verifier_free(&verifier);
    dkim_signer_free(&signer);
    dkim_library_free(&library);
    return rc;
}

/* The message with the field on top, in line ends as its own first one. */
static void print_message(const struct work *work)
{
    const struct buf *raw = &work->raw;
    const char *text = buf_str(raw), *feed = memchr(text, '\n', raw->len);
    bool crlf = feed && feed > text && feed[-1] == '\r';
    size_t start = message_start(raw->data, raw->len);
    struct buf field = {0}, out = {0};

    if (!work->is_signed)
        buf_printf(&field, "DKIM-Signature: %s\n", buf_str(&work->value));
    if (crlf)
        message_to_wire(field.data, field.len, &out);
    fwrite(text, 1, start, stdout);
    if (field.len)
        fwrite(crlf ? out.data : field.data, 1, crlf ? out.len : field.len, stdout);
    fwrite(text + start, 1, raw->len - start, stdout);
    buf_fini(&field);
    buf_fini(&out);
}

static enum ctl_exit tell(const struct ctl *ctl, const struct work *work)
{
    if (work->is_signed)
        fputs("posternctl: the message is signed by this key already\n", stderr);
    if (ctl->json) {
        struct buf header = {0};
        buf_printf(&header, "DKIM-Signature: %s", buf_str(&work->value));
        json_t *text = work->is_signed ? json_null() : output_json_text(buf_str(&header));
        buf_fini(&header);
        return output_json(json_pack("{s:s, s:s, s:s, s:b, s:o}", "domain", work->name.domain,
                                     "selector", work->name.selector, "algorithm",
                                     dkim_signkey_algorithm(work->key), "already_signed",
                                     work->is_signed, "header", text),
                           CTL_YES);
    }
    print_message(work);
    return CTL_YES;
}

enum ctl_exit ctl_run_sign(const struct ctl *ctl)
{
    struct work work = {0};
    struct error error = {0};
    bool is_done = read_case(ctl, &work, &error) == 0 && sign_message(&work, &error) == 0;
    enum ctl_exit how = is_done ? tell(ctl, &work) : ctl_fail(ctl, &error);

    dkim_signkey_free(&work.key);
    buf_fini(&work.raw);
    buf_fini(&work.wire);
    buf_fini(&work.value);
    return how;
}
