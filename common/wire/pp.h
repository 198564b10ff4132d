/* SPDX-License-Identifier: MIT */
#ifndef PN_WIRE_PP_H
#define PN_WIRE_PP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/addr.h"

/*
 * The PROXY protocol, versions 1 and 2: what a gateway sends before a client's own bytes.
 * doc/proxy-protocol.txt of HAProxy; "section" means that text.
 *
 * Strict: what the text does not allow is refused. Tolerant of one thing only, that TCP may
 * split a header anywhere. Where the text contradicts itself:
 * - A partial version 2 header "must be rejected" and may be "one byte at a time": it is
 *   PP_MORE. How long to wait is the caller's business.
 * - The 13th byte of version 2 is 0x20 in the prose on detection, which is LOCAL alone, and is
 *   masked with 0xf0 in the sample code: the code is right.
 * - Undefined families and transports "must be rejected"; of LOCAL the family "is ignored", and
 *   "the receiver must accept": LOCAL is accepted whatever its block holds.
 * - Valid pairs that are none of the seven listed, such as AF_INET with UNSPEC, fall back to
 *   UNSPEC.
 * - "Any sequence which does not exactly match" is refused, and "anything" behind UNKNOWN is
 *   ignored: the word must end with a space or CR LF, then all is ignored up to CR LF.
 * - A TLV cannot be shorter than three bytes, yet senders pad with zero bytes by any number: one
 *   or two zero bytes behind the last TLV are padding, other bytes there are a broken TLV.
 */
#define PP_V1_MAX 107 /* a version 1 line with its CR LF, section 2.1 */
/*
 * A whole version 2 header. The text allows 65551 bytes and expects less than 536; nginx reads
 * 4096, enough for a client's certificate as a TLV, and so do we.
 */
#define PP_HEADER_MAX 4096
#define PP_UNIX_LEN   108 /* the address of a Unix socket, section 2.2 */

enum pp_status {
    PP_OK,
    PP_MORE,          /* the beginning of a header: come back with more bytes */
    PP_BAD_SIGNATURE, /* not a PROXY header */
    PP_BAD_SEPARATOR, /* 1: no single space between two fields */
    PP_BAD_PROTOCOL,  /* 1: none of TCP4, TCP6, UNKNOWN */
    PP_BAD_ADDRESS,   /* 1: not an address of that family */
    PP_BAD_PORT,      /* 1: not a number from 0 to 65535, or with a leading zero */
    PP_BAD_LINE_END,  /* 1: something else than CR LF behind the ports */
    PP_BAD_LINE_LEN,  /* 1: no CR LF within PP_V1_MAX bytes */
    PP_BAD_VERSION,   /* 2: the signature of version 2, another version */
    PP_BAD_COMMAND,   /* 2: neither LOCAL nor PROXY */
    PP_BAD_FAMILY,    /* 2: undefined address family */
    PP_BAD_TRANSPORT, /* 2: undefined transport */
    PP_BAD_LEN,       /* 2: shorter than the addresses of its family */
    PP_TOO_LONG,      /* 2: longer than PP_HEADER_MAX */
    PP_BAD_TLV,       /* 2: a TLV reaches past the header */
    PP_BAD_UNIQUE_ID, /* 2: longer than PP_UNIQUE_ID_MAX */
    PP_BAD_SSL,       /* 2: an SSL TLV that is not whole */
    PP_BAD_CRC_FORM,  /* 2: two checksums, or one that is not four bytes */
    PP_BAD_CRC,       /* 2: a wrong checksum */
};

enum pp_kind {
    PP_KIND_PROXY,   /* on behalf of src */
    PP_KIND_LOCAL,   /* 2: LOCAL, the gateway's own connection: a health check */
    PP_KIND_UNKNOWN, /* 1: UNKNOWN, the gateway could not tell */
    PP_KIND_UNSPEC,  /* 2: PROXY without an address family or without a transport */
};

/* As version 2 numbers them. */
enum pp_family { PP_UNSPEC, PP_IPV4, PP_IPV6, PP_UNIX };
enum pp_transport { PP_TRANSPORT_UNSPEC, PP_STREAM, PP_DGRAM };

/* One end of the client's connection. */
struct pp_end {
    uint8_t bytes[PP_UNIX_LEN]; /* the address as sent: 4, 16 or all, by the family */
    uint16_t port;              /* 0 with PP_UNIX */
};

/*
 * A parsed header. Of every kind but PP_KIND_PROXY the socket's own addresses count: nothing
 * else is filled in, and nothing of what such a header carries was looked at. Unix sockets and
 * datagrams are reported, for the caller to refuse where it serves TCP.
 */
struct pp_header {
    uint8_t version;
    enum pp_kind kind;
    enum pp_family family;
    enum pp_transport transport;
    struct pp_end src, dst;
    bool is_tcp;         /* TCP over IPv4 or IPv6: what a server of TCP can take on */
    bool used_tls;       /* its first SSL TLV says that the client came over TLS */
    const uint8_t *tlvs; /* checked, in the bytes that were parsed; pp_tlv.h reads them */
    size_t tlvs_len;
};

/*
 * Read the header at the start of bytes[0..len). PP_OK fills header_r and says in consumed_r
 * how many bytes are the header; the rest is the client's. Of every other answer only
 * header_r->version counts: 1, 2, or 0 while the bytes are neither's.
 *
 * PP_MORE is given only while some bytes can follow that make the header good, so a refusal
 * comes with the first byte that makes it certain; it is final. Only the checksum is judged
 * when the header is whole.
 */
enum pp_status pp_parse(const uint8_t *bytes, size_t len, struct pp_header *header_r,
                        size_t *consumed_r) __attribute__((warn_unused_result));

const char *pp_strstatus(enum pp_status status);
const char *pp_strkind(enum pp_kind kind);

/*
 * The address of an end of the header, ::ffff:a.b.c.d folded to IPv4: the edge where that
 * happens. ADDR_NONE for a Unix socket and where the header has no addresses.
 */
struct addr pp_addr(const struct pp_header *header, const struct pp_end *end);

/*
 * The address as it was sent, for people, into out, which is returned: ::ffff:a.b.c.d stays
 * that, a Unix socket is "unix:PATH" ("unix:@NAME" for an abstract one) with whatever bytes it
 * has, and no address is "none".
 */
#define PP_TEXT_MAX 128
const char *pp_format(const struct pp_header *header, const struct pp_end *end,
                      char out[PP_TEXT_MAX]);

#endif
