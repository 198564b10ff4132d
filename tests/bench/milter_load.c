/* SPDX-License-Identifier: MIT */
/*
 * Speaks to a milter as Postfix does (protocol version 6): each connection hands over one
 * message, from the client's connect to the answer at its end, and then the next one
 * comes on a connection of its own.
 */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/bench/bench.h"

#define SESSIONS_MAX 200
#define PACKET_MAX   65536 /* MILTER_CHUNK_SIZE and the command */
#define CHUNK_MAX    65535
#define MESSAGE_MAX  (16u << 20)
#define RESULTS_MAX  4096
#define WORDS_MAX    8

/* What the milter leaves out of the protocol, by its answer to the negotiation. */
#define NO_CONNECT 0x1u
#define NO_HELO    0x2u
#define NO_MAIL    0x4u
#define NO_RCPT    0x8u
#define NO_BODY    0x10u
#define NO_HEADERS 0x20u
#define NO_EOH     0x40u
#define NR_HEADERS 0x80u
#define NO_DATA    0x200u
#define NR_CONNECT 0x1000u
#define NR_HELO    0x2000u
#define NR_MAIL    0x4000u
#define NR_RCPT    0x8000u
#define NR_DATA    0x10000u
#define NR_EOH     0x40000u
#define NR_BODY    0x80000u
#define WITH_BLANK 0x100000u

static const char usage[] =
    "Usage: milter_load [-c SESSIONS] [-t MILLISECONDS] [-n MESSAGES] [-e WORD]...\n"
    "                   ADDRESS CLIENT HELO SENDER MESSAGE\n"
    "\n"
    "  -c   sessions at a time; 8\n"
    "  -t   for so long; 1000\n"
    "  -n   or until there were so many\n"
    "  -e   what the Authentication-Results that the milter adds must hold\n"
    "\n"
    "ADDRESS is unix:PATH or HOST:PORT, MESSAGE a file. Latencies are those of whole\n"
    "sessions, in microseconds; other= counts messages that were not let through, and\n"
    "lacking= those whose field lacked a word.\n";

struct message {
    const char *client, *helo, *sender;
    char *text;  /* lines end in CRLF */
    size_t body; /* where it begins */
    size_t len;
};

struct load {
    const char *address;
    struct message message;
    const char *words[WORDS_MAX];
    size_t word_count;
    size_t sessions;
    int64_t milliseconds;
    int64_t stop_ns;
    atomic_int_fast64_t left; /* messages */
};

struct worker {
    pthread_t thread;
    struct load *load;
    struct latencies latencies;
    uint64_t other;
    uint64_t lacking;
};

struct session {
    struct worker *worker;
    int fd;
    uint32_t left_out;
    char packet[4 + PACKET_MAX + 1]; /* a NUL behind an answer */
    size_t len;
    char results[RESULTS_MAX]; /* of all fields that were added */
    size_t results_len;
};

/* --- packets: a length, a command, its data ---------------------------------------------- */

static void begin(struct session *session, char command)
{
    session->packet[4] = command;
    session->len = 5;
}

static void add(struct session *session, const void *bytes, size_t len)
{
    if (session->len + len >= sizeof(session->packet))
        bench_fail("a packet too long");
    memcpy(session->packet + session->len, bytes, len);
    session->len += len;
}

static void add_text(struct session *session, const char *text)
{
    add(session, text, strlen(text) + 1);
}

/* more: another packet follows before an answer is waited for. */
static void flush(struct session *session, bool more)
{
    uint32_t len = htonl((uint32_t)session->len - 4);
    size_t at = 0;

    memcpy(session->packet, &len, sizeof(len));
    while (at < session->len) {
        ssize_t n = send(session->fd, session->packet + at, session->len - at,
                         MSG_NOSIGNAL | (more ? MSG_MORE : 0));
        if (n < 0)
            bench_fail("send");
        at += (size_t)n;
    }
}

static void read_all(struct session *session, char *to, size_t len)
{
    while (len) {
        ssize_t n = recv(session->fd, to, len, 0);
        if (n <= 0) {
            errno = n ? errno : ECONNRESET;
            bench_fail("the milter");
        }
        to += n;
        len -= (size_t)n;
    }
}

/* The command of the next answer; its data are left in the packet. */
static char read_answer(struct session *session)
{
    uint32_t len;

    read_all(session, (char *)&len, sizeof(len));
    session->len = ntohl(len);
    if (!session->len || session->len > PACKET_MAX)
        bench_fail("an answer's length");
    read_all(session, session->packet, session->len);
    session->packet[session->len] = 0;
    return session->packet[0];
}

/* --- one session ----------------------------------------------------------------------------- */

/* Keeps the value of a field that is added: a name, a NUL, the value. */
static void take_field(struct session *session, const char *name)
{
    const char *value = name + strlen(name) + 1;

    if (strcasecmp(name, "Authentication-Results") != 0 || value >= session->packet + session->len)
        return;
    size_t len = strlen(value), room = sizeof(session->results) - session->results_len - 1;
    if (len > room)
        len = room;
    memcpy(session->results + session->results_len, value, len);
    session->results_len += len;
}

/* Answers that change the message come before the one that decides. */
static char decision(struct session *session)
{
    for (;;) {
        char answer = read_answer(session);
        if (answer == 'h')
            take_field(session, session->packet + 1);
        else if (answer == 'i' && session->len > 5) /* behind its place, four bytes */
            take_field(session, session->packet + 5);
        else if (!strchr("imp+-b24eq", answer))
            return answer;
    }
}

/* Sends the packet, unless the milter does without; whether the session goes on. */
static bool say(struct session *session, uint32_t left_out, uint32_t unanswered)
{
    bool is_answered = !(session->left_out & unanswered);

    if (session->left_out & left_out)
        return true;
    flush(session, !is_answered);
    char answer = is_answered ? decision(session) : 'c';
    if (answer == 's') /* no more of these */
        session->left_out |= left_out;
    return answer == 'c' || answer == 's';
}

static void macros(struct session *session, char command, const char *const *pairs)
{
    begin(session, 'D');
    add(session, &command, 1);
    for (; *pairs; pairs++)
        add_text(session, *pairs);
    flush(session, true);
}

static void negotiate(struct session *session)
{
    const uint32_t offer[3] = {htonl(6), htonl(0x1ff), htonl(0x1fffff)};
    uint32_t answer[3];

    begin(session, 'O');
    add(session, offer, sizeof(offer));
    flush(session, false);
    if (read_answer(session) != 'O' || session->len < 1 + sizeof(answer))
        bench_fail("the negotiation's answer");
    memcpy(answer, session->packet + 1, sizeof(answer));
    session->left_out = ntohl(answer[2]);
}

static bool connect_client(struct session *session)
{
    const char *client = session->worker->load->message.client;
    const char *const pairs[] = {
        "j", "mx.example.org", "{daemon_name}", "mx.example.org", "v", "Postfix", NULL};
    const uint16_t port = htons(40000);

    macros(session, 'C', pairs);
    begin(session, 'C');
    add_text(session, session->worker->load->message.helo);
    add(session, "4", 1);
    add(session, &port, sizeof(port));
    add_text(session, client);
    return say(session, NO_CONNECT, NR_CONNECT);
}

static bool greet(struct session *session)
{
    const char *const pairs[] = {NULL};

    macros(session, 'H', pairs);
    begin(session, 'H');
    add_text(session, session->worker->load->message.helo);
    return say(session, NO_HELO, NR_HELO);
}

static bool envelope(struct session *session)
{
    const char *sender = session->worker->load->message.sender;
    const char *const from[] = {"{mail_addr}", sender, "{mail_mailer}", "smtp", NULL};
    const char *const to[] = {"{rcpt_addr}", "bob@example.org", "{rcpt_mailer}", "local", NULL};
    char path[512];

    macros(session, 'M', from);
    begin(session, 'M');
    snprintf(path, sizeof(path), "<%s>", sender);
    add_text(session, path);
    if (!say(session, NO_MAIL, NR_MAIL))
        return false;
    macros(session, 'R', to);
    begin(session, 'R');
    add_text(session, "<bob@example.org>");
    return say(session, NO_RCPT, NR_RCPT);
}

static bool data(struct session *session)
{
    const char *const pairs[] = {"i", "4YJx1z0Kqtz9sS", NULL};

    macros(session, 'T', pairs);
    begin(session, 'T');
    return say(session, NO_DATA, NR_DATA);
}

/* The length of the field at text, with its CRLF and the lines that continue it. */
static size_t field_len(const char *text)
{
    const char *end = strstr(text, "\r\n");

    while (end && (end[2] == ' ' || end[2] == '\t'))
        end = strstr(end + 2, "\r\n");
    return end ? (size_t)(end - text) + 2 : strlen(text);
}

/* Without the blank behind the colon, unless the milter asked for it; continued by LF alone. */
static void add_field(struct session *session, const char *text, size_t len)
{
    const char *colon = memchr(text, ':', len);

    if (!colon)
        bench_fail("a header field without a colon");
    add(session, text, (size_t)(colon - text));
    add(session, "", 1);
    bool keeps_blank = session->left_out & WITH_BLANK;
    const char *value = colon + (colon[1] == ' ' && !keeps_blank ? 2 : 1);
    for (const char *c = value; c < text + len - 2; c++) {
        if (*c != '\r')
            add(session, c, 1);
    }
    add(session, "", 1);
}

static bool headers(struct session *session)
{
    const struct message *message = &session->worker->load->message;

    for (size_t at = 0; at + 2 < message->body;) {
        size_t len = field_len(message->text + at);
        begin(session, 'L');
        add_field(session, message->text + at, len);
        if (!say(session, NO_HEADERS, NR_HEADERS))
            return false;
        at += len;
    }
    begin(session, 'N');
    return say(session, NO_EOH, NR_EOH);
}

static bool body(struct session *session)
{
    const struct message *message = &session->worker->load->message;

    for (size_t at = message->body; at < message->len; at += CHUNK_MAX) {
        size_t left = message->len - at;
        begin(session, 'B');
        add(session, message->text + at, left < CHUNK_MAX ? left : CHUNK_MAX);
        if (!say(session, NO_BODY, NR_BODY))
            return false;
    }
    return true;
}

/* Whether the milter lets the message through. */
static bool end_of_message(struct session *session)
{
    const char *const pairs[] = {"i", "4YJx1z0Kqtz9sS", NULL};

    macros(session, 'E', pairs);
    begin(session, 'E');
    flush(session, false);
    char answer = decision(session);
    begin(session, 'Q');
    flush(session, false);
    return answer == 'c' || answer == 'a';
}

static bool has_all_words(const struct session *session)
{
    const struct load *load = session->worker->load;

    for (size_t i = 0; i < load->word_count; i++) {
        if (!strstr(session->results, load->words[i]))
            return false;
    }
    return true;
}

static void deliver(struct worker *worker)
{
    struct session session = {.worker = worker, .fd = bench_connect(worker->load->address)};

    negotiate(&session);
    if (!connect_client(&session) || !greet(&session) || !envelope(&session) || !data(&session) ||
        !headers(&session) || !body(&session) || !end_of_message(&session))
        worker->other++;
    else if (!has_all_words(&session))
        worker->lacking++;
    close(session.fd);
}

/* --- all sessions -------------------------------------------------------------------------- */

static void *work(void *ctx)
{
    struct worker *worker = ctx;
    struct load *load = worker->load;
    int64_t start_ns;

    while ((start_ns = bench_now_ns()) < load->stop_ns && atomic_fetch_sub(&load->left, 1) > 0) {
        deliver(worker);
        latencies_add(&worker->latencies, (uint64_t)(bench_now_ns() - start_ns));
    }
    return NULL;
}

static void read_message(const char *path, struct message *message)
{
    FILE *file = fopen(path, "rb");

    if (!file)
        bench_fail(path);
    message->text = calloc(1, MESSAGE_MAX + 1);
    message->len = message->text ? fread(message->text, 1, MESSAGE_MAX, file) : 0;
    fclose(file);
    char *end = message->len ? strstr(message->text, "\r\n\r\n") : NULL;
    if (!end)
        bench_fail(path);
    message->body = (size_t)(end - message->text) + 4;
}

static void run(struct load *load)
{
    static struct worker workers[SESSIONS_MAX];
    static struct latencies all;
    int64_t start_ns = bench_now_ns();
    uint64_t other = 0, lacking = 0;

    load->stop_ns = start_ns + load->milliseconds * 1000000;
    for (size_t i = 0; i < load->sessions; i++) {
        workers[i].load = load;
        if (pthread_create(&workers[i].thread, NULL, work, &workers[i]))
            bench_fail("pthread_create");
    }
    for (size_t i = 0; i < load->sessions; i++) {
        pthread_join(workers[i].thread, NULL);
        latencies_join(&all, &workers[i].latencies);
        other += workers[i].other;
        lacking += workers[i].lacking;
    }
    printf("other=%" PRIu64 " lacking=%" PRIu64 " ", other, lacking);
    latencies_print(&all, bench_now_ns() - start_ns);
}

static bool take_option(struct load *load, int option)
{
    if (option == 'c')
        load->sessions = bench_number(optarg, SESSIONS_MAX);
    else if (option == 't')
        load->milliseconds = (int64_t)bench_number(optarg, 3600000);
    else if (option == 'n')
        load->left = (int_fast64_t)bench_number(optarg, INT32_MAX);
    else if (option == 'e' && load->word_count < WORDS_MAX)
        load->words[load->word_count++] = optarg;
    else
        return false;
    return true;
}

int main(int argc, char **argv)
{
    static struct load load = {.sessions = 8, .milliseconds = 1000, .left = INT64_MAX};
    bool is_good = true;
    int option;

    while (is_good && (option = getopt(argc, argv, "c:t:n:e:")) != -1)
        is_good = take_option(&load, option);
    if (!is_good || optind != argc - 5) {
        fputs(usage, stderr);
        return 2;
    }
    load.address = argv[optind];
    load.message.client = argv[optind + 1];
    load.message.helo = argv[optind + 2];
    load.message.sender = argv[optind + 3];
    read_message(argv[optind + 4], &load.message);
    run(&load);
    free(load.message.text);
    return 0;
}
