/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/engine.h"

#include <inttypes.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/log.h"
#include "policyd/store_redis.h"
#include "tests/unit/config_fixture.h"
#include "tests/unit/redis_fixture.h"
#include "tests/unit/unit.h"

/* Two engines on one Redis, while it hangs and answers what was asked long before. */

#define CLIENT "203.0.113.7"

enum { HERE, THERE, ENGINES };
enum { LOGINS, SENDING, FLOODS }; /* the jails */

struct world {
    void *scene_state;
    struct scene *scene;
    struct config *configs[2]; /* the second lets CLIENT off */
    struct origin_rules rules[2];
    struct store *stores[ENGINES];
    struct engine *engines[ENGINES];
    unsigned answers;
};

static struct world *world;

static struct config *load_with(const char *more)
{
    struct buf text = {0};

    buf_printf(&text,
               "hostname = \"mx.example.com\"\nstore = \"redis://%s/0/socket\"\n%s\n"
               "jail \"logins\" { events = {\"auth_fail\"} maxretry = 5 bantime_factor = 2 }\n"
               "jail \"sending\" { events = {\"recipient\"} count_by = \"login\" maxretry = 9\n"
               "  action = \"defer\" }\n"
               "jail \"floods\" { events = {\"message\"} count_by = \"login\" maxretry = 5\n"
               "  bantime = \"1h\" bantime_factor = 2 }\n",
               world->scene->dir, more);
    struct config *config = load(buf_str(&text));
    buf_fini(&text);
    return config;
}

static bool is_settled(void)
{
    struct store_health health;

    for (size_t i = 0; i < ENGINES; i++) {
        world->stores[i]->health(world->stores[i], &health);
        if (engine_pending(world->engines[i]) || health.pending || health.queued || health.error)
            return false;
    }
    return true;
}

static void start(size_t i)
{
    world->stores[i] = store_redis_open(world->scene->loop, &clock_system, world->configs[0]);
    world->engines[i] = engine_new(&(struct engine_options){
        .config = world->configs[0],
        .rules = &world->rules[0],
        .clock = &clock_system,
        .store = world->stores[i],
    });
}

static int setup_with(const char *first, const char *second)
{
    struct error error = {0};

    world = calloc(1, sizeof(*world));
    scene_setup(&world->scene_state);
    world->scene = world->scene_state;
    if (!world->scene)
        return 0;
    server_start(world->scene, 0, "");
    world->configs[0] = load_with(first);
    world->configs[1] = load_with(second);
    for (size_t i = 0; i < 2; i++)
        origin_rules_init(&world->rules[i], world->configs[i]);
    for (size_t i = 0; i < ENGINES; i++) {
        start(i);
        assert_int_equal(engine_restore(world->engines[i], &error), 0);
    }
    SCENE_TURN_UNTIL(world->scene, is_settled());
    return 0;
}

static int setup(void **state)
{
    (void)state;
    return setup_with("redis { timeout = \"30s\" }",
                      "redis { timeout = \"30s\" }\nignoreip = {\"" CLIENT "\"}");
}

/* The connection of the commands is given up while that of the channel is still thought well. */
static int setup_impatient(void **state)
{
    (void)state;
    return setup_with("redis { timeout = \"1s\" }", "redis { timeout = \"1s\" }");
}

static int teardown(void **state)
{
    (void)state;
    for (size_t i = 0; world->scene && i < ENGINES; i++) {
        engine_finish(world->engines[i]);
        SCENE_TURN_UNTIL(world->scene, !engine_pending(world->engines[i]));
        world->stores[i]->free(world->stores[i]);
        engine_free(&world->engines[i]);
    }
    for (size_t i = 0; world->scene && i < 2; i++) {
        origin_rules_fini(&world->rules[i]);
        config_free(&world->configs[i]);
    }
    scene_teardown(&world->scene_state);
    free(world);
    return 0;
}

static void on_done(enum engine_status status, const char *reason, void *ctx)
{
    (void)status;
    (void)reason;
    (void)ctx;
    world->answers++;
}

static int setup_few(void **state)
{
    (void)state;
    return setup_with("policyd { max_bans_per_minute = 3 }", "");
}

static struct origin_peer peer_of(const char *client)
{
    struct origin_peer peer = {0};

    assert_int_equal(addr_parse(client, &peer.addr), 0);
    return peer;
}

static struct origin_peer client(void)
{
    return peer_of(CLIENT);
}

/* Until who asked is answered; the store may say more later. */
static void fails_as(const char *who, size_t i, unsigned times)
{
    struct origin_peer peer = peer_of(who);

    while (times--) {
        struct event event = {
            .kind = CONFIG_EVENT_AUTH_FAIL, .login = "alice", .fingerprint = "", .weight = 1};
        world->answers = 0;
        engine_report(world->engines[i], &peer, &event, on_done, NULL);
        SCENE_TURN_UNTIL(world->scene, world->answers == 1);
    }
}

static void fails(size_t i, unsigned times)
{
    fails_as(CLIENT, i, times);
}

static bool is_banned(size_t i)
{
    struct origin_peer peer = client();

    return engine_judge(world->engines[i], &peer, "", CONFIG_ACTS_AUTH).verdict == VERDICT_BANNED;
}

/* What THERE counted makes it too many, which HERE cannot know yet. */
static void fail_while_it_hangs(void)
{
    fails(THERE, 4);
    SCENE_TURN_UNTIL(world->scene, is_settled());
    server_signal(world->scene, 0, SIGSTOP);
    fails(HERE, 1);
    assert_false(is_banned(HERE));
}

static void wake(void)
{
    server_signal(world->scene, 0, SIGCONT);
    SCENE_TURN_UNTIL(world->scene, is_settled());
}

static void a_late_answer_bans(void **state)
{
    (void)state;
    if (!world->scene)
        skip();
    fail_while_it_hangs();
    wake();
    assert_true(is_banned(HERE));
    SCENE_TURN_UNTIL(world->scene, is_banned(THERE));
}

static void a_late_answer_bans_nobody_who_was_let_off_meanwhile(void **state)
{
    (void)state;
    if (!world->scene)
        skip();
    fail_while_it_hangs();
    engine_reconfigure(world->engines[HERE], world->configs[1], &world->rules[1]);
    wake();
    assert_false(is_banned(HERE));
    assert_int_equal(engine_bans(world->engines[HERE])->count, 0);
    assert_false(is_banned(THERE));
}

/* What is answered then is of before, however fresh its answer. */
static void a_late_answer_counts_nothing_that_was_lifted_meanwhile(void **state)
{
    struct prefix net;

    (void)state;
    if (!world->scene)
        skip();
    assert_int_equal(prefix_parse(CLIENT, &net), 0);
    server_signal(world->scene, 0, SIGSTOP);
    fails(HERE, 4);
    poll(NULL, 0, 20); /* the clock has steps of some ms */
    world->answers = 0;
    engine_ban(world->engines[HERE], &net, 600, on_done, NULL);
    engine_unban(world->engines[HERE], &net, on_done, NULL);
    SCENE_TURN_UNTIL(world->scene, world->answers == 2);
    poll(NULL, 0, 50); /* longer than Redis will say that the window stands */
    wake();
    const struct counters *counters = &engine_jails(world->engines[HERE])->counters[LOGINS];
    assert_null(counters_look(counters, &net));
    assert_false(is_banned(HERE));
}

static uint64_t sent(size_t i)
{
    const struct counters *counters = &engine_jails(world->engines[i])->counters[SENDING];
    struct prefix key = jail_key_of_login("alice");
    const struct window *window = counters_look(counters, &key);

    return window ? window_count(window, counters->findtime_ms, clock_mono_ms(&clock_system)) : 0;
}

static void hand_in(size_t i, unsigned kind, unsigned weight)
{
    struct origin_peer peer = client();
    struct event event = {
        .kind = kind, .login = "alice", .fingerprint = "", .weight = weight, .is_of_mail = true};

    world->answers = 0;
    engine_report(world->engines[i], &peer, &event, on_done, NULL);
    SCENE_TURN_UNTIL(world->scene, world->answers == 1);
}

static void sends(size_t i, unsigned recipients)
{
    hand_in(i, CONFIG_EVENT_RECIPIENT, recipients);
    SCENE_TURN_UNTIL(world->scene, is_settled());
}

static uint64_t seconds_banned(size_t i)
{
    struct origin_peer peer = client();

    return engine_judge(world->engines[i], &peer, "alice", CONFIG_ACTS_SMTP).seconds;
}

static size_t queued(size_t i)
{
    struct store_health health;

    world->stores[i]->health(world->stores[i], &health);
    return health.queued;
}

/* To look at each of them for each of them would take minutes. */
static void many_that_are_lost_together_are_counted_in_a_moment(void **state)
{
    const unsigned many = 20000;
    struct origin_peer peer = client();

    (void)state;
    if (!world->scene)
        skip();
    server_signal(world->scene, 0, SIGSTOP);
    for (unsigned i = 0; i < many; i++) {
        struct event event = {.kind = CONFIG_EVENT_RECIPIENT,
                              .login = "alice",
                              .fingerprint = "",
                              .weight = 1,
                              .is_of_mail = true};
        engine_report(world->engines[HERE], &peer, &event, on_done, NULL);
    }
    SCENE_TURN_UNTIL(world->scene, world->answers == many);
    SCENE_TURN_UNTIL(world->scene, queued(HERE) == many);
    wake();
    assert_in_range(sent(HERE), many, 2 * many); /* some had reached it before it slept */
}

/* Memory has banned it by the time when Redis says that it is to be banned. */
static void a_login_is_banned_once_for_one_event(void **state)
{
    (void)state;
    if (!world->scene)
        skip();
    hand_in(HERE, CONFIG_EVENT_MESSAGE, 4);
    SCENE_TURN_UNTIL(world->scene, is_settled());
    server_signal(world->scene, 0, SIGSTOP);
    hand_in(HERE, CONFIG_EVENT_MESSAGE, 1);
    assert_in_range(seconds_banned(HERE), 3590, 3600);
    wake();
    assert_in_range(seconds_banned(HERE), 3580, 3600);
    SCENE_TURN_UNTIL(world->scene, seconds_banned(THERE));
    assert_in_range(seconds_banned(THERE), 3580, 3600);
    struct prefix key = jail_key_of_login("alice");
    assert_int_equal(jails_bans_before(engine_jails(world->engines[HERE]), FLOODS, &key,
                                       clock_mono_ms(&clock_system)),
                     1);
}

static void lifting_the_ban_of_a_login_forgets_what_it_sent(void **state)
{
    (void)state;
    if (!world->scene)
        skip();
    sends(HERE, 4);
    sends(THERE, 4);
    assert_int_equal(sent(THERE), 8);
    engine_ban_login(world->engines[HERE], "alice", 60, on_done, NULL);
    SCENE_TURN_UNTIL(world->scene, engine_logins(world->engines[THERE])->count == 1);
    poll(NULL, 0, 20); /* the clock has steps of some ms */
    engine_unban_login(world->engines[THERE], "Alice", on_done, NULL);
    SCENE_TURN_UNTIL(world->scene, engine_logins(world->engines[HERE])->count == 0 && is_settled());
    sends(HERE, 1);
    assert_int_equal(sent(HERE), 1);
}

/* The connection stays, so nothing is told anew by itself. */
static void a_lift_that_redis_refused_is_told_again(void **state)
{
    struct prefix net, other;

    (void)state;
    if (!world->scene)
        skip();
    assert_int_equal(prefix_parse(CLIENT, &net), 0);
    assert_int_equal(prefix_parse("203.0.113.8", &other), 0);
    engine_ban(world->engines[HERE], &net, 600, on_done, NULL);
    SCENE_TURN_UNTIL(world->scene, is_banned(THERE) && is_settled());
    server_do(world->scene, 0, "config set maxmemory 1");
    engine_unban(world->engines[HERE], &net, on_done, NULL);
    SCENE_TURN_UNTIL(world->scene, is_settled());
    assert_true(is_banned(THERE));
    server_do(world->scene, 0, "config set maxmemory 0");
    engine_ban(world->engines[HERE], &other, 600, on_done, NULL);
    SCENE_TURN_UNTIL(world->scene, is_settled());
    engine_tick(world->engines[HERE]);
    SCENE_TURN_UNTIL(world->scene, !is_banned(THERE));
}

/* --- bans within a minute -------------------------------------------------------------------- */

static void start_again(size_t i)
{
    struct error error = {0};

    engine_finish(world->engines[i]);
    world->stores[i]->free(world->stores[i]);
    engine_free(&world->engines[i]);
    start(i);
    assert_int_equal(engine_restore(world->engines[i], &error), 0);
}

static size_t ban_count(size_t i)
{
    return engine_bans(world->engines[i])->count;
}

/* The jails of THERE ban so many more, of which HERE hears. */
static void ban_there(unsigned from, unsigned to)
{
    char text[ADDR_TEXT_MAX];

    for (unsigned i = from; i < to; i++) {
        snprintf(text, sizeof(text), "198.51.100.%u", i);
        fails_as(text, THERE, 5);
    }
    SCENE_TURN_UNTIL(world->scene, ban_count(HERE) == ban_count(THERE) && is_settled());
}

/* As somebody who was away tells it: set by a jail so long ago. */
static void tell_ban(unsigned host, int64_t age_ms)
{
    int64_t now = clock_wall_ms(&clock_system);
    struct buf args = {0};

    buf_printf(&args,
               "publish postern:changes 'b%" PRId64 " %" PRId64 " %" PRId64 " %" PRId64
               " 3 10.1.2.%u logins'",
               now, now, now + 600000, now - age_ms, host);
    server_do(world->scene, 0, buf_str(&args));
    buf_fini(&args);
}

static void bans_of_all_hosts_are_too_many_together(void **state)
{
    (void)state;
    if (!world->scene)
        skip();
    ban_there(1, 3);
    fails_as("198.51.100.101", HERE, 5);
    SCENE_TURN_UNTIL(world->scene, ban_count(THERE) == 3 && is_settled());
    for (size_t i = 0; i < ENGINES; i++)
        assert_false(engine_holds_back(world->engines[i]));
    ban_there(3, 4);
    for (size_t i = 0; i < ENGINES; i++)
        assert_true(engine_holds_back(world->engines[i]));
    start_again(HERE); /* what stands there is not set within this minute */
    assert_int_equal(ban_count(HERE), 4);
    assert_false(engine_holds_back(world->engines[HERE]));
}

static void bans_of_operators_and_of_before_are_not_too_many(void **state)
{
    const struct addr addr = client().addr;

    (void)state;
    if (!world->scene)
        skip();
    for (unsigned i = 1; i <= 5; i++) {
        struct prefix net = prefix_of(&addr, 32 - i);
        engine_ban(world->engines[THERE], &net, 600, on_done, NULL);
        engine_ban_login(world->engines[THERE], (const char[]){(char)('a' + i), 0}, 600, on_done,
                         NULL);
        tell_ban(i, 61000);
    }
    SCENE_TURN_UNTIL(world->scene, ban_count(HERE) == 10 && is_settled());
    assert_false(engine_holds_back(world->engines[HERE]));
    for (unsigned i = 11; i <= 14; i++)
        tell_ban(i, 30000);
    SCENE_TURN_UNTIL(world->scene, ban_count(HERE) == 14);
    assert_true(engine_holds_back(world->engines[HERE]));
}

/* More than a reply may have: it is not read whole. */
static void a_huge_value_under_a_name_of_ours_keeps_no_ban_back(void **state)
{
    struct prefix net;

    (void)state;
    if (!world->scene)
        skip();
    assert_int_equal(prefix_parse(CLIENT, &net), 0);
    engine_ban(world->engines[HERE], &net, 600, on_done, NULL);
    SCENE_TURN_UNTIL(world->scene, is_settled());
    server_do(world->scene, 0,
              "eval \"redis.call('set', 'postern:b:{x}', string.rep('x', 70000000))\" 0");
    server_do(world->scene, 0, "lpush 'postern:b:{y}' 1");
    start_again(THERE);
    assert_true(is_banned(THERE));
}

/* Each is of somebody else, or was spoilt; v is a counter of ours. */
static void a_counter_that_is_none_counts_nothing(void **state)
{
    static const char *const values[] = {
        "string.rep(\"\\255\", 300)",
        "string.rep(\"\\255\", 21)",
        "string.rep(\"\\0\", 13)",
        "string.sub(v, 1, 11)",
        "v .. v .. \"x\"",
        "string.sub(v, 1, 10) .. \"\\255\\1\" .. string.rep(\"\\0\", 9)",
        "string.sub(v, 1, 10) .. \"\\255\\0\" .. string.rep(\"\\255\", 8) .. \"\\0\"",
        "string.sub(v, 1, 10) .. \"\\255\\0\" .. string.rep(\"\\0\", 8) .. \"\\1\"",
    };

    (void)state;
    if (!world->scene)
        skip();
    for (unsigned i = 0; i < sizeof(values) / sizeof(*values); i++) {
        struct buf args = {0};
        char who[ADDR_TEXT_MAX];
        snprintf(who, sizeof(who), "203.0.113.%u", 100 + i);
        fails_as(who, HERE, 1);
        buf_printf(&args,
                   "eval 'local v = redis.call(\"get\", KEYS[1]) "
                   "redis.call(\"set\", KEYS[1], %s)' 1 'postern:c:{%s}'",
                   values[i], who);
        server_do(world->scene, 0, buf_str(&args));
        buf_fini(&args);
        fails_as(who, THERE, 3);
        fails_as(who, HERE, 1);
        CASE(values[i], ban_count(HERE) == i);
        fails_as(who, HERE, 1);
        SCENE_TURN_UNTIL(world->scene, is_settled());
        CASE(values[i], ban_count(HERE) == i + 1);
    }
}

/* --- a start that takes long ----------------------------------------------------------------- */

#define MANY 20000

static void put_many_bans(void)
{
    int64_t now = clock_wall_ms(&clock_system);
    struct buf args = {0};

    buf_printf(
        &args,
        "eval \"for i = 1, %d do local n = '10.9.' .. math.floor(i / 256) .. '.' .. i %% 256 "
        "redis.call('set', 'postern:b:{' .. n .. '}', ARGV[1] .. ' 3 ' .. n .. ' logins', "
        "'px', 600000) end\" 0 '%" PRId64 " %" PRId64 " %" PRId64 "'",
        MANY, now, now + 600000, now);
    server_do(world->scene, 0, buf_str(&args));
    buf_fini(&args);
}

static void stop_amid_them(void *ctx)
{
    struct loop_timer **timer = ctx;

    if (ban_count(THERE) < 2000)
        loop_timer_start(*timer, 0);
    else
        server_signal(world->scene, 0, SIGSTOP);
}

static void what_the_start_does_not_wait_for_is_read_afterwards(void **state)
{
    struct loop_timer *timer = NULL;
    struct store_health health;

    (void)state;
    if (!world->scene)
        skip();
    put_many_bans();
    timer = loop_timer_new(world->scene->loop, stop_amid_them, &timer);
    loop_timer_start(timer, 0);
    start_again(THERE);
    loop_timer_free(&timer);
    assert_in_range(ban_count(THERE), 2000, MANY - 1);
    world->stores[THERE]->health(world->stores[THERE], &health);
    assert_true(health.is_reading);
    server_signal(world->scene, 0, SIGCONT);
    SCENE_TURN_UNTIL(world->scene, ban_count(THERE) == MANY && is_settled());
    world->stores[THERE]->health(world->stores[THERE], &health);
    assert_false(health.is_reading);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_late_answer_bans, setup, teardown),
        cmocka_unit_test_setup_teardown(a_late_answer_counts_nothing_that_was_lifted_meanwhile,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_late_answer_bans_nobody_who_was_let_off_meanwhile, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(many_that_are_lost_together_are_counted_in_a_moment,
                                        setup_impatient, teardown),
        cmocka_unit_test_setup_teardown(a_login_is_banned_once_for_one_event, setup, teardown),
        cmocka_unit_test_setup_teardown(a_lift_that_redis_refused_is_told_again, setup, teardown),
        cmocka_unit_test_setup_teardown(a_huge_value_under_a_name_of_ours_keeps_no_ban_back, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_counter_that_is_none_counts_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(bans_of_all_hosts_are_too_many_together, setup_few,
                                        teardown),
        cmocka_unit_test_setup_teardown(bans_of_operators_and_of_before_are_not_too_many, setup_few,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_the_start_does_not_wait_for_is_read_afterwards, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(lifting_the_ban_of_a_login_forgets_what_it_sent, setup,
                                        teardown),
    };

    return cmocka_run_group_tests_name("shared_events", tests, config_fixture_setup,
                                       config_fixture_teardown);
}
