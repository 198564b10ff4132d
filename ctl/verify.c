/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/str.h"
#include "common/mailauth/authres.h"
#include "common/mailauth/dkim.h"
#include "common/mailauth/dmarc_findings.h"
#include "common/mailauth/iprev.h"
#include "ctl/ctl.h"
#include "ctl/lookup.h"
#include "ctl/message.h"
#include "ctl/output.h"

#define READ_SIZE 65536u

/* All that is found out about one message. */
struct judgement {
    struct lookup lookup;
    struct lookup_spf spf;
    struct spf_verdict verdict;
    struct iprev_check iprev;
    bool has_client;
    struct dkim_library *library;
    struct dkim_verifier *verifier;
    const struct dkim_result *dkim;
    size_t dkim_count;
    struct author author;
    struct dmarc_verdict dmarc;
};

/* The message as SMTP would have carried it. */
static int read_message(const char *path, struct buf *wire, struct error *error_r)
{
    struct buf raw = {0};
    int rc = message_read(path, &raw, error_r);

    if (rc == 0)
        message_to_wire(raw.data, raw.len, wire);
    buf_fini(&raw);
    return rc;
}

static int feed_field(struct judgement *judgement, const struct message_field *field,
                      struct error *error_r)
{
    char *name, *value;

    if (message_take_field(field, &name, &value, error_r) < 0)
        return -1;
    dkim_verifier_header(judgement->verifier, name, value);
    if (str_eq_nocase(name, "From"))
        author_field(&judgement->author, value);
    free(name);
    free(value);
    return 0;
}

static int verify_dkim(struct judgement *judgement, const struct buf *wire, struct error *error_r)
{
    const struct config *config = judgement->lookup.config;
    unsigned max = config ? config->milter.max_signatures : DKIM_SIGNATURES_MAX;
    struct message_field field;
    size_t at = 0;

    judgement->library = dkim_library_new(error_r);
    if (!judgement->library)
        return -1;
    judgement->verifier = dkim_verifier_new(judgement->library, "verify", max,
                                            judgement->lookup.dns, &judgement->lookup.budget);
    while (message_next_field(wire->data, wire->len, &at, &field)) {
        if (feed_field(judgement, &field, error_r) < 0)
            return -1;
    }
    dkim_verifier_select(judgement->verifier, &judgement->author);
    dkim_verifier_end_header(judgement->verifier);
    for (; at < wire->len; at += READ_SIZE) {
        size_t left = wire->len - at;
        dkim_verifier_body(judgement->verifier, wire->data + at,
                           left < READ_SIZE ? left : READ_SIZE);
    }
    judgement->dkim = dkim_verifier_finish(judgement->verifier, &judgement->dkim_count);
    return 0;
}

static void verify_dmarc(struct judgement *judgement)
{
    struct dmarc_findings findings;
    bool has_client = judgement->has_client;

    dmarc_findings_init(&findings, &judgement->author, has_client ? &judgement->spf.request : NULL,
                        has_client ? &judgement->verdict : NULL, judgement->dkim,
                        judgement->dkim_count);
    dmarc_evaluate(&findings.facts, judgement->lookup.dns, &judgement->lookup.budget,
                   &judgement->dmarc);
    dmarc_findings_fini(&findings);
}

/* What the options and the file say, before anybody is asked. */
static int read_case(const struct ctl *ctl, struct judgement *judgement, struct buf *wire,
                     struct error *error_r)
{
    const char *named = ctl_value(ctl, "authserv-id");

    if (named && !*named)
        return error_set(error_r, ERROR_CONFIG, "--authserv-id: an empty name");
    judgement->has_client =
        ctl_value(ctl, "ip") || ctl_value(ctl, "helo") || ctl_value(ctl, "sender");
    if (judgement->has_client && lookup_spf_init(ctl, &judgement->spf, error_r) < 0)
        return -1;
    return read_message(ctl->args[0], wire, error_r);
}

static int judge(const struct ctl *ctl, struct judgement *judgement, const struct buf *wire,
                 struct error *error_r)
{
    struct lookup *lookup = &judgement->lookup;

    if (lookup_open(ctl, lookup, error_r) < 0)
        return -1;
    if (judgement->has_client) {
        iprev_verify(&judgement->spf.request.client, lookup->dns, &lookup->budget,
                     &judgement->iprev);
        lookup_spf_run(&judgement->spf, lookup, &judgement->verdict);
    }
    if (verify_dkim(judgement, wire, error_r) < 0)
        return -1;
    verify_dmarc(judgement);
    return 0;
}

static void judgement_fini(struct judgement *judgement)
{
    if (judgement->verifier)
        dkim_verifier_free(&judgement->verifier);
    if (judgement->library)
        dkim_library_free(&judgement->library);
    lookup_spf_fini(&judgement->spf);
    lookup_close(&judgement->lookup);
}

static void build_header(const struct ctl *ctl, const struct judgement *judgement, struct buf *out)
{
    const char *named = ctl_value(ctl, "authserv-id");
    struct authres results = {
        .authserv_id = named ? named : judgement->lookup.hostname,
        .dkim = judgement->dkim,
        .dkim_count = judgement->dkim_count,
        .dkim_evaluated = true,
        .dmarc = &judgement->dmarc,
    };

    if (judgement->has_client) {
        results.client = &judgement->spf.request.client;
        results.iprev = &judgement->iprev;
        results.spf = &judgement->verdict;
        results.spf_request = &judgement->spf.request;
    }
    buf_puts(out, "Authentication-Results: ");
    authres_build(out, &results);
}

static json_t *dkim_json(const struct judgement *judgement)
{
    json_t *list = json_array();

    for (size_t i = 0; i < judgement->dkim_count; i++) {
        const struct dkim_result *dkim = &judgement->dkim[i];
        json_array_append_new(list, json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:i, s:b, s:I}",
                                              "result", auth_result_name(dkim->result), "domain",
                                              output_json_text(dkim->domain), "selector",
                                              output_json_text(dkim->selector), "algorithm",
                                              output_json_text(dkim->algorithm), "signature",
                                              output_json_text(dkim->signature), "reason",
                                              output_json_text(dkim->reason), "key_bits",
                                              (int)dkim->key_bits, "testing", (int)dkim->testing,
                                              "body_unsigned", (json_int_t)dkim->body_unsigned));
    }
    return list;
}

/* Without a record there is no policy: null. */
static json_t *policy_json(const struct dmarc_verdict *dmarc, enum dmarc_policy policy)
{
    return *dmarc->record_domain ? json_string(dmarc_policy_name(policy)) : json_null();
}

static json_t *dmarc_json(const struct dmarc_verdict *dmarc)
{
    return json_pack("{s:s, s:o, s:o, s:o, s:o, s:b, s:b, s:b, s:o}", "result",
                     auth_result_name(dmarc->result), "domain", output_json_text(dmarc->domain),
                     "record_domain", output_json_text(dmarc->record_domain), "policy",
                     policy_json(dmarc, dmarc->policy), "published",
                     policy_json(dmarc, dmarc->published), "testing", (int)dmarc->testing,
                     "spf_aligned", (int)dmarc->spf_aligned, "dkim_aligned",
                     (int)dmarc->dkim_aligned, "reason", output_json_text(dmarc->reason));
}

static json_t *judgement_json(const struct judgement *judgement, const char *header)
{
    bool has_client = judgement->has_client;
    json_t *spf = has_client ? lookup_spf_json(&judgement->spf, &judgement->verdict) : json_null();
    json_t *iprev =
        has_client ? json_pack("{s:s, s:o}", "result", auth_result_name(judgement->iprev.result),
                               "name", output_json_text(judgement->iprev.name))
                   : json_null();

    return json_pack("{s:o, s:o, s:o, s:o, s:o}", "spf", spf, "dkim", dkim_json(judgement), "dmarc",
                     dmarc_json(&judgement->dmarc), "iprev", iprev, "header",
                     output_json_text(header));
}

/* Whether anybody vouches for the message. */
static enum ctl_exit answer_of(const struct judgement *judgement)
{
    enum spf_identity identity;

    if (judgement->has_client &&
        lookup_spf_decisive(&judgement->spf, &judgement->verdict, &identity)->result == AUTH_PASS)
        return CTL_YES;
    for (size_t i = 0; i < judgement->dkim_count; i++) {
        if (judgement->dkim[i].result == AUTH_PASS)
            return CTL_YES;
    }
    return CTL_NO;
}

static enum ctl_exit tell(const struct ctl *ctl, const struct judgement *judgement)
{
    enum ctl_exit how = answer_of(judgement);
    struct buf header = {0};

    build_header(ctl, judgement, &header);
    if (ctl->json)
        output_json(judgement_json(judgement, buf_str(&header)), how);
    else
        puts(buf_str(&header));
    buf_fini(&header);
    return how;
}

enum ctl_exit ctl_run_verify(const struct ctl *ctl)
{
    struct judgement judgement = {0};
    struct buf wire = {0};
    struct error error = {0};
    enum ctl_exit how;

    if (read_case(ctl, &judgement, &wire, &error) < 0 || judge(ctl, &judgement, &wire, &error) < 0)
        how = ctl_fail(ctl, &error);
    else
        how = tell(ctl, &judgement);
    judgement_fini(&judgement);
    buf_fini(&wire);
    return how;
}
