/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/bug.h"
#include "common/base/mem.h"
#include "common/mailauth/dkim.h"
#include "common/mailauth/dkim_own.h"
#include "common/mailauth/dkim_sign.h"
#include "tests/fuzz/fuzz.h"

/*
 * Parts with NUL between them: the values of From, Subject and List-Id, and the body, in
 * lines that end in LF. Whatever a mail server can carry, libopendkim verifies what is signed;
 * but for form feeds and vertical tabs in a header, which it takes for blanks, against RFC 6376.
 */
#define PARTS 4

static struct dkim_signing signing = {"d.example", "s", NULL};
static struct dkim_library *library;

static void set_up(void)
{
    static const char pem[] = "-----BEGIN PRIVATE KEY-----\n"
                              "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"
                              "-----END PRIVATE KEY-----\n";
    struct error error;

    if (library)
        return;
    library = dkim_library_new(&error);
    signing.key = dkim_signkey_parse(pem, &error);
    BUG_ON(!library || !signing.key);
}

/* Text without the characters `without`, `feed` for each LF, and `end`. */
static char *lines(const char *text, const char *without, const char *feed, const char *end)
{
    struct buf out = {0};

    for (; *text; text++) {
        if (*text == '\n')
            buf_puts(&out, feed);
        else if (!strchr(without, *text))
            buf_putc(&out, *text);
    }
    buf_puts(&out, end);
    return buf_steal(&out);
}

static void verify(char *const values[3], const char *body, const char *signature)
{
    struct dns_budget budget = {0};
    struct dkim_own own;
    size_t count;

    dkim_own_init(&own, &signing, 1);
    struct dkim_verifier *verifier = dkim_verifier_new(library, "s", 1, &own.dns, &budget);
    dkim_verifier_header(verifier, "DKIM-Signature", signature);
    dkim_verifier_header(verifier, "From", values[0]);
    dkim_verifier_header(verifier, "Subject", values[1]);
    dkim_verifier_header(verifier, "List-Id", values[2]);
    dkim_verifier_end_header(verifier);
    dkim_verifier_body(verifier, (const uint8_t *)body, strlen(body));
    const struct dkim_result *results = dkim_verifier_finish(verifier, &count);
    if (!dkim_own_has_signed(&signing, results, count))
        BUG("%s", results[0].reason);
    dkim_verifier_free(&verifier);
}

static void run(char *parts[PARTS])
{
    struct dkim_signer *signer = dkim_signer_new(&signing, 1);
    struct buf signature = {0};
    struct error error;
    char *values[3];

    for (size_t i = 0; i < 3; i++)
        values[i] = lines(parts[i], "\r\f\v", "\n ", "");
    char *body = lines(parts[3], "\r", "\r\n", "\r\n");
    dkim_signer_header(signer, "From", values[0]);
    dkim_signer_header(signer, "Subject", values[1]);
    dkim_signer_header(signer, "List-Id", values[2]);
    dkim_signer_end_header(signer);
    dkim_signer_body(signer, (const uint8_t *)body, strlen(body));
    BUG_ON(dkim_signer_finish(signer, 1700000000, &signature, &error) < 0);
    verify(values, body, buf_str(&signature));
    for (size_t i = 0; i < 3; i++)
        free(values[i]);
    free(body);
    buf_fini(&signature);
    dkim_signer_free(&signer);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct buf text = {0};
    char *parts[PARTS];

    set_up();
    buf_put(&text, bytes, len);
    buf_put(&text, "\0\0\0", 4); /* no part is missing */
    char *at = (char *)text.data, *end = at + text.len - 1;
    for (size_t i = 0; i < PARTS; i++) {
        parts[i] = at;
        at = at + strlen(at) < end ? at + strlen(at) + 1 : end;
    }
    run(parts);
    buf_fini(&text);
    return 0;
}
