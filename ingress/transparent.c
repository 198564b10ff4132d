/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "ingress/transparent.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/bug.h"
#include "common/base/mem.h"

#ifndef IPV6_TRANSPARENT
#define IPV6_TRANSPARENT 75
#endif

static int make_transparent(int fd, bool is_v4)
{
    int on = 1;

    return setsockopt(fd, is_v4 ? IPPROTO_IP : IPPROTO_IPV6,
                      is_v4 ? IP_TRANSPARENT : IPV6_TRANSPARENT, &on, sizeof(on));
}

int transparent_check_right(struct error *error_r)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), rc = 0;

    if (fd < 0)
        return error_set_errno(error_r, "socket");
    if (make_transparent(fd, true))
        rc = error_set(error_r, ERROR_SYSTEM,
                       "forward_as = \"transparent\" needs CAP_NET_ADMIN, which the process before "
                       "this one does not have: it takes a restart");
    close(fd);
    return rc;
}

int transparent_bind(int fd, const struct addr *client)
{
    struct endpoint from = {.addr = *client};
    struct sockaddr_storage ss;
    socklen_t len = endpoint_to_sockaddr(&from, &ss);

    if (make_transparent(fd, client->family == ADDR_IPV4))
        return -1;
    return bind(fd, (const struct sockaddr *)&ss, len);
}

/* --- the rules --------------------------------------------------------------------------- */

static const char *family_of(const struct addr *addr)
{
    return addr->family == ADDR_IPV4 ? "-4" : "-6";
}

/* Added once, however often it is run: what is there is taken away first. */
static void put_rule(const char *family, const char *what, FILE *to)
{
    fprintf(to, "ip %s rule delete %s lookup %d 2>/dev/null || true\n", family, what,
            TRANSPARENT_TABLE);
    fprintf(to, "ip %s rule add %s lookup %d\n", family, what, TRANSPARENT_TABLE);
}

static void put_route(const char *family, FILE *to)
{
    fprintf(to, "ip %s route replace local default dev lo table %d\n", family, TRANSPARENT_TABLE);
}

static bool is_ours(const struct origin_rules *rules, const struct addr *addr)
{
    return addr_scope(addr) == ADDR_SCOPE_LOOPBACK || prefixlist_contains(&rules->own, addr);
}

static void put_own(const struct endpoint *server, FILE *to)
{
    char addr[ADDR_TEXT_MAX], what[ADDR_TEXT_MAX + 64];

    snprintf(what, sizeof(what), "from %s ipproto tcp sport %u iif lo",
             addr_format(&server->addr, addr), server->port);
    put_rule(family_of(&server->addr), what, to);
    put_route(family_of(&server->addr), to);
}

static void put_marking(const struct endpoint *server, FILE *to)
{
    char addr[ADDR_TEXT_MAX], mark[32];

    fprintf(to,
            "nft add rule inet postern_transparent back %s saddr %s tcp sport %u "
            "socket transparent 1 meta mark set 0x%x\n",
            server->addr.family == ADDR_IPV4 ? "ip" : "ip6", addr_format(&server->addr, addr),
            server->port, TRANSPARENT_MARK);
    snprintf(mark, sizeof(mark), "fwmark 0x%x", TRANSPARENT_MARK);
    put_rule(family_of(&server->addr), mark, to);
    put_route(family_of(&server->addr), to);
}

static void put_table(FILE *to)
{
    fprintf(to, "nft add table inet postern_transparent\n"
                "nft flush table inet postern_transparent\n"
                "nft 'add chain inet postern_transparent back "
                "{ type filter hook prerouting priority mangle; }'\n");
}

static struct endpoint server_of(const struct config_ingress *ingress)
{
    struct endpoint server;
    const char *reason;

    if (endpoint_parse(ingress->to, &server, &reason))
        BUG("%s: %s", ingress->to, reason); /* checked when the file was read */
    return server;
}

static void put_ingress(const struct config_ingress *ingress, const struct origin_rules *rules,
                        bool *has_table, FILE *to)
{
    struct endpoint server = server_of(ingress);

    fprintf(to, "\n# ingress \"%s\", to %s\n", ingress->name, ingress->to);
    if (is_ours(rules, &server.addr)) {
        put_own(&server, to);
        return;
    }
    if (!*has_table)
        put_table(to);
    *has_table = true;
    put_marking(&server, to);
}

void transparent_put_rules(const struct config *config, const struct origin_rules *rules, FILE *to)
{
    bool has_table = false, is_any = false;

    for (size_t i = 0; i < config->ingress_count; i++)
        is_any = is_any || config->ingresses[i].forward_as == FORWARD_AS_TRANSPARENT;
    if (!is_any) {
        fprintf(to, "# No ingress has forward_as = \"transparent\": no rules are needed.\n");
        return;
    }
    fprintf(to,
            "#!/bin/sh\n"
            "# What brings the servers' answers back to postern-ingress; as root, at each boot.\n"
            "set -e\n");
    for (size_t i = 0; i < config->ingress_count; i++) {
        if (config->ingresses[i].forward_as == FORWARD_AS_TRANSPARENT)
            put_ingress(&config->ingresses[i], rules, &has_table, to);
    }
}

/* --- are they in force? ------------------------------------------------------------------ */

struct transparent_check {
    int fd;
    struct loop_io *io;
    struct loop_timer *timer;
    int reason; /* an errno, when connect(2) failed at once */
    transparent_check_fn fn;
    void *ctx;
};

static void tell(struct transparent_check *check, int reason)
{
    loop_io_free(&check->io);
    loop_timer_stop(check->timer);
    if (check->fd >= 0)
        close(check->fd);
    check->fd = -1;
    switch (reason) {
    case 0:
    case ECONNREFUSED: /* an answer as well */
        check->fn(NULL, check->ctx);
        break;
    case EPERM:
        check->fn("CAP_NET_ADMIN is missing", check->ctx);
        break;
    case ETIMEDOUT:
        check->fn("no answer comes back: the rules that postern-ingress --rules prints are missing",
                  check->ctx);
        break;
    default:
        check->fn(strerror(reason), check->ctx);
        break;
    }
}

static void on_answer(unsigned events, void *ctx)
{
    struct transparent_check *check = ctx;
    int reason = 0;
    socklen_t len = sizeof(reason);

    (void)events;
    if (getsockopt(check->fd, SOL_SOCKET, SO_ERROR, &reason, &len))
        reason = errno;
    tell(check, reason);
}

static void on_timer(void *ctx)
{
    struct transparent_check *check = ctx;

    tell(check, check->reason ? check->reason : ETIMEDOUT);
}

/* The end is a reset: the server has nothing to wait for. */
static int start(struct transparent_check *check, const struct endpoint *server)
{
    bool is_v4 = server->addr.family == ADDR_IPV4;
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    struct sockaddr_storage ss;
    socklen_t len = endpoint_to_sockaddr(server, &ss);
    struct addr probe;

    if (addr_parse(is_v4 ? TRANSPARENT_PROBE4 : TRANSPARENT_PROBE6, &probe))
        BUG("the probe's address");
    check->fd = socket(ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (check->fd < 0 || transparent_bind(check->fd, &probe))
        return -1;
    (void)setsockopt(check->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    return connect(check->fd, (const struct sockaddr *)&ss, len) && errno != EINPROGRESS ? -1 : 0;
}

struct transparent_check *transparent_check_new(struct loop *loop, const struct endpoint *server,
                                                transparent_check_fn fn, void *ctx)
{
    struct transparent_check *check = x_calloc(1, sizeof(*check));

    check->fn = fn;
    check->ctx = ctx;
    check->timer = loop_timer_new(loop, on_timer, check);
    if (start(check, server))
        check->reason = errno;
    else
        check->io = loop_io_new(loop, check->fd, LOOP_WRITE, on_answer, check);
    loop_timer_start(check->timer, check->reason ? 0 : TRANSPARENT_PROBE_MS);
    return check;
}

void transparent_check_free(struct transparent_check **check)
{
    struct transparent_check *old = *check;

    if (!old)
        return;
    *check = NULL;
    loop_io_free(&old->io);
    loop_timer_free(&old->timer);
    if (old->fd >= 0)
        close(old->fd);
    free(old);
}
