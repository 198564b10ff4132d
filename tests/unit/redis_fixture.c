/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "tests/unit/redis_fixture.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "common/base/buf.h"
#include "common/base/log.h"
#include "common/base/str.h"
#include "tests/unit/net_fixture.h"

#define WORDS_MAX   16
#define START_TRIES 5

long number_of(const char *text)
{
    return strtol(text, NULL, 10);
}

unsigned free_port(void)
{
    struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(sin);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(bind(fd, (const struct sockaddr *)&sin, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
    close(fd);
    return ntohs(sin.sin_port);
}

static void shell(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void shell(const char *fmt, ...)
{
    char line[512];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    assert_int_equal(system(line), 0);
}

static void on_line(enum log_level level, const char *line, void *ctx)
{
    struct scene *scene = ctx;
    size_t len = strlen(scene->log);

    (void)level;
    snprintf(scene->log + len, sizeof(scene->log) - len, "%s\n", line);
}

int scene_setup(void **state)
{
    struct scene *scene;

    *state = NULL;
    if (system("command -v redis-server redis-cli >/dev/null") != 0)
        return 0;
    scene = calloc(1, sizeof(*scene));
    snprintf(scene->dir, sizeof(scene->dir), "/tmp/postern-redis-XXXXXX");
    assert_non_null(mkdtemp(scene->dir));
    scene->loop = loop_new();
    log_open("test", LOG_TARGET_NOWHERE, LOG_LEVEL_DEBUG);
    log_capture(on_line, scene);
    *state = scene;
    return 0;
}

int scene_teardown(void **state)
{
    struct scene *scene = *state;

    if (!scene)
        return 0;
    client_stop(scene);
    for (size_t i = 0; i < SERVERS_MAX; i++)
        if (scene->servers[i].pid)
            server_kill(scene, i);
    log_capture(NULL, NULL);
    loop_free(&scene->loop);
    shell("rm -r %s", scene->dir);
    free(scene);
    return 0;
}

struct scene *scene_of(void **state)
{
    if (!*state)
        skip();
    return *state;
}

void scene_put(struct scene *scene, const char *name, const char *text)
{
    char path[128];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", scene->dir, name);
    file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    assert_int_equal(chmod(path, 0600), 0);
}

static void run_server(const struct server *server)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (chdir(server->dir) == 0)
        execlp("redis-server", "redis-server", "redis.conf",
               server->is_sentinel ? "--sentinel" : NULL, (char *)NULL);
    _exit(127);
}

const char *server_do(struct scene *scene, size_t i, const char *args)
{
    static char out[4096];
    char line[512];
    size_t len;
    FILE *pipe;

    snprintf(line, sizeof(line), "redis-cli -s %s/socket --no-auth-warning %s 2>&1",
             scene->servers[i].dir, args);
    pipe = popen(line, "r");
    assert_non_null(pipe);
    len = fread(out, 1, sizeof(out) - 1, pipe);
    pclose(pipe);
    while (len > 0 && out[len - 1] == '\n')
        len--;
    out[len] = '\0';
    return out;
}

void server_restart_at_once(struct scene *scene, size_t i)
{
    struct server *server = &scene->servers[i];

    server->pid = fork();
    if (server->pid == 0)
        run_server(server);
    assert_true(server->pid > 0);
}

/* Whether it came up; the port can be taken by another by now. */
static bool wait_for_answer(struct scene *scene, size_t i)
{
    int64_t deadline = clock_mono_ms(&clock_system) + FIXTURE_PATIENCE_MS;

    for (;;) {
        const char *out = server_do(scene, i, "PING");
        if (str_eq(out, "PONG") || str_has_prefix(out, "NOAUTH"))
            return true;
        if (waitpid(scene->servers[i].pid, NULL, WNOHANG) != 0)
            return false;
        if (clock_mono_ms(&clock_system) > deadline)
            fail_msg("server %zu does not answer: %s", i, out);
        poll(NULL, 0, 10);
    }
}

void server_restart(struct scene *scene, size_t i)
{
    server_restart_at_once(scene, i);
    assert_true(wait_for_answer(scene, i));
}

static void write_conf(struct scene *scene, size_t i, const char *lines)
{
    struct server *server = &scene->servers[i];
    char name[32], text[2048];

    server->port = free_port();
    snprintf(text, sizeof(text),
             "port %u\nbind 127.0.0.1\nunixsocket %s/socket\ndir %s\nsave \"\"\nlogfile log\n%s\n",
             server->port, server->dir, server->dir, lines);
    snprintf(name, sizeof(name), "%zu/redis.conf", i);
    scene_put(scene, name, text);
}

void server_start(struct scene *scene, size_t i, const char *lines)
{
    struct server *server = &scene->servers[i];
    unsigned tries = 0;

    server->is_sentinel = strstr(lines, "sentinel monitor") != NULL;
    char *dir = NULL;
    assert_true(asprintf(&dir, "%s/%zu", scene->dir, i) > 0);
    snprintf(server->dir, sizeof(server->dir), "%s", dir);
    free(dir);
    assert_int_equal(mkdir(server->dir, 0700), 0);
    do {
        assert_true(++tries < START_TRIES);
        write_conf(scene, i, lines);
        server_restart_at_once(scene, i);
    } while (!wait_for_answer(scene, i));
}

void server_signal(struct scene *scene, size_t i, int signo)
{
    assert_int_equal(kill(scene->servers[i].pid, signo), 0);
}

void server_kill(struct scene *scene, size_t i)
{
    struct server *server = &scene->servers[i];

    kill(server->pid, SIGKILL);
    waitpid(server->pid, NULL, 0);
    server->pid = 0;
}

static void on_up(void *ctx)
{
    struct scene *scene = ctx;

    scene->ups++;
}

static void on_down(const char *why, void *ctx)
{
    struct scene *scene = ctx;

    scene->downs++;
    snprintf(scene->why, sizeof(scene->why), "%s", why);
}

static void on_joined(void *ctx)
{
    struct scene *scene = ctx;

    scene->joins++;
}

static void on_message(const uint8_t *bytes, size_t len, void *ctx)
{
    struct scene *scene = ctx;

    scene->messages++;
    snprintf(scene->message, sizeof(scene->message), "%.*s", (int)len, (const char *)bytes);
}

static void put_filled(struct scene *scene, struct buf *out, const char *lines)
{
    buf_puts(out, "hostname = mx.example.com\n");
    for (const char *at = lines; *at != '\0'; at++) {
        if (at[0] == '@' && at[1] == '/')
            buf_puts(out, scene->dir);
        else if (at[0] == '@')
            buf_printf(out, "127.0.0.1:%u", scene->servers[*++at - '0'].port);
        else
            buf_putc(out, *at);
    }
}

void client_start(struct scene *scene, const char *lines)
{
    struct config_errors errors;
    char path[128];
    struct buf text;

    buf_init(&text);
    put_filled(scene, &text, lines);
    scene_put(scene, "postern.conf", buf_str(&text));
    buf_fini(&text);
    snprintf(path, sizeof(path), "%s/postern.conf", scene->dir);
    if (config_load(path, &scene->config, &errors) != 0)
        fail_msg("%s", errors.items[0].text);
    scene->redis = redis_new(scene->loop, &clock_system, scene->config, "postern:bans",
                             &(struct redis_handler){on_up, on_down, on_message, on_joined, scene});
}

void client_stop(struct scene *scene)
{
    redis_free(&scene->redis);
    config_free(&scene->config);
}

unsigned lines_of(const struct scene *scene, const char *text)
{
    unsigned count = 0;

    for (const char *at = scene->log; (at = strstr(at, text)); at++)
        count++;
    return count;
}

bool is_away(const struct scene *scene, const char *reason)
{
    const char *why = redis_why_down(scene->redis);

    return why && strstr(why, reason);
}

void on_answer(enum redis_status status, const struct redis_value *value, void *ctx)
{
    struct answer *answer = ctx;
    size_t len;
    const char *text = redis_string(value, &len);

    assert_true((status == REDIS_LOST) == (value == NULL) || status == REDIS_DONE);
    answer->calls++;
    answer->status = status;
    answer->kind = redis_kind(value);
    answer->integer = redis_integer(value);
    snprintf(answer->text, sizeof(answer->text), "%.*s", (int)len, text ? text : "");
}

bool ask(struct scene *scene, const char *words, struct answer *answer)
{
    char *copy = strdup(words), *rest = copy, *word;
    const char *argv[WORDS_MAX] = {NULL};
    size_t argc = 0;
    bool is_sent;

    *answer = (struct answer){0};
    while ((word = strsep(&rest, " ")) && argc < WORDS_MAX)
        argv[argc++] = word;
    const char *key = argc > 1 ? argv[1] : "";
    is_sent = redis_call(scene->redis, key, strlen(key), argc, argv, NULL, on_answer, answer);
    free(copy);
    assert_int_equal(answer->calls, 0);
    return is_sent;
}

const char *ask_wait(struct scene *scene, const char *words)
{
    static struct answer answer;

    if (!ask(scene, words, &answer))
        return "refused";
    FIXTURE_TURN_UNTIL(scene->loop, answer.calls > 0);
    assert_int_equal(answer.calls, 1);
    if (answer.status == REDIS_LOST)
        return "lost";
    if (answer.kind == REDIS_INTEGER)
        snprintf(answer.text, sizeof(answer.text), "%lld", (long long)answer.integer);
    return answer.text;
}
