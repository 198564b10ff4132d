/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/mailauth/dmarc_record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "tests/unit/unit.h"

/* From a block of exactly len bytes, so that a sanitizer sees a read past it. */
static bool parse(const void *bytes, size_t len, struct dmarc_record *record_r)
{
    uint8_t *copy = x_malloc(len);

    if (len)
        memcpy(copy, bytes, len);
    bool is_record = dmarc_record_parse(copy, len, record_r);
    free(copy);
    return is_record;
}

/* "p/sp/np" and what else is not the default; "not applied", or "no record". */
static const char *show(const char *text)
{
    static char out[128];
    static const char *const psds[] = {"", " psd=n", " psd=y"};
    struct dmarc_record record;

    if (!parse(text, strlen(text), &record))
        return "no record";
    snprintf(out, sizeof(out), "%s/%s/%s%s%s%s%s%s", dmarc_policy_name(record.policy),
             dmarc_policy_name(record.subdomain_policy),
             dmarc_policy_name(record.nonexistent_policy), record.strict_dkim ? " adkim=s" : "",
             record.strict_spf ? " aspf=s" : "", record.testing ? " t=y" : "", psds[record.psd],
             record.applies ? "" : " not applied");
    return out;
}

static void check(const char *text, const char *wanted)
{
    if (strcmp(show(text), wanted) != 0)
        fail_msg("%s: %s, not %s", text, show(text), wanted);
}

static void test_version(void **state)
{
    (void)state;
    static const char *const good[] = {
        "v=DMARC1;p=none",   "v = DMARC1 ; p=none", "v\t=\tDMARC1;p=none",
        " v=DMARC1; p=none", "V=DMARC1; p=none",    "v=DMARC1; p=none; v=DMARC1",
    };
    static const char *const none[] = {
        "",
        " ",
        ";",
        "v",
        "v=",
        "DMARC1",
        "DMARC1; p=reject",
        "v=dmarc1; p=reject",
        "v=Dmarc1; p=reject",
        "v=DMARC; p=reject",
        "v=DMARC11; p=reject",
        "v=DMARC1 p=reject",
        "v=DMARC1, p=reject",
        "v=DMARC 1; p=reject",
        "v==DMARC1; p=reject",
        "v=\"DMARC1\"; p=reject",
        "p=reject; v=DMARC1",
        "; v=DMARC1; p=reject",
        "vv=DMARC1; p=reject",
        "v=spf1 -all",
        "v=DKIM1; p=reject",
        "\xef\xbb\xbfv=DMARC1; p=reject",
    };
    for (size_t i = 0; i < COUNT(good); i++)
        check(good[i], "none/none/none");
    for (size_t i = 0; i < COUNT(none); i++)
        check(none[i], "no record");
}

static void test_policy(void **state)
{
    (void)state;
    static const struct {
        const char *text, *wanted;
    } cases[] = {
        {"p=none", "none/none/none"},
        {"p=quarantine", "quarantine/quarantine/quarantine"},
        {"p=reject", "reject/reject/reject"},
        {"p = Reject ;", "reject/reject/reject"},
        {"P=REJECT", "reject/reject/reject"},
        {"p=reject; sp=none", "reject/none/none"},
        {"p=none; sp=reject", "none/reject/reject"},
        {"p=none; np=reject", "none/none/reject"},
        {"p=reject; np=none", "reject/reject/none"},
        {"p=none; sp=quarantine; np=reject", "none/quarantine/reject"},
        {"np=reject; sp=quarantine; p=none", "none/quarantine/reject"},
        {"p=reject; p=reject", "reject/reject/reject"},
        {"p=reject;;", "reject/reject/reject"},
        {"p=reject; nonsense; =x; 1=2; a-b=c", "reject/reject/reject"},
        {"pct=0; p=reject; rf=afrf; ri=3600; fo=1:d; ruf=mailto:a@b.example; x=y",
         "reject/reject/reject"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[256];
        snprintf(text, sizeof(text), "v=DMARC1; %s", cases[i].text);
        check(text, cases[i].wanted);
    }
}

/* RFC 9989 4.10.1: without a valid p, or with a bad sp or np, somebody must want reports. */
static void test_no_valid_policy(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "p=",
        "p=rejekt",
        "p=reject none",
        "p=re ject",
        "p=\"reject\"",
        "p:reject",
        "sp=reject",
        "np=reject",
        "p=reject; p=none",
        "p=reject; sp=x",
        "p=reject; np=",
        "p=reject; sp=none; sp=reject",
        "p=bad; p=reject",
    };
    static const char *const uris[] = {
        "mailto:a@b.example",       "mailto:a@b.example!10m",
        "https://b.example/report", "not a uri, mailto:a@b.example",
        " ,, mailto:a@b.example ,", "x-y.z+1:q",
    };
    static const char *const no_uris[] = {
        "",
        "a@b.example",
        "mailto:",
        ":a@b.example",
        "1x:a",
        "mail to:a",
        "mailto:a@b example",
        "mailto:<a@b.example>",
        ",",
        "mailto:\xc3\xa4@b.example",
    };
    char text[256];

    for (size_t i = 0; i < COUNT(bad); i++) {
        snprintf(text, sizeof(text), "v=DMARC1; %s", bad[i]);
        check(text, "none/none/none not applied");
        for (size_t k = 0; k < COUNT(uris); k++) {
            snprintf(text, sizeof(text), "v=DMARC1; %s; rua=%s", bad[i], uris[k]);
            check(text, "none/none/none");
        }
        for (size_t k = 0; k < COUNT(no_uris); k++) {
            snprintf(text, sizeof(text), "v=DMARC1; rua=%s; %s", no_uris[k], bad[i]);
            check(text, "none/none/none not applied");
        }
    }
    check("v=DMARC1", "none/none/none not applied");
    check("v=DMARC1; psd=y; adkim=s", "none/none/none adkim=s psd=y not applied");
    check("v=DMARC1; ruf=mailto:a@b.example", "none/none/none not applied");
}

static void test_flags(void **state)
{
    (void)state;
    static const struct {
        const char *text, *wanted;
    } cases[] = {
        {"adkim=r; aspf=r; t=n; psd=u", ""},
        {"adkim=s", " adkim=s"},
        {"ADKIM=S", " adkim=s"},
        {"aspf = s", " aspf=s"},
        {"adkim=strict; aspf=x; t=yes; psd=maybe", ""},
        {"adkim=; aspf=; t=; psd=", ""},
        {"adkim=r; adkim=s", " adkim=s"},
        {"aspf=s; aspf=r", " aspf=s"},
        {"t=y", " t=y"},
        {"t=Y", " t=y"},
        {"t=y:s", ""},
        {"psd=n", " psd=n"},
        {"psd=y", " psd=y"},
        {"psd=Y", " psd=y"},
        {"psd=n; psd=y", " psd=n"},
        {"psd=u; psd=y", " psd=y"},
        {"psd=x; psd=n", " psd=n"},
        {"psd=y; t=y; aspf=s; adkim=s", " adkim=s aspf=s t=y psd=y"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[256], wanted[128];
        snprintf(text, sizeof(text), "v=DMARC1; p=none; %s", cases[i].text);
        snprintf(wanted, sizeof(wanted), "none/none/none%s", cases[i].wanted);
        check(text, wanted);
    }
}

static void test_nul(void **state)
{
    (void)state;
    struct dmarc_record record;

#define BYTES(text) text, sizeof(text) - 1
    assert_false(parse(BYTES("v=DMARC1\0; p=reject"), &record));
    assert_false(parse(BYTES("\0v=DMARC1; p=reject"), &record));
    assert_true(parse(BYTES("v=DMARC1; p=reject\0"), &record));
    assert_false(record.applies);
    assert_true(parse(BYTES("v=DMARC1; p=none; adkim=s\0; \0sp=reject; rua=mailto:a@\0"), &record));
    assert_true(record.applies);
    assert_false(record.strict_dkim);
    assert_int_equal(record.subdomain_policy, DMARC_POLICY_NONE);
    assert_true(parse(BYTES("v=DMARC1; rua=x\0:a@b.example, m:\0"), &record));
    assert_false(record.applies);
    assert_false(parse(NULL, 0, &record));
}

static void test_long(void **state)
{
    (void)state;
    static const char ends[] = "; sp=quarantine; np=reject";
    struct buf text = {0};
    struct dmarc_record record;

    buf_puts(&text, "v=DMARC1; p=none; rua=");
    while (text.len < 65535 - sizeof(ends))
        buf_puts(&text, text.len % 3 ? "," : "x;");
    buf_puts(&text, ends);
    assert_true(parse(text.data, text.len, &record));
    assert_int_equal(record.subdomain_policy, DMARC_POLICY_QUARANTINE);
    assert_int_equal(record.nonexistent_policy, DMARC_POLICY_REJECT);
    buf_fini(&text);
}

/* Cut anywhere, a record asks for nothing that the whole one does not ask for. */
static void test_every_beginning(void **state)
{
    (void)state;
    static const char text[] = "v=DMARC1; p=reject; sp=none; adkim=s; psd=n; t=y";
    struct dmarc_record record;

    for (size_t len = 0; len < sizeof(text); len++) {
        if (!parse(text, len, &record))
            assert_true(len < 8);
        else
            assert_true(record.policy ==
                        (record.applies ? DMARC_POLICY_REJECT : DMARC_POLICY_NONE));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_version),
        cmocka_unit_test(test_policy),
        cmocka_unit_test(test_no_valid_policy),
        cmocka_unit_test(test_flags),
        cmocka_unit_test(test_nul),
        cmocka_unit_test(test_long),
        cmocka_unit_test(test_every_beginning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
