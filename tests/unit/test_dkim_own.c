/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/mailauth/dkim_own.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/dkim_fixture.h"
#include "tests/unit/unit.h"

static void test_own(void **state)
{
    const struct dkim_signing signings[] = {ed25519, rsa};
    const struct dkim_signing elsewhere = {"sub.d.example", "2026a", rsa.key};
    struct dkim_own own;
    struct dkim_result results[10];
    struct mail mail = plain_mail();

    (void)state;
    dkim_own_init(&own, signings, 2);
    size_t count = verify_by(&mail, &own.dns, results);
    assert_false(dkim_own_has_signed(&rsa, results, count));
    char *value = sign(&mail, &rsa);
    add_field(&mail, "DKIM-Signature", value);
    add_field(&mail, "DKIM-Signature", " garbage");
    add_field(&mail, "DKIM-Signature",
              " v=1; a=rsa-sha256; d=evil.example; s=2026a; h=from; b=AAAA; bh=AAAA");
    count = verify_by(&mail, &own.dns, results);
    assert_int_equal(count, 3);
    assert_true(dkim_own_has_signed(&rsa, results, count));
    assert_false(dkim_own_has_signed(&ed25519, results, count));
    assert_false(dkim_own_has_signed(&elsewhere, results, count));
    mail.body_len -= 10;
    count = verify_by(&mail, &own.dns, results);
    assert_false(dkim_own_has_signed(&rsa, results, count));
    free(value);
}

/* Another's key under our name is not ours. */
static void test_not_own(void **state)
{
    struct error error;
    struct dkim_signkey *key = dkim_signkey_generate(DKIM_SIGNKEY_RSA, 1024, &error);
    const struct dkim_signing forged = {rsa.domain, rsa.selector, key};
    struct mail mail = plain_mail();
    struct dkim_result results[10];
    struct dkim_own own;

    (void)state;
    char *value = sign(&mail, &forged);
    add_field(&mail, "DKIM-Signature", value);
    dkim_own_init(&own, &rsa, 1);
    size_t count = verify_by(&mail, &own.dns, results);
    assert_int_equal(results[0].result, AUTH_FAIL);
    assert_false(dkim_own_has_signed(&rsa, results, count));
    free(value);
    dkim_signkey_free(&key);
}

static void test_own_names(void **state)
{
    static const struct {
        const char *name;
        uint16_t type;
        enum dns_status status;
    } cases[] = {
        {"2026a._domainkey.d.example", DNS_TYPE_TXT, DNS_FOUND},
        {"2026A._DomainKey.D.example.", DNS_TYPE_TXT, DNS_FOUND},
        {"2026b._domainkey.d.example", DNS_TYPE_TXT, DNS_NXDOMAIN},
        {"2026a._domainkey.d.example", DNS_TYPE_A, DNS_NXDOMAIN},
        {"2026a._domainkey.d.example.org", DNS_TYPE_TXT, DNS_NXDOMAIN},
        {"2026a._domainkey.d.exampl", DNS_TYPE_TXT, DNS_NXDOMAIN},
        {"x2026a._domainkey.d.example", DNS_TYPE_TXT, DNS_NXDOMAIN},
        {"", DNS_TYPE_TXT, DNS_NXDOMAIN},
    };
    struct dns_question questions[COUNT(cases)];
    struct dns_answer answers[COUNT(cases)];
    struct dns_budget budget = {0};
    struct dkim_own own;

    (void)state;
    dkim_own_init(&own, &rsa, 1);
    for (size_t i = 0; i < COUNT(cases); i++)
        questions[i] = (struct dns_question){cases[i].name, cases[i].type};
    dns_ask(&own.dns, questions, COUNT(cases), &budget, answers);
    for (size_t i = 0; i < COUNT(cases); i++) {
        CASE(cases[i].name, answers[i].status == cases[i].status);
        CASE(cases[i].name, answers[i].count == (cases[i].status == DNS_FOUND));
        dns_answer_fini(&answers[i]);
    }
}

/* --- one key, many threads ------------------------------------------------------------------ */

static void *sign_many(void *ctx)
{
    const struct dkim_signing signings[] = {rsa, ed25519};
    uintptr_t verified = 0;

    (void)ctx;
    for (int i = 0; i < 20; i++) {
        struct mail mail = plain_mail();
        struct buf values[2] = {{0}, {0}};
        struct dkim_result results[10];
        struct dkim_own own;
        struct error error;
        dkim_own_init(&own, signings, 2);
        if (try_sign(&mail, signings, 2, 1000, values, &error) < 0)
            return NULL;
        add_field(&mail, "DKIM-Signature", buf_str(&values[0]));
        add_field(&mail, "DKIM-Signature", buf_str(&values[1]));
        size_t count = verify_by(&mail, &own.dns, results);
        verified += dkim_own_has_signed(&rsa, results, count);
        verified += dkim_own_has_signed(&ed25519, results, count);
        buf_fini(&values[0]);
        buf_fini(&values[1]);
    }
    return (void *)verified;
}

static void test_threads(void **state)
{
    pthread_t threads[8];

    (void)state;
    for (size_t i = 0; i < COUNT(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, sign_many, NULL), 0);
    for (size_t i = 0; i < COUNT(threads); i++) {
        void *verified;
        pthread_join(threads[i], &verified);
        assert_int_equal((uintptr_t)verified, 40);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own),
        cmocka_unit_test(test_not_own),
        cmocka_unit_test(test_own_names),
        cmocka_unit_test(test_threads),
    };

    return cmocka_run_group_tests_name("dkim_own", tests, dkim_fixture_set_up,
                                       dkim_fixture_tear_down);
}
