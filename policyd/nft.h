/* SPDX-License-Identifier: MIT */
#ifndef PN_POLICYD_NFT_H
#define PN_POLICYD_NFT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/addr.h"
#include "common/base/buf.h"
#include "common/config/config.h"

/*
 * Bans as commands of nft(8), each line a transaction in its interactive mode. Pure.
 *
 * Table inet postern_bans is all ours. There is a hash set for each prefix length in use,
 * which its rule asks for the client's address under that mask: a look-up costs one
 * probe for each length, a change the same however many there are, and prefixes may lie
 * in each other. What acts on mail alone (is_of_mail) has sets beside these, asked for
 * CONFIG_SMTP_PORT only. Every line ends with " #end": one that does not was cut off on the way.
 */
struct nft_sets {
    bool ip[33]; /* the lengths that have one */
    bool ip6[129];
};

struct nft {
    struct nft_sets sets[2]; /* by is_of_mail */
    bool is_open; /* an element can be appended to the one before, which is of this set: */
    bool is_last_of_mail;
    struct prefix last;
};

/* The TCP ports that nft_begin() takes for an empty list, as nft writes a set. */
#define NFT_PORTS "25, 80, 110, 143, 443, 465, 587, 993, 995, 4190"

/* A transaction that replaces everything, by the bans put before its end. */
void nft_begin(struct nft *nft, const struct config_strings *ports, struct buf *out);
void nft_put(struct nft *nft, const struct prefix *prefix, bool is_of_mail, uint64_t seconds,
             struct buf *out);
void nft_end(struct nft *nft, struct buf *out);

/* Changes after it, right whatever was before. */
void nft_ban(struct nft *nft, const struct prefix *prefix, bool is_of_mail, uint64_t seconds,
             struct buf *out);
void nft_unban(struct nft *nft, const struct prefix *prefix, struct buf *out);

/* A line that nft ignores. text is one line. */
void nft_comment(const char *text, struct buf *out);

/* One that changes nothing, and fails where the table is gone, as a flush of all rules leaves it.
 */
void nft_beat(struct buf *out);

#endif
