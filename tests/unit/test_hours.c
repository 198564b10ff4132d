/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/server.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/buf.h"
#include "common/base/log.h"
#include "policyd/setup.h"
#include "policyd/store_file.h"

/*
 * The whole daemon but its main(): a configuration from a file, listeners on Unix
 * sockets, engine and file store, under a clock that the test turns. Hours pass in
 * milliseconds; what is asked goes over the sockets.
 */
#define SECOND   INT64_C(1000)
#define HOUR     (3600 * SECOND)
#define MAXRETRY 5
#define FINDTIME (600 * SECOND)
#define BANTIME  HOUR
#define PATIENCE (20 * SECOND) /* of a real clock */

static const char config_text[] = "hostname = \"mail.example.org\"\n"
                                  "enforce = true\n"
                                  "store = \"file:%s/store\"\n"
                                  "policyd {\n"
                                  "  policy = {\"unix:%s/policy\"}\n"
                                  "  socketmap = {}\n"
                                  "  control = \"unix:%s/control\"\n"
                                  "  group = \"\"\n"
                                  "}\n"
                                  "http \"auth\" { listen = \"unix:%s/http\" }\n"
                                  "jail \"logins\" { maxretry = 5 findtime = \"10m\" bantime = "
                                  "\"1h\" distinct = \"\" }\n";

struct world {
    struct clock clock; /* first: the clock's functions find the world by it */
    int64_t wall_ms;
    int64_t mono_ms;
    char template[64];
    char *dir; /* the same, made */
    struct setup *setup;
    struct loop *loop;
    struct store *store;
    struct engine *engine;
    struct server *server;
    struct buf answer;
    char log[65536];
};

static int64_t world_wall_ms(const struct clock *clock)
{
    return ((const struct world *)(const void *)clock)->wall_ms;
}

static int64_t world_mono_ms(const struct clock *clock)
{
    return ((const struct world *)(const void *)clock)->mono_ms;
}

static void on_log(enum log_level level, const char *line, void *ctx)
{
    struct world *world = ctx;
    size_t used = strlen(world->log);

    (void)level;
    if (used + strlen(line) + 2 < sizeof(world->log))
        snprintf(world->log + used, sizeof(world->log) - used, "%s\n", line);
}

/* --- start and end ------------------------------------------------------------------ */

static const char *path_of(const struct world *world, const char *name)
{
    static char path[256];

    snprintf(path, sizeof(path), "%s/%s", world->dir, name);
    return path;
}

static void write_config(const struct world *world)
{
    FILE *file = fopen(path_of(world, "postern.conf"), "w");

    assert_non_null(file);
    fprintf(file, config_text, world->dir, world->dir, world->dir, world->dir);
    fclose(file);
}

static void start(struct world *world)
{
    struct config_errors errors = {0};
    struct error error = {0};
    struct config *config;

    if (config_load(path_of(world, "postern.conf"), &config, &errors))
        fail_msg("%s", errors.items[0].text);
    world->setup = setup_new(config);
    world->server = server_bind(config, &error);
    world->loop = loop_new();
    world->store = store_file_open(config->store.path, world->loop, &error);
    if (!world->server || !world->store)
        fail_msg("%s", error.text);
    world->engine = engine_new(&(struct engine_options){
        .config = config,
        .rules = &world->setup->rules,
        .clock = &world->clock,
        .store = world->store,
    });
    if (engine_restore(world->engine, &error) ||
        server_start(world->server, world->loop, world->engine, &error))
        fail_msg("%s", error.text);
}

/* One round of the loop while something is waited for. */
static void turn(struct world *world, int64_t deadline)
{
    assert_true(clock_mono_ms(&clock_system) < deadline);
    loop_run_once(world->loop);
    sched_yield();
}

static void stop(struct world *world)
{
    int64_t deadline = clock_mono_ms(&clock_system) + PATIENCE;

    server_stop(world->server);
    while (engine_pending(world->engine))
        turn(world, deadline);
    server_free(&world->server);
    world->store->free(world->store);
    engine_free(&world->engine);
    loop_free(&world->loop);
    setup_free(&world->setup);
}

/* Off for a while; the monotonic clock begins anew, as after a reboot. */
static void restart(struct world *world, int64_t away_ms)
{
    stop(world);
    world->wall_ms += away_ms;
    world->mono_ms = 10 * SECOND;
    start(world);
}

/* As main() does it, tick by tick. */
static void pass(struct world *world, int64_t ms)
{
    while (ms > 0) {
        int64_t step = ms < SECOND ? ms : SECOND;
        world->wall_ms += step;
        world->mono_ms += step;
        engine_tick(world->engine);
        loop_run_once(world->loop);
        ms -= step;
    }
}

static int set_up(void **state)
{
    struct world *world = calloc(1, sizeof(*world));

    assert_non_null(world);
    world->clock = (struct clock){world_wall_ms, world_mono_ms};
    world->wall_ms = INT64_C(1790000000000);
    world->mono_ms = 5 * SECOND;
    snprintf(world->template, sizeof(world->template), "/tmp/postern-hours-XXXXXX");
    world->dir = mkdtemp(world->template);
    assert_non_null(world->dir);
    log_open("test", LOG_TARGET_NOWHERE, LOG_LEVEL_INFO);
    log_capture(on_log, world);
    write_config(world);
    start(world);
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    static const char *const names[] = {
        "postern.conf",
        "policy",
        "control",
        "http",
        "store/" STORE_FILE_NAME,
        "store/" STORE_FILE_NAME "-lock",
        "store/" STORE_FILE_LOCK,
    };
    struct world *world = *state;

    stop(world);
    log_capture(NULL, NULL);
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        unlink(path_of(world, names[i]));
    rmdir(path_of(world, "store"));
    assert_int_equal(rmdir(world->dir), 0);
    buf_fini(&world->answer);
    free(world);
    return 0;
}

/* --- one client for each wire --------------------------------------------------------- */

static int connect_to(const struct world *world, const char *socket_name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    const char *path = path_of(world, socket_name);
    assert_true(strlen(path) < sizeof(address.sun_path));
    memcpy(address.sun_path, path, strlen(path));
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

/* What is answered, up to and with end. */
static const char *ask(struct world *world, const char *socket_name, const char *request,
                       const char *end)
{
    int64_t deadline = clock_mono_ms(&clock_system) + PATIENCE;
    int fd = connect_to(world, socket_name);

    assert_int_equal(send(fd, request, strlen(request), MSG_NOSIGNAL), strlen(request));
    world->answer.len = 0;
    loop_run_once(world->loop);
    for (;;) {
        ssize_t n = recv(fd, buf_reserve(&world->answer, 4096), 4096, MSG_DONTWAIT);
        buf_commit(&world->answer, n > 0 ? (size_t)n : 0);
        if (world->answer.len && strstr(buf_str(&world->answer), end))
            break;
        assert_int_not_equal(n, 0); /* closed */
        turn(world, deadline);
    }
    close(fd);
    loop_run_once(world->loop); /* which sees that the client is gone */
    return buf_str(&world->answer);
}

static const char *policy(struct world *world, const char *client)
{
    char request[300];

    snprintf(request, sizeof(request),
             "request=smtpd_access_policy\nprotocol_state=RCPT\nclient_address=%s\n"
             "client_port=40000\n\n",
             client);
    return ask(world, "policy", request, "\n\n");
}

static const char *auth(struct world *world, const char *command, const char *client)
{
    char body[300], request[600];

    snprintf(body, sizeof(body),
             "{\"device_id\":\"\",\"login\":\"alice\",\"protocol\":\"imap\",\"pwhash\":\"0abc\","
             "\"remote\":\"%s\",\"session_id\":\"S1\",\"success\":false,\"policy_reject\":false}",
             client);
    snprintf(request, sizeof(request),
             "POST /auth?command=%s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %zu\r\n\r\n%s",
             command, strlen(body), body);
    return ask(world, "http", request, "}");
}

static bool is_banned(struct world *world, const char *client)
{
    bool banned = strstr(policy(world, client), "action=421 4.7.0") != NULL;

    assert_int_equal(strstr(auth(world, "allow", client), "\"status\":-1") != NULL, banned);
    return banned;
}

static void wrong(struct world *world, const char *client)
{
    assert_non_null(strstr(auth(world, "report", client), "200 OK"));
}

static void wrong_times(struct world *world, const char *client, int times)
{
    for (int i = 0; i < times; i++)
        wrong(world, client);
}

/* The seconds that the one ban there is still has, as posternctl would be told; 0: no ban. */
static long seconds_left(struct world *world)
{
    const char *found = strstr(ask(world, "control", "request=bans\n\n", "count="), "seconds=");
    return found ? strtol(found + strlen("seconds="), NULL, 10) : 0;
}

/* --- what hours do ---------------------------------------------------------------------- */

#define CLIENT "203.0.113.77"

static void a_ban_holds_to_its_last_millisecond(void **state)
{
    struct world *world = *state;

    wrong_times(world, CLIENT, MAXRETRY - 1);
    assert_false(is_banned(world, CLIENT));
    wrong(world, CLIENT);
    assert_true(is_banned(world, CLIENT));
    assert_int_equal(seconds_left(world), 3600);
    pass(world, BANTIME - 1);
    assert_true(is_banned(world, CLIENT));
    assert_int_equal(seconds_left(world), 1);
    pass(world, 1);
    assert_false(is_banned(world, CLIENT));
    assert_non_null(strstr(world->log, "ban-expired ban=" CLIENT));
    restart(world, 0);
    assert_int_equal(seconds_left(world), 0);
}

static void a_patient_client_is_never_banned(void **state)
{
    struct world *world = *state;

    for (int64_t passed = 0; passed < 24 * HOUR; passed += FINDTIME / 3) {
        wrong(world, CLIENT);
        pass(world, FINDTIME / 3);
    }
    assert_false(is_banned(world, CLIENT));
    assert_null(strstr(world->log, " ban "));
}

static void one_who_tries_again_after_each_ban_is_banned_again(void **state)
{
    struct world *world = *state;

    for (int round = 0; round < 24; round++) {
        wrong_times(world, CLIENT, MAXRETRY);
        assert_true(is_banned(world, CLIENT));
        wrong(world, CLIENT); /* counts for nothing */
        pass(world, BANTIME);
        assert_false(is_banned(world, CLIENT));
    }
}

static void a_wall_clock_that_jumps_changes_nothing(void **state)
{
    static const int64_t jumps[] = {-HOUR, HOUR, -24 * 365 * HOUR, 24 * 365 * HOUR};
    struct world *world = *state;

    for (size_t i = 0; i < sizeof(jumps) / sizeof(*jumps); i++) {
        wrong_times(world, CLIENT, MAXRETRY - 1);
        world->wall_ms += jumps[i];
        assert_false(is_banned(world, CLIENT));
        wrong(world, CLIENT);
        assert_true(is_banned(world, CLIENT));
        world->wall_ms -= jumps[i];
        pass(world, BANTIME - SECOND);
        assert_int_equal(seconds_left(world), 1);
        pass(world, SECOND);
        assert_false(is_banned(world, CLIENT));
    }
}

static void a_restart_takes_off_the_time_that_passed(void **state)
{
    struct world *world = *state;

    wrong_times(world, CLIENT, MAXRETRY);
    restart(world, 600 * SECOND);
    assert_int_equal(seconds_left(world), 3000);
    assert_true(is_banned(world, CLIENT));
    pass(world, 1000 * SECOND);
    restart(world, 0);
    assert_int_equal(seconds_left(world), 2000);
    restart(world, 2000 * SECOND);
    assert_false(is_banned(world, CLIENT));
}

static void set_back_while_it_was_off_a_ban_is_no_longer_than_meant(void **state)
{
    struct world *world = *state;

    wrong_times(world, CLIENT, MAXRETRY);
    pass(world, 600 * SECOND);
    restart(world, -HOUR);
    assert_int_equal(seconds_left(world), 3600);
    pass(world, BANTIME);
    assert_false(is_banned(world, CLIENT));
}

/* --- counters over a restart --------------------------------------------------------------- */

#define WRITTEN (2 * SECOND) /* by then they are */

static void a_restart_goes_on_counting(void **state)
{
    struct world *world = *state;

    wrong_times(world, CLIENT, MAXRETRY - 1);
    pass(world, WRITTEN);
    restart(world, 60 * SECOND);
    assert_non_null(strstr(world->log, "counters-restored keys=1"));
    assert_false(is_banned(world, CLIENT));
    wrong(world, CLIENT);
    assert_true(is_banned(world, CLIENT));
}

static void what_is_written_last_is_found(void **state)
{
    struct world *world = *state;

    for (int i = 0; i < MAXRETRY - 1; i++) {
        wrong(world, CLIENT);
        pass(world, WRITTEN);
        restart(world, 0);
    }
    assert_false(is_banned(world, CLIENT));
    wrong(world, CLIENT);
    assert_true(is_banned(world, CLIENT));
}

static void what_counts_no_more_is_not_taken_up(void **state)
{
    struct world *world = *state;

    wrong_times(world, CLIENT, MAXRETRY - 1);
    pass(world, WRITTEN);
    restart(world, 2 * FINDTIME);
    assert_non_null(strstr(world->log, "counters-restored keys=0"));
    wrong(world, CLIENT);
    assert_false(is_banned(world, CLIENT));
}

static void set_back_while_it_was_off_it_counts_on_for_its_time(void **state)
{
    struct world *world = *state;

    wrong_times(world, CLIENT, MAXRETRY - 1);
    pass(world, WRITTEN);
    restart(world, -HOUR);
    pass(world, 2 * FINDTIME);
    wrong(world, CLIENT);
    assert_false(is_banned(world, CLIENT));
    wrong_times(world, CLIENT, MAXRETRY - 2);
    pass(world, WRITTEN);
    restart(world, -HOUR);
    wrong(world, CLIENT);
    assert_true(is_banned(world, CLIENT));
}

static void what_a_ban_or_an_unban_forgot_stays_forgotten(void **state)
{
    struct world *world = *state;

    wrong_times(world, CLIENT, MAXRETRY - 1);
    pass(world, WRITTEN);
    wrong(world, CLIENT);
    pass(world, WRITTEN);
    restart(world, 0);
    assert_non_null(strstr(world->log, "counters-restored keys=0"));
    ask(world, "control", "request=ban\nprefix=203.0.113.0/24\nseconds=9\n\n", "status=ok");
    wrong_times(world, "203.0.114.1", MAXRETRY - 1);
    pass(world, WRITTEN);
    ask(world, "control", "request=ban\nprefix=203.0.114.0/24\nseconds=9\n\n", "status=ok");
    ask(world, "control", "request=unban\nprefix=203.0.114.0/24\n\n", "status=ok");
    pass(world, WRITTEN);
    restart(world, 0);
    wrong(world, "203.0.114.1");
    assert_false(is_banned(world, "203.0.114.1"));
}

static void an_orderly_end_writes_all(void **state)
{
    struct world *world = *state;

    wrong_times(world, CLIENT, MAXRETRY - 1);
    engine_finish(world->engine);
    restart(world, 0);
    wrong(world, CLIENT);
    assert_true(is_banned(world, CLIENT));
}

/* --- a day of guessers against a list of all they did ------------------------------------- */

#define GUESSERS    12
#define GUESSES_MAX 1000

struct guesser {
    char client[32];
    int64_t times[GUESSES_MAX]; /* since the last ban */
    size_t count;
    int64_t gap_ms; /* between two, on the average */
};

static size_t guesses_within(const struct guesser *guesser, int64_t ms, int64_t now_ms)
{
    size_t count = 0;
    for (size_t i = 0; i < guesser->count; i++)
        count += now_ms - guesser->times[i] < ms;
    return count;
}

/* How far from "maxretry within findtime" a ban falls is what doc/postern-policyd.8 says. */
static unsigned guess(struct world *world, struct guesser *guesser)
{
    assert_true(guesser->count < GUESSES_MAX);
    wrong(world, guesser->client);
    guesser->times[guesser->count++] = world->mono_ms;
    if (!is_banned(world, guesser->client)) {
        assert_true(guesses_within(guesser, FINDTIME, world->mono_ms) < 2 * MAXRETRY - 3);
        return 0;
    }
    assert_true(guesses_within(guesser, 2 * FINDTIME, world->mono_ms) >= MAXRETRY);
    guesser->count = 0;
    return 1;
}

static void a_day_of_guessers(void **state)
{
    struct world *world = *state;
    struct guesser *guessers = calloc(GUESSERS, sizeof(*guessers));
    unsigned bans = 0, guesses = 0;

    srand(20261120);
    for (int i = 0; i < GUESSERS; i++) {
        snprintf(guessers[i].client, sizeof(guessers[i].client), "198.51.100.%d", i + 1);
        guessers[i].gap_ms = (30 + 20 * i) * SECOND;
    }
    for (int64_t passed = 0; passed < 24 * HOUR; passed += 10 * SECOND) {
        struct guesser *guesser = &guessers[rand() % GUESSERS];
        if (rand() % guesser->gap_ms < 10 * SECOND * GUESSERS &&
            !is_banned(world, guesser->client)) {
            bans += guess(world, guesser);
            guesses++;
        }
        pass(world, 10 * SECOND);
    }
    assert_true(bans > 20 && guesses > 10 * bans / 2);
    free(guessers);
}

#define HOURS_TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        HOURS_TEST(a_ban_holds_to_its_last_millisecond),
        HOURS_TEST(a_patient_client_is_never_banned),
        HOURS_TEST(one_who_tries_again_after_each_ban_is_banned_again),
        HOURS_TEST(a_wall_clock_that_jumps_changes_nothing),
        HOURS_TEST(a_restart_takes_off_the_time_that_passed),
        HOURS_TEST(set_back_while_it_was_off_a_ban_is_no_longer_than_meant),
        HOURS_TEST(a_restart_goes_on_counting),
        HOURS_TEST(what_is_written_last_is_found),
        HOURS_TEST(what_counts_no_more_is_not_taken_up),
        HOURS_TEST(set_back_while_it_was_off_it_counts_on_for_its_time),
        HOURS_TEST(what_a_ban_or_an_unban_forgot_stays_forgotten),
        HOURS_TEST(an_orderly_end_writes_all),
        HOURS_TEST(a_day_of_guessers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
