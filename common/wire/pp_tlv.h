/* SPDX-License-Identifier: MIT */
#ifndef PN_WIRE_PP_TLV_H
#define PN_WIRE_PP_TLV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/wire/pp.h"

/*
 * What a version 2 header carries behind the addresses: a type of one byte, a length of two,
 * a value (section 2.2). Types that nobody asks for are skipped; one may come twice.
 */
#define PP_TLV_CRC32C    0x03
#define PP_TLV_UNIQUE_ID 0x05
#define PP_TLV_SSL       0x20
#define PP_UNIQUE_ID_MAX 128  /* section 2.2.5 */
#define PP_SSL_CLIENT    0x01 /* bit of pp_ssl.client: the client came over TLS */

struct pp_tlv {
    uint8_t type;
    const uint8_t *value; /* in the bytes that were parsed */
    size_t len;
};

/* The value of PP_TLV_SSL, section 2.2.6. */
struct pp_ssl {
    uint8_t client;      /* bits: TLS, certificate on this connection, in this session */
    uint32_t verify;     /* 0: the client's certificate is good */
    const uint8_t *tlvs; /* of a second level, types 0x21 and up */
    size_t tlvs_len;
};

/*
 * The TLV at *at of a header's or an SSL value's tlvs, and *at behind it; begin with 0. False
 * at the end. Never past it, whatever the bytes are.
 */
bool pp_tlv_next(const uint8_t *tlvs, size_t len, size_t *at, struct pp_tlv *tlv_r);

/* False for a TLV of another type, or one that is too short. */
bool pp_tlv_ssl(const struct pp_tlv *tlv, struct pp_ssl *ssl_r);

/* Whether the first SSL TLV says that the client came over TLS. */
bool pp_tlv_used_tls(const uint8_t *tlvs, size_t len);

/*
 * Judge an area of len bytes of which have are there, for pp_parse(): PP_MORE while it can
 * still become good. crc_at_r: where the value of the checksum begins, or len.
 */
enum pp_status pp_tlv_check(const uint8_t *bytes, size_t have, size_t len, size_t *crc_at_r)
    __attribute__((warn_unused_result));

#endif
