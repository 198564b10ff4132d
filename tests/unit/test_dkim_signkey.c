/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/mailauth/dkim_signkey.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "common/base/buf.h"
#include "common/base/str.h"
#include "tests/unit/unit.h"

/* The sample key of RFC 8463 A.2: its seed, behind what PKCS#8 puts before it, and its record. */
static const char sample_key[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"
    "-----END PRIVATE KEY-----\n";
static const char sample_record[] =
    "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";

enum form { FORM_PKCS8, FORM_TRADITIONAL, FORM_ENCRYPTED, FORM_PUBLIC };

/* The PEM of pkey, which it frees. */
static char *pem_of(EVP_PKEY *pkey, enum form form)
{
    BIO *bio = BIO_new(BIO_s_mem());
    unsigned char pass[] = "secret";
    char *text, *pem;
    int ok = 0;

    assert_non_null(pkey);
    if (form == FORM_TRADITIONAL)
        ok = PEM_write_bio_PrivateKey_traditional(bio, pkey, NULL, NULL, 0, NULL, NULL);
    else if (form == FORM_PUBLIC)
        ok = PEM_write_bio_PUBKEY(bio, pkey);
    else
        ok = PEM_write_bio_PKCS8PrivateKey(bio, pkey,
                                           form == FORM_ENCRYPTED ? EVP_aes_128_cbc() : NULL,
                                           (char *)pass, 6, NULL, NULL);
    assert_int_equal(ok, 1);
    long len = BIO_get_mem_data(bio, &text);
    pem = strndup(text, (size_t)len);
    BIO_free(bio);
    EVP_PKEY_free(pkey);
    return pem;
}

static char *record_of(const struct dkim_signkey *key)
{
    struct buf record = {0};

    dkim_signkey_record(key, &record);
    return buf_steal(&record);
}

static bool has_pem(const struct dkim_signkey *key, const char *wanted)
{
    char *pem = dkim_signkey_pem(key);
    bool is_it = str_eq(pem, wanted);

    free(pem);
    return is_it;
}

static void test_sample(void **state)
{
    struct error error;
    struct dkim_signkey *key = dkim_signkey_parse(sample_key, &error);
    struct buf out = {0};

    (void)state;
    assert_non_null(key);
    assert_int_equal(dkim_signkey_type(key), DKIM_SIGNKEY_ED25519);
    assert_string_equal(dkim_signkey_algorithm(key), "ed25519-sha256");
    assert_true(has_pem(key, sample_key));
    dkim_signkey_record(key, &out);
    assert_string_equal(buf_str(&out), sample_record);
    buf_reset(&out);
    dkim_signkey_zone_line(key, "football.example.com", "brisbane", &out);
    assert_string_equal(buf_str(&out),
                        "brisbane._domainkey.football.example.com. IN TXT "
                        "\"v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\"");
    buf_fini(&out);
    dkim_signkey_free(&key);
    assert_null(key);
    dkim_signkey_free(&key);
}

/* p= is what OpenSSL says is the public half, from either form, and whatever stands around it. */
static void test_rsa(void **state)
{
    static const unsigned bits[] = {1024, 2048, 4096};

    (void)state;
    for (size_t i = 0; i < COUNT(bits); i++) {
        EVP_PKEY *pkey = EVP_RSA_gen(bits[i]);
        unsigned char *der = NULL, base64[2048];
        struct error error;
        int der_len = i2d_PUBKEY(pkey, &der);
        EVP_EncodeBlock(base64, der, der_len);
        EVP_PKEY_up_ref(pkey);
        char *forms[] = {pem_of(pkey, FORM_TRADITIONAL), pem_of(pkey, FORM_PKCS8)};
        for (size_t f = 0; f < COUNT(forms); f++) {
            struct buf file = {0};
            buf_printf(&file, "the key of mail\n\n%s\n# end\n", forms[f]);
            struct dkim_signkey *key = dkim_signkey_parse(buf_str(&file), &error);
            assert_non_null(key);
            assert_int_equal(dkim_signkey_bits(key), bits[i]);
            assert_string_equal(dkim_signkey_algorithm(key), "rsa-sha256");
            assert_true(has_pem(key, forms[1]));
            char *record = record_of(key);
            assert_true(str_has_prefix(record, "v=DKIM1; k=rsa; p="));
            assert_string_equal(record + 18, (char *)base64);
            free(record);
            dkim_signkey_free(&key);
            buf_fini(&file);
            free(forms[f]);
        }
        OPENSSL_free(der);
    }
}

static void check_refused(char *pem, const char *reason)
{
    struct error error = {0};

    if (dkim_signkey_parse(pem, &error))
        fail_msg("taken, though \"%s\"", reason);
    assert_string_equal(error.text, reason);
    assert_int_equal(error.code, ERROR_CONFIG);
    free(pem);
}

static void test_refused(void **state)
{
    static const char none[] = "the file holds no private key in PEM";
    static const char encrypted[] =
        "an encrypted key: nobody is there to type its passphrase; one without is right";

    (void)state;
    check_refused(strdup(""), none);
    check_refused(strdup("swordfish\n"), none);
    check_refused(strdup("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"), none);
    check_refused(strdup("-----BEGIN PRIVATE KEY-----\n"), none);
    check_refused(pem_of(EVP_RSA_gen(2048), FORM_PUBLIC), none);
    check_refused(pem_of(EVP_RSA_gen(2048), FORM_ENCRYPTED), encrypted);
    check_refused(pem_of(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), FORM_ENCRYPTED), encrypted);
    check_refused(pem_of(EVP_RSA_gen(512), FORM_PKCS8),
                  "an rsa key of 512 bits; at least 1024 are needed");
    check_refused(pem_of(EVP_RSA_gen(1023), FORM_PKCS8),
                  "an rsa key of 1023 bits; at least 1024 are needed");
    check_refused(pem_of(EVP_RSA_gen(4104), FORM_PKCS8),
                  "an rsa key of 4104 bits; at most 4096 are taken");
    check_refused(pem_of(EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256"), FORM_PKCS8),
                  "a key of type id-ecPublicKey; rsa or ed25519 is right");
    check_refused(pem_of(EVP_PKEY_Q_keygen(NULL, NULL, "X25519"), FORM_PKCS8),
                  "a key of type X25519; rsa or ed25519 is right");
}

/* The old form of encryption, with its header lines. */
static void test_encrypted_traditional(void **state)
{
    BIO *bio = BIO_new(BIO_s_mem());
    EVP_PKEY *pkey = EVP_RSA_gen(2048);
    unsigned char pass[] = "secret";
    char *text;

    (void)state;
    assert_int_equal(
        PEM_write_bio_PrivateKey_traditional(bio, pkey, EVP_aes_128_cbc(), pass, 6, NULL, NULL), 1);
    long len = BIO_get_mem_data(bio, &text);
    check_refused(strndup(text, (size_t)len),
                  "an encrypted key: nobody is there to type its passphrase; one without is right");
    BIO_free(bio);
    EVP_PKEY_free(pkey);
}

/* A modulus that is not that of the primes: the public half would be published, and be wrong. */
static void test_damaged(void **state)
{
    EVP_PKEY *pkey = EVP_RSA_gen(2048);
    unsigned char *der = NULL;
    int len = i2d_PrivateKey(pkey, &der);
    unsigned char *base64 = malloc((size_t)len * 2);
    struct buf pem = {0};

    (void)state;
    der[100] ^= 1; /* within the modulus, which begins at 11 */
    EVP_EncodeBlock(base64, der, len);
    buf_puts(&pem, "-----BEGIN RSA PRIVATE KEY-----\n");
    for (size_t at = 0; at < strlen((char *)base64); at += 64)
        buf_printf(&pem, "%.64s\n", (char *)base64 + at);
    buf_puts(&pem, "-----END RSA PRIVATE KEY-----\n");
    check_refused(buf_steal(&pem), "a damaged key: it does not verify what it signs");
    free(base64);
    OPENSSL_free(der);
    EVP_PKEY_free(pkey);
}

/* Every prefix of a file, as of a full disk, is refused. */
static void test_cut(void **state)
{
    struct error error;

    (void)state;
    for (size_t len = 0; len < sizeof(sample_key) - 2; len++) {
        char *pem = strndup(sample_key, len);
        assert_null(dkim_signkey_parse(pem, &error));
        free(pem);
    }
}

static void test_generate(void **state)
{
    static const struct {
        enum dkim_signkey_type type;
        unsigned bits;
        unsigned bits_wanted;
    } cases[] = {{DKIM_SIGNKEY_RSA, 1024, 1024},
                 {DKIM_SIGNKEY_RSA, 2048, 2048},
                 {DKIM_SIGNKEY_ED25519, 0, 256}};

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct error error;
        struct dkim_signkey *key = dkim_signkey_generate(cases[i].type, cases[i].bits, &error);
        struct dkim_signkey *other = dkim_signkey_generate(cases[i].type, cases[i].bits, &error);
        char *pem = dkim_signkey_pem(key);
        struct dkim_signkey *again = dkim_signkey_parse(pem, &error);
        char *record = record_of(key), *same = record_of(again), *different = record_of(other);

        assert_int_equal(dkim_signkey_type(key), cases[i].type);
        assert_int_equal(dkim_signkey_bits(key), cases[i].bits_wanted);
        assert_string_equal(record, same);
        assert_string_not_equal(record, different);
        free(pem);
        free(record);
        free(same);
        free(different);
        dkim_signkey_free(&key);
        dkim_signkey_free(&other);
        dkim_signkey_free(&again);
    }
}

static void test_generate_refused(void **state)
{
    struct error error;

    (void)state;
    assert_null(dkim_signkey_generate(DKIM_SIGNKEY_RSA, 512, &error));
    assert_string_equal(error.text, "an rsa key of 512 bits; at least 1024 are needed");
    assert_null(dkim_signkey_generate(DKIM_SIGNKEY_RSA, 0, &error));
    assert_string_equal(error.text, "OpenSSL makes no such key");
}

/* Both are deterministic, and as long as the key makes them. */
static void test_sign(void **state)
{
    const unsigned char hash[DKIM_HASH_LEN] = {1, 2, 3};
    struct error error;
    struct dkim_signkey *keys[] = {dkim_signkey_parse(sample_key, &error),
                                   dkim_signkey_generate(DKIM_SIGNKEY_RSA, 4096, &error)};
    const size_t lens[] = {88, 684};

    (void)state;
    for (size_t i = 0; i < COUNT(keys); i++) {
        struct buf first = {0}, second = {0};
        assert_int_equal(dkim_signkey_sign(keys[i], hash, &first, &error), 0);
        assert_int_equal(dkim_signkey_sign(keys[i], hash, &second, &error), 0);
        assert_int_equal(first.len, lens[i]);
        assert_string_equal(buf_str(&first), buf_str(&second));
        buf_fini(&first);
        buf_fini(&second);
        dkim_signkey_free(&keys[i]);
    }
}

/* The strings of a long record are its text, each of at most 255 bytes. */
static void test_zone_line(void **state)
{
    struct error error;
    struct dkim_signkey *key = dkim_signkey_generate(DKIM_SIGNKEY_RSA, 4096, &error);
    char *record = record_of(key);
    struct buf line = {0}, joined = {0};
    size_t strings = 0;

    (void)state;
    dkim_signkey_zone_line(key, "example.com", "s1", &line);
    const char *p = buf_str(&line);
    assert_true(str_has_prefix(p, "s1._domainkey.example.com. IN TXT \""));
    for (p = strchr(p, '"'); p; p = strchr(p, '"')) {
        size_t len = strcspn(++p, "\"");
        assert_in_range(len, 1, 255);
        buf_put(&joined, p, len);
        p += len + 1;
        strings++;
    }
    assert_string_equal(buf_str(&joined), record);
    assert_int_equal(strings, 3);
    free(record);
    buf_fini(&line);
    buf_fini(&joined);
    dkim_signkey_free(&key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sample),   cmocka_unit_test(test_rsa),
        cmocka_unit_test(test_refused),  cmocka_unit_test(test_encrypted_traditional),
        cmocka_unit_test(test_damaged),  cmocka_unit_test(test_cut),
        cmocka_unit_test(test_generate), cmocka_unit_test(test_generate_refused),
        cmocka_unit_test(test_sign),     cmocka_unit_test(test_zone_line),
    };

    return cmocka_run_group_tests_name("dkim_signkey", tests, NULL, NULL);
}
