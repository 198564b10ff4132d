/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/unit.h"

static void a_name_is_held_once(void **state)
{
    char again[] = "logins";
    struct names names;

    (void)state;
    names_init(&names);
    const char *first = names_take(&names, "logins", 63);
    assert_string_equal(first, "logins");
    assert_ptr_equal(names_take(&names, again, 63), first);
    const char *other = names_take(&names, "login", 63);
    assert_ptr_not_equal(other, first);
    assert_int_equal(names.map.count, 2);
    names_drop(&names, first);
    assert_int_equal(names.map.count, 2);
    names_drop(&names, first);
    assert_int_equal(names.map.count, 1);
    names_drop(&names, other);
    names_fini(&names);
}

static void a_long_name_is_cut(void **state)
{
    struct names names;

    (void)state;
    names_init(&names);
    const char *name = names_take(&names, "abcdefgh", 5);
    assert_string_equal(name, "abcde");
    assert_ptr_equal(names_take(&names, "abcdexyz", 5), name);
    assert_ptr_equal(names_take(&names, "abcde", 5), name);
    for (int i = 0; i < 3; i++)
        names_drop(&names, name);
    const char *empty = names_take(&names, "", 5);
    assert_string_equal(empty, "");
    names_drop(&names, empty);
    names_fini(&names);
}

static void many_names_are_kept_apart(void **state)
{
    const char *held[1000];
    struct names names;
    char text[32];

    (void)state;
    names_init(&names);
    for (int i = 0; i < 1000; i++) {
        snprintf(text, sizeof(text), "jail-%d", i);
        held[i] = names_take(&names, text, 63);
    }
    for (int i = 0; i < 1000; i++) {
        snprintf(text, sizeof(text), "jail-%d", i);
        assert_string_equal(held[i], text);
        names_drop(&names, held[i]);
    }
    assert_int_equal(names.map.count, 0);
    names_fini(&names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_is_held_once),
        cmocka_unit_test(a_long_name_is_cut),
        cmocka_unit_test(many_names_are_kept_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
