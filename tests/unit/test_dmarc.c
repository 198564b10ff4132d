/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/mailauth/dmarc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/dmarc_fixture.h"
#include "tests/unit/unit.h"

#define SIMPLE "example.com p=reject\nsigning.example.com p=none"
#define BANK   "bank.example p=none; sp=quarantine; np=reject; psd=y\ngiant.bank.example p=reject"

/* RFC 9989 appendix B.4 */
static void test_appendix(void **state)
{
    (void)state;
    static const struct dmarc_example examples[] = {
        {"B.4.1", SIMPLE, "example.com", "example.com", "signing.example.com",
         "pass example.com by example.com reject, spf dkim"},
        {"B.4.1, neither", SIMPLE, "example.com", "", "", "fail example.com by example.com reject"},
        {"B.4.2", SIMPLE, "a.b.c.d.e.f.g.h.i.j.k.example.com", "example.com", "signing.example.com",
         "pass a.b.c.d.e.f.g.h.i.j.k.example.com by example.com reject, spf dkim"},
        {"B.4.3", BANK, "giant.bank.example", "mail.giant.bank.example", "mail.mega.bank.example",
         "pass giant.bank.example by giant.bank.example reject, spf"},
        {"B.4.3, the other alone", BANK, "giant.bank.example", "", "mail.mega.bank.example",
         "fail giant.bank.example by giant.bank.example reject"},
        {"A.1.1, in strict alignment", "example.com p=none", "example.com", "example.com", "",
         "pass example.com by example.com none, spf"},
        {"A.1.1, in relaxed alignment", "example.com p=none", "child.example.com", "example.com",
         "", "pass child.example.com by example.com none, spf"},
        {"A.1.1, not aligned", "example.com p=none", "child.example.com", "example.net", "",
         "fail child.example.com by example.com none"},
        {"siblings", "example.com p=none", "news.example.com", "", "foo.example.com",
         "pass news.example.com by example.com none, dkim"},
    };
    dmarc_check_examples(examples, COUNT(examples));
}

/* RFC 9989 4.10.1: whose record, and which tag of it. */
static void test_policy(void **state)
{
    (void)state;
    static const struct dmarc_example examples[] = {
        {"no record", "", "example.com", "example.com", "example.com", "none example.com"},
        {"the domain's own p, not the organization's sp",
         "a.example.com p=quarantine; sp=none\nexample.com p=none; sp=reject", "a.example.com", "",
         "", "fail a.example.com by a.example.com quarantine"},
        {"sp of the organization", "example.com p=none; sp=reject\na.example.com EXISTS",
         "a.example.com", "", "", "fail a.example.com by example.com reject"},
        {"no sp", "example.com p=quarantine", "a.example.com", "", "",
         "fail a.example.com by example.com quarantine"},
        {"np, and it does not exist", "example.com p=none; sp=none; np=reject", "a.example.com", "",
         "", "fail a.example.com by example.com reject"},
        {"np without sp", "example.com p=none; np=reject", "a.example.com", "", "",
         "fail a.example.com by example.com reject"},
        {"np, and it exists", "example.com p=none; sp=quarantine; np=reject\na.example.com EXISTS",
         "a.example.com", "", "", "fail a.example.com by example.com quarantine"},
        {"np, and another text shows that it exists",
         "example.com p=none; np=reject\na.example.com =x", "a.example.com", "", "",
         "fail a.example.com by example.com none"},
        {"np is not for the domain itself", "example.com p=none; np=reject", "example.com", "", "",
         "fail example.com by example.com none"},
        {"np of a domain that does not exist, with a pass", "example.com p=none; np=reject",
         "a.example.com", "example.com", "", "pass a.example.com by example.com reject, spf"},
        {"the record between is passed over",
         "b.example.com p=none\nexample.com p=quarantine; sp=reject\na.b.example.com EXISTS",
         "a.b.example.com", "", "", "fail a.b.example.com by example.com reject"},
        {"psd=n between", "b.example.com p=none; sp=quarantine; psd=n\nexample.com p=reject",
         "a.b.example.com", "", "", "fail a.b.example.com by b.example.com quarantine"},
        {"sp of the public suffix",
         "bank.example p=none; sp=quarantine; np=reject; psd=y\nmega.bank.example EXISTS",
         "mega.bank.example", "", "", "fail mega.bank.example by bank.example quarantine"},
        {"np of the public suffix", BANK, "mega.bank.example", "", "",
         "fail mega.bank.example by bank.example reject"},
        {"the public suffix itself", BANK, "bank.example", "", "",
         "fail bank.example by bank.example none"},
        {"the organization's, not the public suffix's", BANK, "a.giant.bank.example", "", "",
         "fail a.giant.bank.example by giant.bank.example reject"},
        {"t=y on reject", "example.com p=reject; t=y", "example.com", "", "",
         "fail example.com by example.com reject as quarantine"},
        {"t=y on quarantine", "example.com p=quarantine; t=y", "example.com", "", "",
         "fail example.com by example.com quarantine as none"},
        {"t=y on none", "example.com p=none; t=y", "example.com", "", "",
         "fail example.com by example.com none as none"},
        {"t=y on sp", "example.com p=none; sp=reject; t=y", "a.example.com", "", "",
         "fail a.example.com by example.com reject as quarantine"},
        {"t=n", "example.com p=reject; t=n", "example.com", "", "",
         "fail example.com by example.com reject"},
        {"pct=0 is nothing", "example.com p=reject; pct=0", "example.com", "", "",
         "fail example.com by example.com reject"},
        {"two records", "example.com p=reject\nexample.com p=reject", "example.com", "", "",
         "none example.com"},
        {"two records, then the organization's",
         "a.example.com p=reject\na.example.com p=none\nexample.com p=none; sp=quarantine",
         "a.example.com", "", "", "fail a.example.com by example.com quarantine"},
        {"two records, one none of DMARC", "example.com =v=spf1 -all\nexample.com p=reject",
         "example.com", "", "", "fail example.com by example.com reject"},
        {"v in lower case", "example.com =v=dmarc1; p=reject", "example.com", "", "",
         "none example.com"},
        {"v not first", "example.com =p=reject; v=DMARC1", "example.com", "", "",
         "none example.com"},
        {"no p", "example.com adkim=s", "example.com", "example.com", "", "none example.com"},
        {"no p, the organization's is not asked for", "a.example.com aspf=s\nexample.com p=reject",
         "a.example.com", "", "", "none a.example.com"},
        {"no p, but rua", "example.com rua=mailto:a@b.example", "example.com", "", "example.com",
         "pass example.com by example.com none, dkim"},
        {"a bad p, but rua", "example.com p=rejekt; rua=mailto:a@b.example", "example.com", "", "",
         "fail example.com by example.com none"},
        {"a bad sp for the domain itself", "example.com p=reject; sp=x", "example.com", "", "",
         "none example.com"},
        {"another case", "example.com P=ReJect; ADKIM=S", "example.com", "", "a.example.com",
         "fail example.com by example.com reject"},
        {"one label", "com p=reject", "com", "", "", "fail com by com reject"},
        {"one label above", "com p=reject", "example.com", "com", "",
         "pass example.com by com reject, spf"},
    };
    dmarc_check_examples(examples, COUNT(examples));
}

static void test_alignment(void **state)
{
    (void)state;
    static const struct dmarc_example examples[] = {
        {"strict, the same", "example.com p=reject; adkim=s; aspf=s", "example.com", "example.com",
         "example.com", "pass example.com by example.com reject, spf dkim"},
        {"strict, the parent", "example.com p=reject; adkim=s; aspf=s", "a.example.com",
         "example.com", "example.com", "fail a.example.com by example.com reject"},
        {"strict, a child", "example.com p=reject; adkim=s; aspf=s", "example.com", "a.example.com",
         "a.example.com", "fail example.com by example.com reject"},
        {"strict, a sibling", "example.com p=reject; adkim=s; aspf=s", "a.example.com",
         "b.example.com", "b.example.com", "fail a.example.com by example.com reject"},
        {"SPF strict alone", "example.com p=reject; aspf=s", "example.com", "a.example.com",
         "a.example.com", "pass example.com by example.com reject, dkim"},
        {"DKIM strict alone", "example.com p=reject; adkim=s", "example.com", "a.example.com",
         "a.example.com", "pass example.com by example.com reject, spf"},
        {"a lookalike behind", "example.com p=reject", "example.com", "example.com.evil.org",
         "notexample.com", "fail example.com by example.com reject"},
        {"a lookalike of the organization", "example.com p=reject", "a.example.com",
         "a.notexample.com", "xexample.com", "fail a.example.com by example.com reject"},
        {"a lookalike with its own record", "example.com p=reject\nnotexample.com p=none; psd=n",
         "example.com", "notexample.com", "", "fail example.com by example.com reject"},
        {"the same suffix alone", "example.com p=reject\nevil.com p=none", "example.com",
         "evil.com", "com", "fail example.com by example.com reject"},
        {"a parent without a record", "mail.example.com p=reject", "mail.example.com",
         "bounce.example.com", "example.com", "fail mail.example.com by mail.example.com reject"},
        {"a child below a domain without its parent's record", "mail.example.com p=reject",
         "mail.example.com", "", "a.b.mail.example.com",
         "pass mail.example.com by mail.example.com reject, dkim"},
        {"a child that is an organization", "example.com p=reject\na.example.com p=none; psd=n",
         "example.com", "a.example.com", "b.a.example.com",
         "fail example.com by example.com reject"},
        {"an author that is one, and its parent",
         "example.com p=reject\na.example.com p=quarantine; psd=n", "a.example.com", "example.com",
         "b.example.com", "fail a.example.com by a.example.com quarantine"},
        {"a child that calls itself a public suffix",
         "example.com p=reject\na.example.com p=none; psd=y", "example.com", "a.example.com",
         "b.a.example.com", "fail example.com by example.com reject"},
        {"a sibling below a public suffix", BANK, "giant.bank.example", "evil.bank.example",
         "x.evil.bank.example", "fail giant.bank.example by giant.bank.example reject"},
        {"a child, when the public suffix writes", BANK, "bank.example", "evil.bank.example",
         "x.evil.bank.example", "fail bank.example by bank.example none"},
        {"the public suffix, when a child writes", BANK, "giant.bank.example", "bank.example",
         "bank.example", "fail giant.bank.example by giant.bank.example reject"},
        {"a suffix that does not say so", "blogspot.com p=reject", "alice.blogspot.com", "",
         "bob.blogspot.com", "pass alice.blogspot.com by blogspot.com reject, dkim"},
        {"the same, and Alice says psd=n",
         "blogspot.com p=reject\nalice.blogspot.com p=none; psd=n", "alice.blogspot.com",
         "bob.blogspot.com", "", "fail alice.blogspot.com by alice.blogspot.com none"},
        {"the same domain, without its own record", "example.com p=reject", "a.example.com", "",
         "a.example.com", "pass a.example.com by example.com reject, dkim"},
        {"psd=y above the last seven labels of both", "7.6.5.4.3.2.1 p=reject; psd=y",
         "a.8.7.6.5.4.3.2.1", "b.8.7.6.5.4.3.2.1", "b.9.7.6.5.4.3.2.1",
         "pass a.8.7.6.5.4.3.2.1 by 7.6.5.4.3.2.1 reject, spf"},
        {"one of nine signatures", "example.com p=reject", "example.com", "",
         "a.org b.org c.org d.org e.org f.org g.org h.org a.example.com",
         "pass example.com by example.com reject, dkim"},
        {"the author's own after many of its children",
         "example.com p=reject\n1.example.com psd=n\n2.example.com psd=n\n3.example.com psd=n\n"
         "4.example.com psd=n\n5.example.com psd=n\n6.example.com psd=n\n7.example.com psd=n\n"
         "8.example.com psd=n\n9.example.com psd=n",
         "example.com", "",
         "1.example.com 2.example.com 3.example.com 4.example.com 5.example.com 6.example.com "
         "7.example.com 8.example.com 9.example.com example.com",
         "pass example.com by example.com reject, dkim"},
    };
    dmarc_check_examples(examples, COUNT(examples));
}

static void test_several_authors(void **state)
{
    (void)state;
    static const struct dmarc_example examples[] = {
        {"all pass", "a.example p=reject\nb.example p=none", "a.example b.example", "a.example",
         "b.example", "pass a.example by a.example reject, spf"},
        {"one fails", "a.example p=reject\nb.example p=none", "a.example b.example", "a.example",
         "", "fail b.example by b.example none"},
        {"the stricter of two fails, first", "a.example p=reject\nb.example p=none",
         "a.example b.example", "", "", "fail a.example by a.example reject"},
        {"the stricter of two fails, last", "a.example p=reject\nb.example p=none",
         "b.example a.example", "", "", "fail a.example by a.example reject"},
        {"the stricter after t=y", "a.example p=reject; t=y\nb.example p=quarantine",
         "a.example b.example", "", "", "fail a.example by a.example reject as quarantine"},
        {"t=y makes it the lesser", "a.example p=quarantine; t=y\nb.example p=quarantine",
         "a.example b.example", "", "", "fail b.example by b.example quarantine"},
        {"one without a record", "a.example p=reject", "a.example b.example", "a.example", "",
         "none b.example"},
        {"one that DNS keeps back", "a.example p=reject\nb.example SERVFAIL", "a.example b.example",
         "a.example", "", "temperror b.example: server failure: _dmarc.b.example"},
        {"fail before temperror", "a.example p=none\nb.example SERVFAIL", "b.example a.example", "",
         "", "fail a.example by a.example none"},
        {"temperror before none", "b.example SERVFAIL", "a.org b.example", "", "",
         "temperror b.example: server failure: _dmarc.b.example"},
        {"one strict, and a walk for the other",
         "example.com p=none\na.example.com p=reject; adkim=s", "a.example.com b.example.com", "",
         "c.example.com", "fail a.example.com by a.example.com reject"},
        {"eight, the last fails", "8.example p=quarantine; psd=n",
         "1.example 2.example 3.example 4.example 5.example 6.example 7.example 8.example",
         "1.example", "2.example", "fail 8.example by 8.example quarantine"},
        {"eight of one organization", "example p=reject",
         "1.example 2.example 3.example 4.example 5.example 6.example 7.example 8.example", "",
         "9.example", "pass 1.example by example reject, dkim"},
    };
    dmarc_check_examples(examples, COUNT(examples));
}

static void test_no_author(void **state)
{
    (void)state;
    for (int status = AUTHOR_NO_FIELD; status <= AUTHOR_TOO_MANY; status++) {
        struct dmarc_verdict verdict;
        struct dmarc_message message;
        if (status == AUTHOR_OK)
            continue;
        dmarc_message_init(&message, "example.com", "example.com", "example.com");
        message.author.status = (enum author_status)status;
        message.author.count = 0;
        dmarc_run("example.com p=reject", &message, &verdict);
        assert_int_equal(verdict.result, AUTH_PERMERROR);
        assert_string_equal(verdict.domain, "");
        assert_string_equal(verdict.reason, author_strstatus(message.author.status));
        assert_true(*verdict.reason);
        assert_int_equal(verdict.queries, 0);
        dmarc_message_fini(&message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_appendix),  cmocka_unit_test(test_policy),
        cmocka_unit_test(test_alignment), cmocka_unit_test(test_several_authors),
        cmocka_unit_test(test_no_author),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
