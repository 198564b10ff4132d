/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/mailauth/dkim_signed.h"

/* How many fields of this name the lists cover. */
static size_t covered_by(const char *const lists[3], const char *name)
{
    struct dkim_signed covered = {0};
    size_t count = 0;

    for (size_t i = 0; i < 3 && lists[i]; i++)
        dkim_signed_add(&covered, lists[i], strlen(lists[i]));
    dkim_signed_sort(&covered);
    while (dkim_signed_take(&covered, name, strlen(name)))
        count++;
    dkim_signed_fini(&covered);
    return count;
}

static void test_lists(void **state)
{
    static const struct {
        const char *lists[3], *name;
        size_t count;
    } cases[] = {
        {{NULL}, "from", 0},
        {{"from"}, "from", 1},
        {{"from"}, "FROM", 1},
        {{"From"}, "from", 1},
        {{"from"}, "fro", 0},
        {{"from"}, "from2", 0},
        {{"from"}, "", 0},
        {{"to:from:subject"}, "from", 1},
        {{"to : \r\n\tfrom :subject"}, "from", 1},
        {{"from:to:from:to:from"}, "from", 3},
        {{"from:from", "from", "from:to"}, "from", 2},
        {{"from", "from:to:FROM:From", "from:to"}, "from", 3},
        {{"from", "to:from", "from:to"}, "from", 1},
        {{"from", "to:from", "from:to:to"}, "to", 2},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t count = covered_by(cases[i].lists, cases[i].name);
        if (count != cases[i].count)
            fail_msg("case %zu: %zu, not %zu", i, count, cases[i].count);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_lists)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
