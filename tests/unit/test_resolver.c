/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/net/resolver.h"
#include "tests/unit/unit.h"

/*
 * A real server on a port that the system chose; what it answers is in the first label:
 *
 *     a*    A 192.0.2.1        nx*   NXDOMAIN    sf*   SERVFAIL
 *     txt*  TXT "one" "two"    nd*   no data     mute* nothing
 *     key*  TXT "one", for 2 s; all others are good for 300 s
 *     cn*   CNAME a1.<rest>, with the A behind it
 *     late* as a*, after 150 ms, and only once, however often it is asked
 *     chainN CNAME chain<N-1>.<rest>, one digit; chain0 as a*
 *     ring1 CNAME ring2.<rest>, and ring2 CNAME ring1.<rest>
 *     bad*  an answer as a*, spoiled as spoil() says
 */
struct server {
    int fd;
    int stop[2];
    uint16_t port;
    pthread_t thread;
    pthread_mutex_t lock;
    unsigned asked;
    uint8_t late; /* the number of the last late* that was answered */
};

static struct server server;
static struct resolver *resolver;
static struct dns *dns;

static size_t put(uint8_t *out, size_t at, const void *bytes, size_t len)
{
    memcpy(out + at, bytes, len);
    return at + len;
}

static size_t put_a(uint8_t *out, size_t at)
{
    return put(out, at, "\xc0\x0c\x00\x01\x00\x01\x00\x00\x01\x2c\x00\x04\xc0\x00\x02\x01", 16);
}

static bool begins(const uint8_t *query, const char *label)
{
    return query[12] >= strlen(label) &&
           strncasecmp((const char *)query + 13, label, strlen(label)) == 0;
}

/* An alias of one more label of the same length in front of the same rest. */
static size_t put_alias(uint8_t *packet, size_t at, const char *label)
{
    uint8_t len = (uint8_t)strlen(label), to_rest[2] = {0xc0, (uint8_t)(13 + packet[12])};
    uint8_t rdlength[2] = {0, (uint8_t)(len + 3)};

    at = put(packet, at, "\xc0\x0c\x00\x05\x00\x01\x00\x00\x01\x2c", 10);
    at = put(packet, at, rdlength, 2);
    at = put(packet, at, &len, 1);
    return put(packet, put(packet, at, label, len), to_rest, 2);
}

/* What no answer to the question is; end is where the record begins. */
static size_t spoil(uint8_t *packet, size_t name_end, size_t end)
{
    size_t len = put_a(packet, end);

    packet[7] = 1;
    if (begins(packet, "badid"))
        packet[0] ^= 0x55;
    else if (begins(packet, "badname"))
        packet[13] = 'x';
    else if (begins(packet, "badtype"))
        packet[name_end + 2] = DNS_TYPE_TXT;
    else if (begins(packet, "badowner")) /* a record of the name above */
        packet[end + 1] = (uint8_t)(13 + packet[12]);
    else if (begins(packet, "badtrunc")) /* and nobody answers over TCP */
        packet[2] |= 2;
    else if (begins(packet, "badcut"))
        len -= 3;
    else if (begins(packet, "badcount"))
        packet[6] = packet[7] = 0xff;
    else if (begins(packet, "badquery"))
        packet[2] &= 0x7f;
    else if (begins(packet, "badpointer"))
        packet[end + 1] = (uint8_t)end;
    else if (begins(packet, "badlength"))
        packet[end + 11] = 0xff;
    else
        len = 11;
    return len;
}

/* Turns the query of len bytes into its answer; 0: say nothing. */
static size_t answer(uint8_t *packet, size_t len)
{
    size_t name_end = 12;
    uint8_t label_len = packet[12];

    while (name_end < len && packet[name_end])
        name_end += packet[name_end] + 1u;
    size_t end = name_end + 5;
    uint16_t type = (uint16_t)(packet[name_end + 1] << 8 | packet[name_end + 2]);
    packet[2] = 0x84 | (packet[2] & 1);
    packet[3] = 0x80;
    memset(packet + 6, 0, 6);
    if (begins(packet, "mute"))
        return 0;
    if (begins(packet, "bad"))
        return spoil(packet, name_end, end);
    if (begins(packet, "ring") || (begins(packet, "chain") && packet[18] > '0')) {
        char label[] = {"chain0"};
        packet[7] = 1;
        if (begins(packet, "ring"))
            return put_alias(packet, end, packet[17] == '1' ? "ring2" : "ring1");
        label[5] = (char)(packet[18] - 1);
        return put_alias(packet, end, label);
    }
    if (begins(packet, "nx"))
        packet[3] |= 3;
    if (begins(packet, "sf"))
        packet[3] |= 2;
    if (begins(packet, "late")) {
        if (packet[17] == server.late)
            return 0;
        server.late = packet[17];
        usleep(150000); /* well before libunbound asks again, after 376 ms */
    }
    if (begins(packet, "txt") && type == DNS_TYPE_TXT) {
        packet[7] = 1;
        return put(packet, end, "\xc0\x0c\x00\x10\x00\x01\x00\x00\x01\x2c\x00\x08\x03one\x03two",
                   20);
    }
    if (begins(packet, "key") && type == DNS_TYPE_TXT) {
        packet[7] = 1;
        return put(packet, end, "\xc0\x0c\x00\x10\x00\x01\x00\x00\x00\x02\x00\x04\x03one", 16);
    }
    if (begins(packet, "cn") && type == DNS_TYPE_A) {
        uint8_t to_rest[2] = {0xc0, (uint8_t)(13 + label_len)};
        packet[7] = 2;
        end = put(packet, end, "\xc0\x0c\x00\x05\x00\x01\x00\x00\x01\x2c\x00\x05\x02", 13);
        uint8_t target[2] = {0xc0, (uint8_t)(end - 1)};
        end = put(packet, put(packet, end, "a1", 2), to_rest, 2);
        end = put(packet, end, target, 2);
        return put(packet, end, "\x00\x01\x00\x01\x00\x00\x01\x2c\x00\x04\xc0\x00\x02\x01", 14);
    }
    if ((begins(packet, "a") || begins(packet, "late") || begins(packet, "chain")) &&
        type == DNS_TYPE_A) {
        packet[7] = 1;
        return put_a(packet, end);
    }
    return end;
}

static void *serve(void *ctx)
{
    struct pollfd fds[2] = {{server.fd, POLLIN, 0}, {server.stop[0], POLLIN, 0}};

    (void)ctx;
    while (poll(fds, 2, -1) > 0 && !fds[1].revents) {
        uint8_t packet[1500];
        struct sockaddr_in from;
        socklen_t from_len = sizeof(from);
        ssize_t len = recvfrom(server.fd, packet, 600, 0, (struct sockaddr *)&from, &from_len);
        if (len < 17)
            continue;
        pthread_mutex_lock(&server.lock);
        server.asked++;
        pthread_mutex_unlock(&server.lock);
        size_t out = answer(packet, (size_t)len);
        if (out)
            sendto(server.fd, packet, out, 0, (struct sockaddr *)&from, from_len);
    }
    return NULL;
}

static unsigned asked(void)
{
    pthread_mutex_lock(&server.lock);
    unsigned count = server.asked;
    pthread_mutex_unlock(&server.lock);
    return count;
}

static struct resolver *new_resolver(bool dnssec)
{
    char text[64];
    char *items[] = {text};
    struct config_strings servers = {items, 1};
    struct error error;

    snprintf(text, sizeof(text), "127.0.0.1@%u", server.port);
    struct resolver *made = resolver_new(&servers, dnssec, &error);
    if (!made)
        fail_msg("%s", error.text);
    return made;
}

static int set_up(void **state)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(addr);

    (void)state;
    server.fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(server.fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    assert_int_equal(getsockname(server.fd, (struct sockaddr *)&addr, &len), 0);
    server.port = ntohs(addr.sin_port);
    assert_int_equal(pipe(server.stop), 0);
    pthread_mutex_init(&server.lock, NULL);
    assert_int_equal(pthread_create(&server.thread, NULL, serve, NULL), 0);
    resolver = new_resolver(false);
    dns = resolver_dns(resolver);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    resolver_free(&resolver);
    assert_null(resolver);
    resolver_free(&resolver);
    assert_int_equal(write(server.stop[1], "x", 1), 1);
    pthread_join(server.thread, NULL);
    close(server.fd);
    close(server.stop[0]);
    close(server.stop[1]);
    return 0;
}

static struct dns_answer ask(const char *name, uint16_t type, int64_t ms)
{
    struct dns_budget budget = {ms};
    struct dns_question question = {name, type};
    struct dns_answer got;

    dns_ask(dns, &question, 1, &budget, &got);
    return got;
}

static enum dns_status status_of(const char *name, uint16_t type)
{
    struct dns_answer got = ask(name, type, 5000);

    if (got.status != DNS_FOUND)
        assert_int_equal(got.count, 0);
    dns_answer_fini(&got);
    return got.status;
}

static void test_statuses(void **state)
{
    (void)state;
    assert_int_equal(status_of("a1.lab.example", DNS_TYPE_A), DNS_FOUND);
    assert_int_equal(status_of("nx1.lab.example", DNS_TYPE_A), DNS_NXDOMAIN);
    assert_int_equal(status_of("nd1.lab.example", DNS_TYPE_A), DNS_NODATA);
    assert_int_equal(status_of("a1.lab.example", DNS_TYPE_MX), DNS_NODATA);
    assert_int_equal(status_of("sf1.lab.example", DNS_TYPE_A), DNS_SERVFAIL);
}

/* Who cannot even ask has no answer, whatever the one before was. */
static void test_no_descriptors(void **state)
{
    struct rlimit before, none;

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = (struct rlimit){.rlim_cur = 0, .rlim_max = before.rlim_max};
    assert_int_equal(status_of("nd4.lab.example", DNS_TYPE_A), DNS_NODATA);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    enum dns_status meanwhile = status_of("a4.lab.example", DNS_TYPE_A);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(meanwhile, DNS_SERVFAIL);
    assert_int_equal(status_of("a5.lab.example", DNS_TYPE_A), DNS_FOUND);
}

static void test_records(void **state)
{
    static const uint8_t addr[4] = {192, 0, 2, 1};
    struct dns_answer got = ask("A2.lab.example.", DNS_TYPE_A, 5000);

    (void)state;
    assert_int_equal(got.count, 1);
    assert_memory_equal(got.records[0].addr, addr, 4);
    assert_in_range(got.ttl_sec, 290, 300);
    dns_answer_fini(&got);
    got = ask("txt1.lab.example", DNS_TYPE_TXT, 5000);
    assert_int_equal(got.count, 1);
    assert_string_equal((char *)got.records[0].txt, "onetwo");
    dns_answer_fini(&got);
    got = ask("cn1.lab.example", DNS_TYPE_A, 5000);
    assert_int_equal(got.status, DNS_FOUND);
    assert_int_equal(got.count, 1);
    assert_memory_equal(got.records[0].addr, addr, 4);
    dns_answer_fini(&got);
}

/* An alias of an alias, as far as a zone may go, and one without an end. */
static void test_aliases(void **state)
{
    static const uint8_t addr[4] = {192, 0, 2, 1};
    struct dns_answer got = ask("chain6.lab.example", DNS_TYPE_A, 5000);

    (void)state;
    assert_int_equal(got.status, DNS_FOUND);
    assert_int_equal(got.count, 1);
    assert_memory_equal(got.records[0].addr, addr, 4);
    dns_answer_fini(&got);
    unsigned before = asked();
    assert_int_equal(status_of("ring1.lab.example", DNS_TYPE_A), DNS_SERVFAIL);
    assert_in_range(asked() - before, 2, 50);
}

/* Never found, and never "no": a record that was kept back would be none then. */
static void test_answers_that_are_none(void **state)
{
    static const char *const labels[] = {"badid",    "badname",  "badtype",    "badtrunc",
                                         "badcut",   "badcount", "badpointer", "badlength",
                                         "badquery", "badshort"};
    struct dns_question questions[COUNT(labels)];
    struct dns_answer answers[COUNT(labels)];
    char names[COUNT(labels)][40];
    struct dns_budget budget = {1500};

    (void)state;
    for (size_t i = 0; i < COUNT(labels); i++) {
        snprintf(names[i], sizeof(names[i]), "%s.spoiled.example", labels[i]);
        questions[i] = (struct dns_question){names[i], DNS_TYPE_A};
    }
    dns_ask(dns, questions, COUNT(labels), &budget, answers);
    for (size_t i = 0; i < COUNT(labels); i++) {
        CASE(labels[i], answers[i].status == DNS_SERVFAIL || answers[i].status == DNS_TIMEOUT);
        dns_answer_fini(&answers[i]);
    }
    /* Of another name, it is not taken for this one's. */
    assert_int_not_equal(status_of("badowner.spoiled.example", DNS_TYPE_A), DNS_FOUND);
    assert_int_equal(status_of("a6.spoiled.example", DNS_TYPE_A), DNS_FOUND);
}

static void test_cache(void **state)
{
    (void)state;
    assert_int_equal(status_of("a3.lab.example", DNS_TYPE_A), DNS_FOUND);
    unsigned before = asked();
    for (int i = 0; i < 20; i++)
        assert_int_equal(status_of("a3.lab.example", DNS_TYPE_A), DNS_FOUND);
    assert_int_equal(asked(), before);
}

/* As DKIM's keys: asked for again once their time is over, and not before. */
static void test_cache_honours_ttl(void **state)
{
    int64_t began = clock_mono_ms(&clock_system), passed = 0;
    unsigned before;

    (void)state;
    assert_int_equal(status_of("key1.lab.example", DNS_TYPE_TXT), DNS_FOUND);
    before = asked();
    while (asked() == before && passed < 10000) {
        assert_int_equal(status_of("key1.lab.example", DNS_TYPE_TXT), DNS_FOUND);
        passed = clock_mono_ms(&clock_system) - began;
        usleep(10000);
    }
    assert_in_range(passed, 1000, 9999); /* libunbound counts whole seconds */
}

/* A question that cannot be reaches nobody. */
static void test_impossible_names(void **state)
{
    static const char long_label[] =
        "x123456789012345678901234567890123456789012345678901234567890123.example";
    static const char *const names[] = {"", ".", "a..b", ".a", "a\\", long_label};
    unsigned before = asked();

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        assert_int_equal(status_of(names[i], DNS_TYPE_A), DNS_NXDOMAIN);
    assert_int_equal(asked(), before);
}

static void test_batch(void **state)
{
    const struct dns_question questions[] = {{"a10.lab.example", DNS_TYPE_A},
                                             {"nx10.lab.example", DNS_TYPE_A},
                                             {"a..b", DNS_TYPE_A},
                                             {"txt10.lab.example", DNS_TYPE_TXT},
                                             {"mute10.lab.example", DNS_TYPE_A}};
    static const enum dns_status wanted[] = {DNS_FOUND, DNS_NXDOMAIN, DNS_NXDOMAIN, DNS_FOUND,
                                             DNS_TIMEOUT};
    struct dns_answer answers[5];
    struct dns_budget budget = {500};

    (void)state;
    dns_ask(dns, questions, 5, &budget, answers);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(answers[i].status, wanted[i]);
        dns_answer_fini(&answers[i]);
    }
    assert_int_equal(budget.left_ms, 0);
    dns_ask(dns, questions, 5, &budget, answers);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(answers[i].status, i == 2 ? DNS_NXDOMAIN : DNS_TIMEOUT);
    dns_ask(dns, questions, 0, &budget, answers);
}

/* Names on servers that never answer do not keep the others from being asked for. */
static void test_silent_servers(void **state)
{
    struct dns_question questions[400];
    struct dns_answer answers[400];
    struct dns_budget budget = {50};
    char names[400][32];

    (void)state;
    for (size_t i = 0; i < 400; i++) {
        snprintf(names[i], sizeof(names[i]), "mute2%zu.lab.example", i);
        questions[i] = (struct dns_question){names[i], DNS_TYPE_TXT};
    }
    dns_ask(dns, questions, 400, &budget, answers);
    for (size_t i = 0; i < 400; i++)
        assert_int_equal(answers[i].status, DNS_TIMEOUT);
    struct dns_answer got = ask("a12.lab.example", DNS_TYPE_A, 1000);
    assert_int_equal(got.status, DNS_FOUND);
    dns_answer_fini(&got);
}

static void test_budget(void **state)
{
    struct dns_budget budget = {400};
    struct dns_question question = {"mute1.lab.example", DNS_TYPE_A};
    struct dns_answer got;
    int64_t began = clock_mono_ms(&clock_system);

    (void)state;
    dns_ask(dns, &question, 1, &budget, &got);
    int64_t spent = clock_mono_ms(&clock_system) - began;
    assert_int_equal(got.status, DNS_TIMEOUT);
    assert_int_equal(budget.left_ms, 0);
    assert_in_range(spent, 400, 2000);

    /* What was waited for is spent, and no more. */
    budget.left_ms = 60000;
    question.name = "late1.lab.example";
    dns_ask(dns, &question, 1, &budget, &got);
    assert_int_equal(got.status, DNS_FOUND);
    assert_in_range(budget.left_ms, 50000, 59900);
    dns_answer_fini(&got);
}

/* An answer that comes when nobody waits any more is in the cache for the next. */
static void test_late_answer(void **state)
{
    struct dns_answer got = ask("late2.lab.example", DNS_TYPE_A, 50);

    (void)state;
    assert_int_equal(got.status, DNS_TIMEOUT);
    got = ask("late2.lab.example", DNS_TYPE_A, 5000);
    assert_int_equal(got.status, DNS_FOUND);
    dns_answer_fini(&got);
}

#define THREADS 16

static void *ask_much(void *ctx)
{
    unsigned long failures = 0, number = (unsigned long)(uintptr_t)ctx;
    char names[3][64];

    for (unsigned i = 0; i < 60; i++) {
        struct dns_budget budget = {i % 7 ? 10000 : 1};
        struct dns_answer answers[3];
        struct dns_question questions[3] = {
            {names[0], DNS_TYPE_A}, {names[1], DNS_TYPE_TXT}, {names[2], DNS_TYPE_A}};
        snprintf(names[0], sizeof(names[0]), "a-%lu-%u.many.example", number, i);
        snprintf(names[1], sizeof(names[1]), "txt%u.many.example", i % 10);
        snprintf(names[2], sizeof(names[2]), "nx%u.many.example", i % 10);
        dns_ask(dns, questions, 3, &budget, answers);
        for (int k = 0; k < 3; k++) {
            enum dns_status good = k == 2 ? DNS_NXDOMAIN : DNS_FOUND;
            failures += answers[k].status != good && (i % 7 || answers[k].status != DNS_TIMEOUT);
            dns_answer_fini(&answers[k]);
        }
    }
    return (void *)(uintptr_t)failures;
}

static void test_many_threads(void **state)
{
    pthread_t threads[THREADS];

    (void)state;
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask_much, (void *)i), 0);
    for (size_t i = 0; i < THREADS; i++) {
        void *failures;
        pthread_join(threads[i], &failures);
        assert_null(failures);
    }
}

/* With questions that are still open. */
static void test_free_while_asking(void **state)
{
    struct dns *ours = dns;

    (void)state;
    for (int i = 0; i < 5; i++) {
        struct resolver *other = new_resolver(false);
        struct dns_answer got;
        dns = resolver_dns(other);
        got = ask("mute2.lab.example", DNS_TYPE_A, i ? 20 : 1);
        assert_int_equal(got.status, DNS_TIMEOUT);
        resolver_free(&other);
    }
    dns = ours;
}

/* The server cannot prove anything: all it says is bogus once validation is asked for. */
static void test_bogus(void **state)
{
    struct dns *ours = dns;
    struct resolver *validating = new_resolver(true);

    (void)state;
    dns = resolver_dns(validating);
    struct dns_answer got = ask("a1.lab.example", DNS_TYPE_A, 5000);
    assert_int_equal(got.status, DNS_BOGUS);
    resolver_free(&validating);
    dns = ours;
}

static void test_no_root_key(void **state)
{
    struct config_strings servers = {NULL, 0};
    struct error error = {0};

    (void)state;
    assert_null(resolver_new(&servers, true, &error));
    assert_non_null(strstr(error.text, "dnssec needs the root key"));
}

static void test_bad_configuration(void **state)
{
    static char bad[] = "not an address";
    char *items[] = {bad};
    struct config_strings servers = {items, 1};
    struct error error = {0};

    (void)state;
    assert_null(resolver_new(&servers, false, &error));
    assert_int_equal(error.code, ERROR_CONFIG);
    assert_non_null(strstr(error.text, bad));
}

int main(void)
{
    bool has_root_key = access("/usr/share/dns/root.key", R_OK) == 0;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_statuses),
        cmocka_unit_test(test_no_descriptors),
        cmocka_unit_test(test_records),
        cmocka_unit_test(test_aliases),
        cmocka_unit_test(test_cache),
        cmocka_unit_test(test_cache_honours_ttl),
        cmocka_unit_test(test_impossible_names),
        cmocka_unit_test(test_batch),
        cmocka_unit_test(test_silent_servers),
        cmocka_unit_test(test_budget),
        cmocka_unit_test(test_late_answer),
        cmocka_unit_test(test_many_threads),
        cmocka_unit_test(test_free_while_asking),
        has_root_key ? (struct CMUnitTest)cmocka_unit_test(test_bogus)
                     : (struct CMUnitTest)cmocka_unit_test(test_no_root_key),
        cmocka_unit_test(test_bad_configuration),
        cmocka_unit_test(test_answers_that_are_none),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
