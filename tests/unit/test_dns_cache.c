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

#include "common/base/mem.h"
#include "common/net/dns_cache.h"

static int64_t now_ms;

static int64_t tell_ms(const struct clock *clock)
{
    (void)clock;
    return now_ms;
}

static const struct clock clock_fake = {.wall_ms = tell_ms, .mono_ms = tell_ms};

static int set_up(void **state)
{
    now_ms = 1000;
    *state = dns_cache_new(&clock_fake);
    return 0;
}

static int tear_down(void **state)
{
    struct dns_cache *cache = *state;

    dns_cache_free(&cache);
    return 0;
}

static struct dns_answer txt_of(const char *text, uint32_t ttl_sec)
{
    struct dns_answer answer = {.status = DNS_FOUND, .ttl_sec = ttl_sec, .count = 1};

    answer.records = x_calloc(1, sizeof(answer.records[0]));
    answer.records[0].txt = (uint8_t *)x_strdup(text);
    answer.records[0].txt_len = strlen(text);
    return answer;
}

static void keep(struct dns_cache *cache, const char *name, uint16_t type, struct dns_answer answer)
{
    const struct dns_question question = {name, type};

    dns_cache_keep(cache, &question, 1, &answer);
    dns_answer_fini(&answer);
}

static bool is_kept(struct dns_cache *cache, const char *name, uint16_t type)
{
    const struct dns_question question = {name, type};
    struct dns_answer answer = {0};
    bool found = dns_cache_find(cache, &question, 1, &answer);

    dns_answer_fini(&answer);
    return found;
}

static void test_copies(void **state)
{
    const struct dns_question question = {"mail.example.net", DNS_TYPE_MX};
    struct dns_record records[2] = {{.preference = 10, .name = x_strdup("mx.example.net")},
                                    {.preference = 20, .name = x_strdup("b.example.net")}};
    const struct dns_answer answer = {DNS_FOUND, 60, records, 2};
    struct dns_answer found = {0};

    dns_cache_keep(*state, &question, 1, &answer);
    for (int round = 0; round < 2; round++) {
        assert_true(dns_cache_find(*state, &question, 1, &found));
        assert_int_equal(found.status, DNS_FOUND);
        assert_int_equal(found.count, 2);
        assert_int_equal(found.records[1].preference, 20);
        assert_string_equal(found.records[1].name, "b.example.net");
        assert_ptr_not_equal(found.records[1].name, records[1].name);
        dns_answer_fini(&found);
    }
    free(records[0].name);
    free(records[1].name);
}

static void test_octets(void **state)
{
    const struct dns_question question = {"a.example.net", DNS_TYPE_TXT};
    struct dns_record record = {.txt = (uint8_t *)x_strdup("a.b"), .txt_len = 3};
    const struct dns_answer answer = {DNS_FOUND, 60, &record, 1};
    struct dns_answer found = {0};

    record.txt[1] = 0;
    dns_cache_keep(*state, &question, 1, &answer);
    free(record.txt);
    assert_true(dns_cache_find(*state, &question, 1, &found));
    assert_int_equal(found.records[0].txt_len, 3);
    assert_memory_equal(found.records[0].txt, "a\0b", 4);
    dns_answer_fini(&found);
}

static void test_names(void **state)
{
    keep(*state, "Mail.Example.NET.", DNS_TYPE_TXT, txt_of("x", 60));
    assert_true(is_kept(*state, "mail.example.net", DNS_TYPE_TXT));
    assert_true(is_kept(*state, "MAIL.example.net.", DNS_TYPE_TXT));
    assert_false(is_kept(*state, "mail.example.net", DNS_TYPE_A));
    assert_false(is_kept(*state, "ail.example.net", DNS_TYPE_TXT));
    assert_false(is_kept(*state, "", DNS_TYPE_TXT));
    /* The last dot is escaped: another name. */
    assert_false(is_kept(*state, "mail.example.net\\.", DNS_TYPE_TXT));

    char name[5000];
    memset(name, 'x', sizeof(name));
    name[sizeof(name) - 1] = 0;
    keep(*state, name, DNS_TYPE_TXT, txt_of("x", 60));
    assert_false(is_kept(*state, name, DNS_TYPE_TXT));
}

static void test_time(void **state)
{
    const struct dns_question question = {"a.net", DNS_TYPE_TXT};
    struct dns_answer found = {0};

    keep(*state, "a.net", DNS_TYPE_TXT, txt_of("x", 60));
    keep(*state, "b.net", DNS_TYPE_TXT, txt_of("x", 0));
    keep(*state, "c.net", DNS_TYPE_TXT, txt_of("x", UINT32_MAX));
    assert_false(is_kept(*state, "b.net", DNS_TYPE_TXT));
    now_ms += 59500;
    assert_true(dns_cache_find(*state, &question, 1, &found));
    assert_int_equal(found.ttl_sec, 1);
    dns_answer_fini(&found);
    now_ms += 500;
    assert_false(is_kept(*state, "a.net", DNS_TYPE_TXT));
    now_ms = 1000 + DNS_CACHE_TTL_MAX * 1000 - 1;
    assert_true(is_kept(*state, "c.net", DNS_TYPE_TXT));
    now_ms++;
    assert_false(is_kept(*state, "c.net", DNS_TYPE_TXT));
    /* A new answer takes the place of the old one. */
    keep(*state, "a.net", DNS_TYPE_TXT, txt_of("y", 60));
    assert_true(dns_cache_find(*state, &question, 1, &found));
    assert_string_equal(found.records[0].txt, "y");
    dns_answer_fini(&found);
}

static void test_no_and_cannot_say(void **state)
{
    for (enum dns_status status = DNS_NXDOMAIN; status <= DNS_BOGUS; status++) {
        keep(*state, "a.net", DNS_TYPE_A, (struct dns_answer){.status = status, .ttl_sec = 60});
        assert_int_equal(is_kept(*state, "a.net", DNS_TYPE_A),
                         status == DNS_NXDOMAIN || status == DNS_NODATA);
        now_ms += 60000;
    }
    /* A failure does not take away what is known. */
    keep(*state, "a.net", DNS_TYPE_TXT, txt_of("x", 60));
    keep(*state, "a.net", DNS_TYPE_TXT, (struct dns_answer){.status = DNS_TIMEOUT});
    assert_true(is_kept(*state, "a.net", DNS_TYPE_TXT));
}

static void test_all_or_none(void **state)
{
    const struct dns_question questions[2] = {{"a.net", DNS_TYPE_TXT}, {"b.net", DNS_TYPE_TXT}};
    struct dns_answer found[2] = {0};

    keep(*state, "a.net", DNS_TYPE_TXT, txt_of("a", 60));
    assert_false(dns_cache_find(*state, questions, 2, found));
    assert_null(found[0].records);
    keep(*state, "b.net", DNS_TYPE_TXT, txt_of("b", 60));
    assert_true(dns_cache_find(*state, questions, 2, found));
    assert_string_equal(found[0].records[0].txt, "a");
    assert_string_equal(found[1].records[0].txt, "b");
    dns_answer_fini(&found[0]);
    dns_answer_fini(&found[1]);
}

static void test_limits(void **state)
{
    char text[DNS_CACHE_ANSWER_MAX + 1], name[32];

    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = 0;
    keep(*state, "long.net", DNS_TYPE_TXT, txt_of(text, 60));
    assert_false(is_kept(*state, "long.net", DNS_TYPE_TXT));

    text[8000] = 0;
    keep(*state, "asked.net", DNS_TYPE_TXT, txt_of("x", 60));
    keep(*state, "forgotten.net", DNS_TYPE_TXT, txt_of("x", 60));
    for (unsigned i = 0; i < 2 * DNS_CACHE_BYTES_MAX / 8000; i++) {
        snprintf(name, sizeof(name), "%u.net", i);
        keep(*state, name, DNS_TYPE_TXT, txt_of(text, 60));
        assert_true(is_kept(*state, name, DNS_TYPE_TXT));
        assert_true(is_kept(*state, "asked.net", DNS_TYPE_TXT));
    }
    assert_false(is_kept(*state, "forgotten.net", DNS_TYPE_TXT));
    assert_false(is_kept(*state, "0.net", DNS_TYPE_TXT));
    /* Half of them fit, less what each takes beside its text. */
    unsigned kept = 0;
    for (unsigned i = 0; i < 2 * DNS_CACHE_BYTES_MAX / 8000; i++) {
        snprintf(name, sizeof(name), "%u.net", i);
        kept += is_kept(*state, name, DNS_TYPE_TXT);
    }
    assert_in_range(kept, DNS_CACHE_BYTES_MAX / 8500, DNS_CACHE_BYTES_MAX / 8000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_copies, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_octets, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_and_cannot_say, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_all_or_none, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_limits, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
