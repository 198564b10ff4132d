/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "milter/fields.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/unit.h"

#define OURS "mail.example.org"

static char ours[] = OURS, other[] = "other.example", below[] = "sub.mail.example.org";
static char *upstream[] = {other, below};
static const struct config_milter config = {.authserv_id = ours,
                                            .upstream_authserv_ids = {upstream, COUNT(upstream)}};

static const struct fields_list *authres(const struct fields *fields)
{
    return &fields->lists[FIELDS_AUTHRES];
}

static void test_name(void **state)
{
    (void)state;
    assert_true(fields_name_is("DKIM-Signature", "DKIM-Signature"));
    assert_true(fields_name_is("dkim-SIGNATURE", "DKIM-Signature"));
    assert_true(fields_name_is("DKIM-Signature \t", "DKIM-Signature"));
    assert_false(fields_name_is("DKIM-Signatur", "DKIM-Signature"));
    assert_false(fields_name_is("DKIM-Signature2", "DKIM-Signature"));
    assert_false(fields_name_is("DKIM-Signature x", "DKIM-Signature"));
    assert_false(fields_name_is("", "DKIM-Signature"));
}

static void test_which_must_go(void **state)
{
    static const struct {
        const char *value;
        bool goes;
    } cases[] = {
        {" mail.example.org; spf=pass", true},
        {"mail.example.org;spf=pass", true},
        {" MAIL.Example.ORG; spf=pass", true},
        {" mail.example.org 1; spf=pass", true},
        {" mail.example.org; none", true},
        {" mail.example.org", true},
        {" mail.example.org.; spf=pass", true},
        {" (c) mail.example.org (d) ; spf=pass", true},
        {"\n\tmail.example.org;\n\tspf=pass", true},
        {" \"mail.example.org\"; spf=pass", true},
        /* listed */
        {" other.example; spf=pass", false},
        {" Other.Example 1; spf=pass", false},
        {" sub.mail.example.org; spf=pass", false},
        /* of others */
        {" other.example.; spf=pass", true},
        {" another.example; spf=pass", true},
        {" mail.example.com; spf=pass", true},
        {" example.org; spf=pass", true},
        {" mail.example.organic; spf=pass", true},
        /* what cannot be read could be read as ours by others */
        {"", true},
        {" ;; spf=pass", true},
        {" (unclosed mail.example.org; spf=pass", true},
        {" \"unclosed; spf=pass", true},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct fields fields = {.too_many = false};
        fields_note(&fields, &config, "Authentication-Results", cases[i].value);
        CASE(cases[i].value, (authres(&fields)->remove_count == 1) == cases[i].goes);
        fields_fini(&fields);
    }
}

static void test_numbers(void **state)
{
    struct fields fields = {.too_many = false};

    (void)state;
    fields_note(&fields, &config, "From", " a@example.com");
    fields_note(&fields, &config, "Authentication-Results", " " OURS "; none");
    fields_note(&fields, &config, "X-Authentication-Results", " " OURS "; none");
    fields_note(&fields, &config, "authentication-results", " other.example; none");
    fields_note(&fields, &config, "AUTHENTICATION-RESULTS ", " " OURS "; none");
    fields_note(&fields, &config, "ARC-Authentication-Results", " i=1; " OURS "; none");
    assert_int_equal(authres(&fields)->seen, 3);
    assert_int_equal(authres(&fields)->remove_count, 2);
    assert_int_equal(authres(&fields)->remove[0], 1);
    assert_int_equal(authres(&fields)->remove[1], 3);
    fields_fini(&fields);
    assert_int_equal(authres(&fields)->remove_count, 0);
}

static void test_action_field(void **state)
{
    struct fields fields = {.too_many = false};

    (void)state;
    fields_note(&fields, &config, "X-Postern-Action", " other.example; none");
    fields_note(&fields, &config, "Authentication-Results", " " OURS "; none");
    fields_note(&fields, &config, "x-postern-action ", "");
    assert_int_equal(fields.lists[FIELDS_ACTION].remove_count, 2);
    assert_int_equal(fields.lists[FIELDS_ACTION].remove[1], 2);
    assert_int_equal(authres(&fields)->remove_count, 1);
    assert_int_equal(fields_remove_count(&fields), 3);
    fields_fini(&fields);
    assert_int_equal(fields_remove_count(&fields), 0);
}

static void test_limit(void **state)
{
    struct fields fields = {.too_many = false};

    (void)state;
    for (unsigned i = 0; i < FIELDS_REMOVE_MAX; i++)
        fields_note(&fields, &config, "Authentication-Results", " " OURS "; none");
    assert_int_equal(authres(&fields)->remove_count, FIELDS_REMOVE_MAX);
    assert_int_equal(authres(&fields)->remove[FIELDS_REMOVE_MAX - 1], FIELDS_REMOVE_MAX);
    fields_note(&fields, &config, "Authentication-Results", " other.example; none");
    assert_false(fields.too_many);
    fields_note(&fields, &config, "Authentication-Results", " " OURS "; none");
    assert_true(fields.too_many);
    assert_int_equal(authres(&fields)->remove_count, FIELDS_REMOVE_MAX);
    fields_fini(&fields);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_name),    cmocka_unit_test(test_which_must_go),
        cmocka_unit_test(test_numbers), cmocka_unit_test(test_action_field),
        cmocka_unit_test(test_limit),
    };
    return cmocka_run_group_tests_name("milter_fields", tests, NULL, NULL);
}
