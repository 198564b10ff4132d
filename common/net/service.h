/* SPDX-License-Identifier: MIT */
#ifndef PN_NET_SERVICE_H
#define PN_NET_SERVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/net/listener.h"
#include "common/net/stream.h"

/*
 * A listener that serves one protocol of requests and answers: the part that
 * policy delegation, socketmap and the control socket have in common.
 */
#define SERVICE_STOP_MS 3000

struct service;
struct service_conn;

enum service_step {
    SERVICE_MORE,   /* no whole request yet */
    SERVICE_NEXT,   /* one taken from the input and answered */
    SERVICE_WAIT,   /* one taken after service_conn_wait(); its answer comes now or later */
    SERVICE_STREAM, /* one taken; `more` writes the answer piece by piece */
    SERVICE_CLOSE,  /* what came is no request, `reason` says why: close without an answer */
};

struct service_protocol {
    const char *name;  /* for the log */
    size_t input_max;  /* bytes of the longest request */
    size_t output_max; /* bytes of answers that a peer may leave unread */
    /* Look for one request at the start of `in`; take it with buf_consume(). */
    enum service_step (*step)(struct service_conn *conn, struct buf *in, const char **reason_r);
    /* After SERVICE_STREAM, and then each time all output is sent: true when the answer is whole.
     */
    bool (*more)(struct service_conn *conn);
    /* The connection ends while a stream is under way or its state is not NULL; may be NULL. */
    void (*abandon)(struct service_conn *conn);
};

struct service_options {
    int fd; /* from listener_bind(), owned from now on */
    bool is_unix;
    size_t max_connections;
    const struct prefixlist *from; /* whose TCP connections are taken; NULL or empty: all */
    size_t request_max;            /* bytes, where that is less than the protocol's input_max */
    size_t memory_max;             /* of all connections together, stream_memory's */
    int64_t idle_ms;
    int64_t request_ms; /* from the first byte of a request to its last, and to read its answer */
    int64_t stop_ms;    /* from the stop to the last request; 0: SERVICE_STOP_MS */
    const struct service_protocol *protocol;
    void *ctx;
};

struct service *service_new(struct loop *loop, const struct service_options *options);
/*
 * Stop accepting. Who is connected goes on for stop_ms; then only answers that are due are
 * still given, and all else is closed: who never ends to ask does not keep us from ending.
 */
void service_stop(struct service *service);
/* That end at once: whose answer is not due any more is closed, and nobody else is heard. */
void service_last_call(struct service *service);
/* Nothing may wait for an answer. */
void service_free(struct service **service);

/* Whether anybody has sent half a request or waits for an answer, or for the rest of one. */
bool service_is_busy(const struct service *service);

size_t service_connection_count(const struct service *service);
/* Requests that were closed without an answer. */
uint64_t service_bad_count(const struct service *service);

void *service_conn_ctx(const struct service_conn *conn);
bool service_conn_is_unix(const struct service_conn *conn);
/* The peer's address for log lines, or "unix". */
const char *service_conn_peer(const struct service_conn *conn, char text[ADDR_TEXT_MAX]);
/* Where the answer goes; NULL when the peer is gone meanwhile. */
struct buf *service_conn_output(struct service_conn *conn);
/*
 * From wait to finish an answer is due: no further request is read, and conn stays
 * even if its peer goes. finish may come before the step returned; afterwards conn
 * may be gone. stream instead of finish: `more` writes the answer from now on.
 */
void service_conn_wait(struct service_conn *conn);
void service_conn_finish(struct service_conn *conn);
void service_conn_stream(struct service_conn *conn);
/* Send what was appended to the output outside of a step. */
void service_conn_push(struct service_conn *conn);

/* For the protocol's timers. */
struct loop *service_conn_loop(const struct service_conn *conn);

/* The protocol's own state: of a stream under way, or of whatever lasts for longer. */
void **service_conn_state(struct service_conn *conn);

#endif
