/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/wire/pp_v1.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>

#define IPV4_TEXT_LEN 15 /* 255.255.255.255 */
#define IPV6_TEXT_LEN 39 /* eight groups of four digits */
#define PORT_DIGITS   5

struct line {
    const uint8_t *bytes;
    size_t len, at;
};

static enum pp_status take_text(struct line *line, const char *text, enum pp_status otherwise)
{
    for (; *text; text++, line->at++) {
        if (line->at == line->len)
            return PP_MORE;
        if (line->bytes[line->at] != (uint8_t)*text)
            return otherwise;
    }
    return PP_OK;
}

static enum pp_status take_space(struct line *line)
{
    return take_text(line, " ", PP_BAD_SEPARATOR);
}

static enum pp_status take_protocol(struct line *line, enum pp_family *family_r)
{
    static const struct {
        const char *word;
        enum pp_family family;
    } protocols[] = {{"TCP4", PP_IPV4}, {"TCP6", PP_IPV6}, {"UNKNOWN", PP_UNSPEC}};

    for (size_t i = 0; i < sizeof(protocols) / sizeof(protocols[0]); i++) {
        struct line rest = *line;
        enum pp_status status = take_text(&rest, protocols[i].word, PP_BAD_PROTOCOL);
        if (status == PP_BAD_PROTOCOL)
            continue;
        *line = rest;
        *family_r = protocols[i].family;
        return status;
    }
    return PP_BAD_PROTOCOL;
}

static bool is_address_byte(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || c == '.' ||
           c == ':';
}

/*
 * Whether bytes can follow that make text an address. What an address can lack is finite: the
 * shortest ends of both families, after any beginning, are these.
 */
static bool can_become_address(int af, const char *text, size_t len, size_t max)
{
    static const char *const ends[] = {"",    ":",    "::",    ":0",     "0",      ".0",
                                       "0.0", ".0.0", "0.0.0", ".0.0.0", "0.0.0.0"};
    uint8_t ignored[16];

    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        char whole[IPV6_TEXT_LEN + 1];
        size_t end_len = strlen(ends[i]);
        if (len + end_len > max)
            continue;
        memcpy(whole, text, len);
        memcpy(whole + len, ends[i], end_len + 1);
        if (inet_pton(af, whole, ignored) == 1)
            return true;
    }
    return false;
}

static enum pp_status take_address(struct line *line, enum pp_family family, uint8_t *address_r)
{
    int af = family == PP_IPV4 ? AF_INET : AF_INET6;
    size_t max = family == PP_IPV4 ? IPV4_TEXT_LEN : IPV6_TEXT_LEN, len = 0;
    char text[IPV6_TEXT_LEN + 1];
    enum pp_status status = take_space(line);

    if (status != PP_OK)
        return status;
    for (; line->at < line->len && is_address_byte(line->bytes[line->at]); line->at++) {
        if (len == max)
            return PP_BAD_ADDRESS;
        text[len++] = (char)line->bytes[line->at];
    }
    text[len] = 0;
    if (line->at == line->len)
        return can_become_address(af, text, len, max) ? PP_MORE : PP_BAD_ADDRESS;
    return inet_pton(af, text, address_r) == 1 ? PP_OK : PP_BAD_ADDRESS;
}

static enum pp_status take_port(struct line *line, uint16_t *port_r)
{
    unsigned value = 0, digits = 0;
    enum pp_status status = take_space(line);

    if (status != PP_OK)
        return status;
    for (; line->at < line->len; line->at++, digits++) {
        uint8_t c = line->bytes[line->at];
        if (c < '0' || c > '9')
            break;
        if (digits == PORT_DIGITS || (digits == 1 && value == 0))
            return PP_BAD_PORT;
        value = value * 10 + (unsigned)(c - '0');
    }
    if (value > UINT16_MAX)
        return PP_BAD_PORT;
    if (line->at == line->len)
        return PP_MORE;
    *port_r = (uint16_t)value;
    return digits ? PP_OK : PP_BAD_PORT;
}

static enum pp_status take_tcp(struct line *line, struct pp_header *header)
{
    enum pp_status status = take_address(line, header->family, header->src.bytes);

    if (status == PP_OK)
        status = take_address(line, header->family, header->dst.bytes);
    if (status == PP_OK)
        status = take_port(line, &header->src.port);
    if (status == PP_OK)
        status = take_port(line, &header->dst.port);
    if (status == PP_OK)
        status = take_text(line, "\r\n", PP_BAD_LINE_END);
    header->transport = PP_STREAM;
    header->is_tcp = true;
    return status;
}

/* What stands behind UNKNOWN is ignored up to CR LF: also a CR or LF that is alone. */
static enum pp_status take_ignored(struct line *line)
{
    size_t limit = line->len < PP_V1_MAX ? line->len : PP_V1_MAX;

    if (line->at == line->len)
        return PP_MORE;
    if (line->bytes[line->at] == '\r')
        return take_text(line, "\r\n", PP_BAD_SEPARATOR);
    if (line->bytes[line->at] != ' ')
        return PP_BAD_SEPARATOR;
    for (; line->at + 1 < limit; line->at++) {
        if (line->bytes[line->at] == '\r' && line->bytes[line->at + 1] == '\n') {
            line->at += 2;
            return PP_OK;
        }
    }
    /* the last byte that may come can only be the LF of a CR that is here */
    bool can_end =
        limit < PP_V1_MAX - 1 || (limit == PP_V1_MAX - 1 && line->bytes[limit - 1] == '\r');
    return can_end ? PP_MORE : PP_BAD_LINE_LEN;
}

enum pp_status pp_v1_parse(const uint8_t *bytes, size_t len, struct pp_header *header_r,
                           size_t *consumed_r)
{
    struct line line = {bytes, len, 0};
    enum pp_status status = take_text(&line, "PROXY", PP_BAD_SIGNATURE);

    if (status == PP_OK)
        status = take_space(&line);
    if (status == PP_OK)
        status = take_protocol(&line, &header_r->family);
    if (status != PP_OK)
        return status;
    if (header_r->family == PP_UNSPEC) {
        header_r->kind = PP_KIND_UNKNOWN;
        status = take_ignored(&line);
    } else {
        status = take_tcp(&line, header_r);
    }
    *consumed_r = line.at;
    return status;
}
