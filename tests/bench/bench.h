/* SPDX-License-Identifier: MIT */
#ifndef PN_TESTS_BENCH_BENCH_H
#define PN_TESTS_BENCH_BENCH_H

#include <stdint.h>
#include <stdnoreturn.h>

/*
 * What the load generators and the responder share. An address is unix:PATH or
 * HOST:PORT, as in postern.conf. Nothing here returns on failure: it says why and
 * exits with 2.
 */
noreturn void bench_fail(const char *what);

/* A number from 1 to max of a command line. */
uint64_t bench_number(const char *text, uint64_t max);

int bench_connect(const char *address);
/* Port 0 takes a free one; the address that is really bound goes to standard output. */
int bench_listen(const char *address);
void bench_set_nodelay(int fd);

int64_t bench_now_ns(void);

/* Latencies in buckets, each a 32nd of its power of two wide. Zeroes are an empty one. */
#define LATENCY_BUCKETS (64 * 32)
struct latencies {
    uint64_t buckets[LATENCY_BUCKETS];
    uint64_t count;
    uint64_t max_ns;
};

void latencies_add(struct latencies *latencies, uint64_t ns);
/* Add those of another one. */
void latencies_join(struct latencies *latencies, const struct latencies *others);
/* Below which the share (0 to 1) of all are, in nanoseconds; 0 when there are none. */
uint64_t latencies_quantile(const struct latencies *latencies, double share);

/* NAME=VALUE words on one line, for the script that started us. */
void latencies_print(const struct latencies *latencies, int64_t elapsed_ns);

/*
 * Client number `index`: every fourth has IPv6, each in a /64 of its own, the others
 * IPv4. Numbers that follow each other lie far apart. Less than 2^24 are different.
 */
#define CLIENT_MAX      (UINT32_C(1) << 24)
#define CLIENT_TEXT_MAX 46
void client_format(uint32_t index, char out[CLIENT_TEXT_MAX]);

/* A random number below `below`, the same ones in each run. */
uint32_t bench_random(uint32_t below);

#endif
