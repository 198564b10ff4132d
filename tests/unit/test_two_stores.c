/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/str.h"
#include "tests/unit/stores_fixture.h"

/*
 * The same random events for one engine with a file store, and for two that share a Redis,
 * which take turns: all that is answered, counted and banned must be the same to the integer
 * and to the millisecond.
 */
#define EVENTS 100000

static const char configuration[] =
    "trusted = {\"192.168.1.0/24\"}\n"
    "gateway \"vps1\" { type = \"nginx\" public_addresses = {\"203.0.115.1\"}\n"
    "  tunnel_addresses = {\"10.8.0.1\"} }\n"
    "policyd { honeypots = {\"admin\", \"trap@example.com\"} aggregate = true\n"
    "  max_bans_per_minute = 1000000 }\n"
    "jail \"logins\" { events = {\"auth_fail\"} distinct = \"password\" maxretry = 4\n"
    "  findtime = \"10m\" bantime = \"5m\" bantime_factor = 2 bantime_max = \"40m\"\n"
    "  bantime_jitter = \"90s\" }\n"
    "jail \"nets\" { events = {\"auth_fail=3\", \"honeypot=2\"} maxretry = 40 findtime = \"30m\"\n"
    "  bantime = \"40m\" prefix4 = 24 prefix6 = 48 }\n"
    "jail \"pairs\" { events = {\"auth_fail\"} count_by = \"client+login\" maxretry = 3\n"
    "  findtime = \"1h\" bantime = \"5m\" acts = \"auth\" }\n"
    "jail \"slow\" { events = {\"auth_fail\"} count_by = \"login\" maxretry = 4 findtime = "
    "\"20m\"\n"
    "  action = \"delay\" delay = \"5s\" distinct = \"password\" }\n"
    "jail \"busy\" { events = {\"connect\"} maxretry = 4 findtime = \"20m\" bantime = \"2m\" }\n"
    "jail \"later\" { events = {\"rcpt_unknown=2\", \"relay_denied\"} maxretry = 7\n"
    "  findtime = \"7m\" action = \"defer\" }\n"
    "jail \"guessers\" { events = {\"auth_fail\"} maxretry = 3 findtime = \"15m\"\n"
    "  action = \"defer\" }\n"
    "jail \"traps\" { events = {\"honeypot\"} maxretry = 1 bantime = \"1d\"\n"
    "  bantime_jitter = \"1h\" bantime_factor = 3 bantime_max = \"3d\" }\n"
    "jail \"far\" { events = {\"spf_fail\"} maxretry = 1000 findtime = \"1d\" action = \"log\"\n"
    "  prefix6 = 48 }\n"
    "jail \"sent\" { events = {\"message\"} count_by = \"login\" action = \"defer\" maxretry = 6\n"
    "  findtime = \"1h\" }\n"
    "jail \"rcpts\" { events = {\"recipient\"} count_by = \"login\" action = \"defer\"\n"
    "  maxretry = 20 findtime = \"1h\" }\n"
    "jail \"days\" { events = {\"message\", \"recipient\"} count_by = \"domain\"\n"
    "  action = \"defer\" maxretry = 300 findtime = \"1d\" }\n"
    "jail \"stolen\" { events = {\"recipient=2\"} count_by = \"login\" maxretry = 36\n"
    "  findtime = \"1h\" bantime = \"15m\" bantime_factor = 2 bantime_max = \"2h\"\n"
    "  bantime_jitter = \"60s\" }\n"
    "jail \"burst\" { events = {\"message=3\"} count_by = \"login\" maxretry = 15\n"
    "  findtime = \"1h\" bantime = \"20m\" acts = \"smtp\" }\n"
    "jail \"pipe\" { events = {\"recipient\"} maxretry = 10 findtime = \"30m\"\n"
    "  bantime = \"10m\" }\n";

#define MESSAGES 8

/* One that is being handed in: Postfix asks the same policyd all about it. */
struct message {
    unsigned number; /* 0: none */
    size_t taker;
    struct origin_peer peer;
    const char *login;
    unsigned recipients;
};

struct world {
    struct stores *stores;
    uint64_t random;
    size_t taker; /* of those that share a Redis */
    unsigned number;
    unsigned done, well; /* of what was asked for */
    struct stats before; /* of the file store's engine, this event */
    struct message messages[MESSAGES];
    unsigned message_count;
    unsigned banned, delayed, deferred, limited, cut_off, lifted, wide, masked;
};

static struct world *world;

/* xorshift: the same events each time. */
static unsigned random_below(unsigned limit)
{
    world->random ^= world->random << 13;
    world->random ^= world->random >> 7;
    world->random ^= world->random << 17;
    return (unsigned)(world->random >> 33) % limit;
}

static const char *one_of(const char *const *words, unsigned count)
{
    return words[random_below(count)];
}

static struct engine *engine(size_t i)
{
    return world->stores->engines[i];
}

static int setup(void **state)
{
    (void)state;
    world = calloc(1, sizeof(*world));
    world->random = 88172645463325252;
    world->stores = stores_new(configuration);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    stores_free(world->stores);
    free(world);
    return 0;
}

/* --- what is compared --------------------------------------------------------------------- */

/* What counts of it now; where that is nothing, a window may stand or be forgotten. */
static struct window window_of(size_t i, size_t jail, const struct event *event)
{
    const struct jails *all = engine_jails(engine(i));
    struct prefix key = jail_key(&all->config->jails[jail], event);
    const struct window *window = counters_look(&all->counters[jail], &key);

    if (!window || window_is_void(window, all->counters[jail].findtime_ms, world->stores->mono_ms))
        return (struct window){0};
    return *window;
}

static bool has_grown(enum stat stat)
{
    return engine_stats(engine(FILE_STORE))->count[stat] != world->before.count[stat];
}

/* In a jail that is asked of later the others are told of what is reached. */
static bool is_told(size_t jail, const struct event *event, const struct window *window)
{
    const struct config_jail *by = &world->stores->config->jails[jail];
    int64_t findtime_ms = (int64_t)by->findtime_sec * 1000, now_ms = world->stores->mono_ms;
    uint64_t count = window_count(window, findtime_ms, now_ms);
    struct window other = window_of(SHARED_A + SHARED_B - world->taker, jail, event);

    return (by->action != JAIL_ACTION_DEFER && by->action != JAIL_ACTION_DELAY) ||
           count < jail_limit(by, false) || window_count(&other, findtime_ms, now_ms) == count;
}

static bool is_same(const struct window *a, const struct window *b)
{
    return a->start_ms == b->start_ms && a->current == b->current && a->previous == b->previous;
}

/* Where it was of no account to one jail, nobody has asked Redis for that. */
static void compare_counts(const struct origin_peer *peer, const char *login, unsigned kind)
{
    const struct config *config = world->stores->config;
    struct origin origin = origin_find(&world->stores->rules, peer);
    const struct event event = {.kind = kind, .client = peer->addr, .login = login};

    for (size_t i = 0; i < config->jail_count && has_grown(stats_of_event(kind)); i++) {
        if (!jail_wants(&config->jails[i], kind) ||
            !jail_applies(&config->jails[i], origin.kind, kind, login))
            continue;
        struct window file = window_of(FILE_STORE, i, &event);
        struct window shared = window_of(world->taker, i, &event);
        SCENE_TURN_UNTIL(world->stores->scene, is_told(i, &event, &file));
        if (!has_grown(STAT_EVENT_UNCOUNTED) && !is_same(&file, &shared))
            fail_msg("event %u, jail %s: %u and %u since %ld in the file store, %u and %u since "
                     "%ld in Redis",
                     world->number, config->jails[i].name, file.current, file.previous,
                     (long)file.start_ms, shared.current, shared.previous, (long)shared.start_ms);
    }
}

static void compare_verdicts(const struct origin_peer *peer, const char *login)
{
    for (unsigned act = CONFIG_ACTS_SMTP; act <= CONFIG_ACTS_AUTH; act++) {
        struct judgement file = engine_judge(engine(FILE_STORE), peer, login, act);
        world->banned += file.verdict == VERDICT_BANNED;
        world->cut_off += file.ban && ban_login(file.ban);
        world->wide += file.ban && file.ban->node.prefix.addr.family == ADDR_IPV6 &&
                       str_eq(file.ban->jail, "traps") && file.ban->node.prefix.bits < 64;
        for (size_t i = SHARED_A; i < ENGINES; i++) {
            struct judgement shared = engine_judge(engine(i), peer, login, act);
            if (file.verdict != shared.verdict || file.seconds != shared.seconds)
                fail_msg("event %u: verdict %d for %lu s, and %d for %lu s of engine %zu",
                         world->number, file.verdict, (unsigned long)file.seconds, shared.verdict,
                         (unsigned long)shared.seconds, i);
        }
    }
}

/* Each event is counted once, by one of those that share; so is each ban, and each answer. */
static void compare_stats(void)
{
    for (size_t i = 0; i < STAT_COUNT; i++) {
        uint64_t file = engine_stats(engine(FILE_STORE))->count[i];
        uint64_t shared =
            engine_stats(engine(SHARED_A))->count[i] + engine_stats(engine(SHARED_B))->count[i];
        bool is_asked_of_both = i >= STAT_AUTH_GO_ON && i <= STAT_AUTH_REFUSED;
        if (i != STAT_BAN_EXPIRED && i != STAT_STORE_ERROR && !is_asked_of_both && file != shared)
            fail_msg("event %u: %s is %lu, and %lu in Redis", world->number,
                     stat_name((enum stat)i), (unsigned long)file, (unsigned long)shared);
    }
}

static const char *compare_answers(size_t other)
{
    const char *file = stores_answer(world->stores, FILE_STORE);
    const char *shared = stores_answer(world->stores, other);

    if (!str_eq(file, shared))
        fail_msg("event %u: the file store's \"%s\", and \"%s\" of engine %zu", world->number, file,
                 shared, other);
    return file;
}

static void settle(void)
{
    STORES_SETTLE(world->stores);
}

/* --- logins -------------------------------------------------------------------------------- */

static struct origin_peer peer_of(const char *text)
{
    struct origin_peer peer = {0};

    assert_int_equal(addr_parse(text, &peer.addr), 0);
    return peer;
}

/* Masked, or local. */
static struct origin_peer random_neighbour(void)
{
    static const char *const neighbours[] = {"10.8.0.1", "127.0.0.1", "192.168.1.9"};

    return peer_of(one_of(neighbours, 3));
}

static struct origin_peer random_peer(void)
{
    static const char *const clients[] = {
        "203.0.113.1",     "203.0.113.2",     "203.0.113.3",     "198.51.100.7",
        "198.51.100.8",    "192.0.2.1",       "192.0.2.2",       "192.0.2.3",
        "2001:db8:1:1::1", "2001:db8:1:1::2", "2001:db8:1:2::1", "2001:db8:2::1",
        "2001:db8:3::1",   "203.0.114.1",     "203.0.115.9",     "198.51.100.200",
    };

    return random_below(12) ? peer_of(one_of(clients, 16)) : random_neighbour();
}

/* A /48 full of those who try what nobody has. */
static struct origin_peer random_intruder(void)
{
    char text[ADDR_TEXT_MAX];

    snprintf(text, sizeof(text), "2001:db8:a:%x%02x::1", random_below(18), random_below(18));
    return peer_of(text);
}

static const char *random_login(void)
{
    static const char *const logins[] = {"alice", "bob@example.com",  "Carol",
                                         "carol", "dave@example.org", "Eve@example.com"};

    return random_below(150) ? one_of(logins, 6) : "admin";
}

static const char *json_of(const struct origin_peer *peer, const char *login, const char *more)
{
    static char json[512];
    char remote[ADDR_TEXT_MAX];

    snprintf(json, sizeof(json), "{\"login\":\"%s\",\"protocol\":\"imap\",\"remote\":\"%s\"%s}",
             login, addr_format(&peer->addr, remote), more);
    return json;
}

static void allow_everywhere(const char *json)
{
    for (size_t i = 0; i < ENGINES; i++)
        stores_ask_auth(world->stores, i, "allow", json);
    settle();
}

/* Those that share ask Redis for the next time. The answer. */
static const char *allow(const struct origin_peer *peer, const char *login)
{
    const char *json = json_of(peer, login, ",\"pwhash\":\"0001\"");

    allow_everywhere(json);
    allow_everywhere(json);
    for (size_t i = SHARED_A; i < ENGINES; i++)
        world->delayed += strstr(compare_answers(i), "\"status\":5") != NULL;
    return stores_answer(world->stores, FILE_STORE);
}

static void ask_both(const char *command, const char *json)
{
    stores_ask_auth(world->stores, FILE_STORE, command, json);
    stores_ask_auth(world->stores, world->taker, command, json);
    settle();
    compare_answers(world->taker);
}

/* What Dovecot would not send. */
static void ask_nonsense(const struct origin_peer *peer)
{
    static const char *const commands[] = {"allow", "report", "command", "", NULL};
    static const char *const ends[] = {",\"success\":\"false\"", ",\"login\":\"x\"",    "}", "",
                                       ",\"remote\":\"\"",       ",\"policy_reject\":0"};
    const char *command = one_of(commands, 5);

    ask_both(command, json_of(peer, "alice", one_of(ends, command && *command == 'a' ? 3 : 6)));
}

static void try_login(void)
{
    static const char *const passwords[] = {"0001", "0002", "0003", "0004", "0005", "0006", ""};
    static const char *const results[] = {"false,\"policy_reject\":true",
                                          "false,\"fail_type\":\"internal\"",
                                          "true,\"policy_reject\":false"};
    struct origin_peer peer = random_peer();
    const char *login = random_login();
    char more[128];

    if (!random_below(40)) {
        ask_nonsense(&peer);
        return;
    }
    bool is_refused = strstr(allow(&peer, login), "\"status\":-1") != NULL;
    snprintf(more, sizeof(more), ",\"pwhash\":\"%s\",\"success\":%s", one_of(passwords, 7),
             is_refused        ? results[0]
             : random_below(8) ? "false"
                               : one_of(results, 3));
    ask_both("report", json_of(&peer, login, more));
    compare_verdicts(&peer, login);
    compare_counts(&peer, login, CONFIG_EVENT_AUTH_FAIL);
}

/* --- mail ----------------------------------------------------------------------------------- */

static void ask_postfix(const struct origin_peer *peer, const char *state, const char *recipient,
                        const struct message *message)
{
    struct buf request = {0};
    char text[ADDR_TEXT_MAX], instance[32];

    attr_put(&request, "request", "smtpd_access_policy");
    attr_put(&request, "protocol_state", state);
    attr_put(&request, "client_address", addr_format(&peer->addr, text));
    attr_put(&request, "sender", "someone@example.net");
    attr_put(&request, "recipient", recipient);
    if (message) {
        snprintf(instance, sizeof(instance), "%x.1", message->number);
        attr_put(&request, "instance", instance);
        attr_put(&request, "sasl_username", message->login);
        attr_put_uint(&request, "recipient_count", *state == 'R' ? 0 : message->recipients);
    }
    attr_end(&request);
    stores_ask_policy(world->stores, FILE_STORE, &request);
    stores_ask_policy(world->stores, world->taker, &request);
    settle();
    buf_fini(&request);
    const char *answer = compare_answers(world->taker);
    world->limited += strstr(answer, "450 4.7.1") != NULL;
    world->deferred += strstr(answer, "450 4.7.0") != NULL;
}

static void connect_to_us(void)
{
    struct origin_peer peer = random_peer();

    ask_postfix(&peer, "CONNECT", "", NULL);
    compare_verdicts(&peer, "");
    compare_counts(&peer, "", CONFIG_EVENT_CONNECT);
}

static void receive_mail(void)
{
    static const char *const recipients[] = {"trap@example.com", "Trap@Example.com",
                                             "alice@example.com"};
    bool is_intruder = random_below(2);
    struct origin_peer peer = is_intruder ? random_intruder() : random_peer();

    ask_postfix(&peer, "RCPT", is_intruder ? recipients[0] : one_of(recipients + 1, 2), NULL);
    compare_verdicts(&peer, "");
    if (is_intruder)
        compare_counts(&peer, "", CONFIG_EVENT_HONEYPOT);
}

static struct message *random_message(void)
{
    struct message *message = &world->messages[random_below(MESSAGES)];

    if (!message->number)
        *message = (struct message){
            .number = ++world->message_count,
            .taker = world->taker,
            .peer = random_below(2) ? random_peer() : random_neighbour(),
            .login = random_login(),
            .recipients = random_below(3) ? 0 : 1 + random_below(9),
        };
    return message;
}

/* A new recipient, one that was told of, or the end, which is told of once or twice. */
static void hand_in(void)
{
    struct message *message = random_message();
    unsigned what = random_below(8);
    char recipient[32];

    world->taker = message->taker;
    if (what < 5 && what) {
        message->recipients++;
        what = 0;
    }
    snprintf(recipient, sizeof(recipient), "r%u@example.net", message->recipients);
    if (!what)
        ask_postfix(&message->peer, "RCPT", recipient, message);
    else
        ask_postfix(&message->peer, what < 7 ? "DATA" : "END-OF-MESSAGE", "", message);
    compare_verdicts(&message->peer, message->login);
    compare_counts(&message->peer, message->login, CONFIG_EVENT_RECIPIENT);
    compare_counts(&message->peer, message->login, CONFIG_EVENT_MESSAGE);
    if (what == 7)
        message->number = 0;
}

/* --- what else happens ----------------------------------------------------------------------- */

static void on_done(enum engine_status status, const char *reason, void *ctx)
{
    (void)reason;
    (void)ctx;
    world->done++;
    world->well += status == ENGINE_OK;
}

static bool may_not_be_lifted(const struct origin_peer *peer, const char *login)
{
    return peer->addr.bytes[0] == 192 && (!*login || str_eq(login, "alice"));
}

/* As a milter tells it, or an operator's program. */
static void report(void)
{
    static const unsigned kinds[] = {CONFIG_EVENT_AUTH_FAIL, CONFIG_EVENT_RCPT_UNKNOWN,
                                     CONFIG_EVENT_RELAY_DENIED, CONFIG_EVENT_SPF_FAIL,
                                     CONFIG_EVENT_HONEYPOT};
    struct origin_peer peer = random_peer();
    struct event event = {
        .kind = kinds[random_below(40) ? random_below(4) : 4], .login = "", .fingerprint = ""};
    bool is_of_login = event.kind == CONFIG_EVENT_AUTH_FAIL;

    if (event.kind == CONFIG_EVENT_SPF_FAIL)
        peer = random_intruder();
    event.weight = random_below(12) ? 1 : random_below(4);
    event.is_of_mail = !is_of_login;
    event.login = is_of_login ? random_login() : "";
    /* From before what may have been lifted: a file store cannot tell. */
    if (may_not_be_lifted(&peer, event.login) && !random_below(3))
        event.at_wall_ms = world->stores->wall_ms - (int64_t)random_below(1500000);
    if (is_of_login && strstr(allow(&peer, event.login), "this login"))
        return; /* no password is tried, and nobody has asked Redis whether it is known */
    struct event copy = event;
    engine_report(engine(FILE_STORE), &peer, &event, on_done, NULL);
    engine_report(engine(world->taker), &peer, &copy, on_done, NULL);
    SCENE_TURN_UNTIL(world->stores->scene, world->done == 2 && stores_are_settled(world->stores));
    compare_verdicts(&peer, event.login);
    compare_counts(&peer, event.login, event.kind);
}

static void ban_or_unban(size_t i, const struct prefix *net, const char *login, bool is_unban)
{
    if (*login && is_unban)
        engine_unban_login(engine(i), login, on_done, NULL);
    else if (*login)
        engine_ban_login(engine(i), login, 300, on_done, NULL);
    else if (is_unban)
        engine_unban(engine(i), net, on_done, NULL);
    else
        engine_ban(engine(i), net, 300, on_done, NULL);
}

static void operate(void)
{
    static const unsigned lengths[2][3] = {{32, 24, 32}, {64, 56, 48}};
    struct origin_peer peer = random_below(6) ? random_peer() : random_intruder();
    bool is_v6 = peer.addr.family == ADDR_IPV6;
    struct prefix net = prefix_of(&peer.addr, lengths[is_v6][random_below(3)]);
    const char *login = random_below(3) ? "" : random_login();
    bool is_unban =
        random_below(4) && (*login ? !str_eq(login, "alice") : peer.addr.bytes[0] != 192);

    world->well = 0;
    ban_or_unban(FILE_STORE, &net, login, is_unban);
    ban_or_unban(world->taker, &net, login, is_unban);
    SCENE_TURN_UNTIL(world->stores->scene, world->done == 2 && stores_are_settled(world->stores));
    world->lifted += is_unban && world->well == 2;
}

static void pass_time(void)
{
    static const unsigned steps[] = {1, 50, 900, 4000, 9000, 20000};
    unsigned step = 1 + random_below(steps[random_below(6)]);

    if (!random_below(1000))
        step = random_below(7200000);
    if (!random_below(30000))
        step = random_below(2 * JAILS_KNOWN_SEC * 1000);
    stores_pass(world->stores, step);
}

static void happen(void)
{
    unsigned what = random_below(100);

    if (what < 3)
        operate();
    else if (what < 32)
        try_login();
    else if (what < 60)
        hand_in();
    else if (what < 70)
        connect_to_us();
    else if (what < 82)
        receive_mail();
    else
        report();
}

static void both_stores_give_one_answer(void **state)
{
    (void)state;
    if (!world->stores->scene)
        skip();
    for (unsigned i = 0; i < EVENTS; i++) {
        pass_time();
        stores_begin(world->stores, i);
        world->number = i;
        world->taker = SHARED_A + random_below(2);
        world->done = 0;
        world->before = *engine_stats(engine(FILE_STORE));
        happen();
        compare_stats();
        for (size_t n = 0; n < ENGINES && i % 256 == 0; n++)
            engine_tick(engine(n));
        settle();
    }
    print_message("# banned %u, delayed %u, deferred %u, limited %u, cut off %u, lifted %u, "
                  "aggregated %u\n",
                  world->banned, world->delayed, world->deferred, world->limited, world->cut_off,
                  world->lifted, world->wide);
    assert_true(world->banned > 1000 && world->delayed > 1000 && world->deferred > 100 &&
                world->limited > 100 && world->cut_off > 100 && world->lifted > 50 &&
                world->wide > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(both_stores_give_one_answer, setup, teardown),
    };

    return cmocka_run_group_tests_name("two_stores", tests, NULL, NULL);
}
