/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/mailauth/sign_keys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/config/secret.h"
#include "tests/unit/unit.h"

#define SECTIONS 8

static char domain_a[] = "example.com", domain_b[] = "example.net";
static char *domains[] = {domain_a, domain_b};
static struct config_sign sections[SECTIONS];
static struct config config = {.domains = {domains, 2}, .signs = sections};
static char *pem;

static int set_up(void **state)
{
    struct error error;
    struct dkim_signkey *key = dkim_signkey_generate(DKIM_SIGNKEY_ED25519, 0, &error);

    (void)state;
    pem = dkim_signkey_pem(key);
    dkim_signkey_free(&key);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    secret_free(&pem);
    return 0;
}

static void add_section(const char *from, const char *domain, const char *selector)
{
    assert_true(config.sign_count < SECTIONS);
    sections[config.sign_count++] = (struct config_sign){
        (char *)(uintptr_t)from, (char *)(uintptr_t)domain, (char *)(uintptr_t)selector, pem, 7};
}

static struct sign_keys *keys_of_sections(void)
{
    struct config_errors errors = {0};
    struct sign_keys *keys = sign_keys_new(&config, &errors);

    assert_non_null(keys);
    assert_int_equal(errors.count, 0);
    return keys;
}

/* "SELECTOR:DOMAIN …" of what signs mail with this From. */
static const char *signers(const struct sign_keys *keys, const char *from, char out[256])
{
    struct dkim_signing signings[CONFIG_SIGNATURES_MAX];
    struct author author = {.count = 0};
    size_t count, len = 0;

    author_field(&author, from);
    count = sign_keys_choose(keys, &author, signings);
    out[0] = '\0';
    for (size_t i = 0; i < count; i++)
        len += (size_t)snprintf(out + len, 256 - len, "%s%s:%s", i == 0 ? "" : " ",
                                signings[i].selector, signings[i].domain);
    return out;
}

static void test_choice(void **state)
{
    static const struct {
        const char *from, *signers;
    } cases[] = {
        {"a@example.com", "r:example.com e:example.com"},
        {"A <a@EXAMPLE.COM>", "r:example.com e:example.com"},
        {"a@sub.example.com", "below:example.com"},
        {"a@x.sub.example.com", "deep:x.sub.example.com"},
        {"a@example.net", "all:example.net"},
        {"a@sub.example.net", "all:sub.example.net"},
        /* not ours, or not for sure */
        {"a@example.org", ""},
        {"a@notexample.com", ""},
        {"a@com", ""},
        {"a@example.com, b@example.net", ""},
        {"a@example.com, b@example.org", ""},
        {"a@example.com, b@example.com", "r:example.com e:example.com"},
        {"nobody", ""},
        {"", ""},
    };
    struct sign_keys *keys;
    char out[256];

    (void)state;
    config.sign_count = 0;
    add_section("*", NULL, "all");
    add_section("example.com", NULL, "r");
    add_section("*.example.com", "example.com", "below");
    add_section("*.sub.example.com", NULL, "deep");
    add_section("example.com", NULL, "e");
    keys = keys_of_sections();
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_string_equal(signers(keys, cases[i].from, out), cases[i].signers);
    sign_keys_free(&keys);
    assert_null(keys);
}

static void test_two_from_fields(void **state)
{
    struct dkim_signing signings[CONFIG_SIGNATURES_MAX];
    struct author author = {.count = 0};
    struct sign_keys *keys;

    (void)state;
    config.sign_count = 0;
    add_section("*", NULL, "all");
    keys = keys_of_sections();
    author_field(&author, "a@example.com");
    assert_int_equal(sign_keys_choose(keys, &author, signings), 1);
    author_field(&author, "a@example.com");
    assert_int_equal(sign_keys_choose(keys, &author, signings), 0);
    sign_keys_free(&keys);
}

static void test_bad_keys(void **state)
{
    static char junk[] = "s3cret\n";
    struct config_errors errors = {0};

    (void)state;
    config.sign_count = 0;
    add_section("*", NULL, "good");
    add_section("*", NULL, "bad");
    add_section("example.com", NULL, "worse");
    sections[1].key = sections[2].key = junk;
    sections[2].line = 9;
    assert_int_equal(sign_keys_check(&config, &errors), -1);
    assert_int_equal(errors.count, 2);
    assert_int_equal(errors.items[0].line, 7);
    assert_int_equal(errors.items[1].line, 9);
    assert_non_null(strstr(errors.items[0].text, "sign: key_file "));
    assert_null(strstr(errors.items[0].text, "s3cret"));
    config_errors_fini(&errors);
    config.sign_count = 1;
    assert_int_equal(sign_keys_check(&config, &errors), 0);
    assert_int_equal(errors.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_choice),
        cmocka_unit_test(test_two_from_fields),
        cmocka_unit_test(test_bad_keys),
    };
    return cmocka_run_group_tests_name("sign_keys", tests, set_up, tear_down);
}
