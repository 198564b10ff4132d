/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/wire/pp_tlv.h"

#define HEAD_LEN     3 /* type and length */
#define SSL_HEAD_LEN 5 /* client and verify */
#define CRC_LEN      4

/* What is there of a TLV's type and length. */
struct head {
    uint8_t type;
    size_t len; /* with what is missing as zero: it is no less than that */
    bool is_whole;
};

/* have is at least 1. */
static struct head read_head(const uint8_t *bytes, size_t have)
{
    size_t hi = have > 1 ? bytes[1] : 0, lo = have > 2 ? bytes[2] : 0;

    return (struct head){bytes[0], hi << 8 | lo, have >= HEAD_LEN};
}

/* left: the bytes of the area behind this head. */
static enum pp_status judge_head(const struct head *head, size_t left)
{
    /* the last byte of a length, still missing, makes it 255 or more */
    size_t most = head->is_whole ? head->len : SIZE_MAX;

    if (head->type == PP_TLV_CRC32C && (left < CRC_LEN || head->len > CRC_LEN || most < CRC_LEN))
        return PP_BAD_CRC_FORM;
    if (head->type == PP_TLV_UNIQUE_ID && head->len > PP_UNIQUE_ID_MAX)
        return PP_BAD_UNIQUE_ID;
    if (head->type == PP_TLV_SSL && (left < SSL_HEAD_LEN || most < SSL_HEAD_LEN))
        return PP_BAD_SSL;
    return head->len > left ? PP_BAD_TLV : PP_OK;
}

static enum pp_status check_ssl(const uint8_t *bytes, size_t have, size_t len)
{
    size_t at = SSL_HEAD_LEN;

    while (at < len) {
        if (len - at < HEAD_LEN)
            return PP_BAD_SSL;
        if (at >= have)
            return PP_MORE;
        struct head head = read_head(bytes + at, have - at);
        if (head.len > len - at - HEAD_LEN)
            return PP_BAD_SSL;
        if (!head.is_whole)
            return PP_MORE;
        at += HEAD_LEN + head.len;
    }
    return have < len ? PP_MORE : PP_OK;
}

static enum pp_status check_padding(const uint8_t *bytes, size_t at, size_t have, size_t len)
{
    for (; at < len && at < have; at++) {
        if (bytes[at])
            return PP_BAD_TLV;
    }
    return have < len ? PP_MORE : PP_OK;
}

/* The TLV at *at_r of the area, as far as it is there; PP_OK leaves *at_r behind it. */
static enum pp_status check_one(const uint8_t *bytes, size_t have, size_t len, size_t *at_r,
                                size_t *crc_at_r)
{
    size_t at = *at_r, value_at = at + HEAD_LEN;

    if (at >= have)
        return PP_MORE;
    struct head head = read_head(bytes + at, have - at);
    if (head.type == PP_TLV_CRC32C && *crc_at_r != len)
        return PP_BAD_CRC_FORM;
    enum pp_status status = judge_head(&head, len - value_at);
    if (status != PP_OK)
        return status;
    if (!head.is_whole)
        return PP_MORE;
    if (head.type == PP_TLV_CRC32C)
        *crc_at_r = value_at;
    *at_r = value_at + head.len;
    if (head.type != PP_TLV_SSL)
        return PP_OK;
    size_t value_have = have - value_at < head.len ? have - value_at : head.len;
    return check_ssl(bytes + value_at, value_have, head.len);
}

enum pp_status pp_tlv_check(const uint8_t *bytes, size_t have, size_t len, size_t *crc_at_r)
{
    size_t at = 0;

    *crc_at_r = len;
    while (len - at >= HEAD_LEN) {
        enum pp_status status = check_one(bytes, have, len, &at, crc_at_r);
        if (status != PP_OK)
            return status;
    }
    return check_padding(bytes, at, have, len);
}

bool pp_tlv_next(const uint8_t *tlvs, size_t len, size_t *at, struct pp_tlv *tlv_r)
{
    if (*at >= len || len - *at < HEAD_LEN)
        return false;
    struct head head = read_head(tlvs + *at, HEAD_LEN);
    if (head.len > len - *at - HEAD_LEN)
        return false;
    *tlv_r = (struct pp_tlv){head.type, tlvs + *at + HEAD_LEN, head.len};
    *at += HEAD_LEN + head.len;
    return true;
}

bool pp_tlv_ssl(const struct pp_tlv *tlv, struct pp_ssl *ssl_r)
{
    if (tlv->type != PP_TLV_SSL || tlv->len < SSL_HEAD_LEN)
        return false;
    const uint8_t *verify = tlv->value + 1;
    *ssl_r = (struct pp_ssl){
        .client = tlv->value[0],
        .verify = (uint32_t)verify[0] << 24 | (uint32_t)verify[1] << 16 | (uint32_t)verify[2] << 8 |
                  verify[3],
        .tlvs = tlv->value + SSL_HEAD_LEN,
        .tlvs_len = tlv->len - SSL_HEAD_LEN,
    };
    return true;
}

bool pp_tlv_used_tls(const uint8_t *tlvs, size_t len)
{
    struct pp_tlv tlv;
    struct pp_ssl ssl;
    size_t at = 0;

    while (pp_tlv_next(tlvs, len, &at, &tlv)) {
        if (pp_tlv_ssl(&tlv, &ssl))
            return (ssl.client & PP_SSL_CLIENT) != 0;
    }
    return false;
}
