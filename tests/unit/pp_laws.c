/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "tests/unit/pp_laws.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/bug.h"
#include "common/base/mem.h"
#include "common/wire/pp_tlv.h"
#include "common/wire/pp_write.h"

/* Of longer input the beginnings between these are left out: they are values of TLVs. */
#define FIRST_BEGINNINGS 320
#define LAST_BEGINNINGS  24

static uint8_t *copy_of(const uint8_t *bytes, size_t len)
{
    uint8_t *copy = x_malloc(len);

    if (len)
        memcpy(copy, bytes, len);
    return copy;
}

enum pp_status pp_laws_parse(const uint8_t *bytes, size_t len, struct pp_header *header_r,
                             size_t *consumed_r)
{
    uint8_t *copy = copy_of(bytes, len);
    enum pp_status status = pp_parse(copy, len, header_r, consumed_r);

    free(copy);
    header_r->tlvs = NULL;
    return status;
}

/* A wrong checksum is known with the last byte: that far the bytes came. */
static void check_next(const uint8_t *bytes, size_t len)
{
    uint8_t *longer = x_malloc(len + 1);
    struct pp_header header;
    size_t consumed;
    bool found = false;

    if (len)
        memcpy(longer, bytes, len);
    for (unsigned byte = 0; byte < 256 && !found; byte++) {
        longer[len] = (uint8_t)byte;
        enum pp_status status = pp_parse(longer, len + 1, &header, &consumed);
        found = status == PP_OK || status == PP_MORE || status == PP_BAD_CRC;
    }
    BUG_ON(!found);
    free(longer);
}

static size_t check_area(const uint8_t *tlvs, size_t len)
{
    struct pp_tlv tlv;
    struct pp_ssl ssl;
    size_t at = 0, before = 0;

    while (pp_tlv_next(tlvs, len, &at, &tlv)) {
        BUG_ON(at > len || tlv.value < tlvs + before || tlv.value + tlv.len != tlvs + at);
        before = at;
        if (pp_tlv_ssl(&tlv, &ssl))
            check_area(ssl.tlvs, ssl.tlvs_len);
    }
    return len - at;
}

static void check_written(void (*write)(struct buf *, const struct pp_tcp *),
                          const struct pp_tcp *tcp)
{
    struct pp_header header;
    struct buf out = {0};
    size_t consumed = 0;

    write(&out, tcp);
    BUG_ON(pp_parse(out.data, out.len, &header, &consumed) != PP_OK);
    BUG_ON(consumed != out.len || header.kind != PP_KIND_PROXY || header.transport != PP_STREAM);
    struct addr src = pp_addr(&header, &header.src), dst = pp_addr(&header, &header.dst);
    BUG_ON(!addr_eq(&src, &tcp->src) || !addr_eq(&dst, &tcp->dst));
    BUG_ON(header.src.port != tcp->src_port || header.dst.port != tcp->dst_port);
    buf_fini(&out);
}

static void check_header(const struct pp_header *header)
{
    char text[PP_TEXT_MAX];

    BUG_ON(header->version != 1 && header->version != 2);
    BUG_ON(!*pp_strkind(header->kind) || !*pp_format(header, &header->src, text));
    BUG_ON((header->kind == PP_KIND_PROXY) != (header->family != PP_UNSPEC));
    BUG_ON((header->kind == PP_KIND_PROXY) != (header->transport != PP_TRANSPORT_UNSPEC));
    BUG_ON(check_area(header->tlvs, header->tlvs_len) >= 3);
    BUG_ON(header->is_tcp != (header->transport == PP_STREAM && header->family != PP_UNIX));
    BUG_ON(header->used_tls && header->tlvs_len < 8);
    if (!header->is_tcp)
        return;
    struct pp_tcp tcp = {pp_addr(header, &header->src), pp_addr(header, &header->dst),
                         header->src.port, header->dst.port};
    check_written(pp_write_v1, &tcp);
    check_written(pp_write_v2, &tcp);
}

/* bytes[0..len) must be answered with MORE before the bytes that decide, then with status. */
static void check_beginning(const uint8_t *bytes, size_t len, enum pp_status status,
                            size_t *decided_at)
{
    struct pp_header header;
    size_t consumed = 0;
    enum pp_status own = pp_laws_parse(bytes, len, &header, &consumed);

    BUG_ON(own != PP_MORE && own != status);
    if (own == PP_MORE) {
        BUG_ON(*decided_at != SIZE_MAX);
        check_next(bytes, len);
    } else if (*decided_at == SIZE_MAX) {
        *decided_at = len;
    }
    BUG_ON(own == PP_OK && consumed > len);
}

void pp_laws_check(const uint8_t *bytes, size_t len)
{
    uint8_t *copy = copy_of(bytes, len);
    struct pp_header header;
    size_t consumed = 0, decided_at = SIZE_MAX;
    enum pp_status status = pp_parse(copy, len, &header, &consumed);

    BUG_ON(!*pp_strstatus(status));
    size_t end = status == PP_OK ? consumed : len;
    BUG_ON(end > len);
    for (size_t at = 0; at < end; at++) {
        if (at < FIRST_BEGINNINGS || end - at <= LAST_BEGINNINGS)
            check_beginning(bytes, at, status, &decided_at);
    }
    if (status == PP_OK) {
        BUG_ON(decided_at != SIZE_MAX || consumed > PP_HEADER_MAX);
        check_beginning(bytes, consumed, status, &decided_at);
        check_header(&header);
    } else {
        check_beginning(bytes, len, status, &decided_at);
        BUG_ON(status == PP_MORE && len >= PP_HEADER_MAX);
    }
    free(copy);
}
