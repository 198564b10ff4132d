/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/store_file.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <pthread.h>
#include <pwd.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/bug.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "policyd/store_file_counters.h"
#include "policyd/store_record.h"

#define GROUP_MAX    4096 /* writes of one commit */
#define COUNTERS_MAX 96   /* batches of counters of one commit */

/* One write. Lives from the call that asked until its answer is given. */
struct write {
    struct write *next;
    bool is_delete;
    struct store_ban ban;
    const struct store_counters *counters; /* instead of a ban */
    store_done_fn done;
    void *ctx;
};

struct queue {
    struct write *first;
    struct write **end;
};

/* What one commit answers. */
struct group {
    struct group *next;
    struct write *writes;
    struct error error;
};

struct store_file {
    struct store store;
    struct loop *loop;
    char *path;
    int lock_fd;
    MDB_env *env;
    MDB_dbi bans;
    struct store_file_counters counters;

    pthread_t thread;
    bool thread_runs;
    pthread_mutex_t mutex; /* of what follows */
    pthread_cond_t more;
    struct queue queue;
    struct group *answers; /* due in the loop, in the order of the commits */
    struct group **answers_end;
    bool stop;
};

static struct store_file *file_of(struct store *store)
{
    return MAP_ENTRY(store, struct store_file, store);
}

static int lmdb_error(struct error *error_r, const char *path, const char *what, int rc)
{
    return error_set(error_r,
                     rc == MDB_CORRUPTED || rc == MDB_INVALID ? ERROR_CORRUPT : ERROR_SYSTEM,
                     "%s/%s: cannot %s: %s", path, STORE_FILE_NAME, what, mdb_strerror(rc));
}

/* --- reading ------------------------------------------------------------------ */

static int load_all(struct store_file *file, MDB_txn *txn, store_load_fn fn, void *ctx)
{
    MDB_cursor *cursor;
    MDB_val key, value;
    int rc = mdb_cursor_open(txn, file->bans, &cursor);

    if (rc)
        return rc;
    while (!(rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT))) {
        struct store_ban ban;
        if (store_record_read(key.mv_data, key.mv_size, value.mv_data, value.mv_size, &ban) == 0)
            fn(&ban, ctx);
        else
            log_warning(NULL, "store-record-ignored", LOG_STR("store", file->path),
                        LOG_STR("reason", "not a ban that this program wrote"));
    }
    mdb_cursor_close(cursor);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

static int store_file_load(struct store *store, store_load_fn fn, void *ctx, struct error *error_r)
{
    struct store_file *file = file_of(store);
    MDB_txn *txn;
    int rc = mdb_txn_begin(file->env, NULL, MDB_RDONLY, &txn);

    if (rc == 0) {
        rc = load_all(file, txn, fn, ctx);
        mdb_txn_abort(txn);
    }
    return rc ? lmdb_error(error_r, file->path, "read the bans", rc) : 0;
}

static int store_file_load_counters(struct store *store, store_load_counter_fn fn, void *ctx,
                                    struct error *error_r)
{
    struct store_file *file = file_of(store);
    size_t bad = 0;
    MDB_txn *txn;
    int rc = mdb_txn_begin(file->env, NULL, MDB_RDONLY, &txn);

    if (rc == 0) {
        rc = store_file_counters_load(&file->counters, txn, fn, ctx, &bad);
        mdb_txn_abort(txn);
    }
    if (bad)
        log_warning(NULL, "store-record-ignored", LOG_STR("store", file->path),
                    LOG_UINT("counters", bad),
                    LOG_STR("reason", "no counters that this program wrote"));
    return rc ? lmdb_error(error_r, file->path, "read the counters", rc) : 0;
}

/* --- the thread: commits in groups ---------------------------------------------- */

static int apply(struct store_file *file, MDB_txn *txn, const struct write *write)
{
    uint8_t key_bytes[STORE_KEY_LEN], value_bytes[STORE_VALUE_MAX];
    MDB_val key = {.mv_size = STORE_KEY_LEN, .mv_data = key_bytes};

    if (write->counters)
        return store_file_counters_write(&file->counters, txn, write->counters);
    store_record_key(&write->ban.prefix, key_bytes);
    if (write->is_delete) {
        int rc = mdb_del(txn, file->bans, &key, NULL);
        return rc == MDB_NOTFOUND ? 0 : rc;
    }
    MDB_val value = {.mv_size = store_record_value(&write->ban, value_bytes),
                     .mv_data = value_bytes};
    return mdb_put(txn, file->bans, &key, &value, 0);
}

static int commit(struct store_file *file, const struct write *writes)
{
    MDB_txn *txn;
    int rc = mdb_txn_begin(file->env, NULL, 0, &txn);

    if (rc)
        return rc;
    for (; writes && !rc; writes = writes->next)
        rc = apply(file, txn, writes);
    if (!rc)
        return mdb_txn_commit(txn);
    mdb_txn_abort(txn);
    return rc;
}

static void group_answer(struct group *group, bool tell)
{
    const struct error *error = group->error.code == ERROR_NONE ? NULL : &group->error;

    while (group->writes) {
        struct write *write = group->writes;
        group->writes = write->next;
        if (tell && write->done)
            write->done(error, write->ctx);
        free(write);
    }
    free(group);
}

static struct group *take_answers(struct store_file *file)
{
    pthread_mutex_lock(&file->mutex);
    struct group *groups = file->answers;
    file->answers = NULL;
    file->answers_end = &file->answers;
    pthread_mutex_unlock(&file->mutex);
    return groups;
}

static void answer_all(struct store_file *file, bool tell)
{
    struct group *next = NULL;

    for (struct group *group = take_answers(file); group; group = next) {
        next = group->next;
        group_answer(group, tell);
    }
}

static void on_answers(void *ctx)
{
    answer_all(ctx, true);
}

static void queue_init(struct queue *queue)
{
    *queue = (struct queue){.end = &queue->first};
}

/*
 * Writes from the start, as many as one commit takes; NULL when there are none. Counters are a
 * group of their own: no ban waits for more of them than were before it, nor fails with them.
 */
static struct write *queue_take(struct queue *queue)
{
    struct write *first = queue->first, **end = &first;
    bool are_counters = first && first->counters;
    size_t max = are_counters ? COUNTERS_MAX : GROUP_MAX;

    for (size_t i = 0; *end && !(*end)->counters == !are_counters && i < max; i++)
        end = &(*end)->next;
    queue->first = *end;
    if (!queue->first)
        queue->end = &queue->first;
    *end = NULL;
    return first;
}

static void commit_and_answer(struct store_file *file, struct write *writes)
{
    struct group *group = x_calloc(1, sizeof(*group));
    int rc = commit(file, writes);

    group->writes = writes;
    if (rc)
        lmdb_error(&group->error, file->path, "write", rc);
    pthread_mutex_lock(&file->mutex);
    *file->answers_end = group;
    file->answers_end = &group->next;
    pthread_mutex_unlock(&file->mutex);
    loop_post(file->loop, on_answers, file);
}

static void *run(void *ctx)
{
    struct store_file *file = ctx;

    pthread_mutex_lock(&file->mutex);
    for (;;) {
        struct write *writes = queue_take(&file->queue);
        if (writes) {
            pthread_mutex_unlock(&file->mutex);
            commit_and_answer(file, writes);
            pthread_mutex_lock(&file->mutex);
        } else if (file->stop) {
            break;
        } else {
            pthread_cond_wait(&file->more, &file->mutex);
        }
    }
    pthread_mutex_unlock(&file->mutex);
    return NULL;
}

static void enqueue(struct store_file *file, const struct write *wanted)
{
    struct write *write = x_calloc(1, sizeof(*write));

    *write = *wanted;
    pthread_mutex_lock(&file->mutex);
    *file->queue.end = write;
    file->queue.end = &write->next;
    pthread_cond_signal(&file->more);
    pthread_mutex_unlock(&file->mutex);
}

static void store_file_put_ban(struct store *store, const struct store_ban *ban, store_done_fn done,
                               void *ctx)
{
    enqueue(file_of(store), &(struct write){.ban = *ban, .done = done, .ctx = ctx});
}

static void store_file_delete_ban(struct store *store, const struct prefix *prefix,
                                  store_done_fn done, void *ctx)
{
    enqueue(file_of(store), &(struct write){
                                .is_delete = true,
                                .ban.prefix = *prefix,
                                .done = done,
                                .ctx = ctx,
                            });
}

static void store_file_put_counters(struct store *store, const struct store_counters *batch,
                                    store_done_fn done, void *ctx)
{
    enqueue(file_of(store), &(struct write){.counters = batch, .done = done, .ctx = ctx});
}

/* Signals are the loop's: the thread blocks them all. */
static int start_thread(struct store_file *file, struct error *error_r)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    errno = pthread_create(&file->thread, NULL, run, file);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (errno)
        return error_set_errno(error_r, "cannot start the thread of the store");
    file->thread_runs = true;
    return 0;
}

static void stop_thread(struct store_file *file)
{
    if (!file->thread_runs)
        return;
    pthread_mutex_lock(&file->mutex);
    file->stop = true;
    pthread_cond_signal(&file->more);
    pthread_mutex_unlock(&file->mutex);
    pthread_join(file->thread, NULL);
}

/* --- opening ------------------------------------------------------------------ */

/* It gets its name last: one that was made is its user's, whenever the maker was killed. */
static int make_for(const char *path, const char *user, struct error *error_r)
{
    struct passwd *entry = getpwnam(user);
    struct buf new = {0};
    size_t len = strlen(path);
    int rc = 0;

    if (!entry)
        return error_set(error_r, ERROR_CONFIG, "there is no user %s", user);
    while (len > 1 && path[len - 1] == '/')
        len--;
    buf_put(&new, path, len);
    buf_puts(&new, ".new");
    if (mkdir(buf_str(&new), 0700) && errno != EEXIST)
        rc = error_set_errno(error_r, "cannot make the directory %s", buf_str(&new));
    else if (lchown(buf_str(&new), entry->pw_uid, entry->pw_gid))
        rc = error_set_errno(error_r, "cannot give the directory %s to %s", buf_str(&new), user);
    else if (rename(buf_str(&new), path))
        rc = error_set_errno(error_r, "cannot make the directory %s", path);
    buf_fini(&new);
    return rc;
}

int store_file_make_directory(const char *path, const char *user, struct error *error_r)
{
    if (access(path, F_OK) == 0)
        return 0;
    if (user)
        return make_for(path, user, error_r);
    if (mkdir(path, 0700))
        return error_set_errno(error_r, "cannot make the directory %s", path);
    return 0;
}

static int take_lock(struct store_file *file, struct error *error_r)
{
    struct buf path = {0};

    buf_printf(&path, "%s/%s", file->path, STORE_FILE_LOCK);
    file->lock_fd = open(buf_str(&path), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file->lock_fd < 0)
        error_set_errno(error_r, "cannot open %s", buf_str(&path));
    buf_fini(&path);
    if (file->lock_fd < 0)
        return -1;
    if (flock(file->lock_fd, LOCK_EX | LOCK_NB) == 0)
        return 0;
    if (errno != EWOULDBLOCK)
        return error_set_errno(error_r, "cannot lock %s/%s", file->path, STORE_FILE_LOCK);
    return error_set(error_r, ERROR_REFUSED, "%s is in use by another postern-policyd", file->path);
}

static int open_env(struct store_file *file, struct error *error_r)
{
    struct buf path = {0};
    int rc = mdb_env_create(&file->env);

    BUG_ON(rc);
    buf_printf(&path, "%s/%s", file->path, STORE_FILE_NAME);
    mdb_env_set_maxdbs(file->env, 3);
    mdb_env_set_mapsize(file->env, STORE_FILE_MAX);
    rc = mdb_env_open(file->env, buf_str(&path), MDB_NOSUBDIR, 0600);
    buf_fini(&path);
    return rc ? lmdb_error(error_r, file->path, "open it", rc) : 0;
}

static int check_format(const MDB_val *value, const char *path, struct error *error_r)
{
    uint64_t format = 0;
    char *text = str_take(value->mv_data, value->mv_size, 10);
    int bad = !text || str_parse_u64(text, 1, UINT32_MAX, &format);

    free(text);
    if (bad)
        return error_set(error_r, ERROR_CORRUPT, "%s/%s: its format is not a number", path,
                         STORE_FILE_NAME);
    if (format > STORE_FILE_FORMAT)
        return error_set(error_r, ERROR_CONFIG,
                         "%s/%s: written by a newer Postern (format %lu; this one knows %u)", path,
                         STORE_FILE_NAME, (unsigned long)format, STORE_FILE_FORMAT);
    return 0;
}

static int make_tables(struct store_file *file, MDB_txn *txn, MDB_dbi meta)
{
    MDB_val key = {.mv_size = strlen("format"), .mv_data = (char[]){"format"}};
    char text[16];
    int len = snprintf(text, sizeof(text), "%u", STORE_FILE_FORMAT);
    MDB_val value = {.mv_size = (size_t)len, .mv_data = text};
    int rc = mdb_put(txn, meta, &key, &value, 0);

    return rc ? rc : mdb_dbi_open(txn, "bans", MDB_CREATE, &file->bans);
}

/* In an old file nothing is written: a full disk does not keep the daemon from starting. */
static int open_tables(struct store_file *file, MDB_txn *txn, struct error *error_r)
{
    MDB_val key = {.mv_size = strlen("format"), .mv_data = (char[]){"format"}};
    MDB_val value;
    MDB_dbi meta;
    int rc = mdb_dbi_open(txn, "meta", 0, &meta);

    if (rc == MDB_NOTFOUND)
        rc = mdb_dbi_open(txn, "meta", MDB_CREATE, &meta);
    if (rc)
        return lmdb_error(error_r, file->path, "open its tables", rc);
    rc = mdb_get(txn, meta, &key, &value);
    if (rc == MDB_NOTFOUND)
        rc = make_tables(file, txn, meta);
    else if (!rc && check_format(&value, file->path, error_r))
        return -1;
    else if (!rc)
        rc = mdb_dbi_open(txn, "bans", 0, &file->bans);
    if (!rc)
        rc = store_file_counters_open(&file->counters, txn);
    return rc ? lmdb_error(error_r, file->path, "open its tables", rc) : 0;
}

static int prepare(struct store_file *file, struct error *error_r)
{
    MDB_txn *txn;
    int rc = mdb_txn_begin(file->env, NULL, 0, &txn);

    if (rc)
        return lmdb_error(error_r, file->path, "open its tables", rc);
    if (open_tables(file, txn, error_r)) {
        mdb_txn_abort(txn);
        return -1;
    }
    rc = mdb_txn_commit(txn);
    return rc ? lmdb_error(error_r, file->path, "write", rc) : 0;
}

/* A new file is durable only when its name is. */
static int sync_directory(const char *path, struct error *error_r)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return error_set_errno(error_r, "cannot open the directory %s", path);
    int rc = fsync(fd);
    if (rc)
        error_set_errno(error_r, "cannot sync the directory %s", path);
    close(fd);
    return rc;
}

static void store_file_free(struct store *store)
{
    struct store_file *file = file_of(store);

    stop_thread(file);
    answer_all(file, false);
    if (file->env)
        mdb_env_close(file->env);
    if (file->lock_fd >= 0)
        close(file->lock_fd);
    pthread_cond_destroy(&file->more);
    pthread_mutex_destroy(&file->mutex);
    free(file->path);
    free(file);
}

struct store *store_file_open(const char *path, struct loop *loop, struct error *error_r)
{
    struct store_file *file = x_calloc(1, sizeof(*file));

    *file = (struct store_file){
        .store = {.load = store_file_load,
                  .put_ban = store_file_put_ban,
                  .delete_ban = store_file_delete_ban,
                  .load_counters = store_file_load_counters,
                  .put_counters = store_file_put_counters,
                  .free = store_file_free},
        .loop = loop,
        .path = x_strdup(path),
        .lock_fd = -1,
    };
    queue_init(&file->queue);
    file->answers_end = &file->answers;
    pthread_mutex_init(&file->mutex, NULL);
    pthread_cond_init(&file->more, NULL);
    if (store_file_make_directory(path, NULL, error_r) || take_lock(file, error_r) ||
        open_env(file, error_r) || prepare(file, error_r) || sync_directory(path, error_r) ||
        start_thread(file, error_r)) {
        store_file_free(&file->store);
        return NULL;
    }
    return &file->store;
}
