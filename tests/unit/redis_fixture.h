/* SPDX-License-Identifier: MIT */
#ifndef PN_TESTS_UNIT_REDIS_FIXTURE_H
#define PN_TESTS_UNIT_REDIS_FIXTURE_H

#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "policyd/redis.h"

/*
 * Real servers of Redis, each on a port of 127.0.0.1 and a Unix socket in a directory of
 * the test's own, and a client of ours with what it told.
 */
#define SERVERS_MAX 8

struct server {
    char dir[64];
    unsigned port;
    pid_t pid;
    bool is_sentinel;
};

struct scene {
    char dir[64];
    struct server servers[SERVERS_MAX];
    struct loop *loop;
    struct config *config;
    struct redis *redis;
    unsigned ups, downs, joins, messages;
    char why[512], message[64];
    char log[16384]; /* all lines, as long as they fit */
};

/*
 * Let its loop turn until cond holds; the test fails when it does not within the patience.
 * Without a pause between two turns: for those who wait some hundred thousand times.
 */
#define SCENE_PATIENCE_MS 10000
#define SCENE_TURN_UNTIL(scene, cond)                                                              \
    do {                                                                                           \
        int64_t scene_deadline = clock_mono_ms(&clock_system) + SCENE_PATIENCE_MS;                 \
        while (!(cond)) {                                                                          \
            if (clock_mono_ms(&clock_system) > scene_deadline)                                     \
                fail_msg("waited in vain for: %s", #cond);                                         \
            loop_run_once((scene)->loop);                                                          \
            sched_yield();                                                                         \
        }                                                                                          \
    } while (0)

/* NULL state: no redis-server here, and each test is to be skipped. */
int scene_setup(void **state);
int scene_teardown(void **state);
/* Skips the test where there is no redis-server. */
struct scene *scene_of(void **state);

unsigned free_port(void);
/* Of a text that begins with digits. */
long number_of(const char *text);
/* Lines of its own file of configuration; "": none. Waits until it answers. */
void server_start(struct scene *scene, size_t i, const char *lines);
/* As it was, with what it kept. */
void server_restart(struct scene *scene, size_t i);
/* The same, without waiting. */
void server_restart_at_once(struct scene *scene, size_t i);
void server_signal(struct scene *scene, size_t i, int signo);
void server_kill(struct scene *scene, size_t i);
/* What redis-cli prints, borrowed until the next call. args are words of a shell. */
const char *server_do(struct scene *scene, size_t i, const char *args);

/* The client with a file of these lines behind hostname; "@1" is "127.0.0.1:PORT" of server 1. */
void client_start(struct scene *scene, const char *lines);
void client_stop(struct scene *scene);
/* The file "password" in the scene's directory. */
void scene_put(struct scene *scene, const char *name, const char *text);

/* How often a text is in the log. */
unsigned lines_of(const struct scene *scene, const char *text);
/* Whether it is down, and for this reason. */
bool is_away(const struct scene *scene, const char *reason);

#define UP(scene, n) FIXTURE_TURN_UNTIL((scene)->loop, (scene)->ups == (n))
#define TEST(name)   cmocka_unit_test_setup_teardown(name, scene_setup, scene_teardown)

/* What a call brought. */
struct answer {
    unsigned calls;
    enum redis_status status;
    enum redis_kind kind;
    int64_t integer;
    char text[256];
};
void on_answer(enum redis_status status, const struct redis_value *value, void *ctx);

/* A command as words with blanks between them; its second one is the key. */
bool ask(struct scene *scene, const char *words, struct answer *answer);
/* The same, and its text or number as text; "lost", "refused". Borrowed until the next call. */
const char *ask_wait(struct scene *scene, const char *words);

#endif
