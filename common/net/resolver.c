/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/net/resolver.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <unbound.h>
#include <unbound-event.h>

#include "common/base/bug.h"
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/net/dns_cache.h"
#include "common/net/dns_packet.h"
#include "common/net/loop.h"

#define ROOT_KEY_FILE "/usr/share/dns/root.key"
#define SEC_BOGUS     1  /* how libunbound tells the callback */
#define TCP_PART      16 /* of the sockets; long answers and those of few servers need it */

/* A question that libunbound works on. Belongs to the loop's thread. */
struct pending {
    struct batch *batch;
    size_t index;
    struct pending *next, **link;
};

/*
 * What one ask() hands over. The waiter, the post and every pending question hold a
 * reference each, so that a waiter whose time is up can leave while answers still
 * arrive: they go to the cache and to nobody else.
 */
struct batch {
    struct resolver *resolver;
    pthread_mutex_t lock;
    pthread_cond_t finished;
    unsigned refs;
    bool abandoned;
    size_t open;
    size_t count;
    struct dns_answer *answers;
    struct {
        char *name; /* NULL: answered already */
        uint16_t type;
    } questions[];
};

struct resolver {
    struct dns dns;
    struct dns_cache *cache;
    struct loop *loop;
    struct ub_ctx *ub;
    pthread_t thread;
    struct pending *pending;
};

static struct batch *batch_new(struct resolver *resolver, const struct dns_question *questions,
                               size_t count)
{
    struct batch *batch = x_calloc(1, sizeof(*batch) + count * sizeof(batch->questions[0]));
    pthread_condattr_t monotonic;

    batch->resolver = resolver;
    batch->refs = 2;
    batch->count = count;
    batch->answers = x_calloc(count, sizeof(batch->answers[0]));
    pthread_mutex_init(&batch->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&batch->finished, &monotonic);
    pthread_condattr_destroy(&monotonic);
    for (size_t i = 0; i < count; i++) {
        batch->answers[i].status = DNS_TIMEOUT;
        if (!dns_name_is_valid(questions[i].name)) {
            batch->answers[i].status = DNS_NXDOMAIN;
            continue;
        }
        batch->questions[i].name = x_strdup(questions[i].name);
        batch->questions[i].type = questions[i].type;
        batch->open++;
    }
    return batch;
}

static void batch_ref(struct batch *batch)
{
    pthread_mutex_lock(&batch->lock);
    batch->refs++;
    pthread_mutex_unlock(&batch->lock);
}

static void batch_unref(struct batch *batch)
{
    pthread_mutex_lock(&batch->lock);
    bool last = --batch->refs == 0;
    pthread_mutex_unlock(&batch->lock);
    if (!last)
        return;
    for (size_t i = 0; i < batch->count; i++) {
        dns_answer_fini(&batch->answers[i]);
        free(batch->questions[i].name);
    }
    pthread_cond_destroy(&batch->finished);
    pthread_mutex_destroy(&batch->lock);
    free(batch->answers);
    free(batch);
}

/* Takes over what answer owns. */
static void batch_answer(struct batch *batch, size_t index, struct dns_answer *answer)
{
    pthread_mutex_lock(&batch->lock);
    if (batch->abandoned) {
        dns_answer_fini(answer);
    } else {
        batch->answers[index] = *answer;
        if (--batch->open == 0)
            pthread_cond_signal(&batch->finished);
    }
    pthread_mutex_unlock(&batch->lock);
}

static struct pending *pending_new(struct batch *batch, size_t index)
{
    struct resolver *resolver = batch->resolver;
    struct pending *pending = x_calloc(1, sizeof(*pending));

    batch_ref(batch);
    pending->batch = batch;
    pending->index = index;
    pending->next = resolver->pending;
    pending->link = &resolver->pending;
    if (pending->next)
        pending->next->link = &pending->next;
    resolver->pending = pending;
    return pending;
}

static void pending_free(struct pending *pending)
{
    *pending->link = pending->next;
    if (pending->next)
        pending->next->link = pending->link;
    batch_unref(pending->batch);
    free(pending);
}

static void on_answer(void *ctx, int rcode, void *packet, int packet_len, int sec, char *why_bogus,
                      int was_ratelimited)
{
    struct pending *pending = ctx;
    struct batch *batch = pending->batch;
    struct dns_answer answer = {.status = DNS_SERVFAIL};

    (void)why_bogus;
    (void)was_ratelimited;
    /* Of an answer, "no such name" too, the code is in the packet; with one here, there is none. */
    if (sec == SEC_BOGUS)
        answer.status = DNS_BOGUS;
    else if (rcode == 0 && packet && packet_len > 0)
        dns_packet_parse(packet, (size_t)packet_len, batch->questions[pending->index].type,
                         &answer);
    batch_answer(batch, pending->index, &answer);
    pending_free(pending);
}

static void start_batch(void *ctx)
{
    struct batch *batch = ctx;

    for (size_t i = 0; i < batch->count; i++) {
        if (!batch->questions[i].name)
            continue;
        struct pending *pending = pending_new(batch, i);
        /* A cached answer comes before this returns. */
        int failed = ub_resolve_event(batch->resolver->ub, batch->questions[i].name,
                                      batch->questions[i].type, 1, pending, on_answer, NULL);
        if (failed) {
            struct dns_answer answer = {.status = DNS_SERVFAIL};
            batch_answer(batch, i, &answer);
            pending_free(pending);
        }
    }
    batch_unref(batch);
}

static struct timespec deadline_after(int64_t ms)
{
    struct timespec at;

    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += (time_t)(ms / 1000);
    at.tv_nsec += (long)(ms % 1000) * 1000000;
    if (at.tv_nsec >= 1000000000) {
        at.tv_sec++;
        at.tv_nsec -= 1000000000;
    }
    return at;
}

static void batch_wait(struct batch *batch, int64_t ms)
{
    struct timespec deadline = deadline_after(ms);

    pthread_mutex_lock(&batch->lock);
    while (batch->open) {
        if (pthread_cond_timedwait(&batch->finished, &batch->lock, &deadline) == ETIMEDOUT)
            break;
    }
    batch->abandoned = true;
    pthread_mutex_unlock(&batch->lock);
}

static void ask_loop(struct resolver *resolver, const struct dns_question *questions, size_t count,
                     struct dns_budget *budget, struct dns_answer *answers_r)
{
    struct batch *batch = batch_new(resolver, questions, count);
    int64_t began = clock_mono_ms(&clock_system);

    if (batch->open && budget->left_ms > 0) {
        loop_post(resolver->loop, start_batch, batch);
        batch_wait(batch, budget->left_ms);
    } else {
        batch_unref(batch); /* the post's */
    }
    int64_t spent = clock_mono_ms(&clock_system) - began;
    budget->left_ms = spent < budget->left_ms ? budget->left_ms - spent : 0;
    memcpy(answers_r, batch->answers, count * sizeof(answers_r[0]));
    memset(batch->answers, 0, count * sizeof(batch->answers[0]));
    batch_unref(batch);
}

/* libunbound has a cache, too, but the way to its thread and back costs more than all else. */
static void resolver_ask(struct dns *dns, const struct dns_question *questions, size_t count,
                         struct dns_budget *budget, struct dns_answer *answers_r)
{
    struct resolver *resolver = (struct resolver *)(void *)dns;

    if (dns_cache_find(resolver->cache, questions, count, answers_r))
        return;
    ask_loop(resolver, questions, count, budget, answers_r);
    dns_cache_keep(resolver->cache, questions, count, answers_r);
}

/* --- set-up -------------------------------------------------------------- */

static int set_option(struct ub_ctx *ub, const char *name, const char *value, struct error *error_r)
{
    int failed = ub_ctx_set_option(ub, name, value);

    if (failed)
        return error_set(error_r, ERROR_SYSTEM, "libunbound: %s %s: %s", name, value,
                         ub_strerror(failed));
    return 0;
}

/*
 * Each question that is on its way has a socket. Left alone libunbound has 16, 2 of TCP, which one
 * message that names silent servers would hold, and all others wait.
 */
static int set_sockets(struct ub_ctx *ub, struct error *error_r)
{
    struct rlimit limit;
    uint64_t most = RESOLVER_SOCKETS_MAX;
    char udp[24], tcp[24];

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur / 2 < most)
        most = limit.rlim_cur / 2;
    snprintf(udp, sizeof(udp), "%" PRIu64, most - most / TCP_PART);
    snprintf(tcp, sizeof(tcp), "%" PRIu64, most / TCP_PART);
    if (set_option(ub, "outgoing-range:", udp, error_r) < 0)
        return -1;
    return set_option(ub, "outgoing-num-tcp:", tcp, error_r);
}

static int set_servers(struct ub_ctx *ub, const struct config_strings *servers,
                       struct error *error_r)
{
    for (size_t i = 0; servers && i < servers->count; i++) {
        int failed = ub_ctx_set_fwd(ub, servers->items[i]);
        if (failed)
            return error_set(error_r, ERROR_CONFIG, "resolver \"%s\": %s", servers->items[i],
                             ub_strerror(failed));
    }
    if (servers && servers->count)
        return 0;
    int failed = ub_ctx_resolvconf(ub, NULL);
    if (failed)
        return error_set(error_r, ERROR_SYSTEM, "/etc/resolv.conf: %s", ub_strerror(failed));
    return 0;
}

static int set_validation(struct ub_ctx *ub, bool dnssec, struct error *error_r)
{
    if (!dnssec)
        return set_option(ub, "module-config:", "iterator", error_r);
    if (access(ROOT_KEY_FILE, R_OK) < 0)
        return error_set_errno(error_r, "dnssec needs the root key: %s", ROOT_KEY_FILE);
    int failed = ub_ctx_add_ta_file(ub, ROOT_KEY_FILE);
    if (failed)
        return error_set(error_r, ERROR_SYSTEM, "%s: %s", ROOT_KEY_FILE, ub_strerror(failed));
    return 0;
}

static void ignore_answer(void *ctx, int rcode, void *packet, int packet_len, int sec,
                          char *why_bogus, int was_ratelimited)
{
    (void)ctx, (void)rcode, (void)packet, (void)packet_len, (void)sec, (void)why_bogus,
        (void)was_ratelimited;
}

/* libunbound reads what it was told only with the first question; ask one it answers itself. */
static int check_start(struct ub_ctx *ub, struct error *error_r)
{
    int failed = ub_resolve_event(ub, "localhost", DNS_TYPE_A, 1, NULL, ignore_answer, NULL);

    if (failed)
        return error_set(error_r, ERROR_SYSTEM, "libunbound does not start: %s",
                         ub_strerror(failed));
    return 0;
}

static int set_up(struct ub_ctx *ub, const struct config_strings *servers, bool dnssec,
                  struct error *error_r)
{
    ub_ctx_debugout(ub, NULL); /* its own lines would bypass our log */
    if (set_option(ub, "do-not-query-localhost:", "no", error_r) < 0)
        return -1;
    /* The reverse zones of private and documentation nets are answered by who has them. */
    if (set_option(ub, "unblock-lan-zones:", "yes", error_r) < 0)
        return -1;
    /* A server that comes back is used again at once, not after a quarter of an hour. */
    if (set_option(ub, "infra-keep-probing:", "yes", error_r) < 0)
        return -1;
    if (set_sockets(ub, error_r) < 0)
        return -1;
    if (set_servers(ub, servers, error_r) < 0 || set_validation(ub, dnssec, error_r) < 0)
        return -1;
    return check_start(ub, error_r);
}

static void *run(void *ctx)
{
    struct resolver *resolver = ctx;

    loop_run(resolver->loop);
    return NULL;
}

static int start_thread(struct resolver *resolver, struct error *error_r)
{
    sigset_t all, before;

    /* Signals are for the program's own thread. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    errno = pthread_create(&resolver->thread, NULL, run, resolver);
    int failed = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = failed;
    return failed ? error_set_errno(error_r, "cannot start the resolver's thread") : 0;
}

struct resolver *resolver_new(const struct config_strings *servers, bool dnssec,
                              struct error *error_r)
{
    struct resolver *resolver = x_calloc(1, sizeof(*resolver));

    resolver->dns.ask = resolver_ask;
    resolver->cache = dns_cache_new(&clock_system);
    resolver->loop = loop_new();
    resolver->ub = ub_ctx_create_event(loop_event_base(resolver->loop));
    if (!resolver->ub)
        error_set(error_r, ERROR_SYSTEM, "libunbound cannot make a context");
    else if (set_up(resolver->ub, servers, dnssec, error_r) == 0 &&
             start_thread(resolver, error_r) == 0)
        return resolver;
    ub_ctx_delete(resolver->ub);
    loop_free(&resolver->loop);
    dns_cache_free(&resolver->cache);
    free(resolver);
    return NULL;
}

static void stop(void *ctx)
{
    loop_stop(ctx);
}

void resolver_free(struct resolver **resolver)
{
    struct resolver *gone = *resolver;

    if (!gone)
        return;
    *resolver = NULL;
    /* As a post, so that every batch before it was started and let go of. */
    loop_post(gone->loop, stop, gone->loop);
    pthread_join(gone->thread, NULL);
    ub_ctx_delete(gone->ub);
    while (gone->pending) /* unlinks it: NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
        pending_free(gone->pending);
    loop_free(&gone->loop);
    dns_cache_free(&gone->cache);
    free(gone);
}

struct dns *resolver_dns(struct resolver *resolver)
{
    return &resolver->dns;
}
