/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/base/prefixset.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/unit.h"

static const char *const texts[] = {
    "0.0.0.0/0",     "203.0.113.0/24", "203.0.113.7", "10.0.0.0/8",
    "2001:db8::/32", "2001:db8::/64",  "::/0",        "2001:db8::1",
};
static struct prefixset_node nodes[COUNT(texts)];

static void fill(struct prefixset *set)
{
    prefixset_init(set);
    memset(nodes, 0, sizeof(nodes));
    for (size_t i = 0; i < COUNT(texts); i++) {
        assert_int_equal(prefix_parse(texts[i], &nodes[i].prefix), 0);
        prefixset_insert(set, &nodes[i]);
    }
}

static const char *match(const struct prefixset *set, const char *text, char out[PREFIX_TEXT_MAX])
{
    struct addr addr;

    assert_int_equal(addr_parse(text, &addr), 0);
    struct prefixset_node *node = prefixset_match(set, &addr);
    return node ? prefix_format(&node->prefix, out) : "";
}

static void test_longest_match(void **state)
{
    (void)state;
    static const struct {
        const char *addr, *want;
    } cases[] = {
        {"203.0.113.7", "203.0.113.7"},        {"203.0.113.8", "203.0.113.0/24"},
        {"203.0.114.8", "0.0.0.0/0"},          {"10.1.2.3", "10.0.0.0/8"},
        {"2001:db8::1", "2001:db8::1"},        {"2001:db8::2", "2001:db8::/64"},
        {"2001:db8:0:1::1", "2001:db8::/32"},  {"2001:db9::1", "::/0"},
        {"::ffff:203.0.113.7", "203.0.113.7"},
    };
    struct prefixset set;
    char out[PREFIX_TEXT_MAX];

    fill(&set);
    for (size_t i = 0; i < COUNT(cases); i++)
        CASE(cases[i].addr, strcmp(match(&set, cases[i].addr, out), cases[i].want) == 0);
    struct addr none = {0};
    assert_null(prefixset_match(&set, &none));
    prefixset_fini(&set);
}

static void test_wider_match(void **state)
{
    static const char *const wanted[] = {"203.0.113.7", "203.0.113.0/24", "0.0.0.0/0"};
    struct prefixset set;
    char out[PREFIX_TEXT_MAX];
    struct addr addr;

    (void)state;
    fill(&set);
    assert_int_equal(addr_parse("203.0.113.7", &addr), 0);
    struct prefixset_node *node = prefixset_match(&set, &addr);
    for (size_t i = 0; i < COUNT(wanted); i++) {
        assert_non_null(node);
        assert_string_equal(prefix_format(&node->prefix, out), wanted[i]);
        node = prefixset_match_wider(&set, &addr, &node->prefix);
    }
    assert_null(node);
    prefixset_fini(&set);
}

static void test_longer(void **state)
{
    static const struct {
        const char *prefix;
        bool has_longer;
    } cases[] = {
        {"0.0.0.0/0", true},     {"192.0.2.0/24", true},  {"192.0.2.0/31", true},
        {"192.0.2.1/32", false}, {"2001:db8::/64", true}, {"2001:db8::/128", false},
    };
    struct prefixset set;
    struct prefix prefix;

    (void)state;
    fill(&set);
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(prefix_parse(cases[i].prefix, &prefix), 0);
        CASE(cases[i].prefix, prefixset_has_longer(&set, &prefix) == cases[i].has_longer);
    }
    prefixset_remove(&set, &nodes[2]);
    assert_int_equal(prefix_parse("192.0.2.0/24", &prefix), 0);
    assert_false(prefixset_has_longer(&set, &prefix));
    prefixset_fini(&set);
    assert_int_equal(prefix_parse("0.0.0.0/0", &prefix), 0);
    assert_false(prefixset_has_longer(&set, &prefix));
}

static void test_remove(void **state)
{
    (void)state;
    struct prefixset set;
    char out[PREFIX_TEXT_MAX];

    fill(&set);
    prefixset_remove(&set, &nodes[2]);
    assert_string_equal(match(&set, "203.0.113.7", out), "203.0.113.0/24");
    prefixset_remove(&set, &nodes[1]);
    assert_string_equal(match(&set, "203.0.113.7", out), "0.0.0.0/0");
    prefixset_remove(&set, &nodes[0]);
    assert_string_equal(match(&set, "203.0.113.7", out), "");
    assert_string_equal(match(&set, "10.0.0.1", out), "10.0.0.0/8");
    prefixset_insert(&set, &nodes[2]);
    assert_string_equal(match(&set, "203.0.113.7", out), "203.0.113.7");
    prefixset_fini(&set);
    assert_string_equal(match(&set, "203.0.113.7", out), "");
}

static void test_find(void **state)
{
    (void)state;
    struct prefixset set;
    struct prefix other;

    fill(&set);
    for (size_t i = 0; i < COUNT(texts); i++)
        assert_ptr_equal(prefixset_find(&set, &nodes[i].prefix), &nodes[i]);
    assert_int_equal(prefix_parse("203.0.113.0/25", &other), 0);
    assert_null(prefixset_find(&set, &other));
    assert_int_equal(prefix_parse("0.0.0.0/32", &other), 0);
    assert_null(prefixset_find(&set, &other));
    prefixset_fini(&set);
}

static void test_walk(void **state)
{
    (void)state;
    struct prefixset set;
    unsigned seen[COUNT(texts)] = {0};
    const struct prefixset_node *node = NULL;

    fill(&set);
    while ((node = prefixset_next(&set, node)))
        seen[node - nodes]++;
    for (size_t i = 0; i < COUNT(texts); i++)
        CASE(texts[i], seen[i] == 1);
    prefixset_fini(&set);
    assert_null(prefixset_next(&set, NULL));
}

static void test_list(void **state)
{
    (void)state;
    struct prefixlist list = {0};
    struct prefix prefix;
    struct addr in, out;

    assert_int_equal(addr_parse("192.168.1.9", &in), 0);
    assert_int_equal(addr_parse("192.168.2.9", &out), 0);
    assert_false(prefixlist_contains(&list, &in));
    assert_int_equal(prefix_parse("2001:db8::/32", &prefix), 0);
    prefixlist_add(&list, &prefix);
    assert_int_equal(prefix_parse("192.168.1.0/24", &prefix), 0);
    prefixlist_add(&list, &prefix);
    assert_true(prefixlist_contains(&list, &in));
    assert_false(prefixlist_contains(&list, &out));
    prefixlist_fini(&list);
    assert_false(prefixlist_contains(&list, &in));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_longest_match), cmocka_unit_test(test_wider_match),
        cmocka_unit_test(test_longer),        cmocka_unit_test(test_remove),
        cmocka_unit_test(test_find),          cmocka_unit_test(test_walk),
        cmocka_unit_test(test_list),
    };
    return cmocka_run_group_tests_name("prefixset", tests, NULL, NULL);
}
