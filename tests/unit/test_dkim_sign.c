/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/mailauth/dkim_sign.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/mem.h"
#include "common/base/str.h"
#include "tests/unit/dkim_fixture.h"
#include "tests/unit/unit.h"

#define NOW 1795880000

static char *tag(const char *value, const char *name)
{
    struct buf text = {0};
    size_t len = strlen(name);

    for (const char *p = value; p; p = strchr(p, ';') ? strchr(p, ';') + 1 : NULL) {
        p += strspn(p, " \t\n");
        if (strncmp(p, name, len) != 0 || p[len] != '=')
            continue;
        for (p += len + 1; *p && *p != ';'; p++) {
            if (!strchr(" \t\n", *p))
                buf_putc(&text, *p);
        }
        return buf_steal(&text);
    }
    return NULL;
}

static void check_tag(const char *value, const char *name, const char *wanted)
{
    char *found = tag(value, name);

    if (found && wanted)
        assert_string_equal(found, wanted);
    else if (found || wanted)
        fail_msg("%s= is %s", name, found ? found : "not there");
    free(found);
}

/* --- what a signature is ------------------------------------------------------------- */

static void test_signature(void **state)
{
    const struct dkim_signing *const signings[] = {&rsa, &ed25519};

    (void)state;
    for (size_t i = 0; i < COUNT(signings); i++) {
        struct mail mail = plain_mail();
        char *value = sign(&mail, signings[i]);
        check_tag(value, "v", "1");
        check_tag(value, "a", dkim_signkey_algorithm(signings[i]->key));
        check_tag(value, "c", "relaxed/relaxed");
        check_tag(value, "d", "d.example");
        check_tag(value, "s", signings[i]->selector);
        check_tag(value, "t", "1795880000");
        check_tag(value, "h",
                  "From:From:Reply-To:Sender:To:To:Cc:Subject:Subject:Date:Date:Message-ID:"
                  "Message-ID:In-Reply-To:References:MIME-Version:Content-Type:"
                  "Content-Transfer-Encoding");
        check_tag(value, "l", NULL);
        check_tag(value, "z", NULL);
        check_tag(value, "i", NULL);
        assert_int_equal(verify_signed(mail, value), AUTH_PASS);
        free(value);
    }
}

/* No line is longer than RFC 5322 2.1.1 would have it, and each but the first begins with a tab. */
static void test_lines(void **state)
{
    char label[64], domain[254];
    struct dkim_signing long_names = {domain, label, ed25519.key};
    const struct dkim_signing *const signings[] = {&rsa, &ed25519, &long_names};

    (void)state;
    memset(label, 'x', 63);
    label[63] = 0;
    snprintf(domain, sizeof(domain), "%s.%s.%s.example", label, label, label);
    for (size_t i = 0; i < COUNT(signings); i++) {
        struct mail mail = plain_mail();
        char *value = sign(&mail, signings[i]), *line = value;
        size_t column = sizeof("DKIM-Signature:") - 1;
        assert_null(strchr(value, '\r'));
        while (line) {
            size_t len = strcspn(line, "\n");
            assert_true(column + len <= 78 || strstr(line, domain) < line + len);
            assert_true(len > 2 && line[len - 1] != ' ' && line[len - 1] != '\t');
            line = line[len] ? line + len + 1 : NULL;
            assert_true(!line || (line[0] == '\t' && line[1] != ' '));
            column = 7;
        }
        free(value);
    }
}

/* One body, two signatures: each verifies beside the other, in either order. */
static void test_two(void **state)
{
    const struct dkim_signing orders[2][2] = {{rsa, ed25519}, {ed25519, rsa}};

    (void)state;
    for (size_t i = 0; i < COUNT(orders); i++) {
        struct mail mail = plain_mail();
        struct buf values[2] = {{0}, {0}};
        struct dkim_result results[10];
        struct error error;
        assert_int_equal(try_sign(&mail, orders[i], 2, 7, values, &error), 0);
        add_field(&mail, "DKIM-Signature", buf_str(&values[0]));
        add_field(&mail, "DKIM-Signature", buf_str(&values[1]));
        assert_int_equal(verify_by(&mail, &records.dns, results), 2);
        for (size_t k = 0; k < 2; k++) {
            assert_int_equal(results[k].result, AUTH_PASS);
            assert_string_equal(results[k].selector, orders[i][1 - k].selector);
            buf_fini(&values[k]);
        }
    }
}

/* --- what it covers --------------------------------------------------------------------- */

static void test_added_fields(void **state)
{
    static const struct {
        const char *name;
        enum auth_result result;
    } cases[] = {
        {"From", AUTH_FAIL},
        {"Reply-To", AUTH_FAIL},
        {"To", AUTH_FAIL},
        {"Cc", AUTH_FAIL},
        {"Subject", AUTH_FAIL},
        {"subject", AUTH_FAIL},
        {"Date", AUTH_FAIL},
        {"Message-ID", AUTH_FAIL},
        {"In-Reply-To", AUTH_FAIL},
        {"References", AUTH_FAIL},
        {"MIME-Version", AUTH_FAIL},
        {"Content-Type", AUTH_FAIL},
        {"Content-Transfer-Encoding", AUTH_FAIL},
        {"Sender", AUTH_PASS},
        {"Received", AUTH_PASS},
        {"Authentication-Results", AUTH_PASS},
        {"Resent-From", AUTH_PASS},
        {"List-Id", AUTH_PASS},
        {"List-Unsubscribe", AUTH_PASS},
        {"X-Spam", AUTH_PASS},
        {"DKIM-Signature-Not", AUTH_PASS},
    };
    const struct mail mail = plain_mail();

    (void)state;
    for (int type = 0; type < 2; type++) {
        char *value = sign(&mail, type ? &ed25519 : &rsa);
        for (size_t i = 0; i < COUNT(cases); i++) {
            struct mail top = mail, end = mail;
            add_field(&top, cases[i].name, " mallory@evil.example");
            CASE(cases[i].name, verify_signed(top, value) == cases[i].result);
            end.fields[end.count++] = (struct field){cases[i].name, " mallory@evil.example"};
            /* the signed one is the last: an unsigned one behind Sender takes its place */
            enum auth_result wanted = str_eq(cases[i].name, "Sender") ? AUTH_FAIL : cases[i].result;
            CASE(cases[i].name, verify_signed(end, value) == wanted);
        }
        free(value);
    }
}

/* What is signed cannot be changed or taken away, and what is not signed can. */
static void test_changed_fields(void **state)
{
    const struct mail mail = plain_mail();
    char *value = sign(&mail, &rsa);

    (void)state;
    for (size_t i = 0; i < mail.count; i++) {
        bool is_signed = i != 0 && !str_eq(mail.fields[i].name, "X-Other");
        struct mail changed = mail, less = mail;
        changed.fields[i].value = " changed";
        less.fields[i] = less.fields[--less.count];
        CASE(mail.fields[i].name, (verify_signed(changed, value) == AUTH_PASS) == !is_signed);
        CASE(mail.fields[i].name, (verify_signed(less, value) == AUTH_PASS) == !is_signed);
    }
    free(value);
}

/* All names at once, some twice. */
static void test_all_fields(void **state)
{
    static const char *const names[] = {
        "Reply-To",
        "Cc",
        "In-Reply-To",
        "References",
        "MIME-Version",
        "Content-Type",
        "Content-Transfer-Encoding",
        "List-Id",
        "List-Unsubscribe",
        "List-Unsubscribe-Post",
        "Resent-From",
        "Resent-From",
        "Resent-To",
        "List-Post",
        "Sender",
    };
    struct mail mail = plain_mail();

    (void)state;
    for (size_t i = 0; i < COUNT(names); i++)
        add_field(&mail, names[i], i % 2 ? " one" : " other");
    char *value = sign(&mail, &rsa);
    assert_int_equal(verify_signed(mail, value), AUTH_PASS);
    for (size_t i = 0; i < COUNT(names); i++) {
        struct mail changed = mail;
        changed.fields[i].value = " changed";
        CASE(changed.fields[i].name, verify_signed(changed, value) == AUTH_FAIL);
    }
    free(value);
}

/* What relays do to a header on the way. */
static void test_refolded(void **state)
{
    struct mail mail = plain_mail();
    char *value = sign(&mail, &rsa);
    struct buf unfolded = {0};

    (void)state;
    mail.fields[3] = (struct field){"SUBJECT ", "one two\r\n three\r\n\tfour"};
    mail.fields[2].value = " bob@home.example, carol@home.example";
    assert_int_equal(verify_signed(mail, value), AUTH_PASS);
    for (const char *p = value; *p; p++) {
        if (*p != '\n')
            buf_putc(&unfolded, *p);
    }
    assert_int_equal(verify_signed(mail, buf_str(&unfolded)), AUTH_PASS);
    buf_fini(&unfolded);
    free(value);
}

/* --- bodies ------------------------------------------------------------------------------ */

/* Were a field cut behind blanks, what is left would be what was signed, and the rest anybody's. */
static void test_text_behind_blanks(void **state)
{
    struct mail mail = plain_mail();
    char *value = sign(&mail, &rsa);

    (void)state;
    for (size_t blanks = 1000; blanks < DKIM_HEADERS_MAX / 2; blanks *= 2) {
        struct buf to = {0};
        buf_puts(&to, mail.fields[2].value);
        for (size_t i = 0; i < blanks; i++)
            buf_puts(&to, i % 900 ? " " : "\n ");
        struct mail read = mail;
        read.fields[2].value = buf_str(&to);
        assert_int_equal(verify_signed(read, value), AUTH_PASS);
        buf_puts(&to, ", mallory@evil.example");
        read.fields[2].value = buf_str(&to);
        assert_int_equal(verify_signed(read, value), AUTH_FAIL);
        buf_fini(&to);
    }
    free(value);
}

static void test_bodies(void **state)
{
    static const char *const bodies[] = {
        "",
        "\r\n",
        "\r\n\r\n",
        "Hello.\r\n",
        " \r\n\t\r\ntext \t text \r\n",
        "gr\xc3\xbc\xc3\x9f\xff\r\n",
        ".\r\n..\r\n",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(bodies); i++) {
        struct mail mail = plain_mail();
        mail.body = bodies[i];
        mail.body_len = strlen(bodies[i]);
        for (size_t chunk = 1; chunk <= mail.body_len + 1; chunk++) {
            struct buf value = {0};
            struct error error;
            struct mail read = mail;
            assert_int_equal(try_sign(&mail, &rsa, 1, chunk, &value, &error), 0);
            CASE(bodies[i], verify_signed(read, buf_str(&value)) == AUTH_PASS);
            read.body = "other\r\n";
            read.body_len = 7;
            CASE(bodies[i], verify_signed(read, buf_str(&value)) == AUTH_FAIL);
            buf_fini(&value);
        }
    }
}

/* A last line without an end gets one from whoever transports it. */
static void test_unended_body(void **state)
{
    struct mail mail = plain_mail();

    (void)state;
    mail.body = "Hello.\r\nBye";
    mail.body_len = strlen(mail.body);
    char *value = sign(&mail, &ed25519);
    mail.body = "Hello.\r\nBye\r\n";
    mail.body_len = strlen(mail.body);
    assert_int_equal(verify_signed(mail, value), AUTH_PASS);
    free(value);
}

/* --- what is not signed ------------------------------------------------------------------ */

static void check_refused(const struct mail *mail, const char *reason)
{
    struct buf value = {0};
    struct error error = {0};

    assert_int_equal(try_sign(mail, &rsa, 1, 1000, &value, &error), -1);
    assert_int_equal(error.code, ERROR_REFUSED);
    assert_string_equal(error.text, reason);
    assert_int_equal(value.len, 0);
    buf_fini(&value);
}

static void test_refused(void **state)
{
    struct mail mail = plain_mail();
    char *huge = x_malloc(DKIM_HEADERS_MAX + 2);

    (void)state;
    mail.fields[1].name = "X-From";
    check_refused(&mail, "the message has no From field");
    mail.count = 0;
    check_refused(&mail, "the message has no From field");
    mail = plain_mail();
    add_field(&mail, "from\t", " mallory@evil.example");
    check_refused(&mail, "the message has more than one From field");
    mail = plain_mail();
    memset(huge, 'x', DKIM_HEADERS_MAX + 1);
    huge[DKIM_HEADERS_MAX + 1] = 0;
    add_field(&mail, "Subject", huge);
    check_refused(&mail, "the header is too large");
    /* nobody asks for that one */
    mail.fields[0].name = "X-Huge";
    free(sign(&mail, &rsa));
    free(huge);
}

static void test_many_fields(void **state)
{
    (void)state;
    for (size_t more = 0; more < 2; more++) {
        struct dkim_signer *signer = dkim_signer_new(&rsa, 1);
        struct error error;
        struct buf value = {0};
        dkim_signer_header(signer, "From", " a@d.example");
        for (size_t i = 1; i < DKIM_SIGN_FIELDS_MAX + more; i++)
            dkim_signer_header(signer, "Resent-To", " b@d.example");
        assert_int_equal(dkim_signer_finish(signer, NOW, &value, &error), more ? -1 : 0);
        buf_fini(&value);
        dkim_signer_free(&signer);
    }
}

/* Thrown away at each step, and in the wrong order. */
static void test_odd_callers(void **state)
{
    struct dkim_signer *signer = dkim_signer_new(&rsa, 1);
    struct buf value = {0};
    struct error error;

    (void)state;
    dkim_signer_free(&signer);
    dkim_signer_free(&signer);
    signer = dkim_signer_new(&rsa, 1);
    dkim_signer_body(signer, (const uint8_t *)"x", 1);
    dkim_signer_header(signer, "From", " a@d.example");
    dkim_signer_free(&signer);
    signer = dkim_signer_new(NULL, 0);
    dkim_signer_header(signer, "From", " a@d.example");
    assert_int_equal(dkim_signer_finish(signer, NOW, NULL, &error), 0);
    dkim_signer_free(&signer);
    signer = dkim_signer_new(&rsa, 1);
    dkim_signer_header(signer, "From", " a@d.example");
    dkim_signer_end_header(signer);
    dkim_signer_header(signer, "From", " b@d.example");
    dkim_signer_end_header(signer);
    assert_int_equal(dkim_signer_finish(signer, NOW, &value, &error), 0);
    dkim_signer_body(signer, (const uint8_t *)"x", 1);
    dkim_signer_free(&signer);
    buf_fini(&value);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_signature),
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_two),
        cmocka_unit_test(test_added_fields),
        cmocka_unit_test(test_changed_fields),
        cmocka_unit_test(test_all_fields),
        cmocka_unit_test(test_refolded),
        cmocka_unit_test(test_text_behind_blanks),
        cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_unended_body),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_many_fields),
        cmocka_unit_test(test_odd_callers),
    };

    return cmocka_run_group_tests_name("dkim_sign", tests, dkim_fixture_set_up,
                                       dkim_fixture_tear_down);
}
