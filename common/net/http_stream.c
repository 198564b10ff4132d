/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/net/http_stream.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <microhttpd.h>

#include "common/base/bug.h"
#include "common/base/mem.h"

struct http_stream {
    struct http_streams *streams;
    struct http_stream *prev;
    struct http_stream *next;
    struct MHD_Connection *connection;
    const struct http_source *source;
    void *ctx;
    struct buf piece;
    size_t sent; /* of it */
    bool waiting;
    bool over; /* nothing comes after the piece */
    bool broken;
};

static ssize_t hand_over(struct http_stream *stream, char *out, size_t max)
{
    size_t len = stream->piece.len - stream->sent;

    if (len > max)
        len = max;
    memcpy(out, stream->piece.data + stream->sent, len);
    stream->sent += len;
    if (stream->sent == stream->piece.len) {
        buf_reset(&stream->piece);
        stream->sent = 0;
    }
    return (ssize_t)len;
}

/* A reader that answers 0 is asked again at once, for ever, unless its connection sleeps. */
static ssize_t on_read(void *ctx, uint64_t at, char *out, size_t max)
{
    struct http_stream *stream = ctx;

    (void)at;
    if (stream->broken)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    if (!stream->piece.len && !stream->over)
        stream->over = stream->source->more(stream->ctx, &stream->piece);
    if (stream->piece.len)
        return hand_over(stream, out, max);
    if (stream->over)
        return MHD_CONTENT_READER_END_OF_STREAM;
    stream->waiting = true;
    MHD_suspend_connection(stream->connection);
    return 0;
}

static void on_free(void *ctx)
{
    struct http_stream *stream = ctx;

    if (stream->prev)
        stream->prev->next = stream->next;
    else
        stream->streams->first = stream->next;
    if (stream->next)
        stream->next->prev = stream->prev;
    stream->source->gone(stream->ctx);
    buf_fini(&stream->piece);
    free(stream);
}

/*
 * A peer behind a tunnel that is down does not close: without this its connection would
 * take a place until TCP gives up, a quarter of an hour later.
 */
static void limit_silence(const struct http_stream *stream)
{
    unsigned ms = stream->streams->unread_sec * 1000;
    int fd =
        MHD_get_connection_info(stream->connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;

    /* On a Unix socket there is no such thing, nor a need for it. */
    (void)!setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof(ms));
}

struct MHD_Response *http_stream_new(struct http_streams *streams,
                                     struct MHD_Connection *connection,
                                     const struct http_source *source, void *ctx,
                                     struct http_stream **stream_r)
{
    struct http_stream *stream = x_calloc(1, sizeof(*stream));
    struct MHD_Response *response;

    *stream = (struct http_stream){.streams = streams,
                                   .next = streams->first,
                                   .connection = connection,
                                   .source = source,
                                   .ctx = ctx};
    if (stream->next)
        stream->next->prev = stream;
    streams->first = stream;
    limit_silence(stream);
    response =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, HTTP_PIECE, on_read, stream, on_free);
    BUG_ON(!response);
    *stream_r = stream;
    return response;
}

void http_stream_wake(struct http_stream *stream)
{
    if (!stream->waiting)
        return;
    stream->waiting = false;
    MHD_resume_connection(stream->connection);
    stream->streams->run(stream->streams->ctx);
}

void http_streams_end(struct http_streams *streams)
{
    for (struct http_stream *stream = streams->first; stream; stream = stream->next) {
        stream->broken = true;
        http_stream_wake(stream);
    }
}
