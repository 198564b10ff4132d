/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "tests/bench/bench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

union any_address {
    struct sockaddr any;
    struct sockaddr_un path;
    struct sockaddr_in ipv4;
};

void bench_fail(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, errno ? strerror(errno) : "not understood");
    exit(2);
}

uint64_t bench_number(const char *text, uint64_t max)
{
    char *end;
    uint64_t number = strtoull(text, &end, 10);

    errno = 0;
    if (*end || !number || number > max)
        bench_fail(text);
    return number;
}

static socklen_t unix_address(const char *path, union any_address *address_r)
{
    *address_r = (union any_address){.path = {.sun_family = AF_UNIX}};
    if (strlen(path) >= sizeof(address_r->path.sun_path))
        bench_fail(path);
    memcpy(address_r->path.sun_path, path, strlen(path) + 1);
    return sizeof(address_r->path);
}

static socklen_t ipv4_address(const char *text, union any_address *address_r)
{
    const char *colon = strrchr(text, ':');
    char host[INET_ADDRSTRLEN] = "";

    if (colon && (size_t)(colon - text) < sizeof(host))
        memcpy(host, text, (size_t)(colon - text));
    *address_r = (union any_address){.ipv4 = {.sin_family = AF_INET}};
    if (inet_pton(AF_INET, host, &address_r->ipv4.sin_addr) != 1)
        bench_fail(text);
    address_r->ipv4.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
    return sizeof(address_r->ipv4);
}

static socklen_t parse_address(const char *text, union any_address *address_r)
{
    errno = 0;
    if (strncmp(text, "unix:", 5) == 0)
        return unix_address(text + 5, address_r);
    return ipv4_address(text, address_r);
}

static int new_socket(const union any_address *address)
{
    int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        bench_fail("socket");
    return fd;
}

int bench_connect(const char *text)
{
    union any_address address;
    socklen_t len = parse_address(text, &address);
    int fd = new_socket(&address);

    if (connect(fd, &address.any, len))
        bench_fail(text);
    bench_set_nodelay(fd);
    return fd;
}

int bench_listen(const char *text)
{
    union any_address address;
    socklen_t len = parse_address(text, &address);
    int fd = new_socket(&address);

    if (bind(fd, &address.any, len) || listen(fd, SOMAXCONN) || getsockname(fd, &address.any, &len))
        bench_fail(text);
    if (address.any.sa_family == AF_INET)
        printf("127.0.0.1:%u\n", ntohs(address.ipv4.sin_port));
    else
        printf("%s\n", text);
    fflush(stdout);
    return fd;
}

/* Fails on a Unix socket, which has nothing to wait for. */
void bench_set_nodelay(int fd)
{
    int yes = 1;

    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
}

int64_t bench_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static unsigned bucket_of(uint64_t ns)
{
    unsigned shift = ns < 32 ? 0 : 63u - (unsigned)__builtin_clzll(ns) - 5;
    unsigned bucket = shift * 32 + (unsigned)(ns >> shift);

    return bucket < LATENCY_BUCKETS ? bucket : LATENCY_BUCKETS - 1;
}

static uint64_t bucket_ns(unsigned bucket)
{
    unsigned shift = bucket < 64 ? 0 : bucket / 32 - 1;

    return (uint64_t)(bucket - shift * 32) << shift;
}

void latencies_add(struct latencies *latencies, uint64_t ns)
{
    latencies->buckets[bucket_of(ns)]++;
    latencies->count++;
    if (ns > latencies->max_ns)
        latencies->max_ns = ns;
}

void latencies_join(struct latencies *latencies, const struct latencies *others)
{
    for (unsigned i = 0; i < LATENCY_BUCKETS; i++)
        latencies->buckets[i] += others->buckets[i];
    latencies->count += others->count;
    if (others->max_ns > latencies->max_ns)
        latencies->max_ns = others->max_ns;
}

uint64_t latencies_quantile(const struct latencies *latencies, double share)
{
    uint64_t wanted = (uint64_t)((double)latencies->count * share), seen = 0;

    for (unsigned i = 0; i < LATENCY_BUCKETS; i++) {
        seen += latencies->buckets[i];
        if (seen > wanted)
            return bucket_ns(i);
    }
    return latencies->max_ns;
}

void latencies_print(const struct latencies *latencies, int64_t elapsed_ns)
{
    printf("count=%" PRIu64 " rate=%.1f p50_us=%.1f p99_us=%.1f max_us=%.1f\n", latencies->count,
           (double)latencies->count * 1e9 / (double)elapsed_ns,
           (double)latencies_quantile(latencies, 0.5) / 1e3,
           (double)latencies_quantile(latencies, 0.99) / 1e3, (double)latencies->max_ns / 1e3);
}

/* Multiplying by an odd number leaves different numbers different, modulo a power of two. */
void client_format(uint32_t index, char out[CLIENT_TEXT_MAX])
{
    uint32_t n = index * 2654435761u & (CLIENT_MAX - 1);

    if (index % 4 == 3)
        snprintf(out, CLIENT_TEXT_MAX, "2600:%x:%x:%x::%x", n >> 16, n >> 8 & 0xff, n & 0xff,
                 n & 0xfff);
    else
        snprintf(out, CLIENT_TEXT_MAX, "45.%u.%u.%u", n >> 16, n >> 8 & 0xff, n & 0xff);
}

uint32_t bench_random(uint32_t below)
{
    static uint64_t state = 0x9e3779b97f4a7c15;

    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)((state >> 32) * below >> 32);
}
