/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/base/endpoint.h"

#include <netinet/in.h>
#include <stddef.h>
#include <string.h>

#include "common/base/str.h"

static int parse_unix(const char *path, struct endpoint *endpoint_r, const char **reason_r)
{
    size_t len = strlen(path);

    if (path[0] != '/' || path[len - 1] == '/') {
        *reason_r = "behind unix: goes the absolute path of a socket, unix:/run/postern/policy";
        return -1;
    }
    if (len >= sizeof(endpoint_r->path)) {
        *reason_r = "the path of a Unix socket has at most 107 bytes";
        return -1;
    }
    endpoint_r->is_unix = true;
    memcpy(endpoint_r->path, path, len + 1);
    return 0;
}

static int parse_port(const char *text, struct endpoint *endpoint_r, const char **reason_r)
{
    uint64_t port;

    if (str_parse_u64(text, 0, UINT16_MAX, &port) < 0) {
        *reason_r = "the port is a number up to 65535";
        return -1;
    }
    endpoint_r->port = (uint16_t)port;
    return 0;
}

/* "[HOST]" or a HOST without colons in text[0..len): "2001:db8::1:25" could mean two things. */
static int parse_host(const char *text, size_t len, struct addr *addr_r)
{
    char host[ADDR_TEXT_MAX];
    bool brackets = len >= 2 && text[0] == '[' && text[len - 1] == ']';

    if (brackets) {
        text++;
        len -= 2;
    }
    if (len >= sizeof(host))
        return -1;
    memcpy(host, text, len);
    host[len] = '\0';
    if ((strchr(host, ':') != NULL) != brackets)
        return -1;
    return addr_parse(host, addr_r);
}

int endpoint_parse(const char *text, struct endpoint *endpoint_r, const char **reason_r)
{
    memset(endpoint_r, 0, sizeof(*endpoint_r));
    if (str_has_prefix(text, "unix:"))
        return parse_unix(text + strlen("unix:"), endpoint_r, reason_r);
    const char *colon = strrchr(text, ':');
    if (!colon || colon == text) {
        *reason_r = "an address to listen on is unix:PATH, HOST:PORT or [IPV6]:PORT";
        return -1;
    }
    if (parse_port(colon + 1, endpoint_r, reason_r) < 0)
        return -1;
    if (parse_host(text, (size_t)(colon - text), &endpoint_r->addr) < 0) {
        *reason_r = "the host is an IPv4 address, or an IPv6 address in brackets";
        return -1;
    }
    return 0;
}

/* "PORT@ADDRESS" */
static int parse_inet(const char *text, struct endpoint *endpoint_r, const char **reason_r)
{
    size_t len = strcspn(text, "@");
    char port[6] = "";

    if (text[len] != '@' || len >= sizeof(port)) {
        *reason_r = "behind inet: goes PORT@ADDRESS";
        return -1;
    }
    memcpy(port, text, len);
    if (parse_port(port, endpoint_r, reason_r) < 0)
        return -1;
    if (addr_parse(text + len + 1, &endpoint_r->addr) == 0)
        return 0;
    *reason_r = "behind the @ goes an IP address";
    return -1;
}

int endpoint_parse_milter(const char *text, struct endpoint *endpoint_r, const char **reason_r)
{
    memset(endpoint_r, 0, sizeof(*endpoint_r));
    if (str_has_prefix(text, "inet:"))
        return parse_inet(text + strlen("inet:"), endpoint_r, reason_r);
    if (str_has_prefix(text, "inet6:"))
        return parse_inet(text + strlen("inet6:"), endpoint_r, reason_r);
    return endpoint_parse(text, endpoint_r, reason_r);
}

static int from_unix(const struct sockaddr_un *sun, socklen_t len, struct endpoint *endpoint_r)
{
    const size_t head = offsetof(struct sockaddr_un, sun_path);
    size_t room = len > sizeof(*sun) ? sizeof(sun->sun_path) : len - head;

    if (len <= head || sun->sun_path[0] != '/')
        return -1;
    size_t path_len = strnlen(sun->sun_path, room);
    if (path_len >= sizeof(endpoint_r->path))
        return -1;
    endpoint_r->is_unix = true;
    memcpy(endpoint_r->path, sun->sun_path, path_len);
    return 0;
}

int endpoint_from_sockaddr(const struct sockaddr *sa, socklen_t len, struct endpoint *endpoint_r)
{
    memset(endpoint_r, 0, sizeof(*endpoint_r));
    if (sa->sa_family == AF_UNIX)
        return from_unix((const struct sockaddr_un *)sa, len, endpoint_r);
    return addr_from_sockaddr(sa, &endpoint_r->addr, &endpoint_r->port);
}

socklen_t endpoint_to_sockaddr(const struct endpoint *endpoint, struct sockaddr_storage *ss_r)
{
    memset(ss_r, 0, sizeof(*ss_r));
    if (endpoint->is_unix) {
        struct sockaddr_un *sun = (struct sockaddr_un *)ss_r;
        sun->sun_family = AF_UNIX;
        memcpy(sun->sun_path, endpoint->path, sizeof(sun->sun_path));
        return sizeof(*sun);
    }
    if (endpoint->addr.family == ADDR_IPV4) {
        struct sockaddr_in *sin = (struct sockaddr_in *)ss_r;
        sin->sin_family = AF_INET;
        sin->sin_port = htons(endpoint->port);
        memcpy(&sin->sin_addr, endpoint->addr.bytes, sizeof(sin->sin_addr));
        return sizeof(*sin);
    }
    struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)ss_r;
    sin6->sin6_family = AF_INET6;
    sin6->sin6_port = htons(endpoint->port);
    memcpy(&sin6->sin6_addr, endpoint->addr.bytes, sizeof(sin6->sin6_addr));
    return sizeof(*sin6);
}

bool endpoint_eq(const struct endpoint *a, const struct endpoint *b)
{
    if (a->is_unix || b->is_unix)
        return a->is_unix && b->is_unix && str_eq(a->path, b->path);
    return a->port == b->port && addr_eq(&a->addr, &b->addr);
}
