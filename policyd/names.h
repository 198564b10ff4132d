/* SPDX-License-Identifier: MIT */
#ifndef PN_POLICYD_NAMES_H
#define PN_POLICYD_NAMES_H

#include <stddef.h>

#include "common/base/map.h"

/*
 * Texts that many share, each held once for as long as somebody holds it: a million bans
 * bear the names of a few jails.
 */
struct names {
    struct map map;
};

void names_init(struct names *names);
/* Nobody holds any. */
void names_fini(struct names *names);

/* The first max bytes of text at most, until the names_drop() that goes with this call. */
const char *names_take(struct names *names, const char *text, size_t max);
/* text is what names_take() returned. */
void names_drop(struct names *names, const char *text);

#endif
