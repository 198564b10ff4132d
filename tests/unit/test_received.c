/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/wire/received.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/str.h"
#include "tests/unit/unit.h"

#define BY_POSTFIX "\n\tby gw.example (Postfix) with ESMTP id 4RBX\n\tfor <a@example.com>; Sat"
#define BY_EXIM    "\n\tby gw.example with esmtp (Exim 4.96)\n\t(envelope-from <a@b>)\n\tid 1r; Sat"
#define TLS        "\n\t(using TLSv1.3 with cipher X (256/256 bits)\n\t key-exchange X25519)"

struct good {
    const char *value, *client, *helo;
};

static void assert_reads(enum received_form form, const struct good *of)
{
    struct received received;
    char text[ADDR_TEXT_MAX], helo[300];
    enum received_status status = received_parse(form, "gw.example", of->value, &received);

    if (status != RECEIVED_OK)
        fail_msg("%s: %s", of->value, received_strstatus(status));
    assert_string_equal(addr_format(&received.client, text), of->client);
    snprintf(helo, sizeof helo, "%.*s", (int)received.helo_len, received.helo);
    assert_string_equal(helo, of->helo);
}

static void test_postfix(void **state)
{
    static const struct good cases[] = {
        {"from mx.example.net (mx.example.net [203.0.113.9])" BY_POSTFIX, "203.0.113.9",
         "mx.example.net"},
        {"from x (unknown [203.0.113.9])" TLS BY_POSTFIX, "203.0.113.9", "x"},
        {"from x (unknown [203.0.113.9])" TLS "\n\t(Client CN \"by gw.example\", Issuer \"(\" "
         "(not verified))" BY_POSTFIX,
         "203.0.113.9", "x"},
        {"from x (a.example [IPv6:2001:db8::9])" BY_POSTFIX, "2001:db8::9", "x"},
        {"from [203.0.113.9] (a.example [203.0.113.9])" BY_POSTFIX, "203.0.113.9", "[203.0.113.9]"},
        {"from x [198.51.100.1]) by (a.example [203.0.113.9])" BY_POSTFIX, "203.0.113.9",
         "x [198.51.100.1]) by"},
        {"from by gw.example with ESMTP (a.example [203.0.113.9])" BY_POSTFIX, "203.0.113.9",
         "by gw.example with ESMTP"},
        {"from x (a.example [203.0.113.9])\n\tby GW.Example (Mail Two) with UTF8SMTPS id 4",
         "203.0.113.9", "x"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_reads(RECEIVED_POSTFIX, &cases[i]);
}

static void test_exim(void **state)
{
    static const struct good cases[] = {
        {"from [203.0.113.9] (helo=mx.example.net)" BY_EXIM, "203.0.113.9", "mx.example.net"},
        {"from [203.0.113.9] (helo=mx.example.net ident=root)" BY_EXIM, "203.0.113.9",
         "mx.example.net"},
        {"from [203.0.113.9] (port=4321 helo=x)" BY_EXIM, "203.0.113.9", "x"},
        {"from [203.0.113.9] (port=4321)" BY_EXIM, "203.0.113.9", ""},
        {"from [203.0.113.9] (ident=root)" BY_EXIM, "203.0.113.9", ""},
        {"from [203.0.113.9]" BY_EXIM, "203.0.113.9", ""},
        {"from [2001:db8::9] (helo=x)" BY_EXIM, "2001:db8::9", "x"},
        {"from a.example ([203.0.113.9] helo=x)" BY_EXIM, "203.0.113.9", "x"},
        {"from a.example ([203.0.113.9] helo=x ident=y)" BY_EXIM, "203.0.113.9", "x"},
        {"from a.example ([203.0.113.9]:4321 helo=x)" BY_EXIM, "203.0.113.9", "x"},
        {"from a.example ([203.0.113.9])" BY_EXIM, "203.0.113.9", "a.example"},
        {"from a.example\n\t([203.0.113.9] helo=x ident=y)" BY_EXIM, "203.0.113.9", "x"},
        {"from a.example ([203.0.113.9] ident=y)" BY_EXIM, "203.0.113.9", "a.example"},
        {"from [203.0.113.9] (helo=[198.51.100.1])" BY_EXIM, "203.0.113.9", "[198.51.100.1]"},
        {"from [203.0.113.9] (helo=x) ([198.51.100.1])" BY_EXIM, "203.0.113.9", ""},
        {"from [203.0.113.9] (helo=x y)" BY_EXIM, "203.0.113.9", ""},
        {"from [203.0.113.9] (helo=x) by gw.example with esmtp)" BY_EXIM, "203.0.113.9", ""},
        {"from a.example ([203.0.113.9] helo=x y)" BY_EXIM, "203.0.113.9", ""},
        {"from [203.0.113.9] (helo=x)\n\tby gw.example with esmtps (TLS1.3) tls X\n\t(Exim 4.96)",
         "203.0.113.9", "x"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_reads(RECEIVED_EXIM, &cases[i]);
}

static void test_refused(void **state)
{
    static const struct {
        enum received_form form;
        enum received_status status;
        const char *value;
    } cases[] = {
        /* mail of the gateway itself */
        {RECEIVED_POSTFIX, RECEIVED_BAD_FORM,
         "by gw.example (Postfix, from userid 0)\n\tid 4; Sat"},
        {RECEIVED_POSTFIX, RECEIVED_BAD_FORM, "by gw.example (Postfix)\n\tid 4; Sat"},
        {RECEIVED_EXIM, RECEIVED_BAD_FORM, "from root by gw.example with local (Exim 4.96)"},
        {RECEIVED_EXIM, RECEIVED_BAD_FORM, "by gw.example with local (Exim 4.96)"},
        {RECEIVED_EXIM, RECEIVED_BAD_FORM, "from [203.0.113.9] by gw.example with esmtp"},
        /* the other one's, or nobody's */
        {RECEIVED_POSTFIX, RECEIVED_BAD_FORM, "from [203.0.113.9] (helo=x)" BY_EXIM},
        {RECEIVED_EXIM, RECEIVED_BAD_FORM, "from x (a.example [203.0.113.9])" BY_POSTFIX},
        {RECEIVED_POSTFIX, RECEIVED_BAD_FORM, "from x (a.example [2001:db8::9])" BY_POSTFIX},
        {RECEIVED_POSTFIX, RECEIVED_BAD_FORM, "from x (a.example [IPv6:203.0.113.9])" BY_POSTFIX},
        {RECEIVED_EXIM, RECEIVED_BAD_FORM, "from [IPv6:2001:db8::9] (helo=x)" BY_EXIM},
        {RECEIVED_POSTFIX, RECEIVED_BAD_FORM, "from x (a.example [203.0.113.999])" BY_POSTFIX},
        {RECEIVED_POSTFIX, RECEIVED_BAD_FORM, "from x (a.example [203.0.113.9]" BY_POSTFIX},
        {RECEIVED_POSTFIX, RECEIVED_BAD_FORM, "from x (a.example [203.0.113.9]) y" BY_POSTFIX},
        {RECEIVED_POSTFIX, RECEIVED_BAD_FORM, "from x (a.example [203.0.113.9])\n by gw.example"},
        {RECEIVED_POSTFIX, RECEIVED_BAD_FORM, "from x (a b [203.0.113.9])" BY_POSTFIX},
        {RECEIVED_POSTFIX, RECEIVED_BAD_FORM, "from (a.example [203.0.113.9])" BY_POSTFIX},
        {RECEIVED_POSTFIX, RECEIVED_BAD_FORM, "from x(a.example [203.0.113.9])" BY_POSTFIX},
        {RECEIVED_POSTFIX, RECEIVED_BAD_FORM, "From x (a.example [203.0.113.9])" BY_POSTFIX},
        {RECEIVED_EXIM, RECEIVED_BAD_FORM, "from [203.0.113.9] (helo=x" BY_EXIM},
        {RECEIVED_EXIM, RECEIVED_BAD_FORM, "from [203.0.113.9 (helo=x)" BY_EXIM},
        {RECEIVED_EXIM, RECEIVED_BAD_FORM, "from a b ([203.0.113.9])" BY_EXIM},
        {RECEIVED_EXIM, RECEIVED_BAD_FORM, "from x (helo=[203.0.113.9])" BY_EXIM},
        {RECEIVED_POSTFIX, RECEIVED_BAD_FORM, ""},
        {RECEIVED_EXIM, RECEIVED_BAD_FORM, ""},
        {RECEIVED_EXIM, RECEIVED_BAD_FORM, "from ["},
        {RECEIVED_EXIM, RECEIVED_BAD_FORM, "from [203.0.113.9]"},
        /* another host's */
        {RECEIVED_POSTFIX, RECEIVED_OTHER_HOST,
         "from x (a [203.0.113.9])\n\tby mx.example (Postfix) with ESMTP id 4"},
        {RECEIVED_POSTFIX, RECEIVED_OTHER_HOST,
         "from x (a [203.0.113.9])\n\tby gw.example.net (Postfix) with ESMTP id 4"},
        {RECEIVED_EXIM, RECEIVED_OTHER_HOST,
         "from [203.0.113.9]\n\tby other.example with esmtp (Exim 4.96)"},
        /* who logged in, and what is not SMTP */
        {RECEIVED_POSTFIX, RECEIVED_BAD_PROTOCOL,
         "from x (a [203.0.113.9])\n\tby gw.example (Postfix) with ESMTPSA id 4"},
        {RECEIVED_POSTFIX, RECEIVED_BAD_PROTOCOL,
         "from x (a [203.0.113.9])\n\tby gw.example (Postfix) with ESMTPA id 4"},
        {RECEIVED_POSTFIX, RECEIVED_BAD_PROTOCOL,
         "from x (a [203.0.113.9])\n\tby gw.example (Postfix) with LMTP id 4"},
        {RECEIVED_EXIM, RECEIVED_BAD_PROTOCOL,
         "from [203.0.113.9]\n\tby gw.example with esmtpsa (Exim 4.96)"},
        {RECEIVED_EXIM, RECEIVED_BAD_PROTOCOL,
         "from [203.0.113.9]\n\tby gw.example with local-esmtp (Exim 4.96)"},
        {RECEIVED_POSTFIX, RECEIVED_BAD_FORM,
         "from x (a [203.0.113.9])\n\tby gw.example (Postfix)"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct received received;
        enum received_status status =
            received_parse(cases[i].form, "gw.example", cases[i].value, &received);
        if (status != cases[i].status)
            fail_msg("%s: %s", cases[i].value, received_strstatus(status));
    }
}

/* What a client can say for itself, in every place that takes its word. */
static const char *const words[] = {
    "x",
    "[198.51.100.1]",
    "x [198.51.100.1]",
    "[IPv6:2001:db8::bad]",
    "by gw.example with ESMTP",
    "helo=[198.51.100.1]",
    "a) ([198.51.100.1] helo=b",
    "a)",
    ")",
    "x)\tby gw.example with esmtp",
    "ident=[198.51.100.1]",
    " ident=",
    "\xff\x80",
    "",
};

/* As Postfix does to a HELO: printable, and without what could end the comment. */
static void neuter(char *text)
{
    for (; *text; text++)
        if (strchr("<>()\\\";@", *text) != NULL || (unsigned char)*text < ' ' || *text & 0x80)
            *text = '?';
}

static void test_nobody_moves_the_address(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(words); i++) {
        char helo[64], value[512], text[ADDR_TEXT_MAX];
        struct received received;

        snprintf(helo, sizeof helo, "%s", words[i]);
        neuter(helo);
        snprintf(value, sizeof value, "from %s (a.example [203.0.113.9])" BY_POSTFIX, helo);
        if (received_parse(RECEIVED_POSTFIX, "gw.example", value, &received) == RECEIVED_OK)
            assert_string_equal(addr_format(&received.client, text), "203.0.113.9");
        else
            assert_string_equal(helo, "");

        const char *const forms[] = {"from [203.0.113.9] (helo=%s)",
                                     "from a ([203.0.113.9] helo=%s)",
                                     "from [203.0.113.9] (helo=x ident=%s)"};
        for (size_t f = 0; f < COUNT(forms); f++) {
            const char *place = strstr(forms[f], "%s");
            snprintf(value, sizeof value, "%.*s%s%s" BY_EXIM, (int)(place - forms[f]), forms[f],
                     words[i], place + 2);
            assert_int_equal(received_parse(RECEIVED_EXIM, "gw.example", value, &received),
                             RECEIVED_OK);
            assert_string_equal(addr_format(&received.client, text), "203.0.113.9");
        }
    }
}

/* Postfix's SMTP client breaks long lines, wherever that is. */
static void test_broken_lines(void **state)
{
    static const char whole[] = "from xxxxxxxx (a.example [203.0.113.9])" TLS BY_POSTFIX;

    (void)state;
    for (size_t at = 1; at < sizeof(whole); at++) {
        char broken[sizeof(whole) + 2];
        memcpy(broken, whole, at);
        memcpy(broken + at, "\n ", 2);
        memcpy(broken + at + 2, whole + at, sizeof(whole) - at);
        char *text = received_unbroken(broken);
        assert_string_equal(text, whole);
        free(text);
    }
}

/* Every beginning of a field: refused until the protocol stands there whole. */
static void test_beginnings(void **state)
{
    static const struct {
        enum received_form form;
        const char *whole;
    } cases[] = {
        {RECEIVED_POSTFIX, "from x (a.example [203.0.113.9])" TLS BY_POSTFIX},
        {RECEIVED_EXIM, "from a.example ([203.0.113.9]:43 helo=x ident=y)" BY_EXIM},
        {RECEIVED_EXIM, "from [203.0.113.9] (port=43 helo=x)" BY_EXIM},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *end =
            strstr(cases[i].whole, cases[i].form == RECEIVED_POSTFIX ? "ESMTP " : "esmtp ");
        for (size_t len = 0; len <= strlen(cases[i].whole); len++) {
            struct received received;
            char *part = strndup(cases[i].whole, len);
            bool is_whole = cases[i].whole + len >= end + 6;

            assert_true((received_parse(cases[i].form, "gw.example", part, &received) ==
                         RECEIVED_OK) == is_whole);
            free(part);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_postfix),      cmocka_unit_test(test_exim),
        cmocka_unit_test(test_refused),      cmocka_unit_test(test_nobody_moves_the_address),
        cmocka_unit_test(test_broken_lines), cmocka_unit_test(test_beginnings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
