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

/* Those that act on mail alone have sets of their own, which the mail port alone asks. */
static void put_name(const struct prefix *prefix, bool is_of_mail, struct buf *out)
{
    buf_printf(out, "%s%s_%u", is_of_mail ? "smtp_" : "", family_of(prefix), prefix->bits);
}

static bool *has_set(struct nft *nft, const struct prefix *prefix, bool is_of_mail)
{
    struct nft_sets *sets = &nft->sets[is_of_mail];

    return &(prefix->addr.family == ADDR_IPV4 ? sets->ip : sets->ip6)[prefix->bits];
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
static void make_set(struct nft *nft, const struct prefix *prefix, bool is_of_mail, struct buf *out)
{
    bool *has = has_set(nft, prefix, is_of_mail);

    if (*has)
        return;
    *has = true;
    buf_puts(out, " add set " TABLE " ");
    put_name(prefix, is_of_mail, out);
    buf_printf(out, " { type %s_addr; flags timeout; }; add rule " CHAIN " ",
               prefix->addr.family == ADDR_IPV4 ? "ipv4" : "ipv6");
    if (is_of_mail)
        buf_printf(out, "tcp dport %u ", CONFIG_SMTP_PORT);
    buf_printf(out, "%s saddr", family_of(prefix));
    put_mask(prefix, out);
    buf_puts(out, " @");
    put_name(prefix, is_of_mail, out);
    buf_puts(out, " counter drop;");
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

static void open_command(const char *verb, const struct prefix *prefix, bool is_of_mail,
                         struct buf *out)
{
    buf_printf(out, " %s element " TABLE " ", verb);
    put_name(prefix, is_of_mail, out);
    buf_puts(out, " { ");
}

static void put_command(const char *verb, const struct prefix *prefix, bool is_of_mail,
                        uint64_t seconds, struct buf *out)
{
    open_command(verb, prefix, is_of_mail, out);
    put_element(prefix, seconds, out);
    buf_puts(out, " };");
}

static bool continues(const struct nft *nft, const struct prefix *prefix, bool is_of_mail)
{
    return nft->is_open && nft->is_last_of_mail == is_of_mail &&
           nft->last.addr.family == prefix->addr.family && nft->last.bits == prefix->bits;
}

static void close_command(struct nft *nft, struct buf *out)
{
    if (nft->is_open)
        buf_puts(out, " };");
    nft->is_open = false;
}

void nft_put(struct nft *nft, const struct prefix *prefix, bool is_of_mail, uint64_t seconds,
             struct buf *out)
{
    if (continues(nft, prefix, is_of_mail)) {
        buf_puts(out, ", ");
    } else {
        close_command(nft, out);
        make_set(nft, prefix, is_of_mail, out);
        open_command("add", prefix, is_of_mail, out);
    }
    put_element(prefix, seconds, out);
    nft->last = *prefix;
    nft->is_last_of_mail = is_of_mail;
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
    for (int is_of_mail = 0; is_of_mail < 2; is_of_mail++) {
        if (!*has_set(nft, prefix, is_of_mail))
            continue;
        put_command("add", prefix, is_of_mail, 0, out);
        put_command("delete", prefix, is_of_mail, 0, out);
    }
}

void nft_ban(struct nft *nft, const struct prefix *prefix, bool is_of_mail, uint64_t seconds,
             struct buf *out)
{
    put_unban(nft, prefix, out);
    make_set(nft, prefix, is_of_mail, out);
    put_command("add", prefix, is_of_mail, seconds, out);
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

/* A chain that is there may be added without its hook. */
void nft_beat(struct buf *out)
{
    buf_puts(out, "add chain " CHAIN ";" END);
}
