/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/dkim_fixture.h"
#include "tests/unit/unit.h"

#define NOW 1795880000

static struct dkim_library *library;
struct fake_dns records;
struct dkim_signing rsa = {"d.example", "2026a", NULL};
struct dkim_signing ed25519 = {"d.example", "2026b", NULL};

struct mail plain_mail(void)
{
    static const char body[] = "Hello.\r\n\r\nA second  paragraph. \r\n\r\n\r\n";
    struct mail mail = {.count = 8, .body = body, .body_len = sizeof(body) - 1};
    const struct field fields[] = {
        {"Received", " from localhost\n\tby mail.d.example; Fri, 20 Nov 2026 09:00:00 +0000"},
        {"From", " Alice <alice@d.example>"},
        {"To", " bob@home.example,\n carol@home.example"},
        {"Subject", " one\n  two\n\tthree  four "},
        {"date", " Fri, 20 Nov 2026 09:00:00 +0000"},
        {"Message-ID", "<1@d.example>"},
        {"X-Other", " not signed"},
        {"Sender", " secretary@d.example"},
    };

    memcpy(mail.fields, fields, sizeof(fields));
    return mail;
}

void add_field(struct mail *mail, const char *name, const char *value)
{
    assert_true(mail->count < FIELDS_MAX);
    memmove(mail->fields + 1, mail->fields, mail->count++ * sizeof(mail->fields[0]));
    mail->fields[0] = (struct field){name, value};
}

int try_sign(const struct mail *mail, const struct dkim_signing *signings, size_t count,
             size_t chunk, struct buf *values, struct error *error_r)
{
    struct dkim_signer *signer = dkim_signer_new(signings, count);

    for (size_t i = 0; i < mail->count; i++)
        dkim_signer_header(signer, mail->fields[i].name, mail->fields[i].value);
    dkim_signer_end_header(signer);
    for (size_t at = 0; at < mail->body_len; at += chunk) {
        size_t left = mail->body_len - at;
        dkim_signer_body(signer, (const uint8_t *)mail->body + at, left < chunk ? left : chunk);
    }
    int rc = dkim_signer_finish(signer, NOW, values, error_r);
    dkim_signer_free(&signer);
    return rc;
}

char *sign(const struct mail *mail, const struct dkim_signing *signing)
{
    struct error error = {0};
    struct buf value = {0};

    buf_putc(&value, ' ');
    if (try_sign(mail, signing, 1, 1000, &value, &error) < 0)
        fail_msg("%s", error.text);
    return buf_steal(&value);
}

size_t verify_by(const struct mail *mail, struct dns *dns, struct dkim_result *results_r)
{
    struct dns_budget budget = {1000};
    struct dkim_verifier *verifier = dkim_verifier_new(library, "s2", 10, dns, &budget);
    size_t count;

    for (size_t i = 0; i < mail->count; i++)
        dkim_verifier_header(verifier, mail->fields[i].name, mail->fields[i].value);
    dkim_verifier_end_header(verifier);
    dkim_verifier_body(verifier, (const uint8_t *)mail->body, mail->body_len);
    const struct dkim_result *results = dkim_verifier_finish(verifier, &count);
    memcpy(results_r, results, count * sizeof(results[0]));
    dkim_verifier_free(&verifier);
    return count;
}

static enum auth_result verify(const struct mail *mail)
{
    struct dkim_result results[10];

    assert_int_equal(verify_by(mail, &records.dns, results), 1);
    return results[0].result;
}

enum auth_result verify_signed(struct mail mail, const char *value)
{
    add_field(&mail, "DKIM-Signature", value);
    return verify(&mail);
}

int dkim_fixture_set_up(void **state)
{
    struct error error;
    struct dkim_signing *const signings[] = {&rsa, &ed25519};

    (void)state;
    library = dkim_library_new(&error);
    fake_dns_init(&records);
    rsa.key = dkim_signkey_generate(DKIM_SIGNKEY_RSA, 2048, &error);
    ed25519.key = dkim_signkey_generate(DKIM_SIGNKEY_ED25519, 0, &error);
    for (size_t i = 0; i < COUNT(signings); i++) {
        struct buf name = {0}, record = {0};
        buf_printf(&name, "%s._domainkey.%s", signings[i]->selector, signings[i]->domain);
        dkim_signkey_record(signings[i]->key, &record);
        fake_dns_add(&records, buf_str(&name), DNS_TYPE_TXT, buf_str(&record));
        buf_fini(&name);
        buf_fini(&record);
    }
    return library ? 0 : -1;
}

int dkim_fixture_tear_down(void **state)
{
    (void)state;
    fake_dns_fini(&records);
    dkim_signkey_free((struct dkim_signkey **)(uintptr_t)&rsa.key);
    dkim_signkey_free((struct dkim_signkey **)(uintptr_t)&ed25519.key);
    dkim_library_free(&library);
    return 0;
}
