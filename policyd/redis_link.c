/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/redis_link.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/endpoint.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "policyd/redis_greeting.h"
#include "policyd/redis_lookup.h"
#include "policyd/redis_reader.h"

#define READ_SIZE 16384
#define PING_MS   2000 /* of silence, until it is asked whether it lives */
#define OUT_FIRST 4096 /* no secret is left behind by a buffer that grows */

enum state { STATE_CONNECTING, STATE_GREETING, STATE_READY, STATE_ENDED };

#define LOOKUP_MS   15000 /* as long as a resolver tries, with a second server */
#define READS_MAX   1024
#define FIRST_WRITE 1 /* commands of a turn that go out first; then twice as many each time */

struct redis_link {
    struct loop *loop;
    const struct clock *clock;
    struct redis_login login;
    const char *channel;
    struct redis_link_handler handler;
    char address[REDIS_ADDRESS_MAX];
    enum state state;
    bool is_failing;
    char why[REDIS_WHY_MAX];
    struct redis_lookup *lookup;
    uint16_t port; /* while it is looked up */
    int fd;
    struct loop_io *io;
    struct loop_timer *flush, *watch;
    unsigned unsent, write_at; /* commands of this turn; with so many they go out */
    struct buf out;
    struct redis_reader *reader;
    struct redis_queue queue;
    int64_t heard_mono_ms;
};

static int64_t now_of(const struct redis_link *link)
{
    return clock_mono_ms(link->clock);
}

static void set_why(struct redis_link *link, const char *why)
{
    if (!link->is_failing)
        snprintf(link->why, sizeof(link->why), "%s: %.200s", link->address, why);
    link->is_failing = true;
}

static void lose_all(struct redis_link *link)
{
    struct redis_command *command;

    link->state = STATE_ENDED;
    while ((command = redis_queue_take(&link->queue)))
        command->done(command, NULL);
}

static void close_all(struct redis_link *link)
{
    redis_lookup_free(&link->lookup);
    if (link->io)
        loop_io_free(&link->io);
    if (link->fd >= 0)
        close(link->fd);
    link->fd = -1;
    loop_timer_stop(link->flush);
    loop_timer_stop(link->watch);
}

/* The caller returns at once: the link may be gone. */
static void end(struct redis_link *link)
{
    close_all(link);
    lose_all(link);
    link->handler.ended(link->why, link->handler.ctx);
}

static void end_with(struct redis_link *link, const char *why)
{
    set_why(link, why);
    end(link);
}

void redis_link_fail(struct redis_link *link, const char *why)
{
    set_why(link, why);
    loop_timer_start(link->flush, 0);
}

static void want(struct redis_link *link)
{
    loop_io_want(link->io, LOOP_READ | (link->out.len > 0 ? LOOP_WRITE : 0));
}

/* 0 or -1: the connection is broken. */
static int write_out(struct redis_link *link)
{
    while (link->out.len > 0) {
        ssize_t n = send(link->fd, link->out.data, link->out.len, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            break;
        if (n < 0)
            return -1;
        if (link->state == STATE_GREETING)
            explicit_bzero(link->out.data, (size_t)n);
        buf_consume(&link->out, (size_t)n);
    }
    want(link);
    return 0;
}

/*
 * What comes in one turn of the loop goes out together, in writes that get longer: the server
 * works on the first of it while we go on, and answers before the last has gone out.
 */
static void begin_turn(struct redis_link *link)
{
    link->unsent = 0;
    link->write_at = FIRST_WRITE;
}

static void write_if_due(struct redis_link *link)
{
    if (++link->unsent < link->write_at || link->state != STATE_READY)
        return;
    link->unsent = 0;
    link->write_at *= 2;
    if (write_out(link))
        redis_link_fail(link, strerror(errno));
}

static void on_flush(void *ctx)
{
    struct redis_link *link = ctx;

    begin_turn(link);
    if (link->is_failing)
        end(link);
    else if (link->state != STATE_CONNECTING && write_out(link) != 0)
        end_with(link, strerror(errno));
}

static void put(struct redis_link *link, struct redis_command *command)
{
    command->sent_mono_ms = now_of(link);
    command->link = link;
    if (!link->queue.first)
        loop_timer_start(link->watch, link->login.timeout_ms);
    if (link->out.len == 0)
        loop_timer_start(link->flush, 0);
    buf_put(&link->out, command->text, command->len);
    redis_queue_put(&link->queue, command);
    write_if_due(link);
}

bool redis_link_send(struct redis_link *link, struct redis_command *command)
{
    if (link->state != STATE_READY || link->is_failing || link->queue.count >= REDIS_IN_FLIGHT_MAX)
        return false;
    put(link, command);
    return true;
}

static void on_step(struct redis_command *command, const struct redis_value *value)
{
    struct redis_link *link = command->owner;
    enum redis_step step = (enum redis_step)command->step;
    bool is_last = step == (link->channel ? REDIS_STEP_SUBSCRIBE : REDIS_STEP_PING);
    char why[REDIS_WHY_MAX];

    redis_command_free(&command);
    if (!value)
        return;
    if (redis_greeting_check(&link->login, step, value, why, sizeof(why)) != 0) {
        set_why(link, why);
    } else if (is_last && link->state == STATE_GREETING) {
        link->state = STATE_READY;
        link->handler.ready(link->handler.ctx);
    }
}

static void put_step(struct redis_link *link, enum redis_step step)
{
    struct redis_command *command = redis_greeting_command(&link->login, link->channel, step);

    if (!command)
        return;
    command->done = on_step;
    command->owner = link;
    command->step = step;
    put(link, command);
}

/* All at once; the first that is refused ends it. */
static void greet(struct redis_link *link)
{
    buf_reserve(&link->out, OUT_FIRST);
    for (enum redis_step step = 0; step < REDIS_STEP_COUNT; step++)
        put_step(link, step);
}

static bool is_message(const struct redis_link *link, const struct redis_value *value)
{
    return link->channel && redis_count(value) == 3 &&
           redis_string_is(redis_item(value, 0), "message");
}

static void take(struct redis_link *link, const struct redis_value *value)
{
    struct redis_command *command;
    size_t len;

    if (is_message(link, value)) {
        const char *bytes = redis_string(redis_item(value, 2), &len);

        if (bytes && link->state == STATE_READY)
            link->handler.message((const uint8_t *)bytes, len, link->handler.ctx);
        return;
    }
    command = redis_queue_take(&link->queue);
    if (!command)
        set_why(link, "a reply to nothing: this is no Redis");
    else
        command->done(command, value);
}

/* 0 or -1: what comes is no reply. */
static int take_all(struct redis_link *link)
{
    const struct redis_value *value;

    while (!link->is_failing) {
        if (redis_reader_next(link->reader, &value) != 0)
            return -1;
        if (!value)
            break;
        take(link, value);
    }
    return 0;
}

/* 1: something came; 0: nothing did; -1 and a reason. */
static int read_some(struct redis_link *link, const char **why_r)
{
    char bytes[READ_SIZE];
    ssize_t n = recv(link->fd, bytes, sizeof(bytes), 0);

    if (n < 0 && (errno == EINTR || errno == EAGAIN || errno == EWOULDBLOCK))
        return 0;
    *why_r = n < 0 ? strerror(errno) : "it closed the connection";
    if (n <= 0)
        return -1;
    link->heard_mono_ms = now_of(link);
    *why_r = "what it sent is no reply, or too long";
    redis_reader_feed(link->reader, bytes, (size_t)n);
    return take_all(link) == 0 ? 1 : -1;
}

static int finish_connect(struct redis_link *link, const char **why_r)
{
    socklen_t len = sizeof(int);
    int error = 0;

    if (getsockopt(link->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
        error = errno;
    *why_r = strerror(error);
    link->state = STATE_GREETING;
    return error == 0 ? 0 : -1;
}

static void on_io(unsigned events, void *ctx)
{
    struct redis_link *link = ctx;
    const char *why = NULL;
    int result = 0;

    if (link->state == STATE_CONNECTING)
        result = finish_connect(link, &why);
    if (result == 0 && (events & LOOP_READ))
        result = read_some(link, &why);
    if (result >= 0 && !link->is_failing && (events & LOOP_WRITE) && write_out(link) != 0) {
        why = strerror(errno);
        result = -1;
    }
    if (result < 0)
        end_with(link, why);
    else if (link->is_failing)
        end(link);
}

static void open_socket(struct redis_link *link, const struct endpoint *endpoint)
{
    struct sockaddr_storage ss;
    socklen_t len = endpoint_to_sockaddr(endpoint, &ss);
    int yes = 1;

    link->fd = socket(ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (link->fd < 0) {
        redis_link_fail(link, strerror(errno));
        return;
    }
    if (!endpoint->is_unix)
        (void)setsockopt(link->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    if (connect(link->fd, (const struct sockaddr *)&ss, len) != 0 && errno != EINPROGRESS) {
        redis_link_fail(link, strerror(errno));
        return;
    }
    link->io = loop_io_new(link->loop, link->fd, LOOP_WRITE, on_io, link);
    greet(link);
}

static void on_looked_up(const struct addr *addr, void *ctx)
{
    struct redis_link *link = ctx;

    if (!addr)
        redis_link_fail(link, "the name has no address");
    else
        open_socket(link, &(struct endpoint){.addr = *addr, .port = link->port});
    redis_lookup_free(&link->lookup);
}

static void look_up(struct redis_link *link, unsigned turn)
{
    const char *colon = strrchr(link->address, ':');
    uint64_t port = 0;
    char *host;

    if (!colon || str_parse_u64(colon + 1, 1, UINT16_MAX, &port) != 0) {
        redis_link_fail(link, "this is no address");
        return;
    }
    host = x_strndup(link->address, (size_t)(colon - link->address));
    link->port = (uint16_t)port;
    link->lookup = redis_lookup_new(link->loop, host, turn, on_looked_up, link);
    if (!link->lookup)
        redis_link_fail(link, "the name cannot be looked up");
    free(host);
}

/* 0, or -1 and a reason: so that it is not blamed for what we had no time to read. */
static int read_all(struct redis_link *link, const char **why_r)
{
    int result = 1;

    for (unsigned reads = 0; reads < READS_MAX && result > 0 && !link->is_failing; reads++)
        result = read_some(link, why_r);
    return result < 0 ? -1 : 0;
}

/* Late, or asked whether it lives. What came while we stood still counts. */
static void on_watch(void *ctx)
{
    struct redis_link *link = ctx;
    int64_t timeout_ms = link->login.timeout_ms, now = now_of(link);
    const char *why = NULL;
    char late[64];

    if (link->lookup) {
        end_with(link, "the name is not looked up in time");
        return;
    }
    if (link->state >= STATE_GREETING && read_all(link, &why) != 0) {
        end_with(link, why);
        return;
    }
    if (link->is_failing) {
        end(link);
        return;
    }
    if (link->queue.first && now - link->queue.first->sent_mono_ms >= timeout_ms) {
        snprintf(late, sizeof(late), "no reply within %lld ms", (long long)timeout_ms);
        end_with(link, late);
        return;
    }
    if (!link->queue.first && now - link->heard_mono_ms >= PING_MS)
        put_step(link, REDIS_STEP_PING);
    loop_timer_start(link->watch, link->queue.first
                                      ? link->queue.first->sent_mono_ms + timeout_ms - now
                                      : link->heard_mono_ms + PING_MS - now);
}

struct redis_link *redis_link_new(struct loop *loop, const struct clock *clock, const char *address,
                                  unsigned turn, const struct redis_login *login,
                                  const char *channel, const struct redis_link_handler *handler)
{
    struct redis_link *link = x_calloc(1, sizeof(*link));
    struct endpoint endpoint;
    const char *reason;

    link->loop = loop;
    link->clock = clock;
    link->login = *login;
    link->channel = channel;
    link->handler = *handler;
    link->fd = -1;
    snprintf(link->address, sizeof(link->address), "%s", address);
    link->reader = redis_reader_new();
    begin_turn(link);
    link->flush = loop_timer_new(loop, on_flush, link);
    link->watch = loop_timer_new(loop, on_watch, link);
    link->heard_mono_ms = now_of(link);
    loop_timer_start(link->watch, LOOKUP_MS);
    if (endpoint_parse(address, &endpoint, &reason) == 0)
        open_socket(link, &endpoint);
    else
        look_up(link, turn);
    return link;
}

void redis_link_free(struct redis_link **link)
{
    struct redis_command *command;

    if (!*link)
        return;
    close_all(*link);
    while ((command = redis_queue_take(&(*link)->queue)))
        redis_command_free(&command);
    loop_timer_free(&(*link)->flush);
    loop_timer_free(&(*link)->watch);
    redis_reader_free(&(*link)->reader);
    if ((*link)->out.len > 0)
        explicit_bzero((*link)->out.data, (*link)->out.len);
    buf_fini(&(*link)->out);
    free(*link);
    *link = NULL;
}

void redis_link_drop(struct redis_link **link)
{
    if (!*link)
        return;
    lose_all(*link);
    redis_link_free(link);
}

bool redis_link_is_ready(const struct redis_link *link)
{
    return link && link->state == STATE_READY && !link->is_failing;
}

const char *redis_link_address(const struct redis_link *link)
{
    return link->address;
}
