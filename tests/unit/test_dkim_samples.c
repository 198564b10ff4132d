/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/buf.h"
#include "common/mailauth/dkim.h"
#include "tests/unit/fake_dns.h"

/* The signed messages of RFC 6376 A.2 and RFC 8463 A.3, read in place. */

static struct dkim_library *library;
static struct fake_dns fake;

static FILE *open_sample(const char *name)
{
    const char *data = getenv("POSTERN_TEST_DATA"), *source = getenv("POSTERN_SRCDIR");
    struct buf path = {0};

    if (data)
        buf_printf(&path, "%s/dkim/%s", data, name);
    else
        buf_printf(&path, "%s/../shared/data/dkim/%s", source ? source : ".", name);
    FILE *file = fopen(buf_str(&path), "r");
    buf_fini(&path);
    return file;
}

static bool read_keys(void)
{
    FILE *file = open_sample("keys.dns");
    char *line = NULL;
    size_t size = 0;

    if (!file)
        return false;
    while (getline(&line, &size, file) > 0) {
        char *text = strchr(line, ' ');
        if (!text)
            continue;
        *text++ = 0;
        text[strcspn(text, "\n")] = 0;
        fake_dns_add(&fake, line, DNS_TYPE_TXT, text);
    }
    free(line);
    fclose(file);
    return true;
}

static void give_field(struct dkim_verifier *verifier, struct buf *field)
{
    char *text = (char *)field->data, *colon = text ? strchr(text, ':') : NULL;

    if (colon) {
        *colon = 0;
        dkim_verifier_header(verifier, text, colon + 1);
    }
    buf_reset(field);
}

static void expect_sample(const char *name, size_t wanted)
{
    FILE *file = open_sample(name);
    struct buf field = {0}, text = {0};
    struct dns_budget budget = {1000};
    struct dkim_verifier *verifier = dkim_verifier_new(library, "s", 10, &fake.dns, &budget);
    char *line = NULL;
    size_t size = 0, count;
    bool in_body = false;

    assert_non_null(file);
    while (getline(&line, &size, file) > 0) {
        line[strcspn(line, "\r\n")] = 0;
        if (in_body) {
            buf_printf(&text, "%s\r\n", line);
        } else if (line[0] == ' ' || line[0] == '\t') {
            buf_printf(&field, "\n%s", line);
        } else {
            give_field(verifier, &field);
            buf_puts(&field, line);
            in_body = !line[0];
        }
    }
    dkim_verifier_end_header(verifier);
    dkim_verifier_body(verifier, text.data, text.len);
    const struct dkim_result *results = dkim_verifier_finish(verifier, &count);
    assert_int_equal(count, wanted);
    for (size_t i = 0; i < count; i++) {
        if (results[i].result != AUTH_PASS)
            fail_msg("%s, signature %zu: %s", name, i, results[i].reason);
        if (strcmp(results[i].algorithm, "ed25519-sha256") == 0)
            assert_int_equal(results[i].key_bits, 0);
    }
    dkim_verifier_free(&verifier);
    buf_fini(&text);
    buf_fini(&field);
    free(line);
    fclose(file);
}

static void test_samples(void **state)
{
    (void)state;
    expect_sample("rfc6376-A.2.eml", 1);
    expect_sample("rfc8463-A.3.eml", 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_samples)};
    struct error error;

    fake_dns_init(&fake);
    if (!read_keys()) {
        printf("1..0 # SKIP no samples: set POSTERN_TEST_DATA to the folder that has dkim/\n");
        return 0;
    }
    library = dkim_library_new(&error);
    if (!library)
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    dkim_library_free(&library);
    fake_dns_fini(&fake);
    return failed;
}
