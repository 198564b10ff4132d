/* SPDX-License-Identifier: MIT */
#ifndef PN_NET_HTTP_STREAM_H
#define PN_NET_HTTP_STREAM_H

#include "common/net/http.h"

struct MHD_Connection;
struct MHD_Response;

/*
 * Bodies that come in pieces, as their sources have them. One that waits for its source
 * is suspended: it costs no CPU.
 */
struct http_stream;

/* Those of one server. */
struct http_streams {
    unsigned unread_sec;    /* until a connection is given up whose bytes nobody acknowledges */
    void (*run)(void *ctx); /* have libmicrohttpd run, soon */
    void *ctx;
    struct http_stream *first;
};

/* The response of such a body, and the stream, which goes with it. */
struct MHD_Response *http_stream_new(struct http_streams *streams,
                                     struct MHD_Connection *connection,
                                     const struct http_source *source, void *ctx,
                                     struct http_stream **stream_r);
void http_stream_wake(struct http_stream *stream);
/* All end where they are, as broken off. */
void http_streams_end(struct http_streams *streams);

#endif
