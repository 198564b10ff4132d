/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/store_file.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <pwd.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/log.h"
#include "tests/unit/unit.h"

#define ROUNDS     6 /* of kill -9 */
#define LOADED_MAX 4096
#define SOME       1000 /* a group of writes */

struct fixture {
    char folder[64];
    char path[96];
    struct loop *loop;
    struct store *store;
    struct store_ban loaded[LOADED_MAX];
    size_t loaded_count;
    size_t answers;
    size_t errors;
    char last_error[ERROR_TEXT_MAX];
};

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    log_open("test", LOG_TARGET_NOWHERE, LOG_LEVEL_DEBUG);
    snprintf(fixture->folder, sizeof(fixture->folder), "/tmp/pn-store-XXXXXX");
    assert_non_null(mkdtemp(fixture->folder));
    snprintf(fixture->path, sizeof(fixture->path), "%s/store", fixture->folder);
    *state = fixture;
    return 0;
}

static void remove_file(const struct fixture *fixture, const char *name)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", fixture->path, name);
    unlink(path);
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;

    chmod(fixture->path, 0700);
    remove_file(fixture, STORE_FILE_NAME);
    remove_file(fixture, STORE_FILE_NAME "-lock");
    remove_file(fixture, STORE_FILE_LOCK);
    rmdir(fixture->path);
    assert_int_equal(rmdir(fixture->folder), 0);
    free(fixture);
    return 0;
}

static void open_store(struct fixture *fixture)
{
    struct error error = {0};

    fixture->loop = loop_new();
    fixture->store = store_file_open(fixture->path, fixture->loop, &error);
    if (!fixture->store)
        fail_msg("%s", error.text);
}

static void close_store(struct fixture *fixture)
{
    fixture->store->free(fixture->store);
    loop_free(&fixture->loop);
}

static void on_load(const struct store_ban *ban, void *ctx)
{
    struct fixture *fixture = ctx;
    assert_true(fixture->loaded_count < LOADED_MAX);
    fixture->loaded[fixture->loaded_count++] = *ban;
}

static size_t load(struct fixture *fixture)
{
    struct error error;

    fixture->loaded_count = 0;
    assert_int_equal(fixture->store->load(fixture->store, on_load, fixture, &error), 0);
    return fixture->loaded_count;
}

static void on_done(const struct error *error, void *ctx)
{
    struct fixture *fixture = ctx;

    fixture->answers++;
    if (error) {
        fixture->errors++;
        snprintf(fixture->last_error, sizeof(fixture->last_error), "%s", error->text);
    }
}

static void stop(void *ctx)
{
    loop_stop(ctx);
}

static void on_last_done(const struct error *error, void *ctx)
{
    struct fixture *fixture = ctx;

    on_done(error, ctx);
    loop_post(fixture->loop, stop, fixture->loop);
}

static struct store_ban numbered(unsigned number)
{
    struct store_ban ban = {.since_wall_ms = 1000 + number,
                            .until_wall_ms = INT64_C(1790000000000) + number};
    char text[32];

    snprintf(text, sizeof(text), "203.0.%u.%u", number / 256 % 256, number % 256);
    assert_int_equal(prefix_parse(text, &ban.prefix), 0);
    snprintf(ban.jail, sizeof(ban.jail), "jail-%u", number);
    return ban;
}

static bool has(const struct fixture *fixture, const struct store_ban *wanted)
{
    for (size_t i = 0; i < fixture->loaded_count; i++) {
        const struct store_ban *ban = &fixture->loaded[i];
        if (prefix_eq(&ban->prefix, &wanted->prefix))
            return ban->since_wall_ms == wanted->since_wall_ms &&
                   ban->until_wall_ms == wanted->until_wall_ms &&
                   strcmp(ban->jail, wanted->jail) == 0;
    }
    return false;
}

static void put(struct fixture *fixture, const struct store_ban *ban, store_done_fn done)
{
    fixture->store->put_ban(fixture->store, ban, done, fixture);
}

static void what_is_put_is_found_again(void **state)
{
    struct fixture *fixture = *state;
    struct store_ban ban = numbered(1), ipv6 = numbered(2), last = numbered(3);

    assert_int_equal(prefix_parse("2001:db8:1:2::/64", &ipv6.prefix), 0);
    memset(last.jail, 'j', BANS_JAIL_MAX - 1);
    open_store(fixture);
    assert_int_equal(load(fixture), 0);
    put(fixture, &ban, on_done);
    put(fixture, &ipv6, on_done);
    ban.until_wall_ms++;
    put(fixture, &ban, on_done);
    put(fixture, &last, on_last_done);
    assert_int_equal(fixture->answers, 0);
    loop_run(fixture->loop);
    assert_int_equal(fixture->answers, 4);
    assert_int_equal(fixture->errors, 0);
    close_store(fixture);
    open_store(fixture);
    assert_int_equal(load(fixture), 3);
    assert_true(has(fixture, &ban) && has(fixture, &ipv6) && has(fixture, &last));
    close_store(fixture);
}

static void writes_take_effect_in_their_order(void **state)
{
    struct fixture *fixture = *state;
    struct store_ban a = numbered(1), b = numbered(2);

    open_store(fixture);
    put(fixture, &a, NULL);
    put(fixture, &b, NULL);
    fixture->store->delete_ban(fixture->store, &a.prefix, on_done, fixture);
    fixture->store->delete_ban(fixture->store, &a.prefix, on_done, fixture);
    fixture->store->delete_ban(fixture->store, &b.prefix, on_done, fixture);
    put(fixture, &b, on_last_done);
    loop_run(fixture->loop);
    assert_int_equal(fixture->errors, 0);
    assert_int_equal(load(fixture), 1);
    assert_true(has(fixture, &b));
    close_store(fixture);
}

static void closing_writes_what_is_due(void **state)
{
    struct fixture *fixture = *state;

    open_store(fixture);
    for (unsigned i = 0; i < SOME; i++) {
        struct store_ban ban = numbered(i);
        put(fixture, &ban, NULL);
    }
    close_store(fixture);
    open_store(fixture);
    assert_int_equal(load(fixture), SOME);
    close_store(fixture);
}

static void the_directory_is_private(void **state)
{
    struct fixture *fixture = *state;
    struct stat st;

    open_store(fixture);
    assert_int_equal(stat(fixture->path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    close_store(fixture);
}

static void a_second_one_is_kept_out(void **state)
{
    struct fixture *fixture = *state;
    struct error error = {0};

    open_store(fixture);
    assert_null(store_file_open(fixture->path, fixture->loop, &error));
    assert_int_equal(error.code, ERROR_REFUSED);
    assert_non_null(strstr(error.text, "in use by another postern-policyd"));
    close_store(fixture);
}

static void write_file(struct fixture *fixture, const char *name, const char *text)
{
    char path[256];

    snprintf(path, sizeof(path), "%s/%s", fixture->path, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void what_is_no_store_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct error error = {0};

    assert_int_equal(mkdir(fixture->path, 0700), 0);
    write_file(fixture, STORE_FILE_NAME, "This is a letter to the editor, and no database.\n");
    fixture->loop = loop_new();
    assert_null(store_file_open(fixture->path, fixture->loop, &error));
    assert_non_null(strstr(error.text, STORE_FILE_NAME));
    loop_free(&fixture->loop);
}

static void set_format(struct fixture *fixture, const char *format)
{
    char path[256];
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi meta;
    MDB_val key = {strlen("format"), (char[]){"format"}};
    MDB_val value = {strlen(format), (char *)(uintptr_t)format};

    snprintf(path, sizeof(path), "%s/%s", fixture->path, STORE_FILE_NAME);
    assert_int_equal(mdb_env_create(&env), 0);
    mdb_env_set_maxdbs(env, 3);
    assert_int_equal(mdb_env_open(env, path, MDB_NOSUBDIR, 0600), 0);
    assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
    assert_int_equal(mdb_dbi_open(txn, "meta", 0, &meta), 0);
    assert_int_equal(mdb_put(txn, meta, &key, &value, 0), 0);
    assert_int_equal(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
}

static void another_format_is_refused(void **state)
{
    static const struct {
        const char *format, *reason;
    } cases[] = {
        {"2", "written by a newer Postern (format 2; this one knows 1)"},
        {"4294967295", "written by a newer Postern (format 4294967295"},
        {"", "its format is not a number"},
        {"x", "its format is not a number"},
        {"0", "its format is not a number"},
        {"12345678901234567890", "its format is not a number"},
    };
    struct fixture *fixture = *state;

    open_store(fixture);
    close_store(fixture);
    fixture->loop = loop_new();
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct error error = {0};
        set_format(fixture, cases[i].format);
        CASE(cases[i].format, !store_file_open(fixture->path, fixture->loop, &error));
        CASE(error.text, strstr(error.text, cases[i].reason));
    }
    loop_free(&fixture->loop);
    set_format(fixture, "1");
    open_store(fixture);
    close_store(fixture);
}

static void a_place_that_cannot_be_is_named(void **state)
{
    struct fixture *fixture = *state;
    struct error error = {0};

    fixture->loop = loop_new();
    assert_null(store_file_open("/nonexistent/place", fixture->loop, &error));
    assert_string_equal(error.text,
                        "cannot make the directory /nonexistent/place: No such file or directory");
    loop_free(&fixture->loop);
}

/* A file that cannot grow stands for a full disk. */
static void a_full_disk_is_an_answer_and_no_end(void **state)
{
    struct fixture *fixture = *state;
    struct rlimit before, limit;
    struct stat st;
    char path[256];

    open_store(fixture);
    snprintf(path, sizeof(path), "%s/%s", fixture->path, STORE_FILE_NAME);
    assert_int_equal(stat(path, &st), 0);
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    limit = before;
    limit.rlim_cur = (rlim_t)st.st_size;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    for (unsigned i = 0; i < SOME; i++) {
        struct store_ban ban = numbered(i);
        put(fixture, &ban, i + 1 < SOME ? on_done : on_last_done);
    }
    loop_run(fixture->loop);
    setrlimit(RLIMIT_FSIZE, &before);
    assert_int_equal(fixture->answers, SOME);
    assert_true(fixture->errors > 0);
    assert_non_null(strstr(fixture->last_error, "cannot write"));
    /* With room again, it goes on. */
    struct store_ban ban = numbered(1);
    fixture->errors = 0;
    put(fixture, &ban, on_last_done);
    loop_run(fixture->loop);
    assert_int_equal(fixture->errors, 0);
    load(fixture);
    assert_true(has(fixture, &ban));
    close_store(fixture);
}

/* --- kill -9 -------------------------------------------------------------------------- */

struct writer {
    struct fixture *fixture;
    unsigned number;
    int report;
};

static void write_next(struct writer *writer);

static void on_written(const struct error *error, void *ctx)
{
    struct writer *writer = ctx;

    if (error || write(writer->report, &writer->number, sizeof(writer->number)) !=
                     (ssize_t)sizeof(writer->number))
        _exit(1);
    writer->number++;
    write_next(writer);
}

static void write_next(struct writer *writer)
{
    struct store_ban ban = numbered(writer->number);
    writer->fixture->store->put_ban(writer->fixture->store, &ban, on_written, writer);
}

static void write_until_killed(struct fixture *fixture, unsigned first, int report)
{
    struct writer writer = {.fixture = fixture, .number = first, .report = report};

    open_store(fixture);
    write_next(&writer);
    loop_run(fixture->loop);
    _exit(1);
}

/* Runs a child that writes until it is killed; how many puts it was told are durable. */
static unsigned kill_a_writer(struct fixture *fixture, unsigned first, unsigned at_least)
{
    int ends[2], status;
    unsigned number = 0, next = first;

    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        close(ends[0]);
        write_until_killed(fixture, first, ends[1]);
    }
    close(ends[1]);
    while (next < first + at_least && read(ends[0], &number, sizeof(number)) > 0)
        next = number + 1;
    kill(child, SIGKILL);
    while (read(ends[0], &number, sizeof(number)) > 0)
        next = number + 1;
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_true(next >= first + at_least);
    return next;
}

static void what_was_acknowledged_outlives_kill(void **state)
{
    struct fixture *fixture = *state;
    unsigned next = 0;

    for (unsigned round = 0; round < ROUNDS; round++) {
        next = kill_a_writer(fixture, next, 5 + 3 * round);
        open_store(fixture);
        load(fixture);
        for (unsigned i = 0; i < next; i++) {
            struct store_ban ban = numbered(i);
            if (!has(fixture, &ban))
                fail_msg("round %u: put %u of %u was acknowledged and is gone", round, i, next);
        }
        /* One more may have been on its way. */
        assert_true(fixture->loaded_count <= next + 1);
        close_store(fixture);
    }
}

#define STORE_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

/* Whenever its maker ends, the next one can go on. */
static void the_directory_is_its_users_once_it_has_its_name(void **state)
{
    struct fixture *fixture = *state;
    const struct passwd *user = geteuid() == 0 ? getpwnam("nobody") : getpwuid(geteuid());
    struct error error;
    struct stat st;
    char new[128], slashes[128];

    assert_non_null(user);
    assert_int_equal(store_file_make_directory(fixture->path, "no such user", &error), -1);
    assert_int_equal(access(fixture->path, F_OK), -1);
    snprintf(new, sizeof(new), "%s.new", fixture->path);
    assert_int_equal(mkdir(new, 0700), 0);
    snprintf(slashes, sizeof(slashes), "%s//", fixture->path);
    assert_int_equal(store_file_make_directory(slashes, user->pw_name, &error), 0);
    assert_int_equal(stat(fixture->path, &st), 0);
    assert_int_equal(st.st_uid, user->pw_uid);
    assert_int_equal(st.st_mode & 07777, 0700);
    assert_int_equal(access(new, F_OK), -1);
    assert_int_equal(store_file_make_directory(fixture->path, "no such user", &error), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(what_is_put_is_found_again),
        STORE_TEST(writes_take_effect_in_their_order),
        STORE_TEST(closing_writes_what_is_due),
        STORE_TEST(the_directory_is_private),
        STORE_TEST(the_directory_is_its_users_once_it_has_its_name),
        STORE_TEST(a_second_one_is_kept_out),
        STORE_TEST(what_is_no_store_is_refused),
        STORE_TEST(another_format_is_refused),
        STORE_TEST(a_place_that_cannot_be_is_named),
        STORE_TEST(a_full_disk_is_an_answer_and_no_end),
        STORE_TEST(what_was_acknowledged_outlives_kill),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
