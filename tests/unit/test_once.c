/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/once.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "common/config/config.h"
#include "tests/unit/unit.h"

#define RCPT    CONFIG_EVENT_RECIPIENT
#define MESSAGE CONFIG_EVENT_MESSAGE

static void a_fact_is_of_one_instance_one_kind_and_one_recipient(void **state)
{
    struct once *once = once_new();

    (void)state;
    assert_false(once_is_noted(once, "1.2.3.0", RCPT, "a@b.example"));
    once_note(once, "1.2.3.0", RCPT, "a@b.example");
    assert_true(once_is_noted(once, "1.2.3.0", RCPT, "a@b.example"));
    assert_false(once_is_noted(once, "1.2.3.1", RCPT, "a@b.example"));
    assert_false(once_is_noted(once, "1.2.3.0", RCPT, "a@b.exampl"));
    assert_false(once_is_noted(once, "1.2.3.0", RCPT, ""));
    assert_false(once_is_noted(once, "1.2.3.0", MESSAGE, "a@b.example"));
    assert_false(once_is_noted(once, "1.2.3.0a", RCPT, "@b.example"));
    assert_false(once_is_noted(once, "", RCPT, ""));
    once_free(&once);
    assert_null(once);
}

static void note(struct once *once, unsigned number)
{
    char recipient[32];

    snprintf(recipient, sizeof(recipient), "u%u@b.example", number);
    once_note(once, "1.2.3.0", RCPT, recipient);
}

static bool is_noted(const struct once *once, unsigned number)
{
    char recipient[32];

    snprintf(recipient, sizeof(recipient), "u%u@b.example", number);
    return once_is_noted(once, "1.2.3.0", RCPT, recipient);
}

/* A message of a thousand recipients is all remembered, with sixteen such beside it. */
static void the_newest_stay(void **state)
{
    struct once *once = once_new();
    unsigned kept = 0;

    (void)state;
    for (unsigned i = 0; i < 16000; i++)
        note(once, i);
    for (unsigned i = 15000; i < 16000; i++)
        kept += is_noted(once, i);
    assert_int_equal(kept, 1000);
    for (unsigned i = 16000; i < 20 * ONCE_MAX; i++)
        note(once, i);
    kept = 0;
    for (unsigned i = 20 * ONCE_MAX - 1000; i < 20 * ONCE_MAX; i++)
        kept += is_noted(once, i);
    assert_int_equal(kept, 1000);
    for (unsigned i = 0; i < 1000; i++)
        kept -= is_noted(once, i);
    assert_int_equal(kept, 1000);
    once_free(&once);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fact_is_of_one_instance_one_kind_and_one_recipient),
        cmocka_unit_test(the_newest_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
