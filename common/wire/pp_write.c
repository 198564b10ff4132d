/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/wire/pp_write.h"

#include "common/base/bug.h"

/* Signature, version and command. */
static const char proxy_command[] = "\r\n\r\n\0\r\nQUIT\n\x21";

/* The address as one of 16 bytes. */
static void put_ipv6(struct buf *out, const struct addr *addr)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    bool is_ipv4 = addr->family == ADDR_IPV4;

    if (is_ipv4)
        buf_put(out, mapped, sizeof(mapped));
    buf_put(out, addr->bytes, is_ipv4 ? 4 : 16);
}

static void put_u16(struct buf *out, uint16_t value)
{
    buf_putc(out, (char)(value >> 8));
    buf_putc(out, (char)(value & 0xff));
}

static bool is_ipv4(const struct pp_tcp *tcp)
{
    BUG_ON(tcp->src.family == ADDR_NONE || tcp->dst.family == ADDR_NONE);
    return tcp->src.family == ADDR_IPV4 && tcp->dst.family == ADDR_IPV4;
}

void pp_write_v2(struct buf *out, const struct pp_tcp *tcp)
{
    buf_put(out, proxy_command, sizeof(proxy_command) - 1);
    if (is_ipv4(tcp)) {
        buf_putc(out, 0x11);
        put_u16(out, 12);
        buf_put(out, tcp->src.bytes, 4);
        buf_put(out, tcp->dst.bytes, 4);
    } else {
        buf_putc(out, 0x21);
        put_u16(out, 36);
        put_ipv6(out, &tcp->src);
        put_ipv6(out, &tcp->dst);
    }
    put_u16(out, tcp->src_port);
    put_u16(out, tcp->dst_port);
}

void pp_write_v1(struct buf *out, const struct pp_tcp *tcp)
{
    bool ipv4 = is_ipv4(tcp);
    const char *src_net = !ipv4 && tcp->src.family == ADDR_IPV4 ? "::ffff:" : "";
    const char *dst_net = !ipv4 && tcp->dst.family == ADDR_IPV4 ? "::ffff:" : "";
    char src[ADDR_TEXT_MAX], dst[ADDR_TEXT_MAX];

    buf_printf(out, "PROXY %s %s%s %s%s %u %u\r\n", ipv4 ? "TCP4" : "TCP6", src_net,
               addr_format(&tcp->src, src), dst_net, addr_format(&tcp->dst, dst), tcp->src_port,
               tcp->dst_port);
}
