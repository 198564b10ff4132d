/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/net/session.h"

#include <string.h>

#include "common/base/str.h"

#define PORT_MAX 65535

static void put_end(struct buf *out, const char *addr_name, const struct addr *addr,
                    const char *port_name, uint16_t port)
{
    char text[ADDR_TEXT_MAX];

    attr_put(out, addr_name, addr_format(addr, text));
    attr_put_uint(out, port_name, port);
}

void session_put(const struct session_facts *facts, struct buf *out)
{
    put_end(out, "client_address", &facts->client, "client_port", facts->client_port);
    put_end(out, "server_address", &facts->server, "server_port", facts->server_port);
    attr_put(out, "gateway", facts->gateway);
    attr_put(out, "tls", facts->used_tls ? "yes" : "no");
}

static int take_end(const struct attr_list *record, const char *addr_name, struct addr *addr_r,
                    const char *port_name, uint16_t *port_r)
{
    uint64_t port;

    if (addr_parse(attr_get_or_empty(record, addr_name), addr_r) ||
        str_parse_u64(attr_get_or_empty(record, port_name), 0, PORT_MAX, &port))
        return -1;
    *port_r = (uint16_t)port;
    return 0;
}

int session_take(const struct attr_list *record, struct session_facts *facts_r)
{
    const char *gateway = attr_get_or_empty(record, "gateway");
    size_t len = strlen(gateway);

    memset(facts_r, 0, sizeof(*facts_r));
    if (take_end(record, "client_address", &facts_r->client, "client_port",
                 &facts_r->client_port) ||
        take_end(record, "server_address", &facts_r->server, "server_port",
                 &facts_r->server_port) ||
        len >= sizeof(facts_r->gateway))
        return -1;
    memcpy(facts_r->gateway, gateway, len);
    facts_r->used_tls = str_eq(attr_get_or_empty(record, "tls"), "yes");
    return 0;
}

void session_put_request(const struct addr *peer, uint16_t port, struct buf *out)
{
    attr_put(out, "request", "session");
    put_end(out, "client_address", peer, "client_port", port);
    attr_end(out);
}
