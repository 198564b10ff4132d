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

#include <pthread.h>

#include <opendkim/dkim.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "common/base/buf.h"
#include "common/mailauth/dkim.h"
#include "tests/unit/fake_dns.h"

/* Messages are signed here by libopendkim with keys made for the run. */

#define FOLDED_SUBJECT " one\n  two\n\tthree  four "

struct field {
    const char *name, *value;
};

static const struct field header[] = {
    {"From", " Alice <alice@d.example>"}, {"To", " bob@home.example"},
    {"Subject", FOLDED_SUBJECT},          {"Date", " Fri, 20 Nov 2026 09:00:00 +0000"},
    {"X-Tight", "no space in front"},
};
#define HEADER_COUNT (sizeof(header) / sizeof(header[0]))
static const char body[] = "Hello.\r\n\r\nA second  paragraph. \r\n\r\n\r\n";

static struct dkim_library *library;
static struct fake_dns fake;

struct key {
    char *pem;
    char *record;
};
static struct key key2048, key512;

static struct key make_key(unsigned bits)
{
    EVP_PKEY *pkey = EVP_RSA_gen(bits);
    BIO *bio = BIO_new(BIO_s_mem());
    unsigned char *der = NULL, base64[2048];
    struct key key;
    char *text;

    assert_non_null(pkey);
    assert_int_equal(PEM_write_bio_PrivateKey_traditional(bio, pkey, NULL, NULL, 0, NULL, NULL), 1);
    long len = BIO_get_mem_data(bio, &text);
    key.pem = strndup(text, (size_t)len);
    int der_len = i2d_PUBKEY(pkey, &der);
    EVP_EncodeBlock(base64, der, der_len);
    struct buf record = {0};
    buf_printf(&record, "v=DKIM1; k=rsa; p=%s", (char *)base64);
    key.record = buf_steal(&record);
    OPENSSL_free(der);
    BIO_free(bio);
    EVP_PKEY_free(pkey);
    return key;
}

static void give_wire(DKIM *dkim, const char *name, const char *value)
{
    struct buf field = {0};

    buf_printf(&field, "%s:", name);
    for (; *value; value++) {
        if (*value == '\n')
            buf_putc(&field, '\r');
        buf_putc(&field, *value);
    }
    assert_int_equal(dkim_header(dkim, field.data, field.len), DKIM_STAT_OK);
    buf_fini(&field);
}

/* The DKIM-Signature's value as a milter gets it; to be freed. */
static char *sign(const struct key *key, const char *selector, int canon, int algorithm)
{
    DKIM_LIB *lib = dkim_init(NULL, NULL);
    unsigned bits = 512;
    DKIM_STAT status;
    unsigned char *value;
    size_t len;
    struct buf out = {0};

    dkim_options(lib, DKIM_OP_SETOPT, DKIM_OPTS_MINKEYBITS, &bits, sizeof(bits));
    DKIM *dkim = dkim_sign(lib, (const u_char *)"test", NULL, (dkim_sigkey_t)key->pem,
                           (const u_char *)selector, (const u_char *)"d.example", canon, canon,
                           algorithm, -1, &status);
    assert_non_null(dkim);
    for (size_t i = 0; i < HEADER_COUNT; i++)
        give_wire(dkim, header[i].name, header[i].value);
    assert_int_equal(dkim_eoh(dkim), DKIM_STAT_OK);
    assert_int_equal(dkim_body(dkim, (u_char *)(uintptr_t)body, sizeof(body) - 1), DKIM_STAT_OK);
    assert_int_equal(dkim_eom(dkim, NULL), DKIM_STAT_OK);
    assert_int_equal(dkim_getsighdr_d(dkim, strlen(DKIM_SIGNHEADER) + 2, &value, &len),
                     DKIM_STAT_OK);
    buf_putc(&out, ' ');
    for (size_t i = 0; i < len; i++) {
        if (value[i] != '\r')
            buf_putc(&out, (char)value[i]);
    }
    dkim_free(dkim);
    dkim_close(lib);
    return buf_steal(&out);
}

/* --- verifying ------------------------------------------------------------------- */

struct run {
    struct dkim_verifier *verifier;
    struct dns_budget budget;
};

static void begin(struct run *run, unsigned max)
{
    run->budget.left_ms = 1000;
    run->verifier = dkim_verifier_new(library, "s1", max, &fake.dns, &run->budget);
}

static void give_header(struct run *run)
{
    for (size_t i = 0; i < HEADER_COUNT; i++)
        dkim_verifier_header(run->verifier, header[i].name, header[i].value);
}

static const struct dkim_result *finish(struct run *run, const char *text, size_t *count_r)
{
    dkim_verifier_end_header(run->verifier);
    /* byte by byte: a CR LF may fall apart */
    for (; *text; text++)
        dkim_verifier_body(run->verifier, (const uint8_t *)text, 1);
    return dkim_verifier_finish(run->verifier, count_r);
}

static struct dkim_result verify_one(const char *signature)
{
    struct run run;
    size_t count;

    begin(&run, 10);
    dkim_verifier_header(run.verifier, "DKIM-Signature", signature);
    give_header(&run);
    const struct dkim_result *results = finish(&run, body, &count);
    assert_int_equal(count, 1);
    struct dkim_result result = results[0];
    dkim_verifier_free(&run.verifier);
    return result;
}

static void test_pass(void **state)
{
    static const int canons[] = {DKIM_CANON_SIMPLE, DKIM_CANON_RELAXED};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        char *signature = sign(&key2048, "good", canons[i], DKIM_SIGN_RSASHA256);
        struct dkim_result result = verify_one(signature);
        assert_string_equal(result.reason, "");
        assert_int_equal(result.result, AUTH_PASS);
        assert_string_equal(result.domain, "d.example");
        assert_string_equal(result.selector, "good");
        assert_string_equal(result.algorithm, "rsa-sha256");
        assert_int_equal(result.key_bits, 2048);
        assert_int_equal(strlen(result.signature), 8);
        assert_non_null(strstr(signature, result.signature));
        free(signature);
    }
}

static void test_keys(void **state)
{
    static const struct {
        const char *selector;
        enum auth_result result;
        const char *reason;
    } cases[] = {
        {"missing", AUTH_PERMERROR, "no key"},
        {"nodata", AUTH_PERMERROR, "no key"},
        {"broken", AUTH_TEMPERROR, "DNS, key: server failure"},
        {"bogus", AUTH_TEMPERROR, "DNS, key: DNSSEC validation failed"},
        {"slow", AUTH_TEMPERROR, "DNS, key: no answer in time"},
        {"two", AUTH_PERMERROR, "more than one key record"},
        {"long", AUTH_PERMERROR, "the key record is too long"},
        {"empty", AUTH_PERMERROR, NULL},
        {"revoked", AUTH_PERMERROR, NULL},
        {"garbage", AUTH_PERMERROR, NULL},
        {"nul", AUTH_PERMERROR, "the key record holds a NUL"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *signature =
            sign(&key2048, cases[i].selector, DKIM_CANON_RELAXED, DKIM_SIGN_RSASHA256);
        struct dkim_result result = verify_one(signature);
        assert_int_equal(result.result, cases[i].result);
        if (cases[i].reason)
            assert_string_equal(result.reason, cases[i].reason);
        assert_string_not_equal(result.reason, "");
        free(signature);
    }
}

static void test_weak(void **state)
{
    char *signature = sign(&key2048, "good", DKIM_CANON_RELAXED, DKIM_SIGN_RSASHA1);
    struct dkim_result result = verify_one(signature);

    (void)state;
    assert_int_equal(result.result, AUTH_POLICY);
    assert_string_equal(result.reason, "rsa-sha1 is obsolete");
    free(signature);
    signature = sign(&key512, "small", DKIM_CANON_RELAXED, DKIM_SIGN_RSASHA256);
    result = verify_one(signature);
    assert_int_equal(result.result, AUTH_POLICY);
    assert_string_not_equal(result.reason, "");
    free(signature);
}

static void test_changed(void **state)
{
    char *signature = sign(&key2048, "good", DKIM_CANON_SIMPLE, DKIM_SIGN_RSASHA256);
    struct run run;
    size_t count;

    (void)state;
    begin(&run, 10);
    dkim_verifier_header(run.verifier, "DKIM-Signature", signature);
    give_header(&run);
    const struct dkim_result *results = finish(&run, "Hello!\r\n", &count);
    assert_int_equal(results[0].result, AUTH_FAIL);
    assert_string_equal(results[0].reason, "body hash mismatch");
    dkim_verifier_free(&run.verifier);

    begin(&run, 10);
    dkim_verifier_header(run.verifier, "DKIM-Signature", signature);
    for (size_t i = 0; i < HEADER_COUNT; i++)
        dkim_verifier_header(run.verifier, header[i].name, i == 2 ? " changed" : header[i].value);
    results = finish(&run, body, &count);
    assert_int_equal(results[0].result, AUTH_FAIL);
    assert_string_equal(results[0].reason, "signature verification failed");
    dkim_verifier_free(&run.verifier);
    free(signature);
}

/* Whatever stands before, between and after: the good ones stay good, in order. */
static void test_bad_beside_good(void **state)
{
    static const char *const bad[] = {
        " garbage",
        "",
        " v=1",
        " v=1; a=rsa-sha256; d=; s=; b=; bh=; h=",
        " a=rsa-sha256; d=d.example; s=good; h=from; b=AAAA; bh=AAAA",
        " v=2; a=rsa-sha256; d=d.example; s=good; h=from; b=AAAA; bh=AAAA",
        " v=1; a=rsa-sha256; d=d.example; s=missing; h=from; b=AAAA; bh=AAAA",
        " v=1; a=rsa-sha256; d=d.example; s=broken; h=from; b=AAAA; bh=AAAA",
        " v=1; a=rsa-sha256; d=d.example; s=good; h=from; b=AAAA; bh=AAAA; l=0",
        " v=1; a=rsa-sha256; d=d.example; s=good; h=from; b=AAAA; bh=AAAA; l=x",
        " v=1; a=x-y; d=d.example; s=good; h=from; b=AAAA; bh=AAAA",
        " v=1; a=rsa-sha256; d=d.example; s=good; h=to; b=AAAA; bh=AAAA",
        " v=1; a=rsa-sha256; c=x/y; d=d.example; s=good; h=from; b=AAAA; bh=AAAA",
        " v=1; v=1; a=rsa-sha256; d=d.example; s=good; h=from; b=AAAA; bh=AAAA",
        " v=1; a=ed25519-sha256; d=d.example; s=good; h=from; b=AAAA; bh=AAAA",
        " v=1; a=rsa-sha256; d=d.example; s=good; h=from; b=====; bh====",
        " v=1; a=rsa-sha256; d=d.example; s=good; h=from; b=AAAA; bh=AAAA; t=1; x=2",
        " \xff\xfe; =; ;;; d=\x01",
    };
    char *signature = sign(&key2048, "good", DKIM_CANON_RELAXED, DKIM_SIGN_RSASHA256);

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct run run;
        size_t count;
        begin(&run, 10);
        dkim_verifier_header(run.verifier, "DKIM-Signature", bad[i]);
        dkim_verifier_header(run.verifier, "dkim-signature", signature);
        dkim_verifier_header(run.verifier, "DKIM-Signature", bad[i]);
        give_header(&run);
        const struct dkim_result *results = finish(&run, body, &count);
        assert_int_equal(count, 3);
        if (results[1].result != AUTH_PASS)
            fail_msg("hidden by \"%s\": %s", bad[i], results[1].reason);
        assert_string_equal(results[1].selector, "good");
        assert_int_not_equal(results[0].result, AUTH_PASS);
        assert_int_not_equal(results[2].result, AUTH_PASS);
        assert_string_not_equal(results[0].reason, "");
        dkim_verifier_free(&run.verifier);
    }
    free(signature);
}

static void test_cap(void **state)
{
    char *signature = sign(&key2048, "good", DKIM_CANON_RELAXED, DKIM_SIGN_RSASHA256);
    struct run run;
    size_t count;

    (void)state;
    fake.asked = 0;
    begin(&run, 5);
    for (int i = 0; i < 400; i++)
        dkim_verifier_header(run.verifier, "DKIM-Signature", signature);
    give_header(&run);
    const struct dkim_result *results = finish(&run, body, &count);
    assert_int_equal(count, 5);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(results[i].result, AUTH_PASS);
    assert_in_range(fake.asked, 1, 5);
    dkim_verifier_free(&run.verifier);

    begin(&run, 0);
    dkim_verifier_header(run.verifier, "DKIM-Signature", signature);
    give_header(&run);
    finish(&run, body, &count);
    assert_int_equal(count, 0);
    dkim_verifier_free(&run.verifier);
    free(signature);
}

/* RFC 5322 4.5.8: blanks before the colon. */
static void test_blanks_behind_names(void **state)
{
    char *signature = sign(&key2048, "good", DKIM_CANON_RELAXED, DKIM_SIGN_RSASHA256);
    static const char *const names[] = {"DKIM-Signature ", "DKIM-Signature\t"};
    static const char *const froms[] = {"From ", "From\t", "From \t"};
    struct run run;
    size_t count;

    (void)state;
    for (size_t n = 0; n < 2; n++) {
        fake.asked = 0;
        begin(&run, 5);
        for (int i = 0; i < 400; i++)
            dkim_verifier_header(run.verifier, names[n], signature);
        give_header(&run);
        const struct dkim_result *results = finish(&run, body, &count);
        assert_int_equal(count, 5);
        for (size_t i = 0; i < count; i++)
            assert_int_equal(results[i].result, AUTH_PASS);
        assert_in_range(fake.asked, 1, 5);
        dkim_verifier_free(&run.verifier);
    }

    /* the signature covers the last From */
    for (size_t n = 0; n < 3; n++) {
        begin(&run, 5);
        dkim_verifier_header(run.verifier, "DKIM-Signature", signature);
        give_header(&run);
        dkim_verifier_header(run.verifier, froms[n], " mallory@evil.example");
        const struct dkim_result *results = finish(&run, body, &count);
        assert_int_equal(count, 1);
        assert_int_equal(results[0].result, AUTH_FAIL);
        dkim_verifier_free(&run.verifier);
    }
    free(signature);
}

static void test_odd_messages(void **state)
{
    char *signature = sign(&key2048, "good", DKIM_CANON_RELAXED, DKIM_SIGN_RSASHA256);
    struct run run;
    size_t count;

    (void)state;
    /* unsigned, and empty */
    begin(&run, 10);
    give_header(&run);
    finish(&run, body, &count);
    assert_int_equal(count, 0);
    dkim_verifier_free(&run.verifier);
    begin(&run, 10);
    dkim_verifier_finish(run.verifier, &count);
    assert_int_equal(count, 0);
    dkim_verifier_free(&run.verifier);

    /* no From */
    begin(&run, 10);
    dkim_verifier_header(run.verifier, "DKIM-Signature", signature);
    dkim_verifier_header(run.verifier, "To", " bob@home.example");
    const struct dkim_result *results = finish(&run, body, &count);
    assert_int_equal(count, 1);
    assert_int_not_equal(results[0].result, AUTH_PASS);
    dkim_verifier_free(&run.verifier);

    /* 100 From, the signed one last */
    begin(&run, 10);
    dkim_verifier_header(run.verifier, "DKIM-Signature", signature);
    for (int i = 0; i < 99; i++)
        dkim_verifier_header(run.verifier, "From", " mallory@evil.example");
    give_header(&run);
    results = finish(&run, body, &count);
    assert_int_equal(count, 1);
    dkim_verifier_free(&run.verifier);

    free(signature);
}

static void test_odd_callers(void **state)
{
    char *signature = sign(&key2048, "good", DKIM_CANON_RELAXED, DKIM_SIGN_RSASHA256);
    const struct dkim_result *results;
    struct run run;
    size_t count;

    (void)state;
    /* thrown away at every stage */
    begin(&run, 10);
    dkim_verifier_free(&run.verifier);
    begin(&run, 10);
    dkim_verifier_header(run.verifier, "DKIM-Signature", signature);
    dkim_verifier_free(&run.verifier);
    begin(&run, 10);
    dkim_verifier_header(run.verifier, "DKIM-Signature", signature);
    give_header(&run);
    dkim_verifier_end_header(run.verifier);
    dkim_verifier_free(&run.verifier);

    /* in the wrong order */
    begin(&run, 10);
    dkim_verifier_body(run.verifier, (const uint8_t *)"x", 1);
    dkim_verifier_header(run.verifier, "DKIM-Signature", signature);
    give_header(&run);
    dkim_verifier_finish(run.verifier, &count);
    dkim_verifier_header(run.verifier, "DKIM-Signature", signature);
    dkim_verifier_end_header(run.verifier);
    dkim_verifier_body(run.verifier, (const uint8_t *)"x", 1);
    results = dkim_verifier_finish(run.verifier, &count);
    assert_int_equal(count, 1);
    assert_int_equal(results[0].result, AUTH_FAIL);
    dkim_verifier_free(&run.verifier);
    free(signature);
}

#define HUGE_SIZE 131072

static void test_sizes(void **state)
{
    char *signature = sign(&key2048, "good", DKIM_CANON_RELAXED, DKIM_SIGN_RSASHA256);
    char *huge = malloc(HUGE_SIZE);
    struct run run;
    size_t count;

    (void)state;
    memset(huge, ':', HUGE_SIZE);
    huge[HUGE_SIZE - 1] = 0;
    begin(&run, 10);
    dkim_verifier_header(run.verifier, "DKIM-Signature", huge);
    dkim_verifier_header(run.verifier, "DKIM-Signature", signature);
    dkim_verifier_header(run.verifier, "X-Huge", huge);
    give_header(&run);
    const struct dkim_result *results = finish(&run, body, &count);
    assert_int_equal(count, 2);
    assert_string_equal(results[0].reason, "the signature is too long");
    assert_int_equal(results[1].result, AUTH_PASS);
    dkim_verifier_free(&run.verifier);

    begin(&run, 10);
    dkim_verifier_header(run.verifier, "DKIM-Signature", signature);
    give_header(&run);
    for (int i = 0; i < DKIM_HEADERS_MAX / HUGE_SIZE + 1; i++)
        dkim_verifier_header(run.verifier, "X-Huge", huge);
    results = finish(&run, body, &count);
    assert_int_equal(results[0].result, AUTH_PERMERROR);
    assert_string_equal(results[0].reason, "the header is too large");
    dkim_verifier_free(&run.verifier);

    for (int more = 0; more < 2; more++) {
        begin(&run, 10);
        dkim_verifier_header(run.verifier, "DKIM-Signature", signature);
        give_header(&run);
        for (size_t i = HEADER_COUNT + 1; i < DKIM_FIELDS_MAX + (size_t)more; i++)
            dkim_verifier_header(run.verifier, "X", "");
        results = finish(&run, body, &count);
        assert_int_equal(results[0].result, more ? AUTH_PERMERROR : AUTH_PASS);
        assert_string_equal(results[0].reason, more ? "the header has too many fields" : "");
        dkim_verifier_free(&run.verifier);
    }
    free(huge);
    free(signature);
}

/* --- one library, many threads ------------------------------------------------ */

static void *verify_many(void *ctx)
{
    const char *signature = ctx;
    struct fake_dns own;
    uintptr_t passed = 0;

    fake_dns_init(&own);
    fake_dns_add(&own, "good._domainkey.d.example", DNS_TYPE_TXT, key2048.record);
    for (int i = 0; i < 20; i++) {
        struct dns_budget budget = {1000};
        struct run run = {.verifier = dkim_verifier_new(library, "s", 10, &own.dns, &budget)};
        size_t count;
        dkim_verifier_header(run.verifier, "DKIM-Signature", signature);
        give_header(&run);
        passed += finish(&run, body, &count)[0].result == AUTH_PASS;
        dkim_verifier_free(&run.verifier);
    }
    fake_dns_fini(&own);
    return (void *)passed;
}

static void test_threads(void **state)
{
    char *signature = sign(&key2048, "good", DKIM_CANON_RELAXED, DKIM_SIGN_RSASHA256);
    pthread_t threads[8];

    (void)state;
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, verify_many, signature), 0);
    for (size_t i = 0; i < 8; i++) {
        void *passed;
        pthread_join(threads[i], &passed);
        assert_int_equal((uintptr_t)passed, 20);
    }
    free(signature);
}

static int set_up(void **state)
{
    struct error error;
    char *long_record = malloc(9000);

    (void)state;
    memset(long_record, 'A', 8999);
    memcpy(long_record, "v=DKIM1; p=", 11);
    long_record[8999] = 0;
    library = dkim_library_new(&error);
    assert_non_null(library);
    key2048 = make_key(2048);
    key512 = make_key(512);
    fake_dns_init(&fake);
    fake_dns_add(&fake, "good._domainkey.d.example", DNS_TYPE_TXT, key2048.record);
    fake_dns_add(&fake, "small._domainkey.d.example", DNS_TYPE_TXT, key512.record);
    fake_dns_add(&fake, "two._domainkey.d.example", DNS_TYPE_TXT, key2048.record);
    fake_dns_add(&fake, "two._domainkey.d.example", DNS_TYPE_TXT, key512.record);
    fake_dns_add(&fake, "nodata._domainkey.d.example", DNS_TYPE_A, "192.0.2.1");
    fake_dns_add(&fake, "long._domainkey.d.example", DNS_TYPE_TXT, long_record);
    fake_dns_add(&fake, "empty._domainkey.d.example", DNS_TYPE_TXT, "");
    fake_dns_add(&fake, "revoked._domainkey.d.example", DNS_TYPE_TXT, "v=DKIM1; p=");
    fake_dns_add(&fake, "garbage._domainkey.d.example", DNS_TYPE_TXT, "v=DKIM1; p=%%%%; k=\xff");
    fake_dns_add_txt(&fake, "nul._domainkey.d.example", "v=DKIM1; p=\0A", 13);
    fake_dns_fail(&fake, "broken._domainkey.d.example", 0, DNS_SERVFAIL);
    fake_dns_fail(&fake, "bogus._domainkey.d.example", 0, DNS_BOGUS);
    fake_dns_fail(&fake, "slow._domainkey.d.example", 0, DNS_TIMEOUT);
    free(long_record);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fake_dns_fini(&fake);
    dkim_library_free(&library);
    free(key2048.pem);
    free(key2048.record);
    free(key512.pem);
    free(key512.record);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pass),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_weak),
        cmocka_unit_test(test_changed),
        cmocka_unit_test(test_bad_beside_good),
        cmocka_unit_test(test_cap),
        cmocka_unit_test(test_blanks_behind_names),
        cmocka_unit_test(test_odd_messages),
        cmocka_unit_test(test_odd_callers),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_threads),

    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
