/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "milter/outbound.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/str.h"
#include "common/config/secret.h"
#include "tests/unit/fake_dns.h"
#include "tests/unit/unit.h"

/* A message is signed by each key that is for it, unless it bears that signature already. */

#define NOW INT64_C(1795880000)

static char domain[] = "example.com", all[] = "*", first[] = "s1", second[] = "s2";
static char *domains[] = {domain};
static struct config_sign sections[] = {{.from = all, .selector = first},
                                        {.from = all, .selector = second}};
static struct config config = {
    .domains = {domains, 1}, .signs = sections, .sign_count = COUNT(sections)};
static struct dkim_library *library;
static struct sign_keys *keys;
static struct fake_dns fake;

static int add_key(struct config_sign *section, enum dkim_signkey_type type)
{
    struct error error;
    struct dkim_signkey *key = dkim_signkey_generate(type, DKIM_SIGNKEY_BITS_DEFAULT, &error);
    struct buf record = {0}, name = {0};

    if (key == NULL)
        return -1;
    section->key = dkim_signkey_pem(key);
    dkim_signkey_record(key, &record);
    buf_printf(&name, "%s._domainkey.%s", section->selector, domain);
    fake_dns_add(&fake, buf_str(&name), DNS_TYPE_TXT, buf_str(&record));
    buf_fini(&name);
    buf_fini(&record);
    dkim_signkey_free(&key);
    return 0;
}

static int set_up(void **state)
{
    struct config_errors errors = {0};
    struct error error;

    (void)state;
    fake_dns_init(&fake);
    if (add_key(&sections[0], DKIM_SIGNKEY_RSA) != 0 ||
        add_key(&sections[1], DKIM_SIGNKEY_ED25519) != 0)
        return -1;
    library = dkim_library_new(&error);
    keys = sign_keys_new(&config, &errors);
    return library == NULL || keys == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    sign_keys_free(&keys);
    dkim_library_free(&library);
    fake_dns_fini(&fake);
    for (size_t i = 0; i < COUNT(sections); i++)
        secret_free(&sections[i].key);
    return 0;
}

static const char body[] = "One line.\r\nAnother.\r\n";

struct field {
    const char *name, *value;
};

/* from may be NULL. The values are the caller's to free. */
static size_t sign(const char *from, const struct field *more, size_t more_count,
                   struct buf values_r[CONFIG_SIGNATURES_MAX], struct error *error_r)
{
    struct outbound *outbound = outbound_new(keys, library, "test");
    size_t count;

    for (size_t i = 0; i < more_count; i++)
        outbound_header(outbound, more[i].name, more[i].value);
    if (from != NULL)
        outbound_header(outbound, "From", from);
    outbound_header(outbound, "Subject", " hello,\n\tworld");
    outbound_end_header(outbound);
    outbound_body(outbound, (const uint8_t *)body, 5);
    outbound_body(outbound, (const uint8_t *)body + 5, sizeof body - 1 - 5);
    count = outbound_finish(outbound, NOW, values_r, error_r);
    outbound_free(&outbound);
    assert_null(outbound);
    return count;
}

static void free_values(struct buf *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        buf_fini(&values[i]);
}

static void expect_good(const struct buf *values, size_t count)
{
    struct dns_budget budget = {1000};
    struct dkim_verifier *verifier = dkim_verifier_new(library, "test", 8, &fake.dns, &budget);
    const struct dkim_result *results;
    size_t result_count;
    struct buf value = {0};

    for (size_t i = 0; i < count; i++) {
        buf_reset(&value);
        buf_printf(&value, " %.*s", (int)values[i].len, (const char *)values[i].data);
        dkim_verifier_header(verifier, "DKIM-Signature", buf_str(&value));
    }
    dkim_verifier_header(verifier, "From", " a@example.com");
    dkim_verifier_header(verifier, "Subject", " hello,\n\tworld");
    dkim_verifier_end_header(verifier);
    dkim_verifier_body(verifier, (const uint8_t *)body, sizeof body - 1);
    results = dkim_verifier_finish(verifier, &result_count);
    assert_int_equal(result_count, count);
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(results[i].reason, "");
        assert_int_equal(results[i].result, AUTH_PASS);
        assert_string_equal(results[i].domain, domain);
    }
    buf_fini(&value);
    dkim_verifier_free(&verifier);
}

static void test_each_key_signs(void **state)
{
    struct buf values[CONFIG_SIGNATURES_MAX];
    struct error error;

    (void)state;
    size_t count = sign(" a@example.com", NULL, 0, values, &error);
    assert_int_equal(error.code, ERROR_NONE);
    assert_int_equal(count, 2);
    expect_good(values, count);
    free_values(values, count);
}

static void test_nobody_signs_for_others(void **state)
{
    static const char *const authors[] = {" a@example.net", " a@example.com, b@example.net",
                                          " a@notexample.com", " nobody", NULL};
    struct buf values[CONFIG_SIGNATURES_MAX];
    struct error error;

    (void)state;
    for (size_t i = 0; i < COUNT(authors); i++) {
        assert_int_equal(sign(authors[i], NULL, 0, values, &error), 0);
        assert_int_equal(error.code, ERROR_NONE);
    }
}

static void test_the_body_is_not_wanted_for_others(void **state)
{
    struct outbound *outbound = outbound_new(keys, library, "test");

    (void)state;
    outbound_header(outbound, "From", " a@example.net");
    outbound_end_header(outbound);
    assert_false(outbound_is_signed(outbound));
    outbound_free(&outbound);
    outbound = outbound_new(keys, library, "test");
    outbound_header(outbound, "From", " a@example.com");
    outbound_end_header(outbound);
    assert_true(outbound_is_signed(outbound));
    outbound_free(&outbound);
}

/* It passed here before: what is good stays alone, what is not does not count. */
static void test_signed_once(void **state)
{
    struct buf values[CONFIG_SIGNATURES_MAX], again[CONFIG_SIGNATURES_MAX];
    struct error error;
    struct buf borne[2] = {{0}, {0}};

    (void)state;
    assert_int_equal(sign(" a@example.com", NULL, 0, values, &error), 2);
    for (size_t i = 0; i < 2; i++)
        buf_printf(&borne[i], " %.*s", (int)values[i].len, (const char *)values[i].data);
    const struct field fields[] = {{"DKIM-Signature", buf_str(&borne[0])},
                                   {"dkim-signature ", buf_str(&borne[1])}};

    assert_int_equal(sign(" a@example.com", fields, 2, again, &error), 0);
    assert_int_equal(error.code, ERROR_NONE);

    assert_int_equal(sign(" a@example.com", fields, 1, again, &error), 1);
    assert_non_null(strstr(buf_str(&again[0]), "s=s2;"));
    free_values(again, 1);
    assert_int_equal(sign(" a@example.com", fields + 1, 1, again, &error), 1);
    assert_non_null(strstr(buf_str(&again[0]), "s=s1;"));
    free_values(again, 1);

    /* another From than the one that was signed */
    assert_int_equal(sign(" b@example.com", fields, 2, again, &error), 2);
    free_values(again, 2);
    const struct field junk = {"DKIM-Signature", " v=1; a=rsa-sha256; d=example.com; s=s1; junk"};
    assert_int_equal(sign(" a@example.com", &junk, 1, again, &error), 2);
    expect_good(again, 2);
    free_values(again, 2);
    free_values(values, 2);
    free_values(borne, 2);
}

static void test_too_large_a_header(void **state)
{
    struct buf values[CONFIG_SIGNATURES_MAX], large = {0};
    struct error error;

    (void)state;
    while (large.len < DKIM_HEADERS_MAX)
        buf_puts(&large, " 0123456789abcdef");
    const struct field field = {"X-Large", buf_str(&large)};
    /* whose it is was not read */
    assert_int_equal(sign(" a@example.com", &field, 1, values, &error), 0);
    assert_int_equal(error.code, ERROR_REFUSED);
    buf_fini(&large);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_key_signs),
        cmocka_unit_test(test_nobody_signs_for_others),
        cmocka_unit_test(test_the_body_is_not_wanted_for_others),
        cmocka_unit_test(test_signed_once),
        cmocka_unit_test(test_too_large_a_header),
    };
    return cmocka_run_group_tests_name("milter_outbound", tests, set_up, tear_down);
}
