/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/keeper.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/policyd_fixture.h"
#include "tests/unit/unit.h"

#define CLIENT "203.0.113.7"
#define OTHER  "203.0.113.8"
#define FAULT  "No space left on device"

static int setup(void **state)
{
    *state = fixture_new();
    return 0;
}

static int teardown(void **state)
{
    fixture_free(*state);
    return 0;
}

static enum engine_status ban(struct fixture *fixture, const char *client, uint64_t seconds)
{
    struct prefix prefix = fixture_prefix(client);
    struct told told = {0};

    engine_ban(fixture->engine, &prefix, seconds, fixture_told, &told);
    fixture_commit(fixture);
    assert_int_equal(told.times, 1);
    return told.status;
}

static enum engine_status unban(struct fixture *fixture, const char *client)
{
    struct prefix prefix = fixture_prefix(client);
    struct told told = {0};

    engine_unban(fixture->engine, &prefix, fixture_told, &told);
    fixture_commit(fixture);
    assert_int_equal(told.times, 1);
    return told.status;
}

static void retry(struct fixture *fixture)
{
    fixture_pass(fixture, KEEPER_RETRY_MS);
    engine_tick(fixture->engine);
    fixture_commit(fixture);
}

static bool is_stored(struct fixture *fixture, const char *client)
{
    struct prefix prefix = fixture_prefix(client);

    for (size_t i = 0; i < fixture->record_count; i++) {
        if (prefix_eq(&fixture->records[i].prefix, &prefix))
            return true;
    }
    return false;
}

static unsigned times_logged(const struct fixture *fixture, const char *part)
{
    unsigned times = 0;

    for (const char *at = fixture->log; (at = strstr(at, part)); at++)
        times++;
    return times;
}

static void a_failure_behind_an_idle_round_is_retried_too(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(ban(fixture, CLIENT, 60), ENGINE_OK);
    fixture->store_fault = FAULT;
    assert_int_equal(unban(fixture, CLIENT), ENGINE_UNSTORED);
    for (int i = 0; i < 3; i++)
        retry(fixture);
    assert_int_equal(ban(fixture, OTHER, 3600), ENGINE_UNSTORED);
    fixture->store_fault = NULL;
    retry(fixture);
    assert_true(is_stored(fixture, OTHER));
    assert_null(engine_store_health(fixture->engine).error);
    assert_int_equal(times_logged(fixture, "store-failed"), 1);
}

static void a_lifted_ban_does_not_come_back_with_a_restart(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(ban(fixture, CLIENT, 3600), ENGINE_OK);
    fixture->store_fault = FAULT;
    assert_int_equal(unban(fixture, CLIENT), ENGINE_UNSTORED);
    assert_true(is_stored(fixture, CLIENT));
    retry(fixture);
    fixture->store_fault = NULL;
    retry(fixture);
    assert_false(is_stored(fixture, CLIENT));
    fixture_restart(fixture, 1000);
    assert_int_equal(fixture_verdict(fixture, CLIENT), VERDICT_GO_ON);
}

/* Its end is by the clock of then, which is before its beginning. */
static void a_ban_that_is_written_after_the_clock_went_back_holds(void **state)
{
    struct fixture *fixture = *state;

    fixture->store_fault = FAULT;
    assert_int_equal(ban(fixture, CLIENT, 3600), ENGINE_UNSTORED);
    fixture->wall_ms -= INT64_C(7200000);
    fixture->store_fault = NULL;
    retry(fixture);
    assert_true(is_stored(fixture, CLIENT));
    fixture_restart(fixture, 1000);
    assert_int_equal(fixture_verdict(fixture, CLIENT), VERDICT_BANNED);
}

static void an_ended_ban_is_deleted_later_too(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(ban(fixture, CLIENT, 60), ENGINE_OK);
    fixture->store_fault = FAULT;
    fixture_pass(fixture, 60000);
    engine_tick(fixture->engine);
    fixture_commit(fixture);
    fixture->store_fault = NULL;
    retry(fixture);
    assert_int_equal(fixture->record_count, 0);
}

static void a_dropped_ban_is_deleted_later_too(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(ban(fixture, CLIENT, 60), ENGINE_OK);
    fixture->store_fault = FAULT;
    fixture->tunnel = fixture_prefix(CLIENT);
    engine_reconfigure(fixture->engine, &fixture->config, &fixture->rules);
    fixture_commit(fixture);
    fixture->store_fault = NULL;
    retry(fixture);
    assert_int_equal(fixture->record_count, 0);
}

static void a_ban_set_again_is_not_deleted(void **state)
{
    struct fixture *fixture = *state;
    struct prefix prefix = fixture_prefix(CLIENT);
    struct told told = {0};

    assert_int_equal(ban(fixture, CLIENT, 60), ENGINE_OK);
    fixture->store_fault = FAULT;
    assert_int_equal(unban(fixture, CLIENT), ENGINE_UNSTORED);
    assert_int_equal(ban(fixture, CLIENT, 600), ENGINE_UNSTORED);
    /* Also one that is set again before the answer to its deletion comes. */
    engine_unban(fixture->engine, &prefix, fixture_told, &told);
    engine_ban(fixture->engine, &prefix, 900, fixture_told, &told);
    fixture_commit(fixture);
    fixture->store_fault = NULL;
    for (int i = 0; i < 3; i++)
        retry(fixture);
    assert_true(is_stored(fixture, CLIENT));
    assert_int_equal(fixture->record_count, 1);
    fixture_restart(fixture, 1000);
    assert_int_equal(fixture_verdict(fixture, CLIENT), VERDICT_BANNED);
}

/* Once it writes again, the rest does not wait half a minute for each round. */
static void after_recovery_a_round_comes_each_second(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(ban(fixture, CLIENT, 600), ENGINE_OK);
    fixture->store_fault = FAULT;
    assert_int_equal(unban(fixture, CLIENT), ENGINE_UNSTORED);
    fixture->store_fault = NULL;
    assert_int_equal(ban(fixture, OTHER, 600), ENGINE_OK);
    fixture_pass(fixture, 1000);
    engine_tick(fixture->engine);
    fixture_commit(fixture);
    assert_false(is_stored(fixture, CLIENT));
    fixture_pass(fixture, 1000);
    engine_tick(fixture->engine);
    assert_int_equal(engine_pending(fixture->engine), 0);
}

static struct prefix numbered(uint32_t number)
{
    const uint8_t bytes[4] = {11, (uint8_t)(number >> 16), (uint8_t)(number >> 8), (uint8_t)number};
    struct addr addr = addr_from_ipv4(bytes);

    return prefix_of(&addr, 32);
}

static void what_is_owed_has_a_bound_and_says_so_once(void **state)
{
    struct fixture *fixture = *state;
    struct told told;

    fixture->store_fault = FAULT;
    for (uint32_t i = 0; i < KEEPER_OWED_MAX + 2; i++) {
        struct prefix prefix = numbered(i);
        engine_ban(fixture->engine, &prefix, 60, fixture_told, &told);
        engine_unban(fixture->engine, &prefix, fixture_told, &told);
        fixture_commit(fixture);
        if (i == KEEPER_OWED_MAX - 1)
            assert_int_equal(times_logged(fixture, "unbans-forgotten"), 0);
        if (i < KEEPER_OWED_MAX)
            *fixture->log = '\0';
    }
    assert_int_equal(times_logged(fixture, "unbans-forgotten"), 1);
}

/* They hold no longer, whoever is asked about, and nobody waits until all are cleared away. */
static void many_bans_that_end_at_once_hold_nobody_up(void **state)
{
    struct fixture *fixture = *state;
    struct bans *bans = engine_bans(fixture->engine);
    struct told told = {0};
    char text[PREFIX_TEXT_MAX];

    for (uint32_t i = 0; i < 20000; i++) {
        struct prefix prefix = numbered(i);
        bans_put(bans, &prefix, "logins", CONFIG_ACTS_ALL, 0, fixture->mono_ms + 60000);
    }
    fixture->mono_ms += 60000;
    fixture->wall_ms += 60000;
    for (uint32_t i = 20000; i-- > 19990;) {
        struct prefix prefix = numbered(i);
        size_t before = bans->count;
        assert_int_equal(fixture_verdict(fixture, prefix_format(&prefix, text)), VERDICT_GO_ON);
        assert_in_range(before - bans->count, 1, KEEPER_EXPIRE_MAX);
        fixture_commit(fixture);
    }
    struct prefix last = numbered(19995);
    engine_unban(fixture->engine, &last, fixture_told, &told);
    assert_int_equal(told.status, ENGINE_NOT_BANNED);
    fixture_commit(fixture);
    for (int i = 0; i < 30 && bans->count; i++) {
        engine_tick(fixture->engine);
        fixture_commit(fixture);
    }
    assert_int_equal(bans->count, 0);
}

static int load_too_many(struct store *store, store_load_fn fn, void *ctx, struct error *error_r)
{
    struct fixture *fixture = MAP_ENTRY(store, struct fixture, store);
    struct store_ban record = {
        .jail = "logins",
        .since_wall_ms = fixture->wall_ms - 1000,
        .until_wall_ms = fixture->wall_ms + 3600000,
    };

    (void)error_r;
    for (uint32_t i = 0; i < BANS_MAX + 3; i++) {
        record.prefix = numbered(i);
        fn(&record, ctx);
    }
    return 0;
}

/* As many as fit are over, and then come some that are not. */
static int load_over_ones(struct store *store, store_load_fn fn, void *ctx, struct error *error_r)
{
    struct fixture *fixture = MAP_ENTRY(store, struct fixture, store);
    struct store_ban record = {.jail = "logins", .since_wall_ms = fixture->wall_ms - 3600000};

    (void)error_r;
    for (uint32_t i = 0; i < BANS_MAX + 3; i++) {
        record.prefix = numbered(i);
        record.until_wall_ms = fixture->wall_ms + (i < BANS_MAX ? 0 : 60000);
        fn(&record, ctx);
    }
    return 0;
}

static void bans_that_are_over_at_the_start_take_no_place(void **state)
{
    struct fixture *fixture = *state;
    struct error error;
    char text[PREFIX_TEXT_MAX];

    fixture->store.load = load_over_ones;
    assert_int_equal(engine_restore(fixture->engine, &error), 0);
    assert_true(fixture_logged(fixture, "bans-restored bans=3"));
    assert_false(fixture_logged(fixture, "ban-table-full"));
    for (uint32_t i = BANS_MAX - 3; i < BANS_MAX + 3; i++) {
        struct prefix prefix = numbered(i);
        assert_int_equal(fixture_verdict(fixture, prefix_format(&prefix, text)),
                         i < BANS_MAX ? VERDICT_GO_ON : VERDICT_BANNED);
    }
}

static void bans_that_find_no_place_at_the_start_are_named(void **state)
{
    struct fixture *fixture = *state;
    struct error error;

    fixture->store.load = load_too_many;
    assert_int_equal(engine_restore(fixture->engine, &error), 0);
    assert_int_equal(engine_bans(fixture->engine)->count, BANS_MAX);
    assert_true(fixture_logged(fixture, "ban-table-full bans=1500000 unrestored=3"));
}

/* --- a store that several share ------------------------------------------------------------- */

#define MANY 25000 /* more than are looked at in one turn of the loop */

/* What it was told and has not answered. */
static struct {
    struct store store;
    struct fixture *fixture;
    struct keeper *keeper;
    struct stats stats;
    struct {
        store_done_fn done;
        void *ctx;
    } due[MANY];
    size_t due_count;
    struct prefix last;
    size_t told; /* in all */
} shared;

static void shared_put(struct store *store, const struct store_ban *ban, store_done_fn done,
                       void *ctx)
{
    (void)store;
    assert_true(shared.due_count < MANY);
    shared.due[shared.due_count].done = done;
    shared.due[shared.due_count++].ctx = ctx;
    shared.last = ban->prefix;
    shared.told++;
}

static void shared_hit(struct store *store, const struct store_hit *hit, store_hit_fn fn, void *ctx)
{
    (void)store;
    (void)hit;
    (void)fn;
    (void)ctx;
}

static int setup_shared(void **state)
{
    memset(&shared, 0, sizeof(shared));
    shared.fixture = *state = fixture_new();
    shared.store = (struct store){.put_ban = shared_put, .hit = shared_hit};
    shared.keeper = keeper_new(&shared.fixture->clock, &shared.store, &shared.stats);
    return 0;
}

static void answer_shared(void)
{
    size_t count = shared.due_count;

    shared.due_count = 0;
    for (size_t i = 0; i < count; i++)
        shared.due[i].done(NULL, shared.due[i].ctx);
}

static int teardown_shared(void **state)
{
    while (shared.due_count)
        answer_shared();
    keeper_free(&shared.keeper);
    return teardown(state);
}

/* The store has so many bans, and tells them. */
static void read_shared(uint32_t count)
{
    struct store_ban record = {
        .jail = "logins",
        .since_wall_ms = shared.fixture->wall_ms,
        .until_wall_ms = shared.fixture->wall_ms + 60000,
        .version = 1,
    };

    keeper_begin_sync(shared.keeper);
    for (uint32_t i = 0; i < count; i++) {
        record.prefix = numbered(i);
        keeper_take(shared.keeper, &shared.fixture->rules, &record);
    }
}

static void ban_shared(const char *client)
{
    struct prefix prefix = fixture_prefix(client);
    struct keeper_change *change = keeper_begin(shared.keeper, NULL, NULL);

    assert_int_equal(keeper_put(change, &prefix, 60, "logins", CONFIG_ACTS_ALL), 0);
    keeper_end(change);
    answer_shared();
    shared.told = 0;
}

static void one_that_is_lacking_among_many_is_told_in_a_later_turn(void **state)
{
    struct prefix lacking = fixture_prefix(CLIENT);
    unsigned turns = 0;

    (void)state;
    read_shared(MANY);
    keeper_end_sync(shared.keeper);
    ban_shared(CLIENT);
    read_shared(MANY);
    keeper_end_sync(shared.keeper);
    assert_int_equal(shared.told, 0);
    for (; keeper_retell(shared.keeper); turns++)
        assert_true(turns < MANY);
    assert_in_range(turns, 2, 10);
    assert_int_equal(shared.told, 1);
    assert_true(prefix_eq(&shared.last, &lacking));
}

/* What was read before the reading broke off may be gone since. */
static void a_store_that_comes_back_empty_is_told_all_in_portions(void **state)
{
    size_t portions = 0;

    (void)state;
    read_shared(MANY);
    keeper_end_sync(shared.keeper);
    read_shared(MANY / 2);
    keeper_break_sync(shared.keeper);
    read_shared(0);
    keeper_end_sync(shared.keeper);
    for (; keeper_retell(shared.keeper) || shared.due_count; portions++) {
        assert_in_range(shared.due_count, 1, 1000);
        answer_shared();
    }
    assert_int_equal(shared.told, MANY);
    assert_in_range(portions, 2, MANY);
    for (struct ban *ban = keeper_bans(shared.keeper)->first; ban; ban = ban->next)
        assert_true(ban->stored);
}

#define SHARED_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup_shared, teardown_shared)
#define KEEPER_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        KEEPER_TEST(a_failure_behind_an_idle_round_is_retried_too),
        KEEPER_TEST(a_lifted_ban_does_not_come_back_with_a_restart),
        KEEPER_TEST(a_ban_that_is_written_after_the_clock_went_back_holds),
        KEEPER_TEST(an_ended_ban_is_deleted_later_too),
        KEEPER_TEST(a_dropped_ban_is_deleted_later_too),
        KEEPER_TEST(a_ban_set_again_is_not_deleted),
        KEEPER_TEST(after_recovery_a_round_comes_each_second),
        KEEPER_TEST(what_is_owed_has_a_bound_and_says_so_once),
        KEEPER_TEST(many_bans_that_end_at_once_hold_nobody_up),
        KEEPER_TEST(bans_that_are_over_at_the_start_take_no_place),
        KEEPER_TEST(bans_that_find_no_place_at_the_start_are_named),
        SHARED_TEST(one_that_is_lacking_among_many_is_told_in_a_later_turn),
        SHARED_TEST(a_store_that_comes_back_empty_is_told_all_in_portions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
