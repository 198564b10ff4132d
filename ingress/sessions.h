/* SPDX-License-Identifier: MIT */
#ifndef PN_INGRESS_SESSIONS_H
#define PN_INGRESS_SESSIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/addr.h"
#include "common/base/map.h"
#include "common/net/service.h"
#include "common/wire/attr.h"
#include "ingress/door.h"

/*
 * The connections that are forwarded plainly, by what the server sees of them: our own address
 * and a port. The milter and policyd ask with request=session of postern-control(7).
 */
struct session_key {
    struct addr addr;
    uint16_t port;
};

/* Of a connection, as is what it points to. */
struct session {
    struct map_node node;
    struct session_key key;
    const struct door_client *client; /* NULL: in no table */
    const char *gateway;              /* its name; "": it came without one */
    struct session *prev, *next;      /* the newest first */
    bool is_foreign;                  /* of the process before this one */
};

/* One came into the table, or is about to leave it. */
typedef void (*sessions_fn)(const struct session *session, bool is_new, void *ctx);

struct sessions {
    struct map map;
    struct session *first;
    sessions_fn on_change; /* NULL: nobody listens */
    void *ctx;
    bool is_following; /* another process tells of its own: one that is missing may come yet */
    struct late_answer *late;
};

void sessions_init(struct sessions *sessions);
/* Nothing of our own may be in it. */
void sessions_fini(struct sessions *sessions);
/* Answers are given that were put off; before the service ends. */
void sessions_answer_late(struct sessions *sessions);

/* key is not that of another connection of ours: two sockets cannot share it. */
void sessions_add(struct sessions *sessions, struct session *session, const struct session_key *key,
                  const struct door_client *client, const char *gateway);
/* Nothing happens to one that is in no table. */
void sessions_remove(struct sessions *sessions, struct session *session);
const struct session *sessions_find(const struct sessions *sessions, const struct session_key *key);

/*
 * The sessions of another process, as records: one that is there, or one that ended (is_new
 * false). 0, or -1 when the record is neither.
 */
void sessions_put_record(const struct session *session, bool is_new, struct buf *out);
int sessions_take_record(struct sessions *sessions, const struct attr_list *record)
    __attribute__((warn_unused_result));
/* That process is gone. */
void sessions_drop_foreign(struct sessions *sessions);

/* ctx of the service is a struct sessions. */
extern const struct service_protocol sessions_protocol;

#endif
