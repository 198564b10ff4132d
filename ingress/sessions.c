/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "ingress/sessions.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/bug.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/net/session.h"
#include "common/wire/attr.h"

#define PORT_MAX   65535
#define OUTPUT_MAX 65536
#define KEY_LEN    (sizeof(((struct addr *)0)->bytes) + sizeof(uint16_t))

/*
 * The other process told of a session before the server could know of it, so what it told is
 * here, if not yet read, when somebody asks: the next turn of the loop knows better.
 */
#define LATE_MS 10

struct late_answer {
    struct sessions *sessions;
    struct service_conn *conn;
    struct loop_timer *timer;
    struct session_key key;
    struct late_answer *prev, *next;
};

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

    key_bytes(&MAP_ENTRY(node, const struct session, node)->key, bytes);
    return len == KEY_LEN && memcmp(bytes, key, KEY_LEN) == 0;
}

void sessions_init(struct sessions *sessions)
{
    *sessions = (struct sessions){.first = NULL};
    map_init(&sessions->map, has_key);
}

void sessions_fini(struct sessions *sessions)
{
    sessions_drop_foreign(sessions);
    BUG_ON(sessions->map.count);
    map_fini(&sessions->map);
}

const struct session *sessions_find(const struct sessions *sessions, const struct session_key *key)
{
    uint8_t bytes[KEY_LEN];

    key_bytes(key, bytes);
    return session_of(map_find(&sessions->map, bytes, KEY_LEN));
}

static void tell(struct sessions *sessions, const struct session *session, bool is_new)
{
    if (sessions->on_change)
        sessions->on_change(session, is_new, sessions->ctx);
}

static void insert(struct sessions *sessions, struct session *session)
{
    uint8_t bytes[KEY_LEN];

    key_bytes(&session->key, bytes);
    map_insert(&sessions->map, &session->node, bytes, KEY_LEN);
    session->next = sessions->first;
    if (session->next)
        session->next->prev = session;
    sessions->first = session;
    tell(sessions, session, true);
}

/* --- of another process ------------------------------------------------------------------ */

struct foreign {
    struct session session;
    struct door_client client;
    char gateway[SESSION_GATEWAY_MAX];
};

static void foreign_free(struct sessions *sessions, struct session *session)
{
    sessions_remove(sessions, session);
    free(MAP_ENTRY(session, struct foreign, session));
}

/* The port is ours meanwhile, or its connection has ended. */
static void forget_foreign(struct sessions *sessions, const struct session_key *key)
{
    const struct session *found = sessions_find(sessions, key);

    if (found && found->is_foreign)
        foreign_free(sessions, MAP_ENTRY(&found->node, struct session, node));
}

static void add_foreign(struct sessions *sessions, const struct session_key *key,
                        const struct session_facts *facts)
{
    struct foreign *foreign = x_calloc(1, sizeof(*foreign));

    foreign->client = (struct door_client){
        .addr = facts->client,
        .port = facts->client_port,
        .destination = facts->server,
        .destination_port = facts->server_port,
        .used_tls = facts->used_tls,
    };
    memcpy(foreign->gateway, facts->gateway, sizeof(foreign->gateway));
    foreign->session = (struct session){
        .key = *key,
        .client = &foreign->client,
        .gateway = foreign->gateway,
        .is_foreign = true,
    };
    insert(sessions, &foreign->session);
}

void sessions_drop_foreign(struct sessions *sessions)
{
    struct session *next = NULL;

    for (struct session *session = sessions->first; session; session = next) {
        next = session->next;
        if (session->is_foreign)
            foreign_free(sessions, session);
    }
}

static void facts_of(const struct session *session, struct session_facts *facts_r)
{
    size_t len = strlen(session->gateway);

    *facts_r = (struct session_facts){
        .client = session->client->addr,
        .client_port = session->client->port,
        .server = session->client->destination,
        .server_port = session->client->destination_port,
        .used_tls = session->client->used_tls,
    };
    memcpy(facts_r->gateway, session->gateway, len < sizeof(facts_r->gateway) ? len : 0);
}

void sessions_put_record(const struct session *session, bool is_new, struct buf *out)
{
    struct session_facts facts;
    char text[ADDR_TEXT_MAX];

    attr_put(out, is_new ? "session" : "ended", addr_format(&session->key.addr, text));
    attr_put_uint(out, "port", session->key.port);
    if (is_new) {
        facts_of(session, &facts);
        session_put(&facts, out);
    }
    attr_end(out);
}

int sessions_take_record(struct sessions *sessions, const struct attr_list *record)
{
    const char *began = attr_get(record, "session"), *ended = attr_get(record, "ended");
    struct session_facts facts;
    struct session_key key;
    uint64_t port;

    if ((!began && !ended) || addr_parse(began ? began : ended, &key.addr) ||
        str_parse_u64(attr_get_or_empty(record, "port"), 1, PORT_MAX, &port))
        return -1;
    key.port = (uint16_t)port;
    if (began && session_take(record, &facts))
        return -1;
    forget_foreign(sessions, &key);
    if (began && !sessions_find(sessions, &key))
        add_foreign(sessions, &key, &facts);
    return 0;
}

/* --- our own ----------------------------------------------------------------------------- */

void sessions_add(struct sessions *sessions, struct session *session, const struct session_key *key,
                  const struct door_client *client, const char *gateway)
{
    forget_foreign(sessions, key);
    *session = (struct session){.key = *key, .client = client, .gateway = gateway};
    insert(sessions, session);
}

void sessions_remove(struct sessions *sessions, struct session *session)
{
    if (!session->client)
        return;
    tell(sessions, session, false);
    map_remove(&sessions->map, &session->node);
    if (session->prev)
        session->prev->next = session->next;
    else
        sessions->first = session->next;
    if (session->next)
        session->next->prev = session->prev;
    session->client = NULL;
}

/* --- who asks ---------------------------------------------------------------------------- */

static void put_found(const struct session *session, struct buf *out)
{
    struct session_facts facts;

    facts_of(session, &facts);
    attr_put(out, "found", "yes");
    session_put(&facts, out);
}

static void answer_error(const char *reason, struct buf *out)
{
    attr_put(out, "status", "error");
    attr_put(out, "reason", reason);
    attr_end(out);
}

static void answer_found(const struct session *session, struct buf *out)
{
    if (session)
        put_found(session, out);
    else
        attr_put(out, "found", "no");
    attr_put(out, "status", "ok");
    attr_end(out);
}

static void late_answer_give(struct sessions *sessions, struct late_answer *late)
{
    struct buf *out = service_conn_output(late->conn);

    if (late->prev)
        late->prev->next = late->next;
    else
        sessions->late = late->next;
    if (late->next)
        late->next->prev = late->prev;
    if (out)
        answer_found(sessions_find(sessions, &late->key), out);
    service_conn_finish(late->conn);
    loop_timer_free(&late->timer);
    free(late);
}

static void on_late(void *ctx)
{
    struct late_answer *late = ctx;

    late_answer_give(late->sessions, late);
}

void sessions_answer_late(struct sessions *sessions)
{
    struct late_answer *next = NULL;

    for (struct late_answer *late = sessions->late; late; late = next) {
        next = late->next;
        late_answer_give(sessions, late);
    }
}

static void answer_later(struct sessions *sessions, struct service_conn *conn,
                         const struct session_key *key)
{
    struct late_answer *late = x_calloc(1, sizeof(*late));

    *late = (struct late_answer){.sessions = sessions, .conn = conn, .key = *key};
    late->timer = loop_timer_new(service_conn_loop(conn), on_late, late);
    late->next = sessions->late;
    if (late->next)
        late->next->prev = late;
    sessions->late = late;
    service_conn_wait(conn);
    loop_timer_start(late->timer, LATE_MS);
}

static enum service_step answer_session(struct sessions *sessions, const struct attr_list *request,
                                        struct service_conn *conn)
{
    const struct session *session;
    struct session_key key;
    uint64_t port;

    if (addr_parse(attr_get_or_empty(request, "client_address"), &key.addr) ||
        str_parse_u64(attr_get_or_empty(request, "client_port"), 1, PORT_MAX, &port)) {
        answer_error("client_address and client_port are what the server sees",
                     service_conn_output(conn));
        return SERVICE_NEXT;
    }
    key.port = (uint16_t)port;
    session = sessions_find(sessions, &key);
    if (!session && sessions->is_following) {
        answer_later(sessions, conn, &key);
        return SERVICE_WAIT;
    }
    answer_found(session, service_conn_output(conn));
    return SERVICE_NEXT;
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
        return answer_session(service_conn_ctx(conn), &request, conn);
    answer_error("the one request here is session", service_conn_output(conn));
    return SERVICE_NEXT;
}

const struct service_protocol sessions_protocol = {
    .name = "sessions",
    .input_max = ATTR_LIST_MAX,
    .output_max = OUTPUT_MAX,
    .step = sessions_step,
};
