/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "ingress/sessions.h"

#include <string.h>

#include "common/base/bug.h"
#include "common/base/str.h"
#include "common/net/session.h"
#include "common/wire/attr.h"

#define PORT_MAX   65535
#define OUTPUT_MAX 65536
#define KEY_LEN    (sizeof(((struct addr *)0)->bytes) + sizeof(uint16_t))

/* --- the table --------------------------------------------------------------------------- */

/* The bytes that are hashed; the family is in them, for IPv4 leaves the rest zero. */
static void key_bytes(const struct session_key *key, uint8_t bytes[KEY_LEN])
{
    memset(bytes, 0, KEY_LEN);
    memcpy(bytes, key->addr.bytes, addr_bits(&key->addr) / 8);
    memcpy(bytes + KEY_LEN - sizeof(key->port), &key->port, sizeof(key->port));
}

static const struct session *session_of(const struct map_node *node)
{
    return node ? MAP_ENTRY(node, struct session, node) : NULL;
}

static bool has_key(const struct map_node *node, const void *key, size_t len)
{
    uint8_t bytes[KEY_LEN];

    key_bytes(&session_of(node)->key, bytes);
    return len == KEY_LEN && memcmp(bytes, key, KEY_LEN) == 0;
}

void sessions_init(struct sessions *sessions)
{
    map_init(&sessions->map, has_key);
}

void sessions_fini(struct sessions *sessions)
{
    BUG_ON(sessions->map.count);
    map_fini(&sessions->map);
}

void sessions_add(struct sessions *sessions, struct session *session, const struct session_key *key,
                  const struct door_client *client, const char *gateway)
{
    uint8_t bytes[KEY_LEN];

    *session = (struct session){.key = *key, .client = client, .gateway = gateway};
    key_bytes(key, bytes);
    map_insert(&sessions->map, &session->node, bytes, KEY_LEN);
}

void sessions_remove(struct sessions *sessions, struct session *session)
{
    if (!session->client)
        return;
    map_remove(&sessions->map, &session->node);
    session->client = NULL;
}

const struct session *sessions_find(const struct sessions *sessions, const struct session_key *key)
{
    uint8_t bytes[KEY_LEN];

    key_bytes(key, bytes);
    return session_of(map_find(&sessions->map, bytes, KEY_LEN));
}

/* --- who asks ---------------------------------------------------------------------------- */

static void put_found(const struct session *session, struct buf *out)
{
    struct session_facts facts = {
        .client = session->client->addr,
        .client_port = session->client->port,
        .server = session->client->destination,
        .server_port = session->client->destination_port,
        .used_tls = session->client->used_tls,
    };
    size_t len = strlen(session->gateway);

    memcpy(facts.gateway, session->gateway, len < sizeof(facts.gateway) ? len : 0);
    attr_put(out, "found", "yes");
    session_put(&facts, out);
}

static void answer_error(const char *reason, struct buf *out)
{
    attr_put(out, "status", "error");
    attr_put(out, "reason", reason);
    attr_end(out);
}

static void answer_session(const struct sessions *sessions, const struct attr_list *request,
                           struct buf *out)
{
    const struct session *session;
    struct session_key key;
    uint64_t port;

    if (addr_parse(attr_get_or_empty(request, "client_address"), &key.addr) ||
        str_parse_u64(attr_get_or_empty(request, "client_port"), 1, PORT_MAX, &port)) {
        answer_error("client_address and client_port are what the server sees", out);
        return;
    }
    key.port = (uint16_t)port;
    session = sessions_find(sessions, &key);
    if (session)
        put_found(session, out);
    else
        attr_put(out, "found", "no");
    attr_put(out, "status", "ok");
    attr_end(out);
}

static enum service_step sessions_step(struct service_conn *conn, struct buf *in,
                                       const char **reason_r)
{
    static struct attr_list request;
    size_t consumed;
    enum attr_status status = attr_parse(in->data, in->len, &request, &consumed);

    if (status == ATTR_MORE)
        return SERVICE_MORE;
    *reason_r = attr_strstatus(status);
    if (status != ATTR_OK)
        return SERVICE_CLOSE;
    buf_consume(in, consumed);
    if (str_eq(attr_get_or_empty(&request, "request"), "session"))
        answer_session(service_conn_ctx(conn), &request, service_conn_output(conn));
    else
        answer_error("the one request here is session", service_conn_output(conn));
    return SERVICE_NEXT;
}

const struct service_protocol sessions_protocol = {
    .name = "sessions",
    .input_max = ATTR_LIST_MAX,
    .output_max = OUTPUT_MAX,
    .step = sessions_step,
};
