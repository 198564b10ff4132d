/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/redis_lookup.h"

#include "tests/unit/net_fixture.h"

#include "tests/unit/unit.h"

struct found {
    unsigned calls;
    bool has_addr;
    struct addr addr;
    struct redis_lookup *lookup; /* freed from within */
};

static void on_found(const struct addr *addr, void *ctx)
{
    struct found *found = ctx;

    found->calls++;
    found->has_addr = addr != NULL;
    if (addr)
        found->addr = *addr;
    redis_lookup_free(&found->lookup);
}

static void test_names(void **state)
{
    static const struct {
        const char *host;
        bool has_addr;
    } cases[] = {{"localhost", true}, {"127.0.0.1", true}, {"a..b", false}, {"", false}};
    struct loop *loop = loop_new();

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        for (unsigned turn = 0; turn < 3; turn++) {
            struct found found = {0};

            found.lookup = redis_lookup_new(loop, cases[i].host, turn, on_found, &found);
            assert_non_null(found.lookup);
            assert_int_equal(found.calls, 0);
            FIXTURE_TURN_UNTIL(loop, found.calls > 0);
            CASE(cases[i].host, found.has_addr == cases[i].has_addr);
            if (found.has_addr)
                CASE(cases[i].host, addr_scope(&found.addr) == ADDR_SCOPE_LOOPBACK);
        }
    }
    loop_free(&loop);
}

/* The thread ends by itself, whenever it is not waited for any more. */
static void test_freed_early(void **state)
{
    struct loop *loop = loop_new();
    struct found found = {0};

    (void)state;
    for (unsigned i = 0; i < 50; i++) {
        found.lookup = redis_lookup_new(loop, "localhost", i, on_found, &found);
        assert_non_null(found.lookup);
        if (i % 2)
            poll(NULL, 0, 2);
        redis_lookup_free(&found.lookup);
    }
    loop_run_once(loop);
    assert_int_equal(found.calls, 0);
    loop_free(&loop);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_freed_early),
    };

    return cmocka_run_group_tests_name("redis lookup", tests, NULL, NULL);
}
