/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/buf.h"
#include "common/mailauth/spf.h"
#include "tests/unit/fake_dns.h"
#include "tests/unit/unit.h"

/* Records and names that are meant to hurt; the same for each engine, in a program of its own. */
#ifndef ENGINE
#define ENGINE "rfc7208"
#endif

static struct fake_dns fake;

static int set_up(void **state)
{
    (void)state;
    fake_dns_init(&fake);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fake_dns_fini(&fake);
    return 0;
}

static struct spf_check verify(const char *sender)
{
    struct spf_request request = {.helo = "", .sender = sender, .receiver = "mx.home.example"};
    struct dns_budget budget = {1000};
    struct spf_verdict verdict;

    assert_int_equal(addr_parse("192.0.2.9", &request.client), 0);
    spf_verify(spf_engine_find(ENGINE), &request, &fake.dns, &budget, &verdict);
    return verdict.mailfrom;
}

/* Names that lead back to where they came from: each ends, soon, and in no pass. */
static void test_loops(void **state)
{
    static const struct {
        const char *name;
        const char *records[3]; /* of a.example, b.example, c.example */
        enum auth_result result;
    } cases[] = {
        {"include of itself", {"v=spf1 include:a.example +all"}, AUTH_PERMERROR},
        {"redirect to itself", {"v=spf1 redirect=a.example"}, AUTH_PERMERROR},
        {"two includes",
         {"v=spf1 include:b.example +all", "v=spf1 include:a.example +all"},
         AUTH_PERMERROR},
        {"two redirects",
         {"v=spf1 redirect=b.example", "v=spf1 redirect=a.example"},
         AUTH_PERMERROR},
        {"include and redirect",
         {"v=spf1 include:b.example +all", "v=spf1 redirect=a.example"},
         AUTH_PERMERROR},
        {"a ring of three",
         {"v=spf1 include:b.example +all", "v=spf1 redirect=c.example",
          "v=spf1 ?include:a.example +all"},
         AUTH_PERMERROR},
        {"includes that fan out",
         {"v=spf1 include:b.example include:c.example +all",
          "v=spf1 include:c.example include:a.example", "v=spf1 include:a.example ?all"},
         AUTH_PERMERROR},
        {"a macro that names the domain itself", {"v=spf1 include:%{d} +all"}, AUTH_PERMERROR},
        {"an explanation that is the record", {"v=spf1 -all exp=a.example"}, AUTH_FAIL},
        {"ptr", {"v=spf1 ptr:a.example -all"}, AUTH_FAIL},
        {"aliases", {"v=spf1 a:ring1.example mx:ring1.example +all"}, AUTH_TEMPERROR},
        {"aliases of a record", {"v=spf1 include:ring1.example +all"}, AUTH_TEMPERROR},
        {"aliases of exchangers", {"v=spf1 mx:exchange.example +all"}, AUTH_TEMPERROR},
    };
    static const char *const names[] = {"a.example", "b.example", "c.example"};

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        fake_dns_fini(&fake);
        fake_dns_init(&fake);
        for (size_t n = 0; n < COUNT(names) && cases[i].records[n]; n++)
            fake_dns_add(&fake, names[n], DNS_TYPE_TXT, cases[i].records[n]);
        fake_dns_add(&fake, "ring1.example", FAKE_CNAME, "ring2.example");
        fake_dns_add(&fake, "ring2.example", FAKE_CNAME, "ring1.example");
        fake_dns_add(&fake, "exchange.example", DNS_TYPE_MX, "10 ring1.example");
        fake_dns_add(&fake, "9.2.0.192.in-addr.arpa", FAKE_CNAME, "9.2.0.192.in-addr.arpa");
        struct spf_check got = verify("bob@a.example");
        CASE(cases[i].name, got.result == cases[i].result);
        CASE(cases[i].name, fake.asked <= 1 + SPF_LOOKUPS_MAX);
    }
}

static void test_300_includes(void **state)
{
    struct buf record = {0};

    (void)state;
    buf_puts(&record, "v=spf1");
    for (int i = 0; i < 300; i++)
        buf_printf(&record, " include:i%d.example", i);
    buf_puts(&record, " +all");
    fake_dns_add(&fake, "d.example", DNS_TYPE_TXT, buf_str(&record));
    for (int i = 0; i < 300; i++) {
        char name[32];
        snprintf(name, sizeof(name), "i%d.example", i);
        fake_dns_add(&fake, name, DNS_TYPE_TXT, i % 2 ? "v=spf1 ?all" : buf_str(&record));
    }
    assert_int_equal(verify("bob@d.example").result, AUTH_PERMERROR);
    assert_true(fake.asked <= 1 + SPF_LOOKUPS_MAX);
    buf_fini(&record);
}

/* As long as DNS can carry one. What stands in front does not count either. */
static void test_records_of_64_kilobytes(void **state)
{
    static const char *const first[] = {"+all", "ip4:192.0.2.9", "include:pass.example"};

    (void)state;
    fake_dns_add(&fake, "pass.example", DNS_TYPE_TXT, "v=spf1 +all");
    for (size_t i = 0; i < COUNT(first); i++) {
        struct buf record = {0};
        char domain[32], sender[40];
        snprintf(domain, sizeof(domain), "d%zu.example", i);
        snprintf(sender, sizeof(sender), "bob@%s", domain);
        buf_printf(&record, "v=spf1 %s", first[i]);
        while (record.len < 64000)
            buf_printf(&record, " ip4:198.51.100.%zu", record.len % 256);
        buf_puts(&record, " +all");
        fake_dns_add(&fake, domain, DNS_TYPE_TXT, buf_str(&record));
        struct spf_check got = verify(sender);
        assert_int_equal(got.result, AUTH_PERMERROR);
        assert_string_not_equal(got.reason, "");
        buf_fini(&record);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_loops, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_300_includes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_records_of_64_kilobytes, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
