/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "common/config/rules_store.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/addr.h"
#include "common/base/buf.h"
#include "common/base/endpoint.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/config/errors.h"
#include "common/config/form.h"

#define PORT_REDIS    6379
#define PORT_SENTINEL 26379
#define SERVERS_MAX   64
#define NO_SERVER     "names a server that is not HOST, HOST:PORT or [IPV6]:PORT"
#define SOCKET_MAX    (sizeof(((struct endpoint *)0)->path) - 1)

static const struct scheme {
    const char *start;
    enum config_store_kind kind;
    unsigned port; /* where the URL names none */
} schemes[] = {
    {"file:", CONFIG_STORE_FILE, 0},
    {"redis://", CONFIG_STORE_REDIS, PORT_REDIS},
    {"redis+sentinel://", CONFIG_STORE_SENTINEL, PORT_SENTINEL},
    {"redis+cluster://", CONFIG_STORE_CLUSTER, PORT_REDIS},
};

static int take_port(const char *text, unsigned fallback, unsigned *port_r)
{
    uint64_t port = fallback;

    if (*text != '\0' && (*text != ':' || str_parse_u64(text + 1, 1, UINT16_MAX, &port) != 0))
        return -1;
    *port_r = (unsigned)port;
    return 0;
}

/* These return what follows `store "…" ` in an error, or NULL when it is right. */
static const char *add_server(struct config_store *store, const char *host, unsigned port)
{
    struct buf server;

    buf_init(&server);
    buf_printf(&server, strchr(host, ':') != NULL ? "[%s]:%u" : "%s:%u", host, port);
    if (config_strings_have(&store->servers, buf_str(&server)) ||
        store->servers.count == SERVERS_MAX) {
        buf_fini(&server);
        return store->servers.count == SERVERS_MAX ? "names more than 64 servers"
                                                   : "names a server twice";
    }
    store->servers.items = x_reallocarray(store->servers.items, store->servers.count + 1,
                                          sizeof(store->servers.items[0]));
    store->servers.items[store->servers.count++] = buf_steal(&server);
    return NULL;
}

/* text is changed: the host is cut out of it. */
static const char *take_server(struct config_store *store, char *text, unsigned fallback)
{
    bool is_bracketed = text[0] == '[';
    char *host = text + is_bracketed, *end = host + strcspn(host, is_bracketed ? "]" : ":");
    char canonical[ADDR_TEXT_MAX];
    struct addr addr;
    unsigned port;

    if (is_bracketed && *end == ']')
        *end++ = '\0';
    else if (is_bracketed)
        return NO_SERVER;
    if (take_port(end, fallback, &port) != 0)
        return NO_SERVER;
    *end = '\0';
    if (addr_parse(host, &addr) == 0 && (addr.family == ADDR_IPV6) == is_bracketed)
        return add_server(store, addr_format(&addr, canonical), port);
    if (is_bracketed || form_host(host) != NULL)
        return NO_SERVER;
    return add_server(store, host, port);
}

static const char *take_socket(struct config_store *store, const char *path)
{
    if (strlen(path) > SOCKET_MAX)
        return "names a Unix socket whose path is too long";
    store->path = x_strdup(path);
    return NULL;
}

static const char *take_servers(struct config_store *store, char *text, unsigned fallback)
{
    if (text[strcspn(text, "/?#")] != '\0')
        return "has something behind its servers: the database is an option of the section "
               "redis";
    for (char *server; (server = strsep(&text, ",")) != NULL;) {
        const char *fault = take_server(store, server, fallback);
        if (fault != NULL)
            return fault;
    }
    if (store->kind == CONFIG_STORE_REDIS && store->servers.count > 1)
        return "names more than one server: redis+sentinel:// and redis+cluster:// take a list";
    return NULL;
}

static const char *take_url(struct config_store *store, char *url)
{
    const struct scheme *scheme = schemes, *end = schemes + sizeof(schemes) / sizeof(schemes[0]);

    if (str_has_prefix(url, "rediss:"))
        return "asks for TLS, which is not spoken here: redis:// through a tunnel is right";
    while (scheme < end && !str_has_prefix(url, scheme->start))
        scheme++;
    char *rest = scheme < end ? url + strlen(scheme->start) : url;
    if (scheme == end || (scheme->kind == CONFIG_STORE_FILE && rest[0] != '/'))
        return "is not \"file:/PATH\" (a directory), \"redis://HOST:PORT\", "
               "\"redis:///PATH\" (a Unix socket), \"redis+sentinel://HOST:PORT,...\" or "
               "\"redis+cluster://HOST:PORT,...\"";
    store->kind = scheme->kind;
    if (store->kind == CONFIG_STORE_FILE) {
        store->path = x_strdup(rest);
        return NULL;
    }
    if (store->kind == CONFIG_STORE_REDIS && rest[0] == '/')
        return take_socket(store, rest);
    return take_servers(store, rest, scheme->port);
}

static void check_url(struct draft *draft)
{
    struct config_store *store = &draft->config->store;
    unsigned line = draft_line(draft->sections, "store");

    if (!str_has_prefix(store->url, "file:") && strchr(store->url, '@') != NULL) {
        config_errors_add(draft->errors, line,
                          "store has a user or a password in it: user and password_file of the "
                          "section redis are right");
        return;
    }
    char *copy = x_strdup(store->url);
    const char *fault = take_url(store, copy);
    if (fault != NULL)
        config_errors_add(draft->errors, line, "store \"%.100s\" %s", store->url, fault);
    free(copy);
}

static void check_section(struct draft *draft)
{
    static const char *const login[] = {"user", "password_file", NULL};
    const struct draft_section *in = draft_next(draft, "redis", NULL);
    const struct config_redis *redis = &draft->config->redis;

    if (redis->user != NULL && redis->password == NULL && draft_is_right(in, login))
        config_errors_add(draft->errors, draft_line(in, "user"),
                          "%suser is set without password_file: both or neither is right",
                          in->where);
    if (draft->config->store.kind == CONFIG_STORE_CLUSTER && redis->database != 0)
        config_errors_add(draft->errors, draft_line(in, "database"),
                          "%sdatabase is %u, but a Cluster has database 0 alone: take it out",
                          in->where, redis->database);
}

void rules_check_store(struct draft *draft)
{
    if (draft->config->store.url != NULL)
        check_url(draft);
    check_section(draft);
}
