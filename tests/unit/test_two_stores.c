/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/engine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/log.h"
#include "policyd/store_file.h"
#include "policyd/store_redis.h"
#include "tests/unit/config_fixture.h"
#include "tests/unit/redis_fixture.h"
#include "tests/unit/unit.h"

/*
 * The same random events for one engine with a file store, and for two that share a Redis,
 * which take turns: all that is answered, counted and banned must be the same to the integer
 * and to the millisecond. The clock is the test's.
 */
#define EVENTS 100000

enum { FILE_STORE, SHARED_A, SHARED_B, ENGINES };

static const char jails[] =
    "jail \"logins\" { events = {\"auth_fail\"} distinct = \"password\" maxretry = 4\n"
    "  findtime = \"10m\" bantime = \"20m\" bantime_factor = 2 bantime_max = \"3h\" }\n"
    "jail \"nets\" { events = {\"auth_fail=3\", \"honeypot=5\"} maxretry = 40 findtime = \"30m\"\n"
    "  bantime = \"40m\" prefix4 = 24 prefix6 = 48 }\n"
    "jail \"pairs\" { events = {\"auth_fail\"} count_by = \"client+login\" maxretry = 9\n"
    "  findtime = \"1h\" bantime = \"5m\" acts = \"auth\" }\n"
    "jail \"slow\" { events = {\"auth_fail\"} count_by = \"login\" maxretry = 6 findtime = "
    "\"20m\"\n"
    "  action = \"delay\" delay = \"5s\" distinct = \"password\" }\n"
    "jail \"busy\" { events = {\"connect\"} maxretry = 12 findtime = \"1m\" bantime = \"2m\" }\n"
    "jail \"later\" { events = {\"rcpt_unknown=2\", \"relay_denied\"} maxretry = 7\n"
    "  findtime = \"7m\" action = \"defer\" }\n";

struct world {
    void *scene_state, *config_state;
    struct scene *scene;
    struct loop *loop;
    struct config *config;
    struct clock clock;
    int64_t wall_ms, mono_ms;
    uint64_t random;
    struct origin_rules rules;
    char store_dir[64];
    struct store *stores[ENGINES];
    struct engine *engines[ENGINES];
    unsigned answers;                                    /* of reports */
    unsigned banned, delayed, deferred, lifted, ignored; /* that something happened at all */
};

static struct world *world;

static int64_t wall_ms(const struct clock *clock)
{
    (void)clock;
    return world->wall_ms;
}

static int64_t mono_ms(const struct clock *clock)
{
    (void)clock;
    return world->mono_ms;
}

/* xorshift: the same events each time. */
static unsigned random_below(unsigned limit)
{
    world->random ^= world->random << 13;
    world->random ^= world->random >> 7;
    world->random ^= world->random << 17;
    return (unsigned)(world->random >> 33) % limit;
}

static void start_engine(size_t i)
{
    struct error error = {0};

    world->engines[i] = engine_new(&(struct engine_options){
        .config = world->config,
        .rules = &world->rules,
        .clock = &world->clock,
        .store = world->stores[i],
    });
    assert_int_equal(engine_restore(world->engines[i], &error), 0);
}

static void load_config(void)
{
    struct buf text = {0};

    config_fixture_setup(&world->config_state);
    buf_printf(&text, "hostname = \"mx.example.com\"\nstore = \"redis://%s/0/socket\"\n%s",
               world->scene->dir, jails);
    world->config = load(buf_str(&text));
    buf_fini(&text);
    world->rules.config = world->config;
}

static int setup(void **state)
{
    struct error error = {0};

    (void)state;
    world = calloc(1, sizeof(*world));
    scene_setup(&world->scene_state);
    world->scene = world->scene_state;
    if (!world->scene)
        return 0;
    log_open("test", LOG_TARGET_NOWHERE, LOG_LEVEL_WARNING);
    server_start(world->scene, 0, "");
    world->loop = world->scene->loop;
    world->clock = (struct clock){wall_ms, mono_ms};
    world->wall_ms = INT64_C(1790000000000);
    world->mono_ms = 1000000;
    world->random = 88172645463325252;
    load_config();
    snprintf(world->store_dir, sizeof(world->store_dir), "/tmp/postern-two-XXXXXX");
    assert_non_null(mkdtemp(world->store_dir));
    world->stores[FILE_STORE] = store_file_open(world->store_dir, world->loop, &error);
    assert_non_null(world->stores[FILE_STORE]);
    start_engine(FILE_STORE);
    for (size_t i = SHARED_A; i < ENGINES; i++) {
        world->stores[i] = store_redis_open(world->loop, &world->clock, world->config);
        start_engine(i);
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    if (world->scene) {
        for (size_t i = 0; i < ENGINES; i++) {
            engine_finish(world->engines[i]);
            SCENE_TURN_UNTIL(world->scene, !engine_pending(world->engines[i]));
            world->stores[i]->free(world->stores[i]);
            engine_free(&world->engines[i]);
        }
        config_free(&world->config);
        config_fixture_teardown(&world->config_state);
        char line[128];
        snprintf(line, sizeof(line), "rm -r %s", world->store_dir);
        assert_int_equal(system(line), 0);
    }
    scene_teardown(&world->scene_state);
    free(world);
    return 0;
}

/* --- what is compared --------------------------------------------------------------------- */

static bool has_same_bans(const struct engine *a, const struct engine *b)
{
    const struct bans *all = engine_bans(a), *others = engine_bans(b);

    if (all->count != others->count)
        return false;
    for (const struct ban *ban = all->first; ban; ban = ban->next) {
        const struct ban *other = bans_find(others, &ban->node.prefix);
        if (!other || other->until_mono_ms != ban->until_mono_ms || other->acts != ban->acts ||
            other->since_wall_ms != ban->since_wall_ms || strcmp(other->jail, ban->jail) != 0)
            return false;
    }
    return true;
}

static bool is_settled(void)
{
    for (size_t i = 0; i < ENGINES; i++) {
        engine_expire(world->engines[i]);
        if (engine_pending(world->engines[i]))
            return false;
    }
    return has_same_bans(world->engines[FILE_STORE], world->engines[SHARED_A]) &&
           has_same_bans(world->engines[FILE_STORE], world->engines[SHARED_B]);
}

static uint64_t count_of(const struct engine *engine, size_t jail, const struct event *event)
{
    const struct jails *all = engine_jails(engine);
    struct prefix key = jail_key(&all->config->jails[jail], event);
    const struct window *window = counters_look(&all->counters[jail], &key);

    return window ? window_count(window, all->counters[jail].findtime_ms, world->mono_ms) : 0;
}

/* Not what is of no account, or of none to one jail: then nobody has asked Redis. */
static uint64_t uncounted(void)
{
    return engine_stats(world->engines[FILE_STORE])->count[STAT_EVENT_UNCOUNTED];
}

/* The other one learns of it when it asks. */
static void compare_counts(size_t taker, const struct event *event, unsigned number)
{
    for (size_t i = 0; i < world->config->jail_count; i++) {
        if (!jail_wants(&world->config->jails[i], event->kind))
            continue;
        uint64_t file = count_of(world->engines[FILE_STORE], i, event);
        uint64_t shared = count_of(world->engines[taker], i, event);
        if (file != shared)
            fail_msg("event %u, jail %s: %lu in the file store, %lu in Redis", number,
                     world->config->jails[i].name, (unsigned long)file, (unsigned long)shared);
    }
}

static void compare_verdicts(const struct origin_peer *peer, unsigned number)
{
    for (unsigned act = CONFIG_ACTS_SMTP; act <= CONFIG_ACTS_AUTH; act++) {
        struct judgement file = engine_judge(world->engines[FILE_STORE], peer, "", act);
        world->banned += file.verdict == VERDICT_BANNED;
        for (size_t i = SHARED_A; i < ENGINES; i++) {
            struct judgement shared = engine_judge(world->engines[i], peer, "", act);
            if (file.verdict != shared.verdict || file.seconds != shared.seconds)
                fail_msg("event %u: verdict %d for %lu s, and %d for %lu s of engine %zu", number,
                         file.verdict, (unsigned long)file.seconds, shared.verdict,
                         (unsigned long)shared.seconds, i);
        }
    }
}

static void compare_delays(const struct origin_peer *peer, const char *login, unsigned number)
{
    const struct config_jail *jail;
    struct origin origin = origin_find(&world->rules, peer);
    unsigned file = engine_delay(world->engines[FILE_STORE], &origin, login, &jail);

    world->delayed += file != 0;
    for (size_t i = SHARED_A; i < ENGINES; i++) {
        engine_delay(world->engines[i], &origin, login, &jail); /* asks the others */
        SCENE_TURN_UNTIL(world->scene, is_settled());
        unsigned shared = engine_delay(world->engines[i], &origin, login, &jail);
        SCENE_TURN_UNTIL(world->scene, is_settled());
        if (file != shared)
            fail_msg("event %u: a delay of %u s, and of %u s of engine %zu", number, file, shared,
                     i);
    }
}

/* --- what happens -------------------------------------------------------------------------- */

static void on_done(enum engine_status status, const char *reason, void *ctx)
{
    (void)reason;
    (void)ctx;
    assert_int_equal(status, ENGINE_OK);
    world->answers++;
}

static struct origin_peer random_peer(void)
{
    static const char *const clients[] = {
        "203.0.113.1",     "203.0.113.2",     "203.0.113.3",       "198.51.100.7",
        "198.51.100.8",    "192.0.2.1",       "192.0.2.2",         "192.0.2.3",
        "2001:db8:1:1::1", "2001:db8:1:1::2", "2001:db8:1:2::1",   "2001:db8:2::1",
        "2001:db8:3::1",   "203.0.114.1",     "2001:db8:1:ff::99", "198.51.100.200",
    };
    struct origin_peer peer = {0};

    assert_int_equal(addr_parse(clients[random_below(16)], &peer.addr), 0);
    return peer;
}

static struct event random_event(void)
{
    static const unsigned kinds[] = {CONFIG_EVENT_AUTH_FAIL,    CONFIG_EVENT_AUTH_FAIL,
                                     CONFIG_EVENT_AUTH_FAIL,    CONFIG_EVENT_CONNECT,
                                     CONFIG_EVENT_RCPT_UNKNOWN, CONFIG_EVENT_RELAY_DENIED,
                                     CONFIG_EVENT_HONEYPOT,     CONFIG_EVENT_SPF_FAIL};
    static const char *const logins[] = {"alice", "bob@example.com", "Carol", "carol", "dave"};
    static const char *const passwords[] = {"0001", "0002", "0003", "0004", "0005", "0006", ""};
    struct event event = {.kind = kinds[random_below(8)], .login = "", .fingerprint = ""};

    event.weight = random_below(12) ? 1 : random_below(4);
    event.is_of_mail = event.kind != CONFIG_EVENT_AUTH_FAIL;
    if (event.kind == CONFIG_EVENT_AUTH_FAIL) {
        event.login = logins[random_below(5)];
        event.fingerprint = passwords[random_below(7)];
    }
    return event;
}

static void report(unsigned number)
{
    struct origin_peer peer = random_peer();
    struct event event = random_event();
    size_t taker = SHARED_A + random_below(2);

    /* From before what may have been lifted: a file store cannot tell. */
    if (peer.addr.family == ADDR_IPV4 && peer.addr.bytes[0] == 192 && !random_below(5))
        event.at_wall_ms = world->wall_ms - (int64_t)random_below(1500000);
    if (*event.login)
        compare_delays(&peer, event.login, number);
    struct event copy = event;
    uint64_t before = uncounted();
    world->answers = 0;
    engine_report(world->engines[FILE_STORE], &peer, &event, on_done, NULL);
    engine_report(world->engines[taker], &peer, &copy, on_done, NULL);
    SCENE_TURN_UNTIL(world->scene, world->answers == 2 && is_settled());
    compare_verdicts(&peer, number);
    struct origin origin = origin_find(&world->rules, &peer);
    const struct config_jail *file = engine_defers(world->engines[FILE_STORE], &origin);
    world->deferred += file != NULL;
    if (uncounted() != before)
        return;
    compare_counts(taker, &event, number);
    if (event.kind == CONFIG_EVENT_RCPT_UNKNOWN || event.kind == CONFIG_EVENT_RELAY_DENIED)
        assert_ptr_equal(file, engine_defers(world->engines[taker], &origin));
}

static void log_in(void)
{
    struct origin_peer peer = random_peer();

    engine_note_login(world->engines[FILE_STORE], &peer, "alice");
    engine_note_login(world->engines[SHARED_A + random_below(2)], &peer, "alice");
}

static void on_unban(enum engine_status status, const char *reason, void *ctx)
{
    (void)reason;
    (void)ctx;
    world->answers++;
    world->lifted += status == ENGINE_OK;
}

static void ban_or_unban(void)
{
    struct origin_peer peer = random_peer();
    unsigned lengths4[] = {32, 24}, lengths6[] = {64, 48};
    size_t taker = SHARED_A + random_below(2);
    struct prefix net =
        prefix_of(&peer.addr, peer.addr.family == ADDR_IPV4 ? lengths4[random_below(2)]
                                                            : lengths6[random_below(2)]);
    bool is_unban = random_below(4) && peer.addr.bytes[0] != 192;

    world->answers = 0;
    for (size_t i = 0; i < ENGINES; i++) {
        if (i != FILE_STORE && i != taker)
            continue;
        if (is_unban)
            engine_unban(world->engines[i], &net, on_unban, NULL);
        else
            engine_ban(world->engines[i], &net, 300, on_done, NULL);
    }
    SCENE_TURN_UNTIL(world->scene, world->answers == 2 && is_settled());
}

static void pass_time(void)
{
    static const unsigned steps[] = {1, 50, 900, 4000, 20000, 60000};
    unsigned step = 1 + random_below(steps[random_below(6)]);

    if (!random_below(400))
        step = random_below(7200000);
    world->wall_ms += step;
    world->mono_ms += step;
}

static void both_stores_give_one_answer(void **state)
{
    (void)state;
    if (!world->scene)
        skip();
    for (unsigned i = 0; i < EVENTS; i++) {
        unsigned what = random_below(100);
        pass_time();
        if (what < 2)
            ban_or_unban();
        else if (what < 5)
            log_in();
        else
            report(i);
        SCENE_TURN_UNTIL(world->scene, is_settled());
        for (size_t n = 0; n < ENGINES && i % 256 == 0; n++)
            engine_tick(world->engines[n]);
    }
    print_message("# banned %u, delayed %u, deferred %u, lifted %u\n", world->banned,
                  world->delayed, world->deferred, world->lifted);
    assert_true(world->banned > 1000 && world->delayed > 1000 && world->deferred > 100 &&
                world->lifted > 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(both_stores_give_one_answer, setup, teardown),
    };

    return cmocka_run_group_tests_name("two_stores", tests, NULL, NULL);
}
