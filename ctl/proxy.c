/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/base/str.h"
#include "common/wire/pp.h"
#include "common/wire/pp_tlv.h"
#include "ctl/ctl.h"
#include "ctl/output.h"

#define TLV_AWS 0xea /* PP2_TYPE_AWS, of the types that are each sender's own */

/* What standard input began with, and what it is. The TLVs of header lie in bytes. */
struct reading {
    uint8_t bytes[PP_HEADER_MAX];
    size_t len, header_len;
    enum pp_status status;
    struct pp_header header;
};

/* Answers as soon as it is certain: what follows is the client's, and may be long in coming. */
static int read_header(struct reading *reading, struct error *error_r)
{
    ssize_t got = 0;

    do {
        reading->len += (size_t)got;
        reading->status =
            pp_parse(reading->bytes, reading->len, &reading->header, &reading->header_len);
        if (reading->status != PP_MORE)
            return 0;
        do
            got = read(STDIN_FILENO, reading->bytes + reading->len,
                       sizeof(reading->bytes) - reading->len);
        while (got < 0 && errno == EINTR);
    } while (got > 0);
    return got < 0 ? error_set_errno(error_r, "cannot read standard input") : 0;
}

static json_t *hex_json(const struct pp_tlv *tlv)
{
    struct buf hex = {0};

    for (size_t i = 0; i < tlv->len; i++)
        buf_printf(&hex, "%02x", tlv->value[i]);
    json_t *text = json_string(buf_str(&hex));
    buf_fini(&hex);
    return text;
}

/*
 * The value where it is text that can be shown, else NULL. AWS begins the value of its own
 * type with a byte that tells what the text is, 1 for an endpoint's name.
 */
static json_t *text_json(const struct pp_tlv *tlv)
{
    size_t skip = tlv->type == TLV_AWS && tlv->len > 0 && tlv->value[0] == 1;
    char *text = str_take(tlv->value + skip, tlv->len - skip, PP_HEADER_MAX);
    bool is_shown = text && str_is_utf8(text);

    for (const char *at = text; is_shown && *at; at++)
        is_shown = (unsigned char)*at >= ' ' && *at != 0x7f;
    json_t *shown = is_shown ? json_string(text) : NULL;
    free(text);
    return shown;
}

/* By type in hex, as the protocol writes it; bytes that are no text as {"hex": …}. */
static json_t *parts_json(const struct pp_ssl *ssl)
{
    json_t *parts = json_object();
    struct pp_tlv tlv;
    size_t at = 0;

    while (pp_tlv_next(ssl->tlvs, ssl->tlvs_len, &at, &tlv)) {
        char type[3];
        json_t *text = text_json(&tlv);
        snprintf(type, sizeof(type), "%02x", tlv.type);
        json_object_set_new(parts, type, text ? text : json_pack("{s:o}", "hex", hex_json(&tlv)));
    }
    return parts;
}

static json_t *tlv_json(const struct pp_tlv *tlv)
{
    json_t *item =
        json_pack("{s:i, s:i, s:o}", "type", tlv->type, "len", (int)tlv->len, "hex", hex_json(tlv));
    json_t *text = text_json(tlv);
    struct pp_ssl ssl;

    if (pp_tlv_ssl(tlv, &ssl)) {
        json_object_set_new(item, "client", json_integer(ssl.client));
        json_object_set_new(item, "verify", json_integer(ssl.verify));
        json_object_set_new(item, "sub", parts_json(&ssl));
    }
    if (text)
        json_object_set_new(item, "text", text);
    return item;
}

static json_t *tlvs_json(const struct pp_header *header)
{
    json_t *list = json_array();
    struct pp_tlv tlv;
    size_t at = 0;

    while (pp_tlv_next(header->tlvs, header->tlvs_len, &at, &tlv))
        json_array_append_new(list, tlv_json(&tlv));
    return list;
}

static const char *transport_name(const struct pp_header *header)
{
    static const char *const names[][3] = {
        [PP_IPV4] = {[PP_STREAM] = "tcp4", [PP_DGRAM] = "udp4"},
        [PP_IPV6] = {[PP_STREAM] = "tcp6", [PP_DGRAM] = "udp6"},
        [PP_UNIX] = {[PP_STREAM] = "unix", [PP_DGRAM] = "unix-datagram"},
    };
    return names[header->family][header->transport];
}

static void add_client(json_t *answer, const struct pp_header *header)
{
    char src[PP_TEXT_MAX], dst[PP_TEXT_MAX];

    pp_format(header, &header->src, src);
    pp_format(header, &header->dst, dst);
    json_object_set_new(answer, "transport", json_string(transport_name(header)));
    json_object_set_new(answer, "src", output_json_text(src));
    json_object_set_new(answer, "dst", output_json_text(dst));
    json_object_set_new(answer, "sport", json_integer(header->src.port));
    json_object_set_new(answer, "dport", json_integer(header->dst.port));
}

static const char *answer_of(const struct reading *reading)
{
    if (reading->status == PP_MORE)
        return "incomplete";
    if (reading->status != PP_OK)
        return "reject";
    return reading->header.kind == PP_KIND_PROXY ? "proxy" : "local";
}

/* Why there is no client to tell of; null when there is. */
static json_t *reason_json(const struct reading *reading)
{
    if (reading->status != PP_OK)
        return json_string(pp_strstatus(reading->status));
    if (reading->header.kind != PP_KIND_PROXY)
        return json_string(pp_strkind(reading->header.kind));
    return json_null();
}

static json_t *reading_json(const struct reading *reading)
{
    const struct pp_header *header = &reading->header;
    bool is_whole = reading->status == PP_OK;
    json_t *answer = json_pack("{s:s, s:o, s:i, s:n, s:n, s:n, s:n, s:n, s:n, s:o}", "status",
                               answer_of(reading), "reason", reason_json(reading), "version",
                               header->version, "transport", "src", "dst", "sport", "dport",
                               "header_len", "tlvs", is_whole ? tlvs_json(header) : json_array());

    if (is_whole)
        json_object_set_new(answer, "header_len", json_integer((json_int_t)reading->header_len));
    if (is_whole && header->kind == PP_KIND_PROXY)
        add_client(answer, header);
    return answer;
}

/* JSON with --json or without: the answer is a structure. */
enum ctl_exit ctl_run_proxy(const struct ctl *ctl)
{
    struct reading reading = {.len = 0};
    struct error error = {0};

    if (read_header(&reading, &error) < 0)
        return ctl_fail(ctl, &error);
    return output_json(reading_json(&reading), reading.status == PP_OK ? CTL_YES : CTL_NO);
}
