/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/mailauth/dkim_sign.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/base/bug.h"
#include "common/base/mem.h"
#include "common/mailauth/dkim_canon.h"
#include "common/mailauth/dkim_fields.h"
#include "common/mailauth/dkim_hash.h"

#define FIELD_NAME    "DKIM-Signature"
#define LINE_MAX_SOFT 76

/* In the order of h=. */
static const struct {
    const char *name;
    bool oversigned;
} signed_fields[] = {
    {"From", true},
    {"Reply-To", true},
    {"Sender", false},
    {"To", true},
    {"Cc", true},
    {"Subject", true},
    {"Date", true},
    {"Message-ID", true},
    {"In-Reply-To", true},
    {"References", true},
    {"MIME-Version", true},
    {"Content-Type", true},
    {"Content-Transfer-Encoding", true},
    {"Resent-Date", false},
    {"Resent-From", false},
    {"Resent-To", false},
    {"Resent-Cc", false},
    {"List-Id", false},
    {"List-Help", false},
    {"List-Unsubscribe", false},
    {"List-Unsubscribe-Post", false},
    {"List-Subscribe", false},
    {"List-Post", false},
    {"List-Owner", false},
    {"List-Archive", false},
};
#define NAME_COUNT (sizeof(signed_fields) / sizeof(signed_fields[0]))
#define NAME_FROM  0

/* A field that will be signed. */
struct field {
    size_t name; /* index of signed_fields */
    char *text;  /* canonical */
};

enum phase { PHASE_HEADER, PHASE_BODY, PHASE_DONE };

struct dkim_signer {
    const struct dkim_signing *signings;
    size_t count;
    enum phase phase;
    size_t header_len;
    struct field *fields;
    size_t field_count;
    size_t counts[NAME_COUNT];
    const char *refused; /* why the message cannot be signed, or NULL */
    struct dkim_hash *hash;
    struct dkim_canon_body body;
};

struct dkim_signer *dkim_signer_new(const struct dkim_signing *signings, size_t count)
{
    struct dkim_signer *signer = x_calloc(1, sizeof(*signer));

    signer->signings = signings;
    signer->count = count;
    signer->hash = dkim_hash_new();
    dkim_canon_body_init(&signer->body, signer->hash);
    return signer;
}

void dkim_signer_free(struct dkim_signer **signer)
{
    if (!*signer)
        return;
    for (size_t i = 0; i < (*signer)->field_count; i++)
        free((*signer)->fields[i].text);
    free((*signer)->fields);
    dkim_hash_free(&(*signer)->hash);
    free(*signer);
    *signer = NULL;
}

/* --- the message ------------------------------------------------------------------ */

/* Whether it is one to be signed. Blanks may stand before the colon (RFC 5322 4.5.8). */
static bool find_name(const char *name, size_t *index_r)
{
    size_t len = strcspn(name, " \t");

    for (size_t i = 0; i < NAME_COUNT; i++) {
        if (strncasecmp(signed_fields[i].name, name, len) == 0 && !signed_fields[i].name[len]) {
            *index_r = i;
            return true;
        }
    }
    return false;
}

void dkim_signer_header(struct dkim_signer *signer, const char *name, const char *value)
{
    struct buf text = {0};
    size_t index;

    if (signer->phase != PHASE_HEADER || signer->refused || !find_name(name, &index))
        return;
    signer->header_len += strlen(value);
    if (signer->header_len > DKIM_HEADERS_MAX || signer->field_count == DKIM_SIGN_FIELDS_MAX) {
        signer->refused = "the header is too large";
        return;
    }
    dkim_canon_field(&text, name, value);
    buf_puts(&text, "\r\n");
    signer->fields =
        x_reallocarray(signer->fields, signer->field_count + 1, sizeof(signer->fields[0]));
    signer->fields[signer->field_count++] = (struct field){index, buf_steal(&text)};
    signer->counts[index]++;
}

void dkim_signer_end_header(struct dkim_signer *signer)
{
    if (signer->phase != PHASE_HEADER)
        return;
    signer->phase = PHASE_BODY;
    if (!signer->refused && signer->counts[NAME_FROM] == 0)
        signer->refused = "the message has no From field";
    else if (!signer->refused && signer->counts[NAME_FROM] > 1)
        signer->refused = "the message has more than one From field";
}

void dkim_signer_body(struct dkim_signer *signer, const uint8_t *bytes, size_t len)
{
    if (signer->phase == PHASE_BODY && !signer->refused)
        dkim_canon_body_put(&signer->body, bytes, len);
}

/* --- the field ------------------------------------------------------------------------ */

/* Text with the column that it has come to. */
struct line {
    struct buf *out;
    size_t column;
};

/* A word that follows on the line, behind `space`, or on the next. */
static void put_word(struct line *line, const char *space, const char *word)
{
    size_t len = strlen(space) + strlen(word);
    bool fold = line->column + len > LINE_MAX_SOFT;

    buf_puts(line->out, fold ? "\n\t" : space);
    buf_puts(line->out, word);
    line->column = fold ? 8 + strlen(word) : line->column + len;
}

static void put_tag(struct line *line, const char *name, const char *value)
{
    struct buf tag = {0};

    buf_printf(&tag, "%s=%s;", name, value);
    put_word(line, " ", buf_str(&tag));
    buf_fini(&tag);
}

/* h=: each name as often as it is there, and once more where no other may be added. */
static void put_names(struct line *line, const struct dkim_signer *signer)
{
    struct buf names = {0};
    const char *space = " ";

    buf_puts(&names, "h=");
    for (size_t i = 0; i < NAME_COUNT; i++) {
        for (size_t times = signer->counts[i] + signed_fields[i].oversigned; times; times--)
            buf_printf(&names, "%s:", signed_fields[i].name);
    }
    names.data[names.len - 1] = ';';
    for (const char *p = buf_str(&names); *p; space = "") {
        size_t len = strcspn(p, ":;") + 1;
        char *word = x_strndup(p, len);
        put_word(line, space, word);
        free(word);
        p += len;
    }
    buf_fini(&names);
}

/* The value up to "b=", which is last: what is hashed of it. */
static void put_tags(struct line *line, const struct dkim_signer *signer,
                     const struct dkim_signing *signing, int64_t now_sec, const char *body_hash)
{
    struct buf time = {0};

    buf_printf(&time, "%" PRId64, now_sec);
    buf_puts(line->out, "v=1;");
    line->column = sizeof(FIELD_NAME ": v=1;") - 1;
    put_tag(line, "a", dkim_signkey_algorithm(signing->key));
    put_tag(line, "c", "relaxed/relaxed");
    put_tag(line, "d", signing->domain);
    put_tag(line, "s", signing->selector);
    put_tag(line, "t", buf_str(&time));
    put_tag(line, "bh", body_hash);
    put_names(line, signer);
    buf_puts(line->out, "\n\tb=");
    line->column = 8 + sizeof("b=") - 1;
    buf_fini(&time);
}

static void put_signature(struct line *line, const char *base64)
{
    for (size_t len = strlen(base64); len;) {
        size_t room = line->column < LINE_MAX_SOFT ? LINE_MAX_SOFT - line->column : 0;
        size_t part = len < room ? len : room;
        buf_put(line->out, base64, part);
        base64 += part;
        len -= part;
        if (len)
            buf_puts(line->out, "\n\t");
        line->column = 8;
    }
}

/* --- the signatures ------------------------------------------------------------------ */

/* RFC 6376 3.7: the fields in the order of h=, of one name the last first; then this one. */
static void hash_header(struct dkim_signer *signer, const char *value,
                        unsigned char hash_r[DKIM_HASH_LEN])
{
    struct buf own = {0};

    for (size_t name = 0; name < NAME_COUNT; name++) {
        for (size_t i = signer->field_count; i-- > 0;) {
            const struct field *field = &signer->fields[i];
            if (field->name == name)
                dkim_hash_put(signer->hash, field->text, strlen(field->text));
        }
    }
    dkim_canon_field(&own, FIELD_NAME, value);
    dkim_hash_put(signer->hash, own.data, own.len);
    dkim_hash_finish(signer->hash, hash_r);
    buf_fini(&own);
}

static int sign(struct dkim_signer *signer, const struct dkim_signing *signing, int64_t now_sec,
                const char *body_hash, struct buf *out, struct error *error_r)
{
    struct buf value = {0}, base64 = {0};
    struct line line = {&value, 0};
    unsigned char hash[DKIM_HASH_LEN];

    put_tags(&line, signer, signing, now_sec, body_hash);
    hash_header(signer, buf_str(&value), hash);
    int rc = dkim_signkey_sign(signing->key, hash, &base64, error_r);
    if (rc == 0) {
        put_signature(&line, buf_str(&base64));
        buf_put(out, value.data, value.len);
    }
    buf_fini(&value);
    buf_fini(&base64);
    return rc;
}

static int sign_all(struct dkim_signer *signer, int64_t now_sec, struct buf *fields_r,
                    struct error *error_r)
{
    unsigned char hash[DKIM_HASH_LEN];
    struct buf body_hash = {0};
    int rc = 0;

    dkim_canon_body_finish(&signer->body);
    dkim_hash_finish(signer->hash, hash);
    dkim_base64(hash, sizeof(hash), &body_hash);
    for (size_t i = 0; i < signer->count && rc == 0; i++)
        rc =
            sign(signer, &signer->signings[i], now_sec, buf_str(&body_hash), &fields_r[i], error_r);
    buf_fini(&body_hash);
    return rc;
}

int dkim_signer_finish(struct dkim_signer *signer, int64_t now_sec, struct buf *fields_r,
                       struct error *error_r)
{
    dkim_signer_end_header(signer);
    BUG_ON(signer->phase == PHASE_DONE);
    signer->phase = PHASE_DONE;
    if (signer->refused)
        return error_set(error_r, ERROR_REFUSED, "%s", signer->refused);
    return sign_all(signer, now_sec, fields_r, error_r);
}
