/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/nft.h"

#include <string.h>

#define TABLE "inet postern_bans"
#define CHAIN TABLE " prerouting"
#define END   " #end\n"

/* nft takes no number of more than eight digits. */
#define DAY_SECONDS 86400u

/*
 * At raw nothing is tracked yet: of TCP, what opens no connection belongs to one that is
 * open, or to none. A tunnel over UDP, from whatever address, passes by the first rule.
 */
static const char frame[] =
    "add table " TABLE "; delete table " TABLE "; add table " TABLE "; "
    "add chain " CHAIN " { type filter hook prerouting priority raw; policy accept; }; "
    "add rule " CHAIN " meta l4proto != tcp accept; "
    "add rule " CHAIN " tcp flags & (fin | syn | rst | ack) != syn accept; ";

static void put_ports(const struct config_strings *ports, struct buf *out)
{
    buf_puts(out, "add rule " CHAIN " tcp dport != { ");
    if (!ports->count)
        buf_puts(out, NFT_PORTS);
    for (size_t i = 0; i < ports->count; i++)
        buf_printf(out, "%s%s", i ? ", " : "", ports->items[i]);
    buf_puts(out, " } accept;");
}

void nft_begin(struct nft *nft, const struct config_strings *ports, struct buf *out)
{
    *nft = (struct nft){0};
    buf_puts(out, frame);
    put_ports(ports, out);
}

static const char *family_of(const struct prefix *prefix)
{
    return prefix->addr.family == ADDR_IPV4 ? "ip" : "ip6";
}

static void put_set(const struct prefix *prefix, struct buf *out)
{
    buf_printf(out, TABLE " %s_%u", family_of(prefix), prefix->bits);
}

/* " & MASK", nothing for whole addresses. */
static void put_mask(const struct prefix *prefix, struct buf *out)
{
    struct addr ones = {.family = prefix->addr.family};
    char text[ADDR_TEXT_MAX];

    if (prefix->bits == addr_bits(&prefix->addr))
        return;
    memset(ones.bytes, 0xff, addr_bits(&ones) / 8);
    struct prefix mask = prefix_of(&ones, prefix->bits);
    buf_printf(out, " & %s", addr_format(&mask.addr, text));
}

/* The set of prefixes of this length, and the rule that asks it. */
static void make_set(struct nft *nft, const struct prefix *prefix, struct buf *out)
{
    const char *family = family_of(prefix);
    bool *has = prefix->addr.family == ADDR_IPV4 ? nft->has_ip : nft->has_ip6;

    if (has[prefix->bits])
        return;
    has[prefix->bits] = true;
    buf_puts(out, " add set ");
    put_set(prefix, out);
    buf_printf(out, " { type %s_addr; flags timeout; }; add rule " CHAIN " %s saddr",
               prefix->addr.family == ADDR_IPV4 ? "ipv4" : "ipv6", family);
    put_mask(prefix, out);
    buf_printf(out, " @%s_%u counter drop;", family, prefix->bits);
}

static void put_element(const struct prefix *prefix, uint64_t seconds, struct buf *out)
{
    char text[ADDR_TEXT_MAX];

    buf_puts(out, addr_format(&prefix->addr, text));
    if (!seconds)
        return;
    buf_puts(out, " timeout ");
    if (seconds >= DAY_SECONDS)
        buf_printf(out, "%llud", (unsigned long long)(seconds / DAY_SECONDS));
    if (seconds % DAY_SECONDS)
        buf_printf(out, "%us", (unsigned)(seconds % DAY_SECONDS));
}

static void put_command(const char *verb, const struct prefix *prefix, uint64_t seconds,
                        struct buf *out)
{
    buf_printf(out, " %s element ", verb);
    put_set(prefix, out);
    buf_puts(out, " { ");
    put_element(prefix, seconds, out);
    buf_puts(out, " };");
}

static bool is_same_set(const struct prefix *a, const struct prefix *b)
{
    return a->addr.family == b->addr.family && a->bits == b->bits;
}

static void close_command(struct nft *nft, struct buf *out)
{
    if (nft->is_open)
        buf_puts(out, " };");
    nft->is_open = false;
}

void nft_put(struct nft *nft, const struct prefix *prefix, uint64_t seconds, struct buf *out)
{
    if (nft->is_open && is_same_set(&nft->last, prefix)) {
        buf_puts(out, ", ");
    } else {
        close_command(nft, out);
        make_set(nft, prefix, out);
        buf_puts(out, " add element ");
        put_set(prefix, out);
        buf_puts(out, " { ");
    }
    put_element(prefix, seconds, out);
    nft->last = *prefix;
    nft->is_open = true;
}

void nft_end(struct nft *nft, struct buf *out)
{
    close_command(nft, out);
    buf_puts(out, END);
}

/* To add what is there changes no timeout, to delete what is not fails the transaction. */
static void put_unban(struct nft *nft, const struct prefix *prefix, struct buf *out)
{
    make_set(nft, prefix, out);
    put_command("add", prefix, 0, out);
    put_command("delete", prefix, 0, out);
}

void nft_ban(struct nft *nft, const struct prefix *prefix, uint64_t seconds, struct buf *out)
{
    put_unban(nft, prefix, out);
    put_command("add", prefix, seconds, out);
    buf_puts(out, END);
}

void nft_unban(struct nft *nft, const struct prefix *prefix, struct buf *out)
{
    put_unban(nft, prefix, out);
    buf_puts(out, END);
}

void nft_comment(const char *text, struct buf *out)
{
    buf_printf(out, "# %s" END, text);
}
