/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/str.h"
#include "common/mailauth/authres.h"

static void expect(const struct authres *results, const char *wanted)
{
    struct buf out = {0};

    authres_build(&out, results);
    assert_string_equal(buf_str(&out), wanted);
    buf_fini(&out);
}

static void test_whole(void **state)
{
    struct addr client;
    struct iprev_check iprev = {AUTH_PASS, "client.example.org"};
    struct spf_verdict spf = {.helo = {.ran = true, .result = AUTH_PASS},
                              .mailfrom = {.ran = true, .result = AUTH_FAIL}};
    struct spf_request request = {.helo = "h.example.org", .sender = "bob@example.org"};
    struct dkim_result dkim[] = {{.result = AUTH_PASS,
                                  .domain = "example.org",
                                  .selector = "s1",
                                  .algorithm = "rsa-sha256",
                                  .signature = "AbC/+d=="},
                                 {.result = AUTH_PERMERROR, .reason = "no key"}};
    struct authres results = {.authserv_id = "mx.example.com",
                              .client = &client,
                              .iprev = &iprev,
                              .spf = &spf,
                              .spf_request = &request,
                              .dkim = dkim,
                              .dkim_count = 2,
                              .dkim_evaluated = true,
                              .comment = "via gateway vps1"};

    (void)state;
    assert_int_equal(addr_parse("2001:db8::1", &client), 0);
    expect(&results, "mx.example.com;\n\t"
                     "iprev=pass (via gateway vps1) (client.example.org)\n\t"
                     "policy.iprev=\"2001:db8::1\";\n\t"
                     "spf=fail smtp.mailfrom=bob@example.org;\n\t"
                     "spf=pass smtp.helo=h.example.org;\n\t"
                     "dkim=pass header.d=example.org header.s=s1 header.a=rsa-sha256\n\t"
                     "header.b=\"AbC/+d==\";\n\t"
                     "dkim=permerror reason=\"no key\"");
}

static void test_parts(void **state)
{
    struct spf_verdict spf = {.helo = {.result = AUTH_NONE, .reason = "HELO is empty"}};
    struct spf_request request = {.helo = "", .sender = ""};
    struct authres results = {.authserv_id = "mx"};
    struct dkim_result dkim = {.result = AUTH_PASS, .domain = "d.example", .body_unsigned = 17};

    (void)state;
    expect(&results, "mx; none");
    results.dkim = &dkim;
    results.dkim_count = 1;
    expect(&results,
           "mx;\n\tdkim=pass (body length limit: 17 bytes not signed) header.d=d.example");
    dkim = (struct dkim_result){.result = AUTH_NEUTRAL, .reason = "no", .testing = true};
    expect(&results, "mx;\n\tdkim=neutral (the domain is testing DKIM) reason=\"no\"");
    results.dkim_count = 0;
    results.dkim_evaluated = true;
    expect(&results, "mx;\n\tdkim=none");
    results.masked = "the client behind gateway vps1 is not known";
    results.spf = &spf;
    results.spf_request = &request;
    expect(&results, "mx;\n\tspf=temperror (the client behind gateway vps1 is not known);\n\t"
                     "dkim=none");
    results.masked = NULL;
    expect(&results, "mx;\n\tspf=none reason=\"HELO is empty\";\n\tdkim=none");
    request.sender = "bob@example.org";
    expect(&results, "mx;\n\tspf=none smtp.mailfrom=bob@example.org;\n\tdkim=none");
}

static void test_dmarc(void **state)
{
    static const struct {
        struct dmarc_verdict dmarc;
        const char *wanted;
    } cases[] = {
        {{.result = AUTH_PASS,
          .domain = "a.example.com",
          .record_domain = "example.com",
          .published = DMARC_POLICY_REJECT,
          .policy = DMARC_POLICY_REJECT},
         "dmarc=pass (p=reject) header.from=a.example.com"},
        {{.result = AUTH_FAIL,
          .domain = "example.com",
          .record_domain = "example.com",
          .published = DMARC_POLICY_REJECT,
          .policy = DMARC_POLICY_REJECT},
         "dmarc=fail (p=reject) header.from=example.com policy.dmarc=reject"},
        {{.result = AUTH_FAIL,
          .domain = "example.com",
          .record_domain = "example.com",
          .published = DMARC_POLICY_QUARANTINE,
          .policy = DMARC_POLICY_NONE,
          .testing = true},
         "dmarc=fail (p=quarantine t=y) header.from=example.com\n\tpolicy.dmarc=none"},
        {{.result = AUTH_NONE, .domain = "example.com"}, "dmarc=none header.from=example.com"},
        {{.result = AUTH_TEMPERROR,
          .domain = "example.com",
          .reason = "server failure: _dmarc.example.com"},
         "dmarc=temperror reason=\"server failure: _dmarc.example.com\"\n\t"
         "header.from=example.com"},
        {{.result = AUTH_PERMERROR, .reason = "the message has no From field"},
         "dmarc=permerror reason=\"the message has no From field\""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct authres results = {
            .authserv_id = "mx", .dkim_evaluated = true, .dmarc = &cases[i].dmarc};
        char wanted[512] = "mx;\n\tdkim=none;\n\t";
        expect(&results, strcat(wanted, cases[i].wanted));
    }
    struct authres alone = {.authserv_id = "mx", .dmarc = &cases[3].dmarc, .comment = "via vps1"};
    expect(&alone, "mx;\n\tdmarc=none (via vps1) header.from=example.com");
}

/* What an outsider chooses, and how it stands in the field. */
static void test_values(void **state)
{
    static const struct {
        const char *sender, *wanted;
    } cases[] = {
        {"bob@example.org", " smtp.mailfrom=bob@example.org"},
        {"@example.org", " smtp.mailfrom=@example.org"},
        {"token", " smtp.mailfrom=token"},
        {"a b@example.org", " smtp.mailfrom=\"a b@example.org\""},
        {"\"a b\"@example.org", " smtp.mailfrom=\"\\\"a b\\\"@example.org\""},
        {"a;dkim=pass@example.org", " smtp.mailfrom=\"a;dkim=pass@example.org\""},
        {"a\\@example.org", " smtp.mailfrom=\"a\\\\@example.org\""},
        {"a(b)@example.org", " smtp.mailfrom=\"a(b)@example.org\""},
        {".a@example.org", " smtp.mailfrom=\".a@example.org\""},
        {"a..b@example.org", " smtp.mailfrom=\"a..b@example.org\""},
        {"bob@[192.0.2.1]", " smtp.mailfrom=\"bob@[192.0.2.1]\""},
        {"bob@example.org;x", " smtp.mailfrom=\"bob@example.org;x\""},
        {"a\r\nX: y@example.org", ""},
        {"a\tb@example.org", ""},
        {"a\x7f@example.org", ""},
        {"\xc3\xa4@example.org", ""},
    };
    struct spf_verdict spf = {.mailfrom = {.result = AUTH_PASS}};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct spf_request request = {.helo = "", .sender = cases[i].sender};
        struct authres results = {.authserv_id = "mx", .spf = &spf, .spf_request = &request};
        char wanted[256] = "mx;\n\tspf=pass";
        expect(&results, strcat(wanted, cases[i].wanted));
    }
}

/* No byte in no place may end the field, or begin another result. */
static void test_every_byte_everywhere(void **state)
{
    (void)state;
    for (int c = 1; c < 256; c++) {
        char text[] = {'a', (char)c, ';', (char)c, (char)c, 'b', 0};
        struct spf_verdict spf = {.mailfrom = {.result = AUTH_FAIL}};
        struct spf_request request = {.helo = text, .sender = text};
        struct dkim_result dkim = {.result = AUTH_FAIL};
        struct dmarc_verdict dmarc = {.result = AUTH_FAIL};
        struct iprev_check iprev = {.result = AUTH_PASS};
        struct buf out = {0};
        strcpy(spf.mailfrom.reason, text);
        strcpy(dkim.domain, text);
        strcpy(dkim.selector, text);
        strcpy(dkim.reason, text);
        strcpy(dmarc.domain, text);
        strcpy(dmarc.record_domain, text);
        strcpy(dmarc.reason, text);
        strcpy(iprev.name, text);
        struct authres results = {.authserv_id = "mx",
                                  .spf = &spf,
                                  .spf_request = &request,
                                  .iprev = &iprev,
                                  .dkim = &dkim,
                                  .dkim_count = 1,
                                  .dmarc = &dmarc,
                                  .comment = text};
        authres_build(&out, &results);
        bool quoted = false;
        int depth = 0, results_seen = 0;
        for (const char *p = buf_str(&out); *p; p++) {
            if (*p == '\n') {
                assert_int_equal(p[1], '\t');
                assert_false(quoted);
            } else if (*p != '\t') {
                assert_in_range(*p, 0x20, 0x7e);
            }
            if (*p == '\\' && (quoted || depth))
                p++;
            else if (*p == '"' && !depth)
                quoted = !quoted;
            else if (*p == '(' && !quoted)
                depth++;
            else if (*p == ')' && !quoted)
                depth--;
            else if (*p == ';' && !quoted && !depth)
                results_seen++;
        }
        assert_false(quoted);
        assert_int_equal(depth, 0);
        assert_int_equal(results_seen, 5);
        buf_fini(&out);
    }
}

static void test_limits(void **state)
{
    static struct dkim_result dkim[DKIM_SIGNATURES_MAX];
    static char sender[5000];
    struct spf_verdict spf = {.mailfrom = {.result = AUTH_PASS}};
    struct spf_request request = {.helo = "", .sender = sender};
    struct buf out = {0};

    (void)state;
    memset(sender, 'x', sizeof(sender) - 1);
    for (size_t i = 0; i < DKIM_SIGNATURES_MAX; i++) {
        memset(dkim[i].domain, '"', sizeof(dkim[i].domain) - 1);
        memset(dkim[i].selector, '"', sizeof(dkim[i].selector) - 1);
        memset(dkim[i].reason, '"', sizeof(dkim[i].reason) - 1);
    }
    struct authres results = {.authserv_id = "mx",
                              .spf = &spf,
                              .spf_request = &request,
                              .dkim = dkim,
                              .dkim_count = DKIM_SIGNATURES_MAX};
    authres_build(&out, &results);
    assert_in_range(out.len, AUTHRES_MAX / 2, AUTHRES_MAX);
    size_t line = 0;
    for (const char *p = buf_str(&out); *p; p++) {
        line = *p == '\n' ? 0 : line + 1;
        assert_in_range(line, 0, 998);
    }
    buf_fini(&out);
}

static void test_parse_id(void **state)
{
    static const struct {
        const char *value, *id;
    } cases[] = {
        {"mx.example.com; none", "mx.example.com"},
        {" MX.Example.COM;none", "mx.example.com"},
        {"\r\n\tmx.example.com\r\n ; spf=pass", "mx.example.com"},
        {"\n\tmx.example.com\n ;", "mx.example.com"},
        {"(c) mx.example.com (d (e) \\) f) ; none", "mx.example.com"},
        {"mx.example.com 1; none", "mx.example.com"},
        {"mx.example.com(x)1(y); none", "mx.example.com"},
        {"\"mx.example.com\"; none", "mx.example.com"},
        {"\"mx.\\example\\.com\" 1;", "mx.example.com"},
        {"\"mx example\"; none", "mx example"},
        {"\"a;b\"; none", "a;b"},
        {"\xc3\xa4.example; none", "\xc3\xa4.example"},
        {"example.com-1_x; none", "example.com-1_x"},
        {"", NULL},
        {" ", NULL},
        {";", NULL},
        {"mx.example.com", NULL},
        {"mx.example.com 1", NULL},
        {"mx.example.com x; none", NULL},
        {"mx.example.com 1 2; none", NULL},
        {"mx.example.com, none", NULL},
        {"spf=pass (x) smtp.mailfrom=a; dkim=none", NULL},
        {"(mx.example.com; none", NULL},
        {"(a)) mx; none", NULL},
        {"\"mx.example.com; none", NULL},
        {"\"\"; none", NULL},
        {"\"mx\\", NULL},
        {"mx@example.com; none", NULL},
        {"mx/1; none", NULL},
        {"m\x01x; none", NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *id;
        enum authres_status status = authres_parse_id(cases[i].value, &id);
        if (cases[i].id) {
            if (status != AUTHRES_OK)
                fail_msg("refused: %s", cases[i].value);
            assert_string_equal(id, cases[i].id);
        } else {
            if (status != AUTHRES_BAD)
                fail_msg("taken: %s", cases[i].value);
            assert_null(id);
        }
        free(id);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_dmarc),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_every_byte_everywhere),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_parse_id),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
