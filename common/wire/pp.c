/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/wire/pp.h"

#include <stdio.h>
#include <string.h>

#include "common/wire/crc32c.h"
#include "common/wire/pp_tlv.h"
#include "common/wire/pp_v1.h"

#define SIGNATURE_LEN 12
#define FIXED_LEN     16 /* signature, command, family, length */

static const uint8_t signature[SIGNATURE_LEN] = {0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d,
                                                 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};

/* The bytes of one address of a family; two of them and, where it has ports, two ports follow. */
static size_t address_len(enum pp_family family)
{
    static const size_t lengths[] = {
        [PP_UNSPEC] = 0, [PP_IPV4] = 4, [PP_IPV6] = 16, [PP_UNIX] = PP_UNIX_LEN};
    return lengths[family];
}

static size_t block_len(enum pp_family family)
{
    bool has_ports = family == PP_IPV4 || family == PP_IPV6;
    return 2 * address_len(family) + (has_ports ? 4 : 0);
}

static enum pp_status read_command(uint8_t byte, struct pp_header *header)
{
    if (byte >> 4 != 2)
        return PP_BAD_VERSION;
    if ((byte & 15) > 1)
        return PP_BAD_COMMAND;
    header->kind = (byte & 15) == 0 ? PP_KIND_LOCAL : PP_KIND_PROXY;
    return PP_OK;
}

static enum pp_status read_family(uint8_t byte, struct pp_header *header)
{
    unsigned family = byte >> 4, transport = byte & 15;

    if (header->kind == PP_KIND_LOCAL)
        return PP_OK;
    if (family > PP_UNIX)
        return PP_BAD_FAMILY;
    if (transport > PP_DGRAM)
        return PP_BAD_TRANSPORT;
    if (family == PP_UNSPEC || transport == PP_TRANSPORT_UNSPEC) {
        header->kind = PP_KIND_UNSPEC;
        return PP_OK;
    }
    header->family = (enum pp_family)family;
    header->transport = (enum pp_transport)transport;
    return PP_OK;
}

/* have: 1 or 2 bytes of the length are there. */
static enum pp_status read_len(const uint8_t *bytes, size_t have, const struct pp_header *header,
                               size_t *total_r)
{
    size_t low = (size_t)bytes[0] << 8 | (have > 1 ? bytes[1] : 0);

    if (FIXED_LEN + low > PP_HEADER_MAX)
        return PP_TOO_LONG;
    if (have < 2)
        return PP_MORE;
    if (low < block_len(header->family))
        return PP_BAD_LEN;
    *total_r = FIXED_LEN + low;
    return PP_OK;
}

/* The first FIXED_LEN bytes, as far as they are there. */
static enum pp_status read_fixed(const uint8_t *bytes, size_t len, struct pp_header *header,
                                 size_t *total_r)
{
    enum pp_status status = PP_OK;

    if (memcmp(bytes, signature, len < SIGNATURE_LEN ? len : SIGNATURE_LEN) != 0)
        return PP_BAD_SIGNATURE;
    if (len > SIGNATURE_LEN)
        status = read_command(bytes[SIGNATURE_LEN], header);
    if (status == PP_OK && len > SIGNATURE_LEN + 1)
        status = read_family(bytes[SIGNATURE_LEN + 1], header);
    if (status != PP_OK)
        return status;
    if (len < FIXED_LEN - 1)
        return PP_MORE;
    return read_len(bytes + FIXED_LEN - 2, len - (FIXED_LEN - 2), header, total_r);
}

static uint16_t read_port(const uint8_t *bytes)
{
    return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static void read_addresses(const uint8_t *block, struct pp_header *header)
{
    size_t len = address_len(header->family);

    memcpy(header->src.bytes, block, len);
    memcpy(header->dst.bytes, block + len, len);
    if (header->family != PP_UNIX) {
        header->src.port = read_port(block + 2 * len);
        header->dst.port = read_port(block + 2 * len + 2);
    }
}

/* Whether the four bytes at crc_at are the checksum of all, themselves taken as zero. */
static bool has_its_crc(const uint8_t *bytes, size_t len, size_t crc_at)
{
    static const uint8_t zero[4];
    const uint8_t *value = bytes + crc_at;
    uint32_t crc = crc32c_add(0, bytes, crc_at);

    crc = crc32c_add(crc, zero, sizeof(zero));
    crc = crc32c_add(crc, value + sizeof(zero), len - crc_at - sizeof(zero));
    return crc == ((uint32_t)value[0] << 24 | (uint32_t)value[1] << 16 | (uint32_t)value[2] << 8 |
                   value[3]);
}

/* What the header says of a client, in bytes[0..have) of its total bytes. */
static enum pp_status read_client(const uint8_t *bytes, size_t have, size_t total,
                                  struct pp_header *header)
{
    size_t tlvs_at = FIXED_LEN + block_len(header->family), crc_at;

    if (have < tlvs_at)
        return PP_MORE;
    header->tlvs = bytes + tlvs_at;
    header->tlvs_len = total - tlvs_at;
    enum pp_status status = pp_tlv_check(header->tlvs, have - tlvs_at, header->tlvs_len, &crc_at);
    if (status != PP_OK)
        return status;
    if (crc_at < header->tlvs_len && !has_its_crc(bytes, total, tlvs_at + crc_at))
        return PP_BAD_CRC;
    read_addresses(bytes + FIXED_LEN, header);
    header->is_tcp = header->family != PP_UNIX && header->transport == PP_STREAM;
    header->used_tls = pp_tlv_used_tls(header->tlvs, header->tlvs_len);
    return PP_OK;
}

static enum pp_status parse_v2(const uint8_t *bytes, size_t len, struct pp_header *header,
                               size_t *consumed_r)
{
    size_t total = 0;
    enum pp_status status = read_fixed(bytes, len, header, &total);

    if (status != PP_OK)
        return status;
    size_t have = len < total ? len : total;
    *consumed_r = total;
    if (header->kind == PP_KIND_PROXY)
        return read_client(bytes, have, total, header);
    return have < total ? PP_MORE : PP_OK;
}

enum pp_status pp_parse(const uint8_t *bytes, size_t len, struct pp_header *header_r,
                        size_t *consumed_r)
{
    *header_r = (struct pp_header){0};
    if (!len)
        return PP_MORE;
    bool is_v2 = bytes[0] == signature[0];
    enum pp_status status = is_v2 ? parse_v2(bytes, len, header_r, consumed_r)
                                  : pp_v1_parse(bytes, len, header_r, consumed_r);
    if (status != PP_BAD_SIGNATURE)
        header_r->version = is_v2 ? 2 : 1;
    return status;
}

const char *pp_strstatus(enum pp_status status)
{
    static const char *const words[] = {
        [PP_OK] = "complete",
        [PP_MORE] = "incomplete",
        [PP_BAD_SIGNATURE] = "not a PROXY header",
        [PP_BAD_SEPARATOR] = "no single space between two fields",
        [PP_BAD_PROTOCOL] = "protocol that is not TCP4, TCP6 or UNKNOWN",
        [PP_BAD_ADDRESS] = "not an address of its family",
        [PP_BAD_PORT] = "port that is not a number from 0 to 65535",
        [PP_BAD_LINE_END] = "no CR LF behind the ports",
        [PP_BAD_LINE_LEN] = "no CR LF within 107 bytes",
        [PP_BAD_VERSION] = "unknown version",
        [PP_BAD_COMMAND] = "unknown command",
        [PP_BAD_FAMILY] = "unknown address family",
        [PP_BAD_TRANSPORT] = "unknown transport",
        [PP_BAD_LEN] = "too short for its addresses",
        [PP_TOO_LONG] = "too long",
        [PP_BAD_TLV] = "TLV that reaches past the header",
        [PP_BAD_UNIQUE_ID] = "unique ID too long",
        [PP_BAD_SSL] = "broken SSL TLV",
        [PP_BAD_CRC_FORM] = "two checksums, or one that is not four bytes",
        [PP_BAD_CRC] = "wrong checksum",
    };
    return words[status];
}

const char *pp_strkind(enum pp_kind kind)
{
    static const char *const words[] = {
        [PP_KIND_PROXY] = "on behalf of a client",
        [PP_KIND_LOCAL] = "LOCAL: the gateway's own connection",
        [PP_KIND_UNKNOWN] = "UNKNOWN: the gateway does not know the client",
        [PP_KIND_UNSPEC] = "PROXY without an address family or a transport",
    };
    return words[kind];
}

struct addr pp_addr(const struct pp_header *header, const struct pp_end *end)
{
    if (header->family == PP_IPV4)
        return addr_from_ipv4(end->bytes);
    if (header->family == PP_IPV6)
        return addr_from_ipv6(end->bytes);
    return (struct addr){0};
}

const char *pp_format(const struct pp_header *header, const struct pp_end *end,
                      char out[PP_TEXT_MAX])
{
    struct addr addr = pp_addr(header, end);
    bool folded = header->family == PP_IPV6 && addr.family == ADDR_IPV4;
    bool is_abstract = !end->bytes[0] && end->bytes[1];
    char text[ADDR_TEXT_MAX];

    if (header->family == PP_UNIX)
        snprintf(out, PP_TEXT_MAX, "unix:%s%.*s", is_abstract ? "@" : "", PP_UNIX_LEN - is_abstract,
                 (const char *)end->bytes + is_abstract);
    else
        snprintf(out, PP_TEXT_MAX, "%s%s", folded ? "::ffff:" : "", addr_format(&addr, text));
    return out;
}
