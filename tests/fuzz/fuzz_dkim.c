/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/bug.h"
#include "common/base/mem.h"
#include "common/mailauth/dkim.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/fake_dns.h"

/*
 * Parts with NUL between them: two signatures, the key of s._domainkey.d.example, the
 * value of From, the body. Whatever they hold, the library must not end the process.
 */
#define PARTS 5

static struct dkim_library *library(void)
{
    static struct dkim_library *the_library;
    struct error error;

    if (!the_library)
        the_library = dkim_library_new(&error);
    BUG_ON(!the_library);
    return the_library;
}

static void run(char *parts[PARTS])
{
    struct dns_budget budget = {1000};
    struct author author = {0};
    const char *const *names;
    struct fake_dns fake;
    size_t count;

    fake_dns_init(&fake);
    fake_dns_add(&fake, "s._domainkey.d.example", DNS_TYPE_TXT, parts[2]);
    struct dkim_verifier *verifier = dkim_verifier_new(library(), "s", 5, &fake.dns, &budget);
    dkim_verifier_header(verifier, "DKIM-Signature", parts[0]);
    dkim_verifier_header(verifier, "From", parts[3]);
    dkim_verifier_header(verifier, "DKIM-Signature", parts[1]);
    dkim_verifier_header(verifier, "Subject", parts[0]);
    author_field(&author, parts[3]);
    dkim_verifier_select(verifier, &author);
    count = dkim_verifier_key_names(verifier, &names);
    for (size_t i = 0; i < count; i++)
        BUG_ON(!strstr(names[i], "._domainkey."));
    dkim_verifier_end_header(verifier);
    BUG_ON(fake.asked > count);
    dkim_verifier_body(verifier, (const uint8_t *)parts[4], strlen(parts[4]));
    const struct dkim_result *results = dkim_verifier_finish(verifier, &count);
    BUG_ON(count != 2);
    for (size_t i = 0; i < count; i++)
        BUG_ON((results[i].result == AUTH_PASS) != !results[i].reason[0]);
    dkim_verifier_free(&verifier);
    fake_dns_fini(&fake);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    char *text = x_malloc(len + 1), *parts[PARTS], *end = text + len, *at = text;

    if (len)
        memcpy(text, bytes, len);
    *end = 0;
    for (size_t i = 0; i < PARTS; i++) {
        parts[i] = at;
        at = at < end ? at + strlen(at) : end;
        at += at < end;
    }
    run(parts);
    free(text);
    return 0;
}
