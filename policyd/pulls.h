/* SPDX-License-Identifier: MIT */
#ifndef PN_POLICYD_PULLS_H
#define PN_POLICYD_PULLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/addr.h"

/*
 * What those who ask for changes every now and then have been told: the prefixes that
 * changed last, and for each reader how far he has come. Of both no more is kept than
 * this; who is not known any more is told everything.
 */
#define PULLS_CHANGES_MAX 65536u
#define PULLS_READERS_MAX 64u

/* How far a reader has come. */
struct pulls_mark {
    uint64_t change; /* the number of the next change */
    uint64_t turn;   /* of the configuration */
    bool is_held;    /* there may be bans that he could not be told */
};

/* Who he is: nobody else asks from there with such a program. */
struct pulls_reader {
    struct addr peer;
    uint64_t agent; /* a hash of its User-Agent */
};

struct pulls {
    struct prefix *changes; /* a ring; NULL: nobody has asked yet */
    uint64_t next;          /* the number of the next change */
    struct {
        struct pulls_reader reader;
        struct pulls_mark mark;
        uint64_t used; /* the higher, the later */
    } readers[PULLS_READERS_MAX];
    size_t reader_count;
    uint64_t uses;
};

void pulls_fini(struct pulls *pulls);
/* From now on changes are kept. */
void pulls_begin(struct pulls *pulls);
/* Nothing before pulls_begin(). */
void pulls_add(struct pulls *pulls, const struct prefix *prefix);
/* What changed under that number, or NULL when it is not kept any more. */
const struct prefix *pulls_change(const struct pulls *pulls, uint64_t number);

/* How far he has come; NULL: unknown. */
const struct pulls_mark *pulls_find(const struct pulls *pulls, const struct pulls_reader *reader);
/* He has come that far. Whoever asked longest ago may be forgotten for it. */
void pulls_set(struct pulls *pulls, const struct pulls_reader *reader,
               const struct pulls_mark *mark);
void pulls_forget(struct pulls *pulls, const struct pulls_reader *reader);

#endif
