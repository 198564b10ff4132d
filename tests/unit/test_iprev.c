/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/mailauth/iprev.h"
#include "tests/unit/fake_dns.h"

static struct iprev_check verify(struct fake_dns *fake, const char *client)
{
    struct dns_budget budget = {1000};
    struct iprev_check check;
    struct addr addr;

    assert_int_equal(addr_parse(client, &addr), 0);
    iprev_verify(&addr, &fake->dns, &budget, &check);
    if (check.result != AUTH_PASS)
        assert_string_equal(check.name, "");
    return check;
}

static void test_results(void **state)
{
    struct fake_dns fake;
    char long_v6[] = "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa";

    (void)state;
    fake_dns_init(&fake);
    fake_dns_add(&fake, "1.2.0.192.in-addr.arpa", DNS_TYPE_PTR, "lost.example");
    fake_dns_add(&fake, "1.2.0.192.in-addr.arpa", DNS_TYPE_PTR, "good.example");
    fake_dns_add(&fake, "good.example", DNS_TYPE_A, "192.0.2.7");
    fake_dns_add(&fake, "good.example", DNS_TYPE_A, "192.0.2.1");
    fake_dns_add(&fake, "2.2.0.192.in-addr.arpa", DNS_TYPE_PTR, "good.example");
    fake_dns_add(&fake, "4.2.0.192.in-addr.arpa", DNS_TYPE_A, "192.0.2.4");
    fake_dns_fail(&fake, "5.2.0.192.in-addr.arpa", 0, DNS_SERVFAIL);
    fake_dns_add(&fake, "6.2.0.192.in-addr.arpa", DNS_TYPE_PTR, "broken.example");
    fake_dns_add(&fake, "6.2.0.192.in-addr.arpa", DNS_TYPE_PTR, "good.example");
    fake_dns_fail(&fake, "broken.example", 0, DNS_TIMEOUT);
    fake_dns_add(&fake, long_v6, DNS_TYPE_PTR, "six.example");
    fake_dns_add(&fake, "six.example", DNS_TYPE_AAAA, "2001:db8::1");

    struct iprev_check check = verify(&fake, "192.0.2.1");
    assert_int_equal(check.result, AUTH_PASS);
    assert_string_equal(check.name, "good.example");
    check = verify(&fake, "2001:db8::1");
    assert_int_equal(check.result, AUTH_PASS);
    assert_string_equal(check.name, "six.example");
    assert_int_equal(verify(&fake, "192.0.2.2").result, AUTH_FAIL);
    assert_int_equal(verify(&fake, "192.0.2.3").result, AUTH_PERMERROR);
    assert_int_equal(verify(&fake, "192.0.2.4").result, AUTH_PERMERROR);
    assert_int_equal(verify(&fake, "192.0.2.5").result, AUTH_TEMPERROR);
    assert_int_equal(verify(&fake, "192.0.2.6").result, AUTH_TEMPERROR);
    fake_dns_fini(&fake);
}

static void test_number_of_names(void **state)
{
    struct fake_dns fake;
    char name[32];

    (void)state;
    fake_dns_init(&fake);
    for (int i = 0; i < IPREV_NAMES_MAX; i++) {
        snprintf(name, sizeof(name), "n%d.example", i);
        fake_dns_add(&fake, "1.2.0.192.in-addr.arpa", DNS_TYPE_PTR, name);
    }
    fake_dns_add(&fake, name, DNS_TYPE_A, "192.0.2.1");
    assert_int_equal(verify(&fake, "192.0.2.1").result, AUTH_PASS);
    fake_dns_fini(&fake);

    fake_dns_init(&fake);
    for (int i = 0; i < 50; i++) {
        snprintf(name, sizeof(name), "n%d.example", i);
        fake_dns_add(&fake, "1.2.0.192.in-addr.arpa", DNS_TYPE_PTR, name);
        if (i >= IPREV_NAMES_MAX)
            fake_dns_add(&fake, name, DNS_TYPE_A, "192.0.2.1");
    }
    assert_int_equal(verify(&fake, "192.0.2.1").result, AUTH_FAIL);
    assert_int_equal(fake.asked, 1 + IPREV_NAMES_MAX);
    fake_dns_fini(&fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_results),
        cmocka_unit_test(test_number_of_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
